package locker

import (
	"errors"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// phases are what a fault of the servers can find a client at. Each begins, and
// tells what is to be seen after the fault.
var phases = []struct {
	name  string
	begin func(*scene) (after func())
}{
	{"waiting", waiting},
	{"holding", holding},
	{"promoting, request lost", promoting(zktest.Request)},
	{"promoting, reply lost", promoting(zktest.Reply)},
	{"releasing, request lost", releasing(zktest.Request, zktest.OpMulti)},
	{"releasing, reply lost", releasing(zktest.Reply, zktest.OpMulti)},
	{"handing over, request lost", releasing(zktest.Request, zktest.OpDelete)},
	{"handing over, reply lost", releasing(zktest.Reply, zktest.OpDelete)},
}

// One who waits keeps the place with the session, and queues again without it.
func waiting(s *scene) func() {
	held := s.other.lock(s.Path(s.dir))
	end := s.work(held)
	w := s.ours.queue(s.request(s.ours.client))
	before := s.contender(2, nameOf(held.Znode()))
	return func() {
		session := s.settled()
		if session.ID() != s.ours.id {
			s.WaitGone(s.dir + "/" + before)
		}
		now := s.contender(2, nameOf(held.Znode()))
		if same := session.ID() == s.ours.id; same != (now == before) {
			s.t.Errorf("%s: %s has become %s, with the same session: %v", s.dir, before, now, same)
		}
		s.undecided(w)
		end()
		release(s.t, held)
		l := w.get()
		s.holds(l, session.ID())
		s.work(l)()
		release(s.t, l)
		s.left()
	}
}

// Who holds the lock does so by the same contender with the same token, or knows
// better before another gets it.
func holding(s *scene) func() {
	s.lock = s.ours.lock(s.Path(s.dir))
	end := s.work(s.lock)
	w, gets := s.behind()
	s.holds(s.lock, s.ours.id)
	asked := make(chan error, 1)
	if !s.beyond { // the fault meets the question that is asked of a quorum now and then
		s.caught = s.ours.with.Catch(zktest.Request, check)
		go func() { asked <- s.lock.node.session.Check(bounded(s.t), s.lock.Znode()) }()
		s.caught.Wait()
	}
	return func() {
		s.settled()
		if s.beyond {
			if !errors.Is(s.lock.Err(), zookeeper.ErrSilence) {
				s.t.Errorf("%s: lost by %v", s.dir, s.lock.Err())
			}
		} else {
			if err := <-asked; err != nil {
				s.t.Errorf("%s: %v", s.dir, err)
			}
			s.holds(s.lock, s.ours.id)
			s.undecided(w)
		}
		end()
		if s.away {
			gets() // of the server
		}
		release(s.t, s.lock)
		if !s.away {
			gets()
		}
		s.left()
	}
}

// What is made durable is so in the end, once.
func promoting(lost zktest.Side) func(*scene) func() {
	return func(s *scene) func() {
		s.caught = s.ours.with.Catch(lost, promotion)
		req := s.request(s.ours.client)
		req.Durable = true
		w := s.ours.start(req)
		s.caught.Wait()
		s.Sync()
		before := s.contender(1)
		data, stat := s.Get(s.dir + "/" + before)
		if promoted := stat.EphemeralOwner == 0; promoted != (lost == zktest.Reply) {
			s.t.Fatalf("%s: caught with %+v", s.dir, stat)
		}
		token := stat.Czxid
		if lost == zktest.Reply {
			token = decodeData(data).Token
		}
		return func() {
			l := w.get()
			s.Sync()
			now := s.contender(1)
			data, stat := s.Get(s.dir + "/" + now)
			if l.Znode() != s.Path(s.dir)+"/"+now || stat.EphemeralOwner != 0 || decodeData(data).Token != l.Token() {
				s.t.Errorf("%s: the lock is %s with token %d, and there is %s, %+v: %s", s.dir, l.Znode(), l.Token(), now, stat, data)
			}
			if same := now == before; same != (l.Token() == token) || l.Token() < token ||
				!same && (!s.beyond || lost == zktest.Reply) || same && s.away && lost == zktest.Request {
				s.t.Errorf("%s: %s with token %d has become %s with token %d", s.dir, before, token, now, l.Token())
			}
			if err := RemoveDurable(bounded(s.t), s.other.sessions, l.Znode()); err != nil {
				s.t.Error(err)
			}
			s.left()
		}
	}
}

// What is let go is gone when that is said, and the next one gets it then.
func releasing(lost zktest.Side, op zktest.Op) func(*scene) func() {
	return func(s *scene) func() {
		l := s.ours.lock(s.Path(s.dir))
		s.work(l)()
		gets := func() {}
		if op == zktest.OpDelete {
			_, gets = s.behind()
		}
		s.caught = s.ours.with.Catch(lost, ofKind(op))
		released := make(chan error, 1)
		go func() { released <- l.Release(s.t.Context()) }()
		s.caught.Wait()
		s.Sync()
		if there := s.Exists(s.dir + "/" + nameOf(l.Znode())); there != (lost == zktest.Request) {
			s.t.Fatalf("%s: the contender is there: %v", s.dir, there)
		}
		return func() {
			select {
			case err := <-released:
				if err != nil {
					s.t.Error(err)
				}
			case <-time.After(patience):
				s.t.Fatalf("%s: the release does not end", s.dir)
			}
			s.Sync()
			if s.Exists(s.dir + "/" + nameOf(l.Znode())) {
				s.t.Errorf("%s: released, and the contender is there", s.dir)
			}
			gets()
			s.left()
		}
	}
}
