// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// Faults of servers, which all runs share. One that is "frozen" or "cut off" is so for
// longer than a session.
const (
	leaderPaused   fault = "leader paused for less than a session"
	leaderFrozen   fault = "leader frozen, and deposed"
	leaderBursts   fault = "deposed leader continued in bursts"
	followerFrozen fault = "follower frozen"
	quorumFrozen   fault = "both followers frozen"
	leaderKilled   fault = "leader killed and restarted"
	followerKilled fault = "follower killed and restarted"
	allRestarted   fault = "all servers killed, the data of one emptied, all restarted"
	followerCut    fault = "follower cut off from the other servers"
	followerDeaf   fault = "follower does not hear the leader"
	followerMute   fault = "leader does not hear a follower"
	leaderDeaf     fault = "leader hears no follower"
	leaderMute     fault = "followers do not hear the leader"
	linkBroken     fault = "connections between two servers cut"
	followerLags   fault = "follower lags"
	bothLag        fault = "both followers lag"
)

var serverFaults = []fault{
	leaderPaused, leaderFrozen, leaderBursts, followerFrozen, quorumFrozen, leaderKilled, followerKilled, allRestarted,
	followerCut, followerDeaf, followerMute, leaderDeaf, leaderMute, linkBroken, followerLags, bothLag,
}

const (
	// syncLimit is after how many ticks servers give each other up.
	syncLimit = 3
	// freezeTime is how long a server is out of reach: longer than a session, and than
	// its followers wait for a leader.
	freezeTime = sessionTimeout * 8 / 5
	// bursts is how many times a deposed leader goes on.
	bursts = 5
)

// disturbServers makes the servers fail each time that so many locks were taken,
// and the test if none is for long. It goes through all faults before it repeats one.
func (c *chaos) disturbServers() {
	random := generator(c.seed, "servers")
	var order []int
	for n := int64(1); c.ctx.Err() == nil; {
		stuck := time.NewTimer(stuckTime)
		select {
		case <-c.progress:
		case <-c.ctx.Done():
		case <-stuck.C:
			var stacks [1 << 20]byte
			c.report("STUCK: nobody got a lock for %v; there are %q\n%s", stuckTime, c.space.Tree(), stacks[:runtime.Stack(stacks[:], true)])
		}
		stuck.Stop()
		if c.acquires.Load() < n*serverFaultEvery {
			continue
		}
		n++
		if len(order) == 0 {
			order = random.Perm(len(serverFaults))
		}
		f := serverFaults[order[0]]
		order = order[1:]
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), stuckTime)
		if err := c.strikeServers(ctx, f, random); err != nil {
			c.report("servers: %s: %v", f, err)
		}
		cancel()
	}
}

// strikeServers returns when the fault is over.
func (c *chaos) strikeServers(ctx context.Context, f fault, random *rand.Rand) error {
	which, lag := random.IntN(2), between(random, sessionTimeout/20, sessionTimeout/4)
	leader, err := c.servers.Leader(ctx)
	if err != nil {
		return err
	}
	var followers []*zktest.Server
	for _, s := range c.servers.Servers() {
		if s != leader {
			followers = append(followers, s)
		}
	}
	follower, other := followers[which], followers[1-which]
	link := c.servers.Link
	c.fault(f)
	switch f {
	case leaderPaused:
		return c.freeze(ctx, sessionTimeout/2, leader)
	case leaderFrozen:
		return c.freeze(ctx, freezeTime, leader)
	case leaderBursts:
		return c.continueInBursts(ctx, leader, random)
	case followerFrozen:
		return c.freeze(ctx, freezeTime, follower)
	case quorumFrozen:
		return c.freeze(ctx, freezeTime, followers...)
	case leaderKilled:
		return restart(ctx, leader)
	case followerKilled:
		return restart(ctx, follower)
	case allRestarted:
		return c.servers.Restart(ctx, follower)
	case followerCut:
		holdLinks(ctx, link(leader, follower), link(follower, leader), link(other, follower), link(follower, other))
	case followerDeaf:
		holdLinks(ctx, link(leader, follower))
	case followerMute:
		holdLinks(ctx, link(follower, leader))
	case leaderDeaf:
		holdLinks(ctx, link(follower, leader), link(other, leader))
	case leaderMute:
		holdLinks(ctx, link(leader, follower), link(leader, other))
	case linkBroken:
		link(leader, follower).Cut()
	case followerLags:
		slowLinks(ctx, lag, link(leader, follower))
	case bothLag:
		slowLinks(ctx, lag/2, link(leader, follower), link(leader, other))
	default:
		return fmt.Errorf("there is no fault %q", f)
	}
	return nil
}

// freeze pauses servers for a while.
func (c *chaos) freeze(ctx context.Context, d time.Duration, servers ...*zktest.Server) error {
	for _, s := range servers {
		if err := s.Pause(); err != nil { //nolint:contextcheck // soon done
			return err
		}
	}
	wait(ctx, d, nil)
	for _, s := range servers {
		if err := s.Resume(); err != nil {
			return err
		}
	}
	return nil
}

// continueInBursts pauses the leader until there is another one, and lets it go on for
// moments.
func (c *chaos) continueInBursts(ctx context.Context, leader *zktest.Server, random *rand.Rand) error {
	err := leader.Pause() //nolint:contextcheck // soon done
	if err == nil {
		_, err = c.servers.Leader(ctx)
	}
	for range bursts {
		long, pause := between(random, 5*time.Millisecond, 50*time.Millisecond), between(random, 50*time.Millisecond, sessionTimeout/4)
		if err == nil {
			err = c.burst(ctx, leader, long, pause)
		}
	}
	if err != nil {
		return err
	}
	return leader.Resume()
}

func (c *chaos) burst(ctx context.Context, s *zktest.Server, long, pause time.Duration) error {
	if err := s.Resume(); err != nil {
		return err
	}
	wait(ctx, long, nil)
	if err := s.Pause(); err != nil { //nolint:contextcheck // soon done
		return err
	}
	wait(ctx, pause, nil)
	return nil
}

func restart(ctx context.Context, s *zktest.Server) error {
	if err := s.Kill(); err != nil {
		return err
	}
	return s.Restart(ctx)
}

// holdLinks lets nothing pass for a while.
func holdLinks(ctx context.Context, links ...*zktest.Link) {
	for _, l := range links {
		l.Hold()
	}
	wait(ctx, freezeTime, nil)
	for _, l := range links {
		l.Release()
	}
}

// slowLinks delays what passes for a while.
func slowLinks(ctx context.Context, lag time.Duration, links ...*zktest.Link) {
	for _, l := range links {
		l.Lag(lag)
	}
	wait(ctx, freezeTime, nil)
	for _, l := range links {
		l.Release()
	}
}
