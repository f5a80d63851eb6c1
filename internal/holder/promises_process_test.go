// SPDX-License-Identifier: MPL-2.0

//go:build unix

package holder

import (
	"bufio"
	"regexp"
)

func init() {
	subjects["in a process of its own"] = struct {
		start    func(*subject)
		parallel bool
	}{startInAProcess, false} // tests count the processes
}

// startInAProcess makes the subject a [Remote] that talks to a holder process.
func startInAProcess(s *subject) {
	terraform := startListening(s.t)
	s.Holder, s.run, s.pid = newProcess(s.t, terraform.Run), terraform.ID, terraform.PID
	s.end = func() {
		_, _ = terraform.in.WriteString("\n") // an error says that it has ended
		awaitNoHolder(s.t)
	}
	go func() {
		loss := regexp.MustCompile(`^clocker: lock "([^"]*)" .* was lost at .*?(Interrupting this run)?\.?$`)
		for lines := bufio.NewScanner(terraform.told); lines.Scan(); {
			if found := loss.FindStringSubmatch(lines.Text()); found != nil {
				s.told <- toldOfLoss{found[1], found[2] != ""}
			}
		}
	}()
}
