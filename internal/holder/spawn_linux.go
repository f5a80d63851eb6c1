package holder

// executable is this very program, also after its file was replaced.
func executable() (string, error) { return "/proc/self/exe", nil }
