// SPDX-License-Identifier: MPL-2.0

package run

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// EnvRun names the environment variable by which a command tells the processes below it
// that they are one run: see [Enclosing].
const EnvRun = "CLOCKER_RUN"

// maxAncestors is how many processes may be between a command and this process.
const maxAncestors = 1000

// Token is the value of EnvRun that names this run.
func (r Run) Token() string { return fmt.Sprintf("%d-%s", r.PID, r.ID) }

// Enclosing returns the run that EnvRun names, if this process is below its process. So an
// old value, or one from another machine or container, names no run.
func Enclosing() (r Run, ok bool) {
	return enclosing(os.Getenv(EnvRun))
}

func enclosing(token string) (Run, bool) {
	number, _, _ := strings.Cut(token, "-")
	pid, err := strconv.Atoi(number)
	if err != nil {
		return Run{}, false
	}
	r, err := Of(pid)
	if err != nil || r.Token() != token {
		return Run{}, false
	}
	at := os.Getpid()
	for range maxAncestors {
		if at, err = parentOf(at); err != nil || at <= 0 {
			break
		}
		if at == r.PID {
			return r, true
		}
	}
	return Run{}, false
}
