// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// following is a Follow under way.
type following struct {
	t     *testing.T
	shown chan []string
	end   context.CancelCauseFunc
	ended chan error
}

func (s *stage) follow(prefix string) *following {
	ctx, cancel := context.WithCancelCause(context.Background())
	f := &following{t: s.t, shown: make(chan []string), end: cancel, ended: make(chan error, 1)}
	go func() {
		f.ended <- Follow(ctx, s.ours.sessions, rootsOf(s.Space), prefix, func(locks []Listed) {
			select {
			case f.shown <- tell(locks):
			case <-ctx.Done():
			}
		})
	}()
	s.t.Cleanup(func() {
		cancel(errCancelled)
		if err := <-f.ended; !errors.Is(err, errCancelled) {
			s.t.Errorf("it ends with %v", err)
		}
	})
	return f
}

// shows waits until this is shown.
func (f *following) shows(want ...string) {
	f.t.Helper()
	var got []string
	for {
		select {
		case got = <-f.shown:
			if slices.Equal(got, want) {
				return
			}
		case err := <-f.ended:
			f.ended <- err
			f.t.Fatalf("it ends with %v", err)
		case <-bounded(f.t).Done():
			f.t.Fatalf("last there is %q, want %q", got, want)
		}
	}
}

// Whatever becomes of a lock is shown: it is taken, waited for, handed on, described,
// released, its directory goes and comes back, and the root does.
func TestFollow(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	f := s.follow("")
	f.shows()
	l := s.other.lock(dirOf(s.Space)) // makes the root
	f.shows("test tester@example +0")
	other := s.other.lock(Directory(s.Chroot(), DefaultRoot, "other"))
	f.shows("other tester@example +0", "test tester@example +0")
	second := newClient(t, s.Addr())
	second.data.Owner = "second"
	w := second.queue(second.request(dirOf(s.Space)))
	f.shows("other tester@example +0", "test tester@example +1")
	release(t, l)
	f.shows("other tester@example +0", "test second +0")
	s.Set(w.get().Znode()[len(s.Chroot()):], []byte("says something else"))
	f.shows("other tester@example +0", "test says something else +0")
	release(t, w.get())
	f.shows("other tester@example +0")
	for range 3 {
		again := s.other.lock(dirOf(s.Space))
		f.shows("other tester@example +0", "test tester@example +0")
		release(t, again)
	}
	release(t, other)
	s.Delete(DefaultRoot)
	f.shows()
	mkdirs(s.Space, DefaultRoot+"/team/web")
	nested := s.Create(DefaultRoot+"/team/web/lock-", []byte("deep"), zktest.EphemeralSequential)
	f.shows("team/web deep without an id +0")
	s.Delete(nested, DefaultRoot+"/team/web", DefaultRoot+"/team")
	f.shows()
}

// It goes on when the connection was lost, and with another session.
func TestFollowAfterAConnectionOrSessionIsLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*zktest.Proxy){"connection": (*zktest.Proxy).Cut, "session": (*zktest.Proxy).Expire} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			f := s.follow("te")
			l := s.other.lock(dirOf(s.Space))
			f.shows("test tester@example +0")
			s.proxy.Refuse()
			release(t, l)
			s.proxy.Accept()
			lose(s.proxy)
			f.shows()
			l = s.other.lock(dirOf(s.Space))
			f.shows("test tester@example +0")
			release(t, l)
			f.shows()
		})
	}
}

// A root that may not be read ends it, at first or later.
func TestFollowEndsWithAnError(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	c := newClientWith(t, "127.0.0.1:1", time.Second)
	c.cfg.ConnectTimeout = 100 * time.Millisecond
	err := Follow(bounded(t), c.sessions, rootsOf(s.Space), "", func([]Listed) { t.Error("something is shown") })
	if connect := (*zookeeper.ConnectError)(nil); !errors.As(err, &connect) {
		t.Errorf("without a server it ends with %v", err)
	}
}
