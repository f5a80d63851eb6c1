// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// everyWay is every way to want one and the same lock.
func everyWay() []Request {
	return []Request{
		exclusive, shared, durable(exclusive), curator, durable(shared), semaphore(2),
		durable(curator), durable(semaphore(2)), shared, exclusive,
	}
}

// Sequence numbers start again with each directory, tokens do not.
func TestTokensGrowAcrossModesAndDeletedDirectories(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	last := int64(0)
	for i, want := range everyWay() {
		lock := a.player().takes(want)
		if lock.Token() <= last {
			t.Errorf("hold %d has the token %d after %d", i, lock.Token(), last)
		}
		last = lock.Token()
		if n := lock.sequence(); n != 0 {
			t.Errorf("hold %d has the number %d, so the directory was not deleted before", i, n)
		}
		a.give(lock)
	}
}

func (l *Lock) sequence() int32 {
	c, _ := ParseContender(l.node.name)
	return c.Sequence
}

// Nor do they go back where a lock is handed on, from whatever mode to whatever.
func TestTokensGrowAlongTheQueue(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	ways := []Request{durable(exclusive), shared, exclusive, durable(shared), curator, durable(exclusive), shared}
	var queue []*pending
	holder := a.player().takes(exclusive)
	for _, want := range ways {
		queue = append(queue, a.player().waits(want))
	}
	a.give(holder)
	last := holder.Token()
	for i, next := range queue {
		lock := next.get()
		if lock.Token() <= last {
			t.Errorf("holder %d has the token %d after %d", i, lock.Token(), last)
		}
		last = lock.Token()
		a.give(lock)
	}
}

// A promotion makes another znode, later than those of the waiters. The token
// stays that of the first one, so that it is less than theirs, and is what others
// read from the znode.
func TestTokenOfADurableLockIsLessThanThoseOfItsWaiters(t *testing.T) {
	t.Parallel()
	for _, want := range []Request{durable(exclusive), durable(shared), durable(semaphore(1))} {
		a := newArena(t)
		proxy := zktest.NewProxy(t, a.Server())
		caught := proxy.Catch(zktest.Request, promotion)
		us := a.playerAt(proxy.Addr())
		holder := us.start(us.wanting(want))
		caught.Wait()
		waiter := a.player().waits(Request{Mode: Exclusive, Slots: want.Slots})
		caught.Pass()
		lock := holder.get()
		queue := a.inspect(want.Slots)
		held, waiting := queue.Holders[0], queue.Waiters[0]
		if held.FencingToken() != lock.Token() {
			t.Errorf("others read the token %d, the holder has %d", held.FencingToken(), lock.Token())
		}
		if held.Czxid < waiting.Czxid {
			t.Error("the promotion was before the waiter came")
		}
		if waiting.FencingToken() <= lock.Token() {
			t.Errorf("the waiter has the token %d, the holder %d", waiting.FencingToken(), lock.Token())
		}
		a.give(lock)
		lock = waiter.get()
		if lock.Token() != waiting.FencingToken() {
			t.Errorf("the waiter got the token %d, others had read %d", lock.Token(), waiting.FencingToken())
		}
		a.give(lock)
	}
}
