// SPDX-License-Identifier: MPL-2.0

//go:build unix

package early

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
	if len(os.Args) > 4 && os.Args[1] == GateCommand {
		os.Exit(openGate(os.Args[2], os.Args[3], os.Args[4:]))
	}
}

// openGate waits until the starter writes a line, an assignment for the environment, and
// then becomes the command. If the starter ends before that, so does this process.
func openGate(fd, path string, argv []string) int {
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
