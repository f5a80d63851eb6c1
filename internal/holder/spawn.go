package holder

import (
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// inherited are the environment variables that a holder process needs. It gets
// no others: the provider's environment holds credentials.
var inherited = []string{
	"HOME", "XDG_CACHE_HOME", "USER", "TMPDIR", "TMP", "TEMP", "SystemRoot", "SYSTEMROOT",
	"GODEBUG", "GOTRACEBACK", "GORACE", "GOCOVERDIR", envProcessors,
	"RES_OPTIONS", "LOCALDOMAIN", "SSL_CERT_FILE", "SSL_CERT_DIR",
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

// startProcess runs a copy of this executable, detached, and returns it with the
// pipe to it.
func startProcess(args []string) (*exec.Cmd, io.ReadWriteCloser, error) {
	cmd, err := ourselves(args...)
	if err != nil {
		return nil, nil, err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	return cmd, stdio{out, in}, nil
}

// ourselves is a detached copy of this executable, to be started.
func ourselves(args ...string) (*exec.Cmd, error) {
	exe, err := executable()
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
