// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"encoding/gob"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// inherited are the environment variables that a holder process gets. It gets no others,
// because the provider's environment has credentials.
var inherited = []string{
	"HOME", "USER", "TMPDIR", "TMP", "TEMP", "SystemRoot", "SYSTEMROOT",
	"GODEBUG", "GOTRACEBACK", "GORACE", "GOCOVERDIR", envProcessors,
	"RES_OPTIONS", "LOCALDOMAIN", "SSL_CERT_FILE", "SSL_CERT_DIR", EnvDebug,
}

func environment(all []string) []string {
	env := []string{}
	for _, variable := range all {
		name, _, _ := strings.Cut(variable, "=")
		if slices.Contains(inherited, name) {
			env = append(env, variable)
		}
	}
	return env
}

// Prepared is a holder process that does not know its run yet.
type Prepared struct {
	in  io.WriteCloser // the process ends with it if it has nothing to stay for
	out *os.File
}

// Prepare starts a holder process before its run is known: to start takes it a while.
// Close it if it is not used.
func Prepare() (*Prepared, error) {
	cmd, err := ourselves(Command)
	if err != nil {
		return nil, fmt.Errorf("holder: start: %w", err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("holder: start: %w", err)
	}
	out, theirs, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("holder: start: %w", err)
	}
	cmd.Stdout = theirs
	err = cmd.Start()
	_ = theirs.Close()
	if err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("holder: start: %w", err)
	}
	go func() { _ = cmd.Wait() }() // so that it does not become a zombie
	return &Prepared{in, out}, nil
}

// Close ends the process, unless it holds locks or somebody else is connected to it.
func (p *Prepared) Close() {
	if p != nil {
		_ = p.in.Close()
		_ = p.out.Close()
	}
}

// started says how the start of a holder process ended.
type started struct{ Failure *Failure }

// begin tells the process for which run it works, and returns when it listens. The error
// is errTaken if another process does.
func (p *Prepared) begin(o order) error {
	var s started
	_ = p.out.SetReadDeadline(time.Now().Add(startTime))
	err := gob.NewEncoder(p.in).Encode(o)
	if err == nil {
		err = gob.NewDecoder(p.out).Decode(&s)
	}
	if err != nil {
		return fmt.Errorf("holder: start: %w", err)
	}
	return s.Failure.err()
}

// ourselves returns the command of a detached copy of this executable.
func ourselves(args ...string) (*exec.Cmd, error) {
	exe, err := Executable()
	if err != nil {
		return nil, err
	}
	name, err := os.Executable()
	if err != nil {
		return nil, err
	}
	keepDescriptors()
	cmd := exec.Command(exe, args...) //nolint:gosec // our own executable
	cmd.Args[0] = name
	cmd.Env = environment(os.Environ())
	cmd.Dir = rootDir()
	cmd.SysProcAttr = detached()
	return cmd, nil
}
