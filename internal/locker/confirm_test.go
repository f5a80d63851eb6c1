// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A server that is cut off from its ensemble answers reads, and a deposed leader a sync,
// too: only a write proves anything.

func TestAWaiterHoldsOnlyByTheWordOfAQuorum(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	holding := newClient(t, space.Addr())
	first := holding.lock(dirOf(space))
	c := newClientWith(t, proxy.Addr(), 3*time.Second)
	waiting := c.queue(c.request(dirOf(space)))
	word := proxy.Catch(zktest.Reply, ofKind(zktest.OpSetData))
	release(t, first)
	word.Wait()
	select {
	case <-waiting.done:
		t.Errorf("held without the word of a quorum: %v", waiting.err)
	default:
	}
	word.Pass()
	release(t, waiting.get())
}

// The answer to the creation comes when the session is over already: then there is
// no lock, whatever the answer says.
func TestALateAnswerIsNoLock(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	space.Create(DefaultRoot, nil, zktest.Persistent)
	c := newClientWith(t, proxy.Addr(), 3*time.Second)
	s := c.session()
	answer := proxy.Catch(zktest.Reply, ofKind(zktest.OpMulti))
	sent := time.Now()
	acquiring := c.start(c.request(dirOf(space)))
	answer.Wait()
	late := space.Children(testDir)
	proxy.Expire()
	for time.Since(sent) < s.Timeout()/2 {
		space.WaitChildren(testDir, 0)
	}
	answer.Pass()
	l := acquiring.get()
	now := space.Children(testDir)
	if len(late) != 1 || len(now) != 1 || now[0] == late[0] || l.Znode() != space.Path(testDir)+"/"+now[0] {
		t.Fatalf("the lock is %s; there was %q and is %q", l.Znode(), late, now)
	}
	release(t, l)
}

func TestAHeldLockIsAskedOfAQuorum(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	c := newClientWith(t, proxy.Addr(), time.Second)
	l := c.lock(dirOf(space))
	for range 2 {
		word := proxy.Catch(zktest.Request, check)
		word.Pass()
		word.Wait()
	}
	release(t, l)
}
