// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// linked is an ensemble of three whose members soon miss each other.
func linked(t *testing.T) (e *Ensemble, leader, follower *Server) {
	t.Helper()
	e = OwnEnsemble(t, 3, Options{Links: true, Config: map[string]string{"syncLimit": "5", "initLimit": "25"}})
	leader, err := e.Leader(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range e.Servers() {
		if s != leader {
			return e, leader, s
		}
	}
	panic("there are three")
}

// A follower that the leader's word does not reach serves nobody after a while, and does
// again when it arrives.
func TestHeldLinkCutsAFollowerOff(t *testing.T) {
	t.Parallel()
	e, leader, follower := linked(t)
	e.Link(leader, follower).Hold()
	serves := func(wanted bool) {
		t.Helper()
		if err := poll(bounded(t), func() error {
			stats, err := follower.Stats(t.Context())
			if serves := err == nil && stats["zk_server_state"] == "follower"; serves != wanted {
				return errors.New("it is " + stats["zk_server_state"])
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	serves(false)
	if now, err := e.Leader(bounded(t)); err != nil || now != leader {
		t.Errorf("the leader has changed: %v", err)
	}
	e.Link(leader, follower).Release()
	serves(true)
}

// A leader that nobody hears is replaced, though elections go on over other connections.
func TestLeaderThatNobodyHearsIsReplaced(t *testing.T) {
	t.Parallel()
	e, leader, _ := linked(t)
	for _, s := range e.Servers() {
		if s != leader {
			e.Link(leader, s).Hold()
			e.Link(s, leader).Cut()
		}
	}
	if err := poll(bounded(t), func() error {
		now, err := e.Leader(bounded(t))
		if err == nil && now == leader {
			err = errors.New("it still leads")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, s := range e.Servers() {
		if s != leader {
			e.Link(leader, s).Release()
		}
	}
	if err := leader.awaitServing(bounded(t)); err != nil {
		t.Error(err)
	}
}

// A follower that lags answers reads by what it knows.
func TestLaggingFollower(t *testing.T) {
	t.Parallel()
	e, leader, follower := linked(t)
	s := NewSpaceOn(t, leader)
	behind, err := dialSession([]string{follower.Addr()}, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer behind.close()
	if _, _, err := behind.conn.Exists("/"); err != nil {
		t.Fatal(err)
	}
	e.Link(leader, follower).Lag(500 * time.Millisecond)
	s.Create("/a", nil, Persistent)
	if there, _, err := behind.conn.Exists(s.Path("/a")); err != nil || there {
		t.Errorf("the follower sees the znode at once: %v", err)
	}
	if _, err := behind.conn.Create(s.Path("/b"), nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
		t.Error(err)
	}
	if there, _, err := behind.conn.Exists(s.Path("/a")); err != nil || !there {
		t.Errorf("the follower does not see what was before its own write: %v", err)
	}
	e.Link(leader, follower).Release()
	s.Delete("/a", "/b")
}

// A write that a quorum has answered survives the loss of one server's data, even if
// the third server did not have it yet.
func TestEmptiedServerLearnsFromTheOthers(t *testing.T) {
	t.Parallel()
	e, leader, follower := linked(t)
	s := NewSpaceOn(t, leader, follower)
	for _, third := range e.Servers() {
		if third != leader && third != follower {
			if err := third.Pause(); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.Create("/a", []byte("kept"), Persistent)
	// Two elections one after the other take a loaded machine long.
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	if err := e.Restart(ctx, follower); err != nil {
		t.Fatal(err)
	}
	if data, _ := s.Get("/a"); string(data) != "kept" {
		t.Errorf("data are %q", data)
	}
	s.Delete("/a")
}
