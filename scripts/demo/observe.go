// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// observer watches one lock through a session of its own, and records what becomes of
// the znodes that contend for it.
type observer struct {
	record *recorder
	stop   context.CancelFunc
	done   chan error // why it stopped watching
}

// observe watches until close.
func observe(client *zktest.Client, dir string, r *recorder) *observer {
	ctx, stop := context.WithCancel(context.Background())
	o := &observer{record: r, stop: stop, done: make(chan error, 1)}
	go func() {
		var before []contender
		err := client.WatchQueue(ctx, dir, func(queue []zktest.Contender) {
			now := contendersOf(queue)
			o.compare(before, now)
			before = now
		})
		if ctx.Err() != nil {
			err = nil
		}
		o.done <- err
	}()
	return o
}

// close returns why it stopped watching, if that was before.
func (o *observer) close() error {
	o.stop()
	return <-o.done
}

// contender is a znode in the lock's directory, and the run that it is of.
type contender struct{ znode, owner string }

func contendersOf(queue []zktest.Contender) []contender {
	var all []contender
	for _, c := range queue {
		var said struct{ Owner string }
		_ = json.Unmarshal(c.Data, &said) // Who says nothing is shown without a name.
		all = append(all, contender{c.Name, said.Owner})
	}
	return all
}

// compare records in what the queue differs from what it was.
func (o *observer) compare(before, now []contender) {
	at := time.Now()
	for _, c := range before {
		if !slices.Contains(now, c) {
			o.record.add(Event{At: at, Run: c.owner, Kind: gone, Znode: c.znode})
		}
	}
	for i, c := range now {
		switch {
		case i == 0 && (len(before) == 0 || before[0] != c):
			o.record.add(Event{At: at, Run: c.owner, Kind: holds, Znode: c.znode})
		case i > 0 && !slices.Contains(before, c):
			o.record.add(Event{At: at, Run: c.owner, Kind: queued, Znode: c.znode, Behind: now[0].owner})
		}
	}
}
