// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"os"
	"slices"
)

// runTimeout is each one's session or lease, in seconds, where nothing fails.
const runTimeout = 10

// The ways to guard Terraform, and those to guard any command.
var (
	guards       = []way{ephemeralBlock, resourceBlock, action, runCommand, etcdctlLock, kazooScript, flock, stateLock}
	commandWays  = []way{runCommand, etcdctlLock, kazooScript, flock}
	unguarded    = []way{timeStatic, noLock}
	aloneRounds  = 40
	handoffTimes = 15
)

// measureRuns compares whole runs of Terraform.
func (b *bench) measureRuns(ctx context.Context) (err error) {
	if b.data.Runs.Alone, err = b.compareAlone(ctx, slices.Concat(guards, unguarded), true, aloneRounds); err != nil {
		return err
	}
	b.data.Runs.Handoff, err = b.compareHandoffs(ctx, guards, true, handoffTimes)
	return err
}

// measureCommands compares the same around a command that takes no time.
func (b *bench) measureCommands(ctx context.Context) (err error) {
	if b.data.Commands.Alone, err = b.compareAlone(ctx, append(commandWays[:len(commandWays):len(commandWays)], noLock), false, aloneRounds); err != nil {
		return err
	}
	b.data.Commands.Handoff, err = b.compareHandoffs(ctx, commandWays, false, aloneRounds)
	return err
}

// compareAlone measures runs that need not wait, from their start to their end.
func (b *bench) compareAlone(ctx context.Context, ways []way, terraform bool, rounds int) ([]Row, error) {
	return interleave(ctx, namesOf(ways), b.times(rounds), func(i int) (float64, error) {
		g, err := b.prepare(ctx, order{way: ways[i], at: b.at, lock: b.newLock(), timeout: runTimeout, terraform: terraform})
		if err != nil {
			return 0, err
		}
		defer g.remove()
		if err := g.open(); err != nil { // The work need not wait.
			return 0, err
		}
		took, err := g.time()
		return took, errors.Join(err, b.awaitReleased(ctx))
	})
}

// compareHandoffs measures from the end of the first run's work to the begin of the
// second's.
func (b *bench) compareHandoffs(ctx context.Context, ways []way, terraform bool, rounds int) ([]Row, error) {
	return interleave(ctx, namesOf(ways), b.times(rounds), func(i int) (float64, error) {
		p, err := b.startPair(ctx, order{way: ways[i], at: b.at, lock: b.newLock(), timeout: runTimeout, terraform: terraform}, b.at)
		if err != nil {
			return 0, err
		}
		defer p.end()
		if err := p.first.open(); err != nil {
			return 0, err
		}
		waiting, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		end, err := p.first.await(waiting, p.first.ended)
		if err != nil {
			return 0, err
		}
		begin, err := p.second.await(waiting, p.second.began)
		if err != nil {
			return 0, err
		}
		return milliseconds(begin.at.Sub(end.at)), errors.Join(p.first.finish(), p.second.finish(), b.awaitReleased(ctx))
	})
}

// pair is a run that works, and one that waits for it.
type pair struct {
	first, second *guarded
	working       int32 // the process that is the first one's work
}

// startPair starts both, the first of them with other addresses of the same services.
func (b *bench) startPair(ctx context.Context, o order, at services) (_ *pair, err error) {
	p := &pair{}
	defer func() {
		if err != nil {
			p.end()
		}
	}()
	if o.way.shared {
		if o.workspace, err = os.MkdirTemp(b.dir, "shared-"); err != nil {
			return nil, err
		}
	}
	first := o
	first.at = at
	if p.first, err = b.start(ctx, first); err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, patience) // not for the runs, which go on
	defer cancel()
	began, err := p.first.await(waiting, p.first.began)
	if err != nil {
		return nil, err
	}
	p.working = began.pid
	if p.second, err = b.start(ctx, o); err != nil {
		return nil, err
	}
	if err := b.awaitQueued(waiting, o, p.second); err != nil {
		return nil, err
	}
	return p, nil
}

// end ends what is left of both.
func (p *pair) end() {
	for _, g := range []*guarded{p.first, p.second} {
		if g != nil {
			g.end()
		}
	}
}
