// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

func TestDescribeDurable(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	lock := s.ours.acquire(s.request())
	before := decodeData(first(s.Get(testDir + "/" + s.one(true))))
	for _, info := range []string{"something else", ""} {
		if err := DescribeDurable(bounded(t), lock.node.session, lock.Znode(), info); err != nil {
			t.Fatal(err)
		}
		want := before
		want.Info = info
		if now := decodeData(first(s.Get(testDir + "/" + s.one(true)))); now != want {
			t.Errorf("it says %+v, want %+v", now, want)
		}
	}
	s.remove(lock)
}

// Two who describe a lock at the same time do not overwrite each other's look.
func TestDescribeDurableAfterAnotherOne(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	lock := s.ours.acquire(s.request())
	caught := s.proxy.Catch(zktest.Request, func(p zktest.Packet) bool { return p.Op == zktest.OpSetData })
	described := make(chan error, 1)
	go func() { described <- DescribeDurable(bounded(t), lock.node.session, lock.Znode(), "late") }()
	caught.Wait()
	other, err := s.other.sessions(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	data := decodeData(first(s.Get(testDir + "/" + s.one(true))))
	data.Owner = "bob@elsewhere"
	s.Set(testDir+"/"+s.one(true), data.encode())
	caught.Pass()
	if err := <-described; err != nil {
		t.Fatal(err)
	}
	entry, ok, err := Lookup(bounded(t), other, lock.Znode())
	if err != nil || !ok || entry.Data.Owner != "bob@elsewhere" || entry.Data.Info != "late" {
		t.Errorf("%+v, %v, %v", entry, ok, err)
	}
	s.remove(lock)
}

func TestDescribeDurableIsForDurableLocksOnly(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	req := s.request()
	req.Durable = false
	lock := s.ours.acquire(req)
	describe := func(session *zookeeper.Session, path string) {
		t.Helper()
		if err := DescribeDurable(bounded(t), session, path, "mine"); !errors.Is(err, ErrNotDurable) {
			t.Errorf("want ErrNotDurable, got %v", err)
		}
	}
	describe(lock.node.session, lock.Znode())
	describe(lock.node.session, lock.Znode()+"1")
	if d := decodeData(first(s.Get(testDir + "/" + s.one(false)))); d.Info != req.Data.Info {
		t.Errorf("it says %+v", d)
	}
	release(t, lock)
}

func first[A, B any](a A, _ B) A { return a }
