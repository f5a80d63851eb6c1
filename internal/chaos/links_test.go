// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// links are the ways of one actor to the servers: a proxy before each.
type links []*zktest.Proxy

func newLinks(c *chaos) links {
	var l links
	for _, server := range c.servers.Servers() {
		l = append(l, zktest.NewProxy(c.t, server))
	}
	return l
}

func (l links) addrs() []string {
	var addrs []string
	for _, p := range l {
		addrs = append(addrs, p.Addr())
	}
	return addrs
}

func (l links) each(f func(*zktest.Proxy)) {
	for _, p := range l {
		f(p)
	}
}

// inUse is the link with a connection. There may be none just then.
func (l links) inUse() links {
	return slices.DeleteFunc(slices.Clone(l), func(p *zktest.Proxy) bool { return !p.InUse() })
}

// lose loses the first packet that matches, whichever link it takes. disarm ends that,
// and tells whether one was lost.
func (l links) lose(side zktest.Side, match func(zktest.Packet) bool) (disarm func() bool) {
	var lost atomic.Bool
	var all []*zktest.Caught
	for _, p := range l {
		caught := p.Catch(side, func(p zktest.Packet) bool { return match(p) && lost.CompareAndSwap(false, true) })
		caught.Lose()
		all = append(all, caught)
	}
	return func() bool {
		for _, caught := range all {
			caught.Disarm()
		}
		return lost.Load()
	}
}

// answer answers requests by an error until stop is called, which tells how many there
// were.
func (l links) answer(code int32, match func(zktest.Packet) bool) (stop func() int) {
	var stops []func() int
	for _, p := range l {
		stops = append(stops, p.Answer(code, match))
	}
	return func() int {
		n := 0
		for _, stop := range stops {
			n += stop()
		}
		return n
	}
}

// refuse lets nobody connect for a while.
func (l links) refuse(ctx context.Context, d time.Duration) {
	l.each((*zktest.Proxy).Refuse)
	wait(ctx, d, nil)
	l.each((*zktest.Proxy).Accept)
}

// hold lets nothing pass in one direction for a while.
func (l links) hold(ctx context.Context, side zktest.Side, d time.Duration) {
	l.each(func(p *zktest.Proxy) { p.Hold(side) })
	wait(ctx, d, nil)
	l.each((*zktest.Proxy).Release)
}
