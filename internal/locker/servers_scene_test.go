package locker

import (
	"slices"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// scene is a lock of its own for one phase: our client, whom the fault meets, and
// another one.
type scene struct {
	*zktest.Space
	fault
	t       *testing.T
	dir     string // of the lock, below the chroot
	ours    *traveller
	other   *client
	guarded *guarded

	caught *zktest.Caught // gets lost with the fault
	lock   *Lock          // is held while it lasts
}

func newScene(t *testing.T, space *zktest.Space, f fault, phase string, servers []*zktest.Server) *scene {
	t.Helper()
	s := &scene{Space: space, fault: f, t: t, dir: DefaultRoot + "/" + phase, guarded: &guarded{t: t}}
	s.ours = newTraveller(t, space, servers, f)
	s.other = newClientWith(t, "", unhurried)
	s.other.cfg.Servers = nil
	for _, server := range servers {
		s.other.cfg.Servers = append(s.other.cfg.Servers, server.Addr())
	}
	return s
}

// traveller is a client that reaches each server through a proxy, and whose session
// is with one of them at first.
type traveller struct {
	*client
	proxies []*zktest.Proxy
	with    *zktest.Proxy
	id      int64  // of the session
	mark    string // a znode that ends with it
}

func newTraveller(t *testing.T, space *zktest.Space, servers []*zktest.Server, f fault) *traveller {
	t.Helper()
	c := &traveller{client: newClientWith(t, "", f.length)}
	c.cfg.Servers = nil
	for i, server := range servers {
		proxy := zktest.NewProxy(t, server)
		if i != f.with {
			proxy.Refuse()
		}
		c.proxies = append(c.proxies, proxy)
		c.cfg.Servers = append(c.cfg.Servers, proxy.Addr())
	}
	c.with = c.proxies[f.with]
	session := c.session()
	mark, err := session.Create(bounded(t), space.Path("/session-"), nil, zookeeper.EphemeralSequential)
	if err != nil {
		t.Fatal(err)
	}
	c.id, c.mark = session.ID(), strings.TrimPrefix(mark, space.Chroot())
	t.Cleanup(func() {
		c.pool.Close()
		space.WaitGone(c.mark)
	})
	c.comeBack()
	return c
}

func (c *traveller) leave() {
	for _, proxy := range c.proxies {
		proxy.Refuse()
	}
}

func (c *traveller) comeBack() {
	for _, proxy := range c.proxies {
		proxy.Accept()
	}
}

// settled returns the session that the client has after the fault, which is the
// same as before if the fault was short, and another if that one was expired.
func (s *scene) settled() *zookeeper.Session {
	s.t.Helper()
	for {
		session := s.ours.session()
		err := session.Barrier(bounded(s.t))
		if session.Err() != nil {
			continue
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if same := session.ID() == s.ours.id; same && s.away || !same && !s.beyond {
			s.t.Errorf("%s: session %#x has become %#x", s.dir, s.ours.id, session.ID())
		}
		return session
	}
}

// request asks for the scene's lock on behalf of a client.
func (s *scene) request(c *client) Request { return c.request(s.Path(s.dir)) }

// contender is the name of our only contender, among so many in the queue.
func (s *scene) contender(of int, others ...string) string {
	s.t.Helper()
	names := slices.DeleteFunc(s.WaitChildren(s.dir, of), func(name string) bool { return slices.Contains(others, name) })
	if len(names) != 1 {
		s.t.Fatalf("%s: there are %q, want one", s.dir, names)
	}
	return names[0]
}

// holds fails the test unless the lock's contender is first in the queue, of that
// session, and was created by the transaction that the token names.
func (s *scene) holds(l *Lock, session int64) {
	s.t.Helper()
	s.Sync()
	queue, _ := Contenders(s.Children(s.dir))
	if len(queue) == 0 || s.Path(s.dir)+"/"+queue[0].Name != l.Znode() {
		s.t.Fatalf("%s: the lock is %s, the queue %v", s.dir, l.Znode(), queue)
	}
	_, stat := s.Get(s.dir + "/" + queue[0].Name)
	if stat.EphemeralOwner != session || stat.Czxid != l.Token() || l.Err() != nil {
		s.t.Errorf("%s: session %#x has token %d and %v, the contender is %+v", s.dir, session, l.Token(), l.Err(), stat)
	}
}

// work does guarded work until it is told to end or the lock is lost, as a run does
// that is interrupted.
func (s *scene) work(l *Lock) (end func()) {
	begun, stop, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		s.guarded.visit(l.Token(), func() {
			close(begun)
			select {
			case <-stop:
			case <-l.Lost():
			}
		})
	}()
	<-begun
	return func() {
		close(stop)
		<-ended
	}
}

// behind is another client that waits, and works as soon as it has the lock. The
// function returned waits for that, and lets the lock go.
func (s *scene) behind() (waiter *pending, gets func()) {
	s.t.Helper()
	w := s.other.queue(s.request(s.other))
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		if <-w.done; w.err == nil {
			s.guarded.visit(w.lock.Token(), func() {})
		}
	}()
	return w, func() {
		s.t.Helper()
		l := w.get()
		<-worked
		release(s.t, l)
	}
}

// left fails the test if there is a contender, or a directory that whoever left it
// could have deleted.
func (s *scene) left() {
	s.t.Helper()
	s.Sync()
	if names := s.Children(s.dir); len(names) != 0 {
		s.t.Errorf("%s: there are %q", s.dir, names)
	}
	if !s.Exists(s.dir) {
		return
	}
	if !s.beyond {
		s.t.Errorf("%s was left", s.dir)
	}
	s.Delete(s.dir) // by the end of a session
}

func (s *scene) undecided(p *pending) {
	s.t.Helper()
	select {
	case <-p.done:
		s.t.Fatalf("%s: the acquire has ended: %v, %v", s.dir, p.lock, p.err)
	default:
	}
}
