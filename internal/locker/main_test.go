// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

func TestMain(m *testing.M) {
	zktest.SkipInShort("TestRandomRunsAndDeadlocks|TestNoVerdict|TestDeadlocksOfTheModel|TestBreakOfAHolderThatDoesNotListen|TestNoOverlap.*|TestCrowd.*|TestListOfAThousandLocks")
	zktest.Main(m)
}

var worldACL = zk.WorldACL(zk.PermAll)

// patience bounds every wait for something that should happen soon. Reached
// only when something is broken.
const patience = 30 * time.Second

// bounded ends with the test, and fails it rather than lets it hang.
func bounded(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	tb.Cleanup(cancel)
	return ctx
}

// client is one run: whoever contends with it has a session of its own.
type client struct {
	tb   testing.TB
	pool zookeeper.Pool
	cfg  zookeeper.Config
	data Data
}

// newClient is a client with a session timeout that no test waits for.
func newClient(tb testing.TB, addr string) *client {
	tb.Helper()
	return newClientWith(tb, addr, 30*time.Second)
}

func newClientWith(tb testing.TB, addr string, sessionTimeout time.Duration) *client {
	tb.Helper()
	c := &client{
		tb:   tb,
		cfg:  zookeeper.Config{Servers: []string{addr}, SessionTimeout: sessionTimeout, ConnectTimeout: patience},
		data: Data{Owner: "tester@example", Info: "a test", Host: "example", PID: 1},
	}
	tb.Cleanup(c.pool.Close)
	return c
}

func (c *client) sessions(ctx context.Context) (*zookeeper.Session, error) {
	return c.pool.Session(ctx, c.cfg)
}

// session is the client's present session.
func (c *client) session() *zookeeper.Session {
	c.tb.Helper()
	s, err := c.sessions(bounded(c.tb))
	if err != nil {
		c.tb.Fatal(err)
	}
	return s
}

// request is one for an exclusive lock without limit.
func (c *client) request(dir string) Request {
	return Request{LockID: "test", Dir: dir, Wait: NoLimit, Data: c.data}
}

// lock acquires a lock that has to be free.
func (c *client) lock(dir string) *Lock {
	c.tb.Helper()
	req := c.request(dir)
	req.Wait = 0
	return c.acquire(req)
}

func (c *client) acquire(req Request) *Lock {
	c.tb.Helper()
	l, err := Acquire(bounded(c.tb), c.sessions, req)
	if err != nil {
		c.tb.Fatal(err)
	}
	return l
}

func release(tb testing.TB, l *Lock) {
	tb.Helper()
	if err := l.Release(bounded(tb)); err != nil {
		tb.Error(err)
	}
}

// pending is an acquire under way.
type pending struct {
	tb      testing.TB
	cancel  context.CancelCauseFunc
	waiting chan Waiting // each look at the queue
	done    chan struct{}
	lock    *Lock
	err     error
}

var errCancelled = errors.New("cancelled by the test")

// queue begins to wait for a lock, and returns once it is in the queue.
func (c *client) queue(req Request) *pending {
	c.tb.Helper()
	p := c.start(req)
	p.looks()
	return p
}

// start begins an acquire.
func (c *client) start(req Request) *pending {
	ctx, cancel := context.WithCancelCause(c.tb.Context())
	p := &pending{tb: c.tb, cancel: cancel, waiting: make(chan Waiting, 1000), done: make(chan struct{})}
	req.Waiting = func(w Waiting) { p.waiting <- w }
	go func() {
		defer close(p.done)
		p.lock, p.err = Acquire(ctx, c.sessions, req)
	}()
	c.tb.Cleanup(func() {
		cancel(errCancelled)
		<-p.done
	})
	return p
}

// looks waits for the next look at the queue that leaves the acquire waiting.
func (p *pending) looks() Waiting {
	p.tb.Helper()
	select {
	case w := <-p.waiting:
		return w
	case <-p.done:
		p.tb.Fatalf("the acquire has ended: %v, %v", p.lock, p.err)
	case <-bounded(p.tb).Done():
		p.tb.Fatal("the acquire neither waits nor ends")
	}
	return Waiting{}
}

// end waits for the end of the acquire, whatever it is.
func (p *pending) end() (*Lock, error) {
	p.tb.Helper()
	await(p.tb, "the end of an acquire", p.done)
	return p.lock, p.err
}

// get waits for the lock.
func (p *pending) get() *Lock {
	p.tb.Helper()
	l, err := p.end()
	if err != nil {
		p.tb.Fatal(err)
	}
	return l
}

// leave cancels the acquire and waits until it has left the queue.
func (p *pending) leave() {
	p.tb.Helper()
	p.cancel(errCancelled)
	if l, err := p.end(); l != nil || !errors.Is(err, errCancelled) {
		p.tb.Errorf("a cancelled acquire ended with %v, %v", l, err)
	}
}

// await waits for something to happen.
func await(tb testing.TB, what string, event <-chan struct{}) {
	tb.Helper()
	select {
	case <-event:
	case <-bounded(tb).Done():
		tb.Fatalf("waited in vain for %s", what)
	}
}

// dirOf is the directory of the lock "test" in a space.
func dirOf(space *zktest.Space) string {
	return Directory(space.Chroot(), DefaultRoot, "test")
}

// testDir is the same as helpers of the space call it.
const testDir = DefaultRoot + "/test"

// newSeed logs the seed that it returns.
func newSeed(tb testing.TB) uint64 {
	tb.Helper()
	seed := rand.Uint64() //nolint:gosec // for a test
	tb.Logf("the seed is %d", seed)
	return seed
}

// seeded gives the same numbers for the same seed and stream.
func seeded(seed, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, stream)) //nolint:gosec // for a test
}

// ended is a context that has ended.
func ended(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithCancelCause(tb.Context())
	cancel(errCancelled)
	return ctx
}
