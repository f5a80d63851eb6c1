//go:build unix

package gate

import (
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

func init() {
	if len(os.Args) > 4 && os.Args[1] == Argument {
		os.Exit(wait(os.Args[2], os.Args[3], os.Args[4:]))
	}
}

// wait waits until the starter writes a line, an assignment for the environment, and then
// becomes the command. If the starter ends before, so does this process.
func wait(fd, path string, argv []string) int {
	n, err := strconv.Atoi(fd)
	if err != nil {
		return NotOpened
	}
	pipe := os.NewFile(uintptr(n), "gate")
	line, err := io.ReadAll(pipe)
	assignment, whole := strings.CutSuffix(string(line), "\n")
	if err != nil || !whole {
		return NotOpened
	}
	_ = pipe.Close()
	name, _, _ := strings.Cut(assignment, "=")
	environment := slices.DeleteFunc(os.Environ(), func(other string) bool { return strings.HasPrefix(other, name+"=") })
	environment = append(environment, assignment)
	err = syscall.Exec(path, argv, environment) //nolint:gosec // the user's command
	if errors.Is(err, syscall.ENOEXEC) {
		// A script without a first line that says what runs it.
		err = syscall.Exec("/bin/sh", append([]string{"sh", path}, argv[1:]...), environment) //nolint:gosec // likewise
	}
	_, _ = os.Stderr.WriteString("terraform-provider-clocker: " + path + ": " + err.Error() + "\n")
	if errors.Is(err, syscall.ENOENT) {
		return NotFound
	}
	return CannotRun
}
