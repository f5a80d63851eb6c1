// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// gems are the zk gem's names, and the slots of the lock that they queue for.
var gems = map[string]int{"ex": 0, "sh": 0, "sem": 1}

// A waiting zk gem is woken by the promotion, as if the znode that it watches had
// been deleted for good, and takes the lock without a look at the queue. So the durable
// znode goes behind such a waiter, also if that came just before the promotion.
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
			data, stat := s.Get(testDir + "/" + queue[1].Name)
			if stat.EphemeralOwner != 0 || !decodeData(data).Durable {
				t.Errorf("our contender is not durable: %+v, %s", stat, data)
			}
			s.undecided(acquiring)

			s.leave(gem)
			lock := acquiring.get()
			if now := s.one(true); now != queue[1].Name || lock.Token() != stat.Czxid {
				t.Errorf("%s holds the lock with token %d, want %s with %d", now, lock.Token(), queue[1].Name, stat.Czxid)
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

// A gem that is behind us when we take the lock is let in by the one transaction that
// makes us durable, and at every moment the queue says the same as the gem believes.
func TestPromotionGoesBehindAWaitingGem(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	before := s.other.lock(dirOf(s.Space))
	acquiring := s.ours.queue(s.request())
	gem := s.queue("ex")
	caught := s.proxy.Catch(zktest.Reply, promotion)
	release(t, before)
	caught.Wait()
	queue, _ := Contenders(s.Children(testDir))
	if len(queue) != 2 || queue[0].Name != gem {
		t.Errorf("the queue is %+v, want %s first", queue, gem)
	}
	caught.Pass()
	if w := acquiring.looks(); w.Place != 1 || w.Next.Contender.Name != gem {
		t.Errorf("we wait for %+v", w)
	}
	s.leave(gem)
	s.remove(acquiring.get())
}

// The same when the reply is lost, and the session ends while we look what has become of
// our znode: those who go first now have greater tokens than it had.
func TestPromotionBehindAGemHasANewToken(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	before := s.other.lock(dirOf(s.Space))
	acquiring := s.ours.queue(s.request())
	gem := s.queue("ex")
	caught := s.proxy.Catch(zktest.Reply, promotion)
	looks := s.proxy.Catch(zktest.Request, check)
	release(t, before)
	caught.Wait()
	caught.Lose()
	looks.Wait()
	s.proxy.Expire()
	looks.Lose()
	if w := acquiring.looks(); w.Place != 1 || w.Next.Contender.Name != gem {
		t.Errorf("we wait for %+v", w)
	}
	s.leave(gem)
	l := acquiring.get()
	if _, stat := s.Get(l.Znode()[len(s.Chroot()):]); l.Token() != stat.Czxid {
		t.Errorf("the token is %d, want %d", l.Token(), stat.Czxid)
	}
	s.remove(l)
}

// A durable lock beside two gems that want it all the time gets its turn, and keeps
// them out.
func TestDurableLockBesideBusyGems(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.mkdir()
	var ours atomic.Bool // we hold the lock
	var turns atomic.Int32
	stop := make(chan struct{})
	var gems sync.WaitGroup
	for range 2 {
		g := &gem{s: s, conn: s.NewSession(30 * time.Second)}
		gems.Go(func() {
			for g.takes(stop) {
				if ours.Load() {
					t.Error("a gem holds the lock beside us")
				}
				if !g.held() {
					t.Error("a gem that holds the lock is told that it does not")
				}
				turns.Add(1)
				g.leaves()
			}
		})
	}
	for range 20 {
		l := s.ours.acquire(s.request())
		ours.Store(true)
		if first, _ := Contenders(s.Children(testDir)); s.Path(testDir)+"/"+first[0].Name != l.Znode() {
			t.Errorf("we hold %s, and first is %s", l.Znode(), first[0].Name)
		}
		ours.Store(false)
		s.remove(l)
	}
	close(stop)
	gems.Wait()
	t.Logf("20 turns of ours, %d of the gems", turns.Load())
	if s.Exists(testDir) {
		s.Delete(testDir)
	}
}

// gem locks as the zk gem's ExclusiveLocker does (locker_base.rb, exclusive_locker.rb).
type gem struct {
	s    *stage
	conn *zk.Conn
	name string
}

// takes queues, and returns as soon as the contender before it is gone: it does not look
// again. It is false when it has been told to stop.
func (g *gem) takes(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return false
	default:
	}
	path, err := g.conn.Create(dirOf(g.s.Space)+"/ex", nil, zk.FlagEphemeralSequential, zk.WorldACL(zk.PermAll))
	if errors.Is(err, zk.ErrNoNode) { // somebody has taken the directory along
		_, err = g.conn.Create(dirOf(g.s.Space), nil, 0, zk.WorldACL(zk.PermAll))
		if err == nil || errors.Is(err, zk.ErrNodeExists) {
			return g.takes(stop)
		}
	}
	if err != nil {
		g.s.t.Error(err)
		return false
	}
	g.name = nameOf(path)
	for {
		before := g.before()
		if before == "" {
			return true
		}
		exists, _, event, err := g.conn.ExistsW(dirOf(g.s.Space) + "/" + before)
		for err == nil && exists {
			if (<-event).Type == zk.EventNodeDeleted {
				return true
			}
			// Other data: node_deletion_watcher.rb watches it again.
			if exists, _, event, err = g.conn.ExistsW(dirOf(g.s.Space) + "/" + before); err == nil && !exists {
				return true
			}
		}
		if err != nil {
			g.s.t.Error(err)
			return false
		}
	}
}

// before is the contender before ours; "" if we are the first.
func (g *gem) before() string {
	names, _, err := g.conn.Children(dirOf(g.s.Space))
	if err != nil {
		g.s.t.Error(err)
	}
	queue, _ := Contenders(names)
	for i, c := range queue {
		if c.Name == g.name && i > 0 {
			return queue[i-1].Name
		}
	}
	return ""
}

// held is the gem's assert!: ours is the first of the queue.
func (g *gem) held() bool { return g.before() == "" }

func (g *gem) leaves() {
	if err := g.conn.Delete(dirOf(g.s.Space)+"/"+g.name, -1); err != nil {
		g.s.t.Error(err)
	}
}
