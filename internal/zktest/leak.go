// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

const (
	// envMark is inherited by every process that the tests start, however far
	// down and however detached.
	envMark = "CLOCKER_TEST_MARK"
	// leaveTime is given to what is on its way out, such as a session that a
	// server is closing or a process that was told to end.
	leaveTime = 10 * time.Second
)

// MarkProcesses returns an assignment for the environment of a command that the
// test starts. At the test's end it is an error if that command or any process
// that it started, directly or through others, is left, time to leave granted.
//
// A process is known by that variable in its environment, which only Linux shows:
// elsewhere this finds nothing, and children of this process alone are found by
// Main.
func MarkProcesses(tb testing.TB) string {
	tb.Helper()
	assignment := envMark + "=" + os.Getenv(envMark) + "/" + rand.Text()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
		defer cancel()
		marked := func(p relative) bool { return p.mark == assignment }
		if err := awaitGone(ctx, marked); err != nil {
			tb.Errorf("the test left processes: %v", err)
		}
	})
	return assignment
}

// markProcesses marks all processes that are started from now on.
func markProcesses() error { return os.Setenv(envMark, rand.Text()) }

// awaitNoProcesses waits until no process is left that this one started.
func awaitNoProcesses(ctx context.Context) error {
	self := int32(os.Getpid()) //nolint:gosec // Process ids fit.
	prefix := envMark + "=" + os.Getenv(envMark)
	return awaitGone(ctx, func(p relative) bool {
		return p.Pid != self && (p.parent == self || strings.HasPrefix(p.mark, prefix))
	})
}

// relative is a process with what may relate it to this one.
type relative struct {
	*process.Process
	parent int32  // 0: unknown
	mark   string // the whole assignment of envMark, or ""
}

// awaitGone waits until no process is one of ours, bounded by ctx; past it, the
// error names those that are.
func awaitGone(ctx context.Context, ours func(relative) bool) error {
	return poll(ctx, func() error {
		// Not ctx: the last look is to tell what is left, even when time is up.
		all, err := process.Processes()
		if err != nil {
			return fmt.Errorf("list processes: %w", err)
		}
		left := slices.DeleteFunc(all, func(p *process.Process) bool { return !ours(relate(p)) })
		if len(left) > 0 {
			return errors.New(names(left))
		}
		return nil
	})
}

func relate(p *process.Process) relative {
	r := relative{Process: p}
	// An error says that it has ended meanwhile or is not ours to look at.
	r.parent, _ = p.Ppid()
	environ, _ := p.Environ()
	for _, assignment := range environ {
		if strings.HasPrefix(assignment, envMark+"=") {
			r.mark = assignment
		}
	}
	return r
}
