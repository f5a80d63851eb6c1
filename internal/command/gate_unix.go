//go:build unix

package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// gate waits until its starter opens it, and then becomes the command. If that ends
// before, so does this process. Its arguments are the descriptor of a pipe, the path of
// the command's program, and the command.
func gate(p Program, args []string) int {
	if len(args) < 3 {
		return exitUsage
	}
	fd, err := strconv.Atoi(args[0])
	if err != nil {
		return exitUsage
	}
	pipe := os.NewFile(uintptr(fd), "gate")
	token, err := io.ReadAll(pipe)
	if err != nil || !strings.HasSuffix(string(token), "\n") {
		return exitNotHeld
	}
	_ = pipe.Close()
	path, argv := args[1], args[2:]
	environment := slices.DeleteFunc(os.Environ(), func(assignment string) bool { return strings.HasPrefix(assignment, run.EnvRun+"=") })
	environment = append(environment, run.EnvRun+"="+strings.TrimSpace(string(token)))
	err = syscall.Exec(path, argv, environment) //nolint:gosec // the user's command
	if errors.Is(err, syscall.ENOEXEC) {
		// A script without a first line that says what runs it.
		err = syscall.Exec("/bin/sh", append([]string{"sh", path}, argv[1:]...), environment) //nolint:gosec // likewise
	}
	return p.fail(cannotRun(err), fmt.Errorf("%s: %w", path, err))
}

// opening is the starter's side of a gate.
type opening struct {
	*exec.Cmd
	pipe  *os.File
	ended chan struct{} // closed when the process has ended
}

// startGate starts the process that will be the command.
func (r *running) startGate() (*opening, error) {
	self, err := holder.Executable()
	if err != nil {
		return nil, err
	}
	var fds [2]int
	if err := unix.Pipe(fds[:]); err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	// One end only is the child's. As one of ExtraFiles it could take the place of a
	// descriptor that the command is to have from our starter.
	unix.CloseOnExec(fds[1])
	theirs, ours := os.NewFile(uintptr(fds[0]), "gate"), os.NewFile(uintptr(fds[1]), "gate")
	defer func() { _ = theirs.Close() }()
	g := &opening{
		Cmd:   exec.Command(self, append([]string{gateArgument, strconv.Itoa(fds[0]), r.path}, r.args...)...), //nolint:gosec // our own executable
		pipe:  ours,
		ended: make(chan struct{}),
	}
	g.Args[0] = name
	g.Stdin, g.Stdout, g.Stderr = r.In, r.Out, r.Err
	if err := g.Start(); err != nil {
		_ = ours.Close()
		return nil, err
	}
	go func() {
		defer close(g.ended)
		_ = g.Wait()
	}()
	return g, nil
}

// open lets the command begin.
func (g *opening) open(token string) error {
	defer func() { _ = g.pipe.Close() }()
	_, err := g.pipe.WriteString(token + "\n")
	return err
}

// abandon ends a process that has not become the command.
func (g *opening) abandon() {
	_ = g.pipe.Close()
	_ = g.Process.Kill()
	<-g.ended
}

// stoppedBy is the signal that asked the command to end, and did end it; nil if none.
func (g *opening) stoppedBy() os.Signal {
	if status, ok := g.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && stops(status.Signal()) {
		return status.Signal()
	}
	return nil
}

// code is the exit code of the command that has ended.
func (g *opening) code() int {
	if status, ok := g.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitSignal + int(status.Signal())
	}
	return g.ProcessState.ExitCode()
}
