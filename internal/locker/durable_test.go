// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func TestDurableOutlivesItsSession(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	lock := s.ours.acquire(s.request())
	if !lock.Durable() {
		t.Error("Durable() is false")
	}
	s.ours.pool.Close()

	name := s.one(true)
	if lock.Znode() != s.Path(testDir)+"/"+name {
		t.Errorf("the lock is %s, and there is %s", lock.Znode(), name)
	}
	if c, ok := ParseContender(name); !ok || c.Mode != Exclusive || c.Sequence != 0 {
		t.Errorf("%s is read as %+v, %v", name, c, ok)
	}
	select {
	case <-lock.Lost():
		t.Error("a durable lock is lost with its session:", lock.Err())
	default:
	}
	data, stat := s.Get(testDir + "/" + name)
	d := decodeData(data)
	if !d.Durable || d.Token != lock.Token() || d.Owner != "tester@example" || d.Info != "a test" || d.Since.IsZero() {
		t.Errorf("it says %s; the token is %d", data, lock.Token())
	}
	if lock.Token() >= stat.Czxid || lock.Token() == 0 {
		t.Errorf("the token is %d, which is not the czxid of the contender before %d", lock.Token(), stat.Czxid)
	}

	s.remove(lock)
	s.WaitGone(testDir)
}

func TestDurableTokensGrow(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var last int64
	for range 3 {
		lock := s.ours.acquire(s.request())
		entry, ok, err := Lookup(bounded(t), lock.node.session, lock.Znode())
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if lock.Token() <= last || entry.FencingToken() != lock.Token() {
			t.Errorf("token %d, which others read as %d, after %d", lock.Token(), entry.FencingToken(), last)
		}
		last = lock.Token()
		release(t, lock)
	}
}

func TestDurableHolderIsNamedToThoseWhoWait(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	lock := s.ours.acquire(s.request())
	req := s.request()
	req.Wait = 0
	err := s.fails(s.ours.start(req))
	var busy *BusyError
	if !errors.As(err, &busy) || len(busy.Holders) != 1 || !busy.Holders[0].Data.Durable || busy.Place != 1 {
		t.Fatalf("%+v", err)
	}
	for _, part := range []string{"tester@example", "durable", "a test", lock.Znode()} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	s.remove(lock)
}

// A run that is killed while it waits leaves nothing, as its contender is not
// durable yet.
func TestDurableIsEphemeralWhileItWaits(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *stage){
		"cancelled": func(*stage) {},
		"killed": func(s *stage) {
			s.proxy.Expire()
			s.proxy.Refuse()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			first := s.other.acquire(s.request())
			waiting := s.ours.queue(s.request())
			names := s.WaitChildren(testDir, 2)
			i := slices.IndexFunc(names, func(name string) bool { return first.Znode() != s.Path(testDir)+"/"+name })
			data, stat := s.Get(testDir + "/" + names[i])
			if stat.EphemeralOwner == 0 || decodeData(data).Durable {
				t.Errorf("the waiter is owned by %#x and says %s", stat.EphemeralOwner, data)
			}
			end(s)
			waiting.leave()
			s.WaitChildren(testDir, 1)
			s.remove(first)
			s.WaitGone(testDir)
		})
	}
}

// Two who want it get it one after the other, and the second one waits for the
// release, not for the end of a session.
func TestDurableIsHandedOn(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	first := s.other.acquire(s.request())
	second := s.ours.queue(s.request())
	s.undecided(second)
	s.remove(first)
	lock := second.get()
	s.one(true)
	if lock.Token() <= first.Token() {
		t.Errorf("token %d after %d", lock.Token(), first.Token())
	}
	s.remove(lock)
}

func TestRemoveDurableIsForDurableLocksOnly(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	req := s.request()
	req.Durable = false
	lock := s.ours.acquire(req)
	if err := RemoveDurable(bounded(t), s.other.sessions, lock.Znode()); !errors.Is(err, ErrNotDurable) || !strings.Contains(err.Error(), "tester@example") {
		t.Errorf("an ephemeral lock: %v", err)
	}
	if s.one(false); lock.Err() != nil {
		t.Error(lock.Err())
	}
	release(t, lock)

	s.Create(testDir, nil, zktest.Persistent)
	byHand := s.Create(testDir+"/ex-", []byte("mine"), zktest.PersistentSequential)
	if err := RemoveDurable(bounded(t), s.other.sessions, s.Path(byHand)); !errors.Is(err, ErrNotDurable) {
		t.Errorf("a persistent znode made by hand: %v", err)
	}
	if !s.Exists(byHand) {
		t.Fatal("it was deleted")
	}
	s.Delete(byHand)
	if err := RemoveDurable(bounded(t), s.other.sessions, s.Path(byHand)); err != nil {
		t.Errorf("a znode that is gone: %v", err)
	}
	if err := RemoveDurable(bounded(t), s.other.sessions, s.Path(testDir)+"/unnumbered"); err == nil {
		t.Error("what is no contender could be removed")
	}
	s.Delete(testDir)
}

// What others have put there stays.
func TestRemoveDurableKeepsAnotherOnesDirectory(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.Create(DefaultRoot, nil, zktest.Persistent)
	s.Create(testDir, []byte("mine"), zktest.Persistent)
	s.remove(s.ours.acquire(s.request()))
	if data, _ := s.Get(testDir); string(data) != "mine" {
		t.Errorf("the directory says %q", data)
	}
	if names := s.Children(testDir); len(names) != 0 {
		t.Errorf("%q is left", names)
	}
	s.Delete(testDir)
}
