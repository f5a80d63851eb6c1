// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// The server has the last word on the session timeout, and the log says so.
func TestGrantedSessionTimeoutIsLogged(t *testing.T) {
	t.Parallel()
	server := zktest.Own(t, zktest.Options{MinSessionTimeout: 4 * time.Second, MaxSessionTimeout: 8 * time.Second})
	for name, tc := range map[string]struct{ asked, says string }{
		"shorter than allowed": {"session_timeout = 2", "granted=4s"},
		"longer than allowed":  {"session_timeout = 30", "granted=8s"},
		"as allowed":           {"session_timeout = 5", ""},
	} {
		t.Run(name, func(t *testing.T) {
			space := zktest.NewSpaceOn(t, server)
			w := newWorkspace(t, provider(space, tc.asked), lock("a"))
			w.Setenv("TF_LOG_PROVIDER", "INFO")
			apply := w.Apply()
			apply.Succeed()
			const message = "the server granted another session timeout"
			log := apply.Stderr()
			if said := strings.Contains(log, message); said != (tc.says != "") || !strings.Contains(log, tc.says) {
				t.Errorf("want %q in the log:\n%s", tc.says, log)
			}
		})
	}
}
