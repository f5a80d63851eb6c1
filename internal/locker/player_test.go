// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// arena is one lock, in testDir of a Space of its own, and those who play there.
type arena struct {
	*zktest.Space
	t *testing.T
}

func newArena(t *testing.T) *arena {
	t.Helper()
	return &arena{zktest.NewSpace(t), t}
}

// player is a run that wants the lock in various ways.
type player struct {
	*client
	arena *arena
}

func (a *arena) player() *player {
	a.t.Helper()
	return a.playerAt(a.Addr())
}

// playerAt connects to a proxy.
func (a *arena) playerAt(addr string) *player {
	a.t.Helper()
	p := &player{newClient(a.t, addr), a}
	p.data.Run = newRunID()
	p.data.Owner = "run-" + p.data.Run
	return p
}

func newRunID() string {
	var id [runIDLength / 2]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// Ways to want a lock.
var (
	exclusive = Request{Mode: Exclusive}
	shared    = Request{Mode: Shared}
	curator   = Request{Mode: Exclusive, Layout: Curator}
)

func semaphore(slots int) Request { return Request{Slots: slots} }

func durable(want Request) Request {
	want.Durable = true
	return want
}

// wanting is the whole request.
func (p *player) wanting(want Request) Request {
	req := p.request(dirOf(p.arena.Space))
	req.Mode, req.Slots, req.Layout, req.Durable = want.Mode, want.Slots, want.Layout, want.Durable
	return req
}

// takes waits for the lock.
func (p *player) takes(want Request) *Lock {
	p.tb.Helper()
	return p.start(p.wanting(want)).get()
}

// waits begins to wait for the lock, and returns when it is blocked.
func (p *player) waits(want Request) *pending {
	p.tb.Helper()
	return p.queue(p.wanting(want))
}

// tries tries once, in vain.
func (p *player) tries(want Request) error {
	p.tb.Helper()
	req := p.wanting(want)
	req.Wait = 0
	return p.start(req).refused()
}

// refused waits for the error that the acquire ends with.
func (p *pending) refused() error {
	p.tb.Helper()
	l, err := p.end()
	if err == nil {
		p.tb.Fatalf("got %s, want an error", l.Znode())
	}
	return err
}

// blocked fails the test if the acquire has ended.
func (p *pending) blocked() {
	p.tb.Helper()
	select {
	case <-p.done:
		p.tb.Fatalf("it should wait, and has ended: %v, %v", p.lock, p.err)
	default:
	}
}

// undisturbed fails the test if the acquire has looked at the queue since it was
// asked last, or has ended.
func (p *pending) undisturbed() {
	p.tb.Helper()
	p.blocked()
	select {
	case w := <-p.waiting:
		p.tb.Errorf("it has looked at the queue: %+v", w)
	default:
	}
}

// give lets locks go, one after the other.
func (a *arena) give(locks ...*Lock) {
	a.t.Helper()
	for _, l := range locks {
		if !l.Durable() {
			release(a.t, l)
		} else if err := RemoveDurable(bounded(a.t), newClient(a.t, a.Addr()).sessions, l.Znode()); err != nil {
			a.t.Error(err)
		}
	}
}

// stranger makes a contender of another client by hand, in a directory that may be
// missing, and returns its name.
func (a *arena) stranger(prefix string) string {
	a.t.Helper()
	for _, path := range []string{DefaultRoot, testDir} {
		if !a.Exists(path) {
			a.Create(path, nil, zktest.Persistent)
		}
	}
	return strings.TrimPrefix(a.Create(testDir+"/"+prefix, nil, zktest.EphemeralSequential), testDir+"/")
}

// leave removes contenders that were made by hand.
func (a *arena) leave(names ...string) {
	a.t.Helper()
	for _, name := range names {
		a.Delete(testDir + "/" + name)
	}
}

// removeDir removes the directory, which not all clients do.
func (a *arena) removeDir() {
	a.t.Helper()
	if a.Exists(testDir) {
		a.Delete(testDir)
	}
}

// inspect looks at the lock.
func (a *arena) inspect(slots int) Queue {
	a.t.Helper()
	queue, err := Inspect(bounded(a.t), newClient(a.t, a.Addr()).session(), dirOf(a.Space), slots)
	if err != nil {
		a.t.Fatal(err)
	}
	return queue
}

// heldBy fails the test if others than these hold the lock, or in another order.
func (a *arena) heldBy(slots int, locks ...*Lock) {
	a.t.Helper()
	var got, want []string
	for _, entry := range a.inspect(slots).Holders {
		got = append(got, entry.Znode)
	}
	for _, l := range locks {
		want = append(want, l.Znode())
	}
	if !slices.Equal(got, want) {
		a.t.Errorf("the lock is held by %q, want %q", got, want)
	}
}
