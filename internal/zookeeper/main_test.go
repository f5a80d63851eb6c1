// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func TestMain(m *testing.M) { zktest.Main(m) }

// patience bounds every wait for something that should happen soon. Reached
// only when something is broken.
const patience = 30 * time.Second

// bounded ends with the test, and fails it rather than lets it hang.
func bounded(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	tb.Cleanup(cancel)
	return ctx
}

// config is for sessions with servers that are far from their limits.
func config(servers ...string) Config {
	return Config{Servers: servers, SessionTimeout: 10 * time.Second, ConnectTimeout: 10 * time.Second}
}

// open opens a session that is closed at the test's end.
func open(t *testing.T, cfg Config) *Session {
	t.Helper()
	s, err := Open(bounded(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// await waits for something to happen.
func await(t *testing.T, what string, event <-chan struct{}) {
	t.Helper()
	select {
	case <-event:
	case <-bounded(t).Done():
		t.Fatalf("waited in vain for %s", what)
	}
}
