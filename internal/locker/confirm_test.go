package locker

import (
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A follower that is cut off from its leader answers reads, but no sync.

func TestAWaiterHoldsOnlyByTheLeadersWord(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	holding := newClient(t, space.Addr())
	first := holding.lock(dirOf(space))
	c := newClientWith(t, proxy.Addr(), 3*time.Second)
	s := c.session()
	waiting := c.queue(c.request(dirOf(space)))
	for time.Since(s.Answered()) < s.Timeout()/3 { // which reads do not put off
		if _, err := s.Stat(bounded(t), "/"); err != nil {
			t.Fatal(err)
		}
	}

	word := proxy.Catch(zktest.Reply, ofKind(zktest.OpSync))
	release(t, first)
	word.Wait()
	select {
	case <-waiting.done:
		t.Errorf("held without the leader's word: %v", waiting.err)
	default:
	}
	word.Pass()
	release(t, waiting.get())
}

func TestAHeldLockIsAskedOfTheLeader(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	c := newClientWith(t, proxy.Addr(), time.Second)
	l := c.lock(dirOf(space))
	for range 2 {
		word := proxy.Catch(zktest.Request, ofKind(zktest.OpSync))
		word.Pass()
		word.Wait()
	}
	release(t, l)
}
