// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

const (
	failureTimeout = 4 // seconds of each one's session or lease
	failureTimes   = 50
	members        = 3 // of an ensemble
)

// failure is something that fails while one run works and another waits.
type failure struct {
	title     string
	ours      way  // beside those of the others
	atOnce    int  // pairs at a time, each with a lock of its own
	terraform bool // the work is Terraform's
	cable     bool // the first run reaches its servers by a cable
	// prepare looks for what will fail. The time counts from the call of what it returns.
	prepare func(*trial) (strike func() error, err error)
}

// trial is one pair, and what leads from its first run to the servers.
type trial struct {
	*pair
	way    way
	cables []*cable
}

var failures = []failure{
	{
		title: "Terraform is killed", ours: resourceBlock, atOnce: 1, terraform: true,
		prepare: func(t *trial) (func() error, error) {
			p, err := below(t.first.cmd.Process.Pid, func(p *process.Process) bool { return filepath.Base(zktest.Executable(p.Pid)) == "terraform" })
			if err != nil {
				return nil, err
			}
			return p.Kill, nil
		},
	},
	{
		title: "the process that holds the lock is killed", ours: runCommand, atOnce: 10,
		prepare: func(t *trial) (func() error, error) {
			if t.way.kind != "clocker" {
				return t.first.cmd.Process.Kill, nil
			}
			p, err := below(t.first.cmd.Process.Pid, func(p *process.Process) bool {
				line, _ := p.CmdlineSlice()
				return isHolder(line)
			})
			if err != nil {
				return nil, err
			}
			return p.Kill, nil
		},
	},
	{
		title: "that process is cut off from the servers", ours: runCommand, atOnce: 10, cable: true,
		prepare: func(t *trial) (func() error, error) {
			return func() error {
				for _, c := range t.cables {
					c.cut()
				}
				return nil
			}, nil
		},
	},
}

// measureFailures measures how long it takes until the next run works.
func (b *bench) measureFailures(ctx context.Context) error {
	b.data.Failures = nil
	for _, f := range failures {
		if err := b.repeat(f, func(w way, n int, row *Row) error { return b.fail(ctx, f, w, b.at, n, row) }); err != nil {
			return err
		}
	}
	return b.loseLeaders(ctx)
}

// repeat lets the ways take turns until each has failed often enough.
func (b *bench) repeat(f failure, fail func(w way, n int, row *Row) error) error {
	ways := []way{f.ours, etcdctlLock, kazooScript}
	table := Table{Title: f.title, Rows: make([]Row, len(ways))}
	times := b.times(failureTimes)
	for done := 0; done < times; done += f.atOnce {
		for i, w := range ways {
			table.Rows[i].Name = w.name
			if err := fail(w, min(f.atOnce, times-done), &table.Rows[i]); err != nil {
				return fmt.Errorf("%s: %s: %w", f.title, w.name, err)
			}
		}
	}
	b.data.Failures = append(b.data.Failures, table)
	return nil
}

// fail starts some pairs, lets something fail for each of them, and adds to the row how
// long each took to the begin of its second run's work.
func (b *bench) fail(ctx context.Context, f failure, w way, at services, n int, row *Row) error {
	trials, errs := make([]*trial, n), make([]error, n)
	var wg sync.WaitGroup
	defer func() {
		for _, t := range trials {
			t.end()
		}
	}()
	for i := range trials {
		trials[i] = &trial{way: w}
		o := order{way: w, at: at, lock: b.newLock(), timeout: failureTimeout, terraform: f.terraform}
		wg.Go(func() { errs[i] = trials[i].start(ctx, b, o, f.cable) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	strikes := make([]func() error, n)
	for i, t := range trials {
		var err error
		if strikes[i], err = f.prepare(t); err != nil {
			return err
		}
	}
	begin := time.Now()
	for _, strike := range strikes {
		if err := strike(); err != nil {
			return err
		}
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	begun, both := make([]moment, n), make([]bool, n)
	for i, t := range trials {
		wg.Go(func() {
			begun[i], errs[i] = t.second.await(waiting, t.second.began)
			both[i] = errs[i] == nil && alive(t.working)
		})
	}
	wg.Wait()
	for i, err := range errs {
		switch {
		case errors.Is(err, errEnded):
			fmt.Fprintf(os.Stderr, "%s, %s: %v\n", f.title, w.name, err)
			row.GaveUp++
		case err != nil:
			return err
		default:
			row.MS = append(row.MS, milliseconds(begun[i].at.Sub(begin)))
		}
		if both[i] {
			row.Both++
		}
	}
	return nil
}

// start starts the pair.
func (t *trial) start(ctx context.Context, b *bench, o order, cable bool) (err error) {
	first := o.at
	if cable {
		if first, err = t.lead(ctx, o.at); err != nil {
			return err
		}
	}
	t.pair, err = b.startPair(ctx, o, first)
	return err
}

// lead puts cables between a run and its servers.
func (t *trial) lead(ctx context.Context, at services) (services, error) {
	led := services{observer: at.observer}
	for _, addrs := range []struct{ from, to *[]string }{{&at.zookeeper, &led.zookeeper}, {&at.etcd, &led.etcd}} {
		for _, addr := range *addrs.from {
			c, err := newCable(ctx, addr)
			if err != nil {
				return led, err
			}
			t.cables = append(t.cables, c)
			*addrs.to = append(*addrs.to, c.addr())
		}
	}
	return led, nil
}

// end ends what is left.
func (t *trial) end() {
	for _, c := range t.cables {
		c.close()
	}
	if t.pair != nil {
		t.pair.end()
	}
}

// loseLeaders kills the leader of an ensemble, and ends the first run's work at the
// same moment.
func (b *bench) loseLeaders(ctx context.Context) error {
	ensemble, err := zktest.StartEnsemble(ctx, members, zktest.Options{TickTime: tick})
	if err != nil {
		return err
	}
	defer ensemble.Stop()
	etcds, err := b.startEtcd(ctx, members)
	if err != nil {
		return err
	}
	var addrs []string
	for _, m := range etcds {
		addrs = append(addrs, m.addr)
	}
	at, err := b.servicesAt(ctx, ensemble.Addrs(), addrs)
	if err != nil {
		return err
	}
	f := failure{title: "the ensemble's leader is killed as the first run's work ends", ours: runCommand, atOnce: 5}
	return b.repeat(f, func(w way, n int, row *Row) error {
		kill, restart, err := b.findLeader(ctx, w, ensemble, etcds)
		if err != nil {
			return err
		}
		kill = sync.OnceValue(kill)
		f.prepare = func(t *trial) (func() error, error) {
			return func() error { return errors.Join(kill(), t.first.open()) }, nil
		}
		if err := b.fail(ctx, f, w, at, n, row); err != nil {
			return err
		}
		return restart()
	})
}

// findLeader returns what kills the leader of the servers that a way uses, and what
// starts it again.
func (b *bench) findLeader(ctx context.Context, w way, ensemble *zktest.Ensemble, etcds []*etcd) (kill, restart func() error, err error) {
	if w.kind != "etcd" {
		leader, err := ensemble.Leader(ctx)
		if err != nil {
			return nil, nil, err
		}
		return leader.Kill, func() error { return leader.Restart(ctx) }, nil
	}
	for _, m := range etcds {
		leads, err := m.awaitLeader(ctx)
		if err != nil {
			return nil, nil, err
		}
		if leads {
			return func() error { m.kill(); return nil }, func() error {
				if err := b.startMember(m); err != nil {
					return err
				}
				_, err := m.awaitLeader(ctx)
				return err
			}, nil
		}
	}
	return nil, nil, errors.New("no member of etcd leads")
}
