package locker

import (
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// gems are the zk gem's names, and the slots of the lock that they queue for.
var gems = map[string]int{"ex": 0, "sh": 0, "sem": 1}

// A waiting zk gem is woken by the promotion, as if the znode that it watches had
// been deleted for good, and takes the lock without a look at the queue. So the
// promotion has to be taken back if such a waiter queued before it.
func TestPromotionGivesWayToGem(t *testing.T) {
	t.Parallel()
	for prefix, slots := range gems {
		t.Run(prefix, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			caught := s.proxy.Catch(zktest.Request, promotion)
			req := s.request()
			req.Slots = slots
			acquiring := s.ours.start(req)
			caught.Wait()
			before := s.one(false)
			gem := s.queue(prefix)
			caught.Pass()

			// The gem holds the lock now, in its own eyes and by the queue.
			s.WaitGone(testDir + "/" + before)
			names := s.WaitChildren(testDir, 2)
			queue, _ := Contenders(names)
			if queue[0].Name != gem || queue[1].Name == before {
				t.Errorf("the queue is %+v, %s should be first and %s gone", queue, gem, before)
			}
			if _, stat := s.Get(testDir + "/" + queue[1].Name); stat.EphemeralOwner == 0 {
				t.Error("our contender is durable while a gem holds the lock")
			}
			s.undecided(acquiring)

			s.leave(gem)
			lock := acquiring.get()
			if now := s.one(true); now != queue[1].Name {
				t.Errorf("%s holds the lock, want %s", now, queue[1].Name)
			}
			s.remove(lock)
		})
	}
}

// As above, where the promotion is settled after its reply was lost.
func TestPromotionGivesWayToGemAfterALoss(t *testing.T) {
	t.Parallel()
	for name, expires := range map[string]bool{"session survives": false, "session expires": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			request := s.proxy.Catch(zktest.Request, promotion)
			reply := s.proxy.Catch(zktest.Reply, promotion)
			acquiring := s.ours.start(s.request())
			request.Wait()
			before := s.one(false)
			gem := s.queue("ex")
			request.Pass()
			reply.Wait()
			if expires {
				s.proxy.Expire()
			}
			reply.Lose()
			s.WaitGone(testDir + "/" + before)
			s.WaitChildren(testDir, 2)
			s.undecided(acquiring)
			s.leave(gem)
			s.remove(acquiring.get())
		})
	}
}

// Whoever queues after the promotion sees the durable znode and waits for it.
func TestPromotionDoesNotGiveWayToALaterGem(t *testing.T) {
	t.Parallel()
	for prefix, slots := range gems {
		t.Run(prefix, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			caught := s.proxy.Catch(zktest.Reply, promotion)
			req := s.request()
			req.Slots = slots
			acquiring := s.ours.start(req)
			caught.Wait()
			before := s.one(true)
			gem := s.queue(prefix)
			caught.Pass()
			lock := acquiring.get()
			if lock.Znode() != s.Path(testDir)+"/"+before {
				t.Errorf("%s was given up for %s", before, lock.Znode())
			}
			s.remove(lock)
			s.leave(gem)
			s.Delete(testDir)
		})
	}
}

// Other clients look at the queue again when they are woken, and go on waiting.
func TestPromotionDoesNotGiveWayToThoseWhoLook(t *testing.T) {
	t.Parallel()
	for client, prefix := range map[string]string{
		"Kazoo":        "5a1b6e0c9d3f4a7b8c2d1e0f9a8b7c6d__lock__",
		"Kazoo shared": "5a1b6e0c9d3f4a7b8c2d1e0f9a8b7c6d__rlock__",
		"Curator":      "_c_0b9e4f0e-6d3c-4a52-8f43-6c2e1f7d9a10-lock-",
		"Curator read": "_c_0b9e4f0e-6d3c-4a52-8f43-6c2e1f7d9a10-__READ__",
		"go-zookeeper": "_c_0b9e4f0e6d3c4a528f436c2e1f7d9a10-lock-",
		"this one":     "ex-0b9e4f0e6d3c4a528f436c2e1f7d9a10__lock__",
		"its shared":   "sh-0b9e4f0e6d3c4a528f436c2e1f7d9a10__rlock__",
	} {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			caught := s.proxy.Catch(zktest.Request, promotion)
			acquiring := s.ours.start(s.request())
			caught.Wait()
			before := s.one(false)
			other := s.queue(prefix)
			caught.Pass()
			lock := acquiring.get()
			if lock.Znode() != s.Path(testDir)+"/"+before {
				t.Errorf("%s was given up for %s", before, lock.Znode())
			}
			s.remove(lock)
			s.leave(other)
			s.Delete(testDir)
		})
	}
}
