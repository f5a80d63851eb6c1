// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

func TestAcquireMakesTheRootAndLeavesNothingBelowIt(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	c := newClient(t, space.Addr())
	l := c.lock(dirOf(space))

	children := space.Children(testDir)
	if len(children) != 1 || l.Znode() != space.Path(testDir+"/"+children[0]) {
		t.Fatalf("the lock is %s, the directory has %q", l.Znode(), children)
	}
	if !regexp.MustCompile(`^ex-[0-9a-f]{32}__lock__0000000000$`).MatchString(children[0]) {
		t.Errorf("the contender is called %s", children[0])
	}
	data, stat := space.Get(testDir + "/" + children[0])
	if stat.EphemeralOwner != c.session().ID() {
		t.Errorf("the contender's owner is %#x, the session %#x", stat.EphemeralOwner, c.session().ID())
	}
	if l.Token() != stat.Czxid || l.Token() <= 0 {
		t.Errorf("the token is %d, the czxid %d", l.Token(), stat.Czxid)
	}
	if d := decodeData(data); d.Owner != c.data.Owner || d.Info != c.data.Info || d.Since.IsZero() {
		t.Errorf("the contender says %s", data)
	}
	if l.Err() != nil || l.Durable() {
		t.Errorf("a new lock: %v, durable %v", l.Err(), l.Durable())
	}

	release(t, l)
	if tree := space.Tree(); !slices.Equal(tree, []string{DefaultRoot}) {
		t.Errorf("after the release there is %q", tree)
	}
	if l.Err() != nil {
		t.Errorf("a released lock is lost: %v", l.Err())
	}
}

func TestAcquireInADirectoryThatExists(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	space.Create(DefaultRoot, nil, zktest.Persistent)
	space.Create(testDir, nil, zktest.Persistent)
	c := newClient(t, space.Addr())
	l := c.lock(dirOf(space))
	children := space.Children(testDir)
	if len(children) != 1 {
		t.Fatalf("the directory has %q", children)
	}
	if _, stat := space.Get(testDir + "/" + children[0]); l.Token() != stat.Czxid {
		t.Errorf("the token is %d, the czxid %d", l.Token(), stat.Czxid)
	}
	release(t, l)
	if space.Exists(testDir) {
		t.Error("the empty directory was left")
	}
}

// Further up is what others have made and guard.
func TestAcquireNeedsNoRightsFurtherUp(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	space.AllowEmpty("/theirs", "/theirs/ours", "/theirs/ours/a", "/theirs/ours/a/b")
	guarded := zk.WorldACL(zk.PermRead | zk.PermDelete)
	space.Create("/theirs", nil, zktest.Persistent)
	space.Create("/theirs/ours", nil, zktest.Persistent)
	if _, err := space.Conn().SetACL(space.Path("/theirs"), guarded, -1); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, space.Addr())
	release(t, c.lock(Directory(space.Path("/theirs/ours"), "/a/b", "test")))
	if _, err := Acquire(bounded(t), c.sessions, c.request(space.Path("/theirs/a/b"))); !errors.Is(err, zookeeper.ErrNoAuth) {
		t.Errorf("want ErrNoAuth, got %v", err)
	}
}

func TestTokensGrow(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	first, second := newClient(t, space.Addr()), newClient(t, space.Addr())
	last := int64(0)
	check := func(l *Lock) {
		t.Helper()
		if l.Token() <= last {
			t.Errorf("token %d follows %d", l.Token(), last)
		}
		last = l.Token()
	}
	for range 3 { // each time the directory goes and comes
		l := first.lock(dirOf(space))
		check(l)
		waiter := second.queue(second.request(dirOf(space)))
		release(t, l)
		next := waiter.get()
		check(next)
		release(t, next)
	}
}

func TestAcquireBusy(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	dir := dirOf(space)
	holder := newClient(t, space.Addr())
	holder.data = Data{Owner: "anna@build", Info: "rolling out", Host: "build", PID: 77, Client: "clocker/test"}
	before := time.Now().Truncate(time.Second)
	l := holder.lock(dir)
	defer release(t, l)
	second := newClient(t, space.Addr())
	waiter := second.queue(second.request(dir))
	defer waiter.leave()

	for name, wait := range map[string]time.Duration{"tried once": 0, "waited": 50 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, space.Addr())
			req := c.request(dir)
			req.LockID, req.Wait = "deploy/web", wait
			got, err := Acquire(bounded(t), c.sessions, req)
			var busy *BusyError
			if got != nil || !errors.As(err, &busy) || !errors.Is(err, ErrBusy) {
				t.Fatalf("a lock that is held: %v, %v", got, err)
			}
			if busy.LockID != "deploy/web" || busy.Dir != dir || busy.Waited != wait || busy.Place != 2 {
				t.Errorf("the error is %+v", busy)
			}
			if len(busy.Holders) != 1 {
				t.Fatalf("the holders are %v", busy.Holders)
			}
			h := busy.Holders[0]
			if h.Data.Owner != "anna@build" || h.Data.Info != "rolling out" || h.Data.PID != 77 || h.Data.Client != "clocker/test" ||
				h.Znode != l.Znode() || h.Session != holder.session().ID() || h.Contender.Mode != Exclusive {
				t.Errorf("the holder is %+v", h)
			}
			if h.Data.Since.Before(before.UTC()) || h.Data.Since.After(time.Now()) || !h.Joined().Equal(h.Data.Since) {
				t.Errorf("the holder joined at %v, not since %v", h.Data.Since, before)
			}
			text := err.Error()
			for _, want := range []string{`"deploy/web"`, "anna@build", `"rolling out"`, "process 77", h.Data.Since.Format(time.RFC3339), l.Znode(), "place 2"} {
				if !strings.Contains(text, want) {
					t.Errorf("the message lacks %s: %s", want, text)
				}
			}
			if (wait > 0) != strings.Contains(text, "not free within 50ms") {
				t.Errorf("what was waited is not told right: %s", text)
			}
			if n := len(space.Children(testDir)); n != 2 {
				t.Errorf("%d contenders are left, want the holder and the waiter", n)
			}
		})
	}
}

func TestCancelWhileWaitingLeavesNothing(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	a, b := newClient(t, space.Addr()), newClient(t, space.Addr())
	l := a.lock(dirOf(space))
	w := b.queue(b.request(dirOf(space)))
	w.leave() // asserts the cause
	if n := len(space.Children(testDir)); n != 1 {
		t.Errorf("%d contenders are left, want the holder", n)
	}
	release(t, l)
}

func TestAcquireWithAnEndedContextLeavesNothing(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	c := newClient(t, space.Addr())
	c.session()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errCancelled)
	if l, err := Acquire(ctx, c.sessions, c.request(dirOf(space))); l != nil || !errors.Is(err, errCancelled) {
		t.Errorf("acquired %v, %v", l, err)
	}
	if tree := space.Tree(); len(tree) != 0 {
		t.Errorf("there is %q", tree)
	}
}

func TestAcquireSaysWhatSessionsSaid(t *testing.T) {
	t.Parallel()
	cause := errors.New("no session today")
	none := func(context.Context) (*zookeeper.Session, error) { return nil, cause }
	l, err := Acquire(bounded(t), none, Request{LockID: "deploy", Dir: "/a/b"})
	if l != nil || !errors.Is(err, cause) || !strings.Contains(err.Error(), `"deploy"`) {
		t.Errorf("acquired %v, %v", l, err)
	}
}

// The server does not answer for longer than a cancelled acquire stays to see its
// contender removed, which happens all the same.
func TestAnAcquireIsCancelledWhileTheServerIsSilent(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	space.Create(DefaultRoot, nil, zktest.Persistent)
	proxy := zktest.NewProxy(t, space.Server())
	c := newClient(t, proxy.Addr())
	c.session()
	creation := proxy.Catch(zktest.Request, ofKind(zktest.OpMulti))
	w := c.start(c.request(dirOf(space)))
	creation.Wait()
	w.leave()
	created := proxy.Catch(zktest.Reply, ofKind(zktest.OpMulti))
	removed := proxy.Catch(zktest.Reply, ofKind(zktest.OpMulti))
	creation.Pass()
	created.Pass()
	created.Wait()
	removed.Pass()
	removed.Wait()
	if tree := space.Tree(); !slices.Equal(tree, []string{DefaultRoot}) {
		t.Errorf("there is %q", tree)
	}
}
