// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// logged is a log that can be read while it is written.
type logged struct {
	wrote chan struct{}

	mu   sync.Mutex
	text bytes.Buffer
}

func newLogged() *logged { return &logged{wrote: make(chan struct{}, 1)} }

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.wrote <- struct{}{}:
	default:
	}
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await waits until the log has a text.
func (l *logged) await(t *testing.T, text string) {
	t.Helper()
	ctx := bounded(t)
	for !strings.Contains(l.String(), text) {
		select {
		case <-l.wrote:
		case <-ctx.Done():
			t.Fatalf("%q is not in the log:\n%s", text, l)
		}
	}
}
