// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// What a server answers that says nothing of the request: that it has too much to do, and
// a code that this client does not know.
var sayNothing = []int32{-127, -77}

// answer has the proxy answer the next request of this kind by an error.
func answer(p *zktest.Proxy, match func(zktest.Packet) bool, code int32) *zktest.Caught {
	caught := p.Catch(zktest.Request, match)
	caught.Refuse(code)
	return caught
}

// A held lock whose checks are answered by nothing that says anything is kept, for as
// long as the session can be believed in.
func TestThrottledChecksLoseNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.ours = newClientWith(t, s.proxy.Addr(), 3*time.Second)
	l := s.ours.lock(dirOf(s.Space))
	for _, code := range append(sayNothing, sayNothing...) {
		answer(s.proxy, check, code).Wait()
	}
	asked := s.proxy.Catch(zktest.Reply, check)
	asked.Pass()
	asked.Wait()
	if l.Err() != nil {
		t.Errorf("lost by %v", l.Err())
	}
	release(t, l)
}

// A session that comes back too late, or never: one that waits queues again with a new
// one, also when the server has lost its data and says nothing of sessions.
func TestAWaiterSurvivesAnEnsembleWithoutData(t *testing.T) {
	t.Parallel()
	server := zktest.Own(t, zktest.Options{})
	c := newClientWith(t, server.Addr(), 2*time.Second)
	other := newClientWith(t, server.Addr(), 2*time.Second)
	held := other.lock("/locks/test")
	waiting := c.queue(c.request("/locks/test"))
	if err := server.Empty(bounded(t)); err != nil {
		t.Fatal(err)
	}
	l := waiting.get()
	if l.node.session.ID() == held.node.session.ID() {
		t.Error("the lock is held by the old session")
	}
	await(t, "the loss of the lock that was held before", held.Lost())
	release(t, held)
	release(t, l)
}

// The deadline of one who waits is that of the acquire, whatever becomes of sessions.
func TestAWaiterWhoseEnsembleStaysAwayEndsInTime(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	held := s.other.lock(dirOf(s.Space))
	s.ours = newClientWith(t, s.proxy.Addr(), time.Second)
	s.ours.cfg.ConnectTimeout = time.Second
	waiting := s.ours.queue(s.plain())
	s.proxy.Refuse()
	_, err := waiting.end()
	if connect := (*zookeeper.ConnectError)(nil); !errors.As(err, &connect) {
		t.Errorf("it ended with %v", err)
	}
	s.WaitChildren(testDir, 1)
	release(t, held)
}

// A has two slots and B three. B has joined and not looked yet; C, with three, compares
// with all that stand before, and not with B alone.
func TestSlotsAreComparedWithAll(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	slots := func(c *client, n int) Request {
		req := c.request(dirOf(s.Space))
		req.Wait, req.Slots = 0, n
		return req
	}
	a := s.other.acquire(slots(s.other, 2))
	joined := s.proxy.Catch(zktest.Reply, ofKind(zktest.OpCreate))
	b := s.ours.start(slots(s.ours, 3))
	joined.Wait()
	third := newClient(t, s.Addr())
	c, err := Acquire(bounded(t), third.sessions, slots(third, 3))
	if differ := (*DisagreeError)(nil); !errors.As(err, &differ) || differ.Other.Znode != a.Znode() || differ.OtherSlots() != 2 {
		t.Errorf("C gets %v, %v", c, err)
	}
	joined.Pass()
	if l, err := b.end(); !errors.Is(err, ErrDisagree) {
		t.Errorf("B gets %v, %v", l, err)
	}
	second := newClient(t, s.Addr())
	release(t, second.acquire(slots(second, 2)))
	release(t, a)
}

// A contender whose data only its owner may read is waited for like any other, and shown
// without a name.
func TestAnUnreadableContenderIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.mkdir()
	foreign := s.NewSession(30 * time.Second)
	if err := foreign.AddAuth("digest", []byte("kazoo:secret")); err != nil {
		t.Fatal(err)
	}
	node, err := foreign.Create(dirOf(s.Space)+"/0123456789abcdef0123456789abcdef__lock__", []byte("kazoo@host"),
		zk.FlagEphemeralSequential, zk.AuthACL(zk.PermAll))
	if err != nil {
		t.Fatal(err)
	}
	req := s.plain()
	req.Wait = 0
	_, err = Acquire(bounded(t), s.ours.sessions, req)
	if busy := (*BusyError)(nil); !errors.As(err, &busy) || len(busy.Holders) != 1 || !busy.Holders[0].Unreadable || busy.Holders[0].Data.Owner != "" {
		t.Errorf("a single try ends with %v", err)
	}
	queue, err := Inspect(bounded(t), s.other.session(), dirOf(s.Space), 0)
	if err != nil || len(queue.Holders) != 1 || !queue.Holders[0].Unreadable || queue.Holders[0].Created.IsZero() {
		t.Errorf("a look shows %+v, %v", queue, err)
	}
	waiting := s.ours.start(s.plain())
	if w := waiting.looks(); !w.Next.Unreadable || w.Next.Znode != node {
		t.Errorf("it waits for %+v", w)
	}
	if err := foreign.Delete(node, -1); err != nil {
		t.Fatal(err)
	}
	release(t, waiting.get())
}

// At the end of the sequence numbers the order of contenders is not that of their coming.
func TestADirectoryWhoseNumbersAreUsedUp(t *testing.T) {
	t.Parallel()
	n := node{dir: "/locks/test", name: "ex-0123456789abcdef0123456789abcdef__lock__2147483646"}
	if err := n.numbered(); err != nil {
		t.Error(err)
	}
	for _, last := range []string{"2147483647", "-2147483648", "-000000001"} {
		n.name = "ex-0123456789abcdef0123456789abcdef__lock__" + last
		if err := n.numbered(); !errors.Is(err, ErrUsedUp) || !strings.Contains(err.Error(), n.dir) {
			t.Errorf("%s: %v", last, err)
		}
	}
}

// What is read for another process is read after a quorum has spoken.
func TestLooksForOthersBeginWithAQuorum(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	req := s.other.request(dirOf(s.Space))
	req.Durable = true
	held := s.other.acquire(req)
	session := s.ours.session()
	requests := record(s.proxy)
	for what, look := range map[string]func() error{
		"Inspect": func() error { _, err := Inspect(bounded(t), session, dirOf(s.Space), 0); return err },
		"Lookup":  func() error { _, _, err := Lookup(bounded(t), session, held.Znode()); return err },
		"describe": func() error {
			return DescribeDurable(bounded(t), session, held.Znode(), "described")
		},
	} {
		err := look()
		if ops := requests.take(); err != nil || len(ops) < 2 || ops[0] != zktest.OpMulti {
			t.Errorf("%s: %v, by %v", what, err, ops)
		}
	}
	err := RemoveDurable(bounded(t), s.ours.sessions, held.Znode())
	if ops := requests.take(); err != nil || ops[0] != zktest.OpMulti {
		t.Errorf("remove: %v, by %v", err, ops)
	}
}

// A promotion whose outcome is not known when the ensemble stays away: the error names the
// znode that may be a durable lock, and says what to do about it.
func TestAPromotionThatStaysUndecidedIsNamed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.ours.cfg.ConnectTimeout = time.Second
	caught := s.proxy.Catch(zktest.Reply, promotion)
	acquiring := s.ours.start(s.request())
	caught.Wait()
	durable := s.Path(testDir) + "/" + s.one(true)
	s.proxy.Refuse()
	caught.Lose()
	n := &node{
		session: s.ours.session(), sessions: s.ours.sessions, done: func() {},
		dir: dirOf(s.Space), name: nameOf(durable), maybeDurable: true,
	}
	err := n.remove(ended(t))
	var left *LeftError
	if !errors.As(err, &left) || left.Znode != durable || !left.Durable || !strings.Contains(err.Error(), durable) || !strings.Contains(err.Error(), "import") {
		t.Errorf("the error is %v", err)
	}
	s.proxy.Accept()
	if l, err := acquiring.end(); err == nil {
		s.letGo(struck{}, l)
	}
	s.WaitGone(testDir)
}
