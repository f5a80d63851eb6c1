// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// leaveTime is given to what is on its way out when all is over: sessions that
// were dropped time out.
const leaveTime = 5 * sessionTimeout

// tidy sees to it that nothing is left. A directory may be: whoever goes without a
// word, and Kazoo, does not remove it. The next one to take the lock does.
func (c *chaos) tidy() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	tick := time.NewTicker(restTime)
	defer tick.Stop()
	var err error
	for left := true; left; {
		if err = c.looksTidy(ctx); err == nil {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			left = false
		}
	}
	if err != nil {
		c.t.Errorf("LEFT: %v; there are %q", err, c.space.Tree())
		return
	}
	newcomer := newActor(c, "newcomer", beginLocal)
	h := newcomer.current().holder
	for _, l := range c.locks {
		// Servers that were cut off may still give each other up, and break the connection
		// over which the directory is deleted.
		for tries := 0; tries == 0 || tries < 3 && c.space.Exists(l.dir); tries++ {
			c.takeAgain(ctx, newcomer, l)
		}
		if c.space.Exists(l.dir) {
			c.t.Errorf("LEFT: %s with %q", l.dir, c.space.Children(l.dir))
		}
	}
	if err := h.Close(); err != nil {
		c.t.Error(err)
	}
}

// takeAgain takes a lock and lets it go, which clears an empty directory away.
func (c *chaos) takeAgain(ctx context.Context, newcomer *actor, l *lock) {
	c.t.Helper()
	h := newcomer.current().holder
	znode := holder.Znode{Ensemble: c.ensemble(newcomer.links.addrs())}
	grant, err := h.Acquire(ctx, holder.Request{Ensemble: znode.Ensemble, Lock: locker.Request{LockID: l.id, Dir: c.space.Path(l.dir), Slots: l.slots}})
	if err == nil {
		znode.Path, znode.Grant = grant.Znode, grant.ID
		err = h.Release(ctx, znode)
	}
	if err != nil {
		c.t.Errorf("LEFT: %s: %v", l.id, err)
	}
}

// looksTidy tells what the servers still keep of what had its time.
func (c *chaos) looksTidy(ctx context.Context) error {
	leads := 0
	for _, server := range c.servers.Servers() {
		stats, err := server.Stats(ctx)
		if err != nil {
			return err
		}
		most := map[string]int{"zk_watch_count": 0}
		if stats["zk_server_state"] == "leader" {
			leads++
			most["zk_ephemerals_count"] = 0
			most["zk_global_sessions"] = 1 + len(styles) // the test's own, and the foreign clients'
		}
		for name, most := range most {
			if n, err := strconv.Atoi(stats[name]); err != nil || n > most {
				return errors.Join(fmt.Errorf("%s: %s is %s", server.Addr(), name, stats[name]), err)
			}
		}
	}
	if leads != 1 {
		return fmt.Errorf("%d servers lead", leads)
	}
	return nil
}

// judge says what happened, and whether it should have.
func (c *chaos) judge(took time.Duration) {
	c.t.Helper()
	faults, writes := 0, 0
	for _, f := range slices.Sorted(maps.Keys(c.faults)) {
		faults += c.faults[f]
		c.t.Logf("%6d x %s", c.faults[f], f)
	}
	for _, what := range slices.Sorted(maps.Keys(c.counts)) {
		c.t.Logf("%6d %s", c.counts[what], what)
	}
	for _, h := range c.history.holds {
		writes += h.writes
	}
	found := c.history.check()
	c.t.Logf("%d acquisitions, %d writes, %d faults in %v: %d overlaps, %d out of turn; %d locks lost, the next holder came at least %v after",
		c.acquires.Load(), writes, faults, took.Round(time.Second), len(found.overlaps), len(found.inversions), found.losses, found.margin)
	for _, list := range [][]string{c.reports, found.overlaps, found.inversions, c.history.tokensTwice()} {
		for _, text := range list[:min(len(list), 10)] {
			c.t.Error(text)
		}
		if len(list) > 10 {
			c.t.Errorf("... and %d more", len(list)-10)
		}
	}
}
