// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// list is what List says in a line for each lock: its name, who holds it, how many wait.
func (c *client) list(space *zktest.Space, prefix string) []string {
	c.tb.Helper()
	locks, err := List(bounded(c.tb), c.session(), rootsOf(space), prefix)
	if err != nil {
		c.tb.Fatal(err)
	}
	return tell(locks)
}

func rootsOf(space *zktest.Space) []string {
	return []string{space.Path(DefaultRoot), space.Path(DefaultSemaphoreRoot)}
}

func tell(locks []Listed) []string {
	lines := []string{}
	for _, l := range locks {
		line := l.Name
		for _, h := range l.Holders {
			line += " " + h.Data.Owner
		}
		if l.Unreadable {
			line += " unreadable"
		}
		if l.LockID() != l.Name {
			line += " without an id"
		}
		lines = append(lines, fmt.Sprintf("%s +%d", line, l.Waiters))
	}
	return lines
}

// mkdirs makes directories, each with those above it.
func mkdirs(space *zktest.Space, dirs ...string) {
	for _, dir := range dirs {
		for i := range dir {
			if above := dir[:i]; i > 0 && dir[i] == '/' && !space.Exists(above) {
				space.Create(above, nil, zktest.Persistent)
			}
		}
		if !space.Exists(dir) {
			space.Create(dir, nil, zktest.Persistent)
		}
	}
}

// clearAll deletes all that the test has made.
func clearAll(space *zktest.Space) {
	tree := space.Tree()
	slices.Reverse(tree)
	for some := range slices.Chunk(tree, 500) {
		space.Delete(some...)
	}
}

func TestListOfNothing(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	c := newClient(t, space.Addr())
	if got := c.list(space, ""); len(got) > 0 {
		t.Errorf("without a root there is %q", got)
	}
	mkdirs(space, testDir)
	if got := c.list(space, ""); len(got) > 0 {
		t.Errorf("beside an empty directory there is %q", got)
	}
	clearAll(space)
}

// All layouts, both roots, directories that other clients nest, and what is no lock.
func TestList(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	anna, bob := newClient(t, space.Addr()), newClient(t, space.Addr())
	anna.data.Owner = "anna"
	l := anna.lock(Directory(space.Chroot(), DefaultRoot, "team/web"))
	w := bob.queue(bob.request(Directory(space.Chroot(), DefaultRoot, "team/web")))
	req := anna.request(Directory(space.Chroot(), DefaultSemaphoreRoot, "web"))
	req.Slots = 2
	s := anna.acquire(req)
	contenders := func(dir string, names ...string) {
		mkdirs(space, dir)
		for _, name := range names {
			space.Create(dir+"/"+name, []byte(strings.TrimRight(name, "-_")), zktest.EphemeralSequential)
		}
	}
	contenders(DefaultRoot+"/gem", "ex", "sh")
	contenders(DefaultRoot+"/readers", "sh", "sh", "ex", "sh")
	contenders(DefaultRoot+"/web-0000000001", "lock-")
	contenders(DefaultRoot+"/cafe\u0301", "lock-") // which no id reaches, as é is one character in ids
	contenders(DefaultRoot+"/team/deploy/app", "mutex-")
	contenders(DefaultRoot+"/curator/leases", "_c_1-lease-")
	mkdirs(space, DefaultRoot+"/curator/locks", DefaultRoot+"/gem/readme", DefaultRoot+"/a/b/c/d/e/f")
	contenders(DefaultRoot+"/a/b/c/d/e/f", "too deep-")
	space.Create(DefaultRoot+"/ex0000000000", nil, zktest.Ephemeral) // no directory, whatever its name

	want := []string{
		"cafe\u0301 lock without an id +0",
		"curator/leases _c_1-lease without an id +0",
		"gem ex +1",
		"readers sh sh +2",
		"team/deploy/app mutex without an id +0",
		"team__web anna +1",
		"web anna +0",
		"web-0000000001 lock +0",
	}
	if got := bob.list(space, ""); !slices.Equal(got, want) {
		t.Errorf("there is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for prefix, want := range map[string][]string{
		"web":              {"web anna +0", "web-0000000001 lock +0"},
		"caf\u00e9":        {"cafe\u0301 lock without an id +0"},
		"team/":            {"team/deploy/app mutex without an id +0", "team__web anna +1"},
		"team/deploy/app":  {"team/deploy/app mutex without an id +0"},
		"team/deploy/app/": {},
		"nobody's":         {},
	} {
		if got := bob.list(space, prefix); !slices.Equal(got, want) {
			t.Errorf("with prefix %q there is %q, want %q", prefix, got, want)
		}
	}
	w.leave()
	release(t, l)
	release(t, s)
	clearAll(space)
}

// A directory that may not be listed is an entry; a root is an error.
func TestListOfWhatMayNotBeRead(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	c := newClient(t, space.Addr())
	l := c.lock(dirOf(space))
	mkdirs(space, DefaultRoot+"/secret", DefaultRoot+"/other")
	hide := func(path string, perms int32) {
		t.Helper()
		if _, err := space.Conn().SetACL(space.Path(path), zk.WorldACL(perms), -1); err != nil {
			t.Fatal(err)
		}
	}
	hide(DefaultRoot+"/secret", zk.PermAll&^zk.PermRead)
	if got, want := c.list(space, ""), []string{"secret unreadable +0", "test tester@example +0"}; !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
	if got := c.list(space, "t"); len(got) != 1 {
		t.Errorf("with a prefix there is %q", got)
	}
	hide(DefaultRoot, zk.PermAll&^zk.PermRead)
	if got, err := List(bounded(t), c.session(), rootsOf(space), ""); !errors.Is(err, zookeeper.ErrNoAuth) {
		t.Errorf("below a root that may not be read there is %v, %v", got, err)
	}
	hide(DefaultRoot, zk.PermAll)
	release(t, l)
	clearAll(space)
}

// A holder that leaves between the look at its directory and that at its znode: the next
// one is shown as the holder, or the lock is not shown.
func TestListWhileHoldersLeave(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{"for the next": {"test b +0"}, "for nobody": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			mkdirs(s.Space, testDir)
			first := s.Create(testDir+"/ex", []byte("a"), zktest.EphemeralSequential)
			if len(want) > 0 {
				s.Create(testDir+"/ex", []byte("b"), zktest.EphemeralSequential)
			}
			s.ours.session()
			reading := s.proxy.Catch(zktest.Request, ofKind(zktest.OpGetData))
			listed := make(chan []string, 1)
			go func() { listed <- s.ours.list(s.Space, "") }()
			reading.Wait()
			s.Delete(first)
			reading.Pass()
			if got := <-listed; !slices.Equal(got, want) {
				t.Errorf("there is %q, want %q", got, want)
			}
			clearAll(s.Space)
		})
	}
}

// A directory that vanishes while it is about to be listed.
func TestListWhileLocksVanish(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	mkdirs(s.Space, DefaultRoot+"/vanishes")
	l := s.other.lock(dirOf(s.Space))
	s.ours.session()
	listing := s.proxy.Catch(zktest.Request, func(p zktest.Packet) bool {
		return p.Op == zktest.OpChildren && strings.Contains(string(p.Body), "vanishes")
	})
	listed := make(chan []string, 1)
	go func() { listed <- s.ours.list(s.Space, "") }()
	listing.Wait()
	s.Delete(DefaultRoot + "/vanishes")
	listing.Pass()
	if got := <-listed; len(got) != 1 {
		t.Errorf("there is %q", got)
	}
	release(t, l)
}

// Each directory and each holder takes one request, and so many requests are under way at
// once that a thousand locks take no longer than 20 round trips.
func TestListOfAThousandLocks(t *testing.T) {
	t.Parallel()
	const locks, before = 1000, 3 // the barrier and the two roots, at most one after the other
	s := newStage(t)
	mkdirs(s.Space, DefaultRoot)
	var creates []any
	for i := range locks {
		dir := s.Path(fmt.Sprintf("%s/lock-%d", DefaultRoot, i))
		creates = append(creates, &zk.CreateRequest{Path: dir, Acl: worldACL}, &zk.CreateRequest{Path: dir + "/ex", Acl: worldACL, Flags: zk.FlagEphemeralSequential})
	}
	for some := range slices.Chunk(creates, 500) {
		if _, err := s.Conn().Multi(some...); err != nil {
			t.Fatal(err)
		}
	}
	s.ours.session()
	flight := &inFlight{proxy: s.proxy, full: make(chan struct{})}
	flight.watch()
	listed := make(chan []string, 1)
	go func() { listed <- s.ours.list(s.Space, "") }()
	await(t, "so many requests at once", flight.full)
	s.proxy.Release()
	if got := <-listed; len(got) != locks {
		t.Errorf("there are %d locks", len(got))
	}
	sent, most := flight.end()
	if sent > before+2*locks {
		t.Errorf("%d requests for %d locks", sent, locks)
	}
	if most > listRequests {
		t.Errorf("%d requests were under way at once, more than %d", most, listRequests)
	}
	if trips := before + (sent-before+listRequests-1)/listRequests + 1; trips > 20 {
		t.Errorf("it takes %d round trips", trips)
	}
	clearAll(s.Space)
}

// inFlight counts requests that have no answer yet. From the first look at a lock on it
// holds all answers back, until as many requests as are allowed have come without one.
type inFlight struct {
	proxy *zktest.Proxy
	full  chan struct{} // closed then

	mu                     sync.Mutex
	sent, looks, now, most int
}

func (f *inFlight) watch() {
	f.proxy.Catch(zktest.Request, func(p zktest.Packet) bool {
		if p.Op == ping {
			return false
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.sent++
		f.now++
		f.most = max(f.most, f.now)
		if strings.Contains(string(p.Body), DefaultRoot+"/") {
			switch f.looks++; f.looks {
			case 1:
				f.proxy.Hold(zktest.Reply)
			case listRequests:
				close(f.full)
			}
		}
		return false
	})
	f.proxy.Catch(zktest.Reply, func(p zktest.Packet) bool {
		if p.Op != ping {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.now--
		}
		return false
	})
}

func (f *inFlight) end() (sent, most int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent, f.most
}
