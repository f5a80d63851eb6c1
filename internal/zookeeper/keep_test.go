// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func (k *Kept) awaitLoss(t *testing.T, cause error) {
	t.Helper()
	await(t, "the loss of "+k.path, k.Lost())
	if !errors.Is(k.Err(), cause) {
		t.Errorf("%s was lost by %v, want %v", k.path, k.Err(), cause)
	}
}

// The watch tells of a deletion: no check is answered, and the lease is longer than the
// test.
func TestKeepLearnsOfADeletion(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	cfg := config(proxy.Addr())
	cfg.SessionTimeout = time.Minute
	s := open(t, cfg)
	const throttled = -127
	proxy.Answer(throttled, func(p zktest.Packet) bool { return p.Op == zktest.OpMulti })
	for name, watched := range map[string]bool{"with a watch": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			path := mustCreate(t, s, space.Path("/a-"), EphemeralSequential)
			var watch *Watch
			if watched {
				w, err := s.Watch(bounded(t), path)
				if err != nil {
					t.Fatal(err)
				}
				watch = &w
			}
			kept := s.Keep(path, watch)
			space.Delete(path[len(space.Chroot()):])
			kept.awaitLoss(t, ErrNoNode)
		})
	}
}

// Another znode of the same name is not ours.
func TestKeepLearnsOfAnotherOwner(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	s := open(t, config(space.Addr()))
	path := mustCreate(t, s, space.Path("/a"), Ephemeral)
	kept := s.Keep(path, nil)
	if _, err := s.Multi(bounded(t), Delete(path), Create(path, nil, Persistent)); err != nil {
		t.Fatal(err)
	}
	kept.awaitLoss(t, ErrNoNode)
	space.Delete("/a")
}

// The checks find what no watch has told: the znodes that are gone and no others.
func TestCheckFindsTheOnesThatAreGone(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	s := open(t, config(space.Addr()))
	var all []*Kept
	for i := range 5 {
		path := mustCreate(t, s, space.Path(fmt.Sprintf("/n%d", i)), Ephemeral)
		silent := make(chan Event)
		all = append(all, s.Keep(path, &Watch{Event: silent}))
	}
	space.Delete("/n1", "/n3")
	all[1].awaitLoss(t, ErrNoNode)
	all[3].awaitLoss(t, ErrNoNode)
	for _, i := range []int{0, 2, 4} {
		if err := all[i].Err(); err != nil {
			t.Errorf("znode %d was lost by %v", i, err)
		}
		all[i].Stop()
	}
	space.Delete("/n0", "/n2", "/n4")
}

func TestStoppedKeepIsNotLost(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	s := open(t, config(space.Addr()))
	stopped := s.Keep(mustCreate(t, s, space.Path("/a"), Ephemeral), nil)
	other := s.Keep(mustCreate(t, s, space.Path("/b"), Ephemeral), nil)
	stopped.Stop()
	space.Delete("/a", "/b")
	other.awaitLoss(t, ErrNoNode)
	_ = s.Close()
	if stopped.Err() != nil {
		t.Errorf("lost by %v", stopped.Err())
	}
}

// Without answers to writes the lease ends.
func TestKeepEndsWithSilence(t *testing.T) {
	t.Parallel()
	server := zktest.Own(t, zktest.Options{})
	space := zktest.NewSpaceOn(t, server)
	proxy := zktest.NewProxy(t, server)
	cfg := config(proxy.Addr())
	cfg.SessionTimeout = 2 * time.Second
	s := open(t, cfg)
	kept := s.Keep(mustCreate(t, s, space.Path("/a"), Ephemeral), nil)
	caught := proxy.Catch(zktest.Request, func(p zktest.Packet) bool { return p.Op == zktest.OpMulti })
	caught.Wait()
	proxy.Refuse()
	kept.awaitLoss(t, ErrSilence)
	if Now() < s.AliveUntil() {
		t.Error("it was lost before the lease ended")
	}
}

// An answer that says nothing is asked again, and loses nothing.
func TestThrottledRequestsAreSentAgain(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	s := open(t, config(proxy.Addr()))
	const throttled, unknownCode = -127, -77
	refuse := func(op zktest.Op, code int32) {
		caught := proxy.Catch(zktest.Request, func(p zktest.Packet) bool { return p.Op == op })
		go func() {
			<-caught.Hit()
			caught.Refuse(code)
		}()
	}
	refuse(zktest.OpCreate, throttled)
	path := mustCreate(t, s, space.Path("/a"), Ephemeral)
	for _, code := range []int32{throttled, unknownCode} {
		refuse(zktest.OpGetData, code)
		if _, err := s.Get(bounded(t), path); err != nil {
			t.Errorf("get, code %d: %v", code, err)
		}
		refuse(zktest.OpMulti, code)
		if err := s.Check(bounded(t), path); err != nil {
			t.Errorf("check, code %d: %v", code, err)
		}
	}
	refuse(zktest.OpSetData, unknownCode) // may have been carried out
	if err := s.Set(bounded(t), path, nil, 0); err == nil || Answered(err) || s.Err() != nil {
		t.Errorf("set: %v, the session: %v", err, s.Err())
	}
	kept := s.Keep(path, nil)
	for range 3 {
		refuse(zktest.OpMulti, unknownCode)
		if err := s.Barrier(bounded(t)); err != nil {
			t.Error(err)
		}
	}
	if kept.Err() != nil {
		t.Errorf("lost by %v", kept.Err())
	}
	kept.Stop()
	refuse(zktest.OpDelete, unknownCode)
	if err := s.Delete(bounded(t), path); err != nil {
		t.Errorf("delete: %v", err)
	}
}

// A request that is not answered ends by the cause of its context, also where that comes
// while it is about to be sent again.
func TestARequestEndsByTheCauseOfItsContext(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	s := open(t, config(proxy.Addr()))
	stop := proxy.Answer(-77, func(p zktest.Packet) bool { return p.Op == zktest.OpGetData })
	ctx, end := context.WithCancelCause(bounded(t))
	cause := errors.New("enough")
	go func() {
		for s.unknown.Load() < 3 { // it pauses for longer and longer
			runtime.Gosched()
		}
		end(cause)
	}()
	_, err := s.Get(ctx, space.Path("/a"))
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), "-77") {
		t.Errorf("get: %v", err)
	}
	stop()
}
