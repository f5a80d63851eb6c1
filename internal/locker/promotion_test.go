// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// The session is lost while it is not known whether the lock is durable, and then
// the Acquire is cancelled before there is another session.
func TestPromotionCancelledInLimbo(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	caught := s.proxy.Catch(zktest.Reply, promotion)
	acquiring := s.ours.start(s.request())
	caught.Wait()
	session, err := s.ours.sessions(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	s.proxy.Expire()
	s.proxy.Refuse()
	caught.Lose()
	s.proxy.Accept()
	handshake := s.proxy.Catch(zktest.Request, check)
	<-session.Lost()
	handshake.Wait() // the look that the next session begins with
	acquiring.cancel(errCancelled)
	handshake.Lose()
	if err := s.fails(acquiring); !errors.Is(err, errCancelled) {
		t.Errorf("it ended by %v", err)
	}
	if names := s.Children(testDir); len(names) != 0 {
		t.Errorf("%q is left", names)
	}
}

// An operator deletes the znode at the wrong moment: we have no lock then, and
// queue again.
func TestPromotionOfADeletedContender(t *testing.T) {
	t.Parallel()
	for name, side := range map[string]zktest.Side{"before": zktest.Request, "after": zktest.Reply} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.Create(DefaultRoot, nil, zktest.Persistent)
			s.Create(testDir, nil, zktest.Persistent)
			caught := s.proxy.Catch(side, promotion)
			acquiring := s.ours.start(s.request())
			caught.Wait()
			before := s.one(side == zktest.Reply)
			s.leave(before)
			caught.Pass()
			lock := acquiring.get()
			if now := s.one(true); now == before || lock.Znode() != s.Path(testDir)+"/"+now {
				t.Errorf("the lock is %s, and there is %s after %s", lock.Znode(), now, before)
			}
			s.remove(lock)
		})
	}
}

// No other session is to be had while it is not known whether the lock is durable:
// the acquire fails, but does not forget.
func TestPromotionInLimboWithoutAServer(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.ours.cfg.ConnectTimeout = 300 * time.Millisecond
	caught := s.proxy.Catch(zktest.Reply, promotion)
	asked := 0
	cleaning := make(chan struct{})
	sessions := func(ctx context.Context) (*zookeeper.Session, error) {
		switch asked++; asked {
		case 2: // the first one is known to be over
			s.proxy.Refuse()
		case 4: // the acquire and a first try to clean up are in vain
			close(cleaning)
		}
		return s.ours.sessions(ctx)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := Acquire(bounded(t), sessions, s.request())
		ended <- err
	}()
	caught.Wait()
	s.one(true)
	s.proxy.Expire()
	caught.Lose()
	await(t, "another try to clean up", cleaning)
	select {
	case err := <-ended:
		t.Errorf("it has left a durable znode behind: %v", err)
	default:
	}
	s.proxy.Accept()
	err := <-ended
	if connect := (*zookeeper.ConnectError)(nil); !errors.As(err, &connect) {
		t.Errorf("it ended by %v", err)
	}
	if names := s.Children(testDir); len(names) != 0 {
		t.Errorf("%q is left", names)
	}
}
