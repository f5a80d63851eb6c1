package holder

// Executable is the path of this very program, also after its file was replaced.
func Executable() (string, error) { return "/proc/self/exe", nil }
