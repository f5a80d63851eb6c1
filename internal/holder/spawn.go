package holder

import (
	"encoding/gob"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// inherited are the environment variables that a holder process needs. It gets
// no others: the provider's environment holds credentials.
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

// start starts a holder process, which stays at least until release is called. The
// error is errTaken if there is one already.
func (p *Process) start() (release func(), err error) {
	cmd, err := ourselves(Command)
	if err != nil {
		return nil, fmt.Errorf("holder: start: %w", err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("holder: start: %w", err)
	}
	out, ours, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("holder: start: %w", err)
	}
	defer func() { _ = out.Close() }()
	cmd.Stdout = ours
	err = cmd.Start()
	_ = ours.Close()
	if err != nil {
		return nil, fmt.Errorf("holder: start: %w", err)
	}
	release = func() { _ = in.Close() }
	go func() { _ = cmd.Wait() }() // so that it does not become a zombie
	var s started
	_ = out.SetReadDeadline(time.Now().Add(startTime))
	if err = gob.NewEncoder(in).Encode(p.order); err == nil {
		err = gob.NewDecoder(out).Decode(&s)
	}
	switch {
	case err != nil:
		err = fmt.Errorf("holder: start: %w", err)
	case s.Taken:
		err = errTaken
	default:
		err = s.Failure.err()
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// ourselves is a detached copy of this executable, to be started.
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
