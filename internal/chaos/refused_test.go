// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// refused judges why a lock was not had.
func (a *actor) refused(s step, l *life, err error) {
	switch {
	case a.c.ctx.Err() != nil:
	case errors.Is(err, locker.ErrBusy) && s.wait >= 0:
		a.c.count("not free in time")
	case errors.Is(err, context.Canceled) && (s.fault == cancelled || s.fault == cancelRefused):
		a.c.count("cancelled")
		if left := (*locker.LeftError)(nil); errors.As(err, &left) {
			a.c.count("left by a server that refused to delete it, and named")
		}
	case errors.Is(err, locker.ErrDeadlock):
		a.c.count("closed a deadlock")
		a.startAnew(l)
	case s.wait >= 0 && strings.Contains(err.Error(), "no verdict from ZooKeeper"):
		a.c.count("no servers for longer than its wait")
	case l.shaken.Load(): // whatever it was about just then
		a.c.count("holder ended")
		wait(a.c.ctx, restTime, nil)
	default:
		a.c.report("%s: acquire for %v: %v", a.name, s, err)
	}
}

// startAnew ends a run that waits for nothing any more, as one does that has closed a
// deadlock.
func (a *actor) startAnew(l *life) {
	if a.calm.TryLock() {
		defer a.calm.Unlock()
		if a.current() == l {
			a.next(l, false)
		}
		return
	}
	wait(a.c.ctx, restTime, nil)
}

// gone sees to it that the contender of a step that did not get its lock leaves the
// queue, though its run goes on. Nothing disturbs that run meanwhile.
func (a *actor) gone(l *lock, info string) {
	a.calm.Lock()
	defer a.calm.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.c.ctx), stuckTime)
	defer cancel()
	for {
		znode, err := a.c.contender(l, info)
		if err == nil && znode == "" {
			return
		}
		if !wait(ctx, restTime, nil) {
			a.c.report("LEFT: %s of %s, which did not get the lock %v ago: %v", znode, a.name, stuckTime, err)
			return
		}
	}
}

// contender finds the contender for a lock that has this info; empty if there is
// none.
func (c *chaos) contender(l *lock, info string) (znode string, err error) {
	dir := c.space.Path(l.dir)
	names, _, err := c.space.Conn().Children(dir)
	for _, name := range names {
		data, _, err := c.space.Conn().Get(dir + "/" + name)
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			return "", err
		}
		if bytes.Contains(data, fmt.Appendf(nil, `"info":%q`, info)) {
			return name, nil
		}
	}
	if errors.Is(err, zk.ErrNoNode) {
		err = nil
	}
	return "", err
}
