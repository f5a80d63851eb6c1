// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// Entry is a contender and what its znode says.
type Entry struct {
	Contender Contender
	Data      Data
	Znode     string    // absolute path
	Created   time.Time // by the server's clock
	Session   int64     // that it ends with; 0 for a durable one
	Czxid     int64     // of the transaction that created it
	// Unreadable says that this user may not read what the znode says.
	Unreadable bool
}

// Identity tells a contender from all others, also from those of the same name before and
// after it. The server vouches for it, whatever the znode says.
type Identity struct {
	Znode   string
	Session int64 // 0 for a durable one
	Czxid   int64 // of the transaction that created it
}

// Identity is that of the contender.
func (e Entry) Identity() Identity { return Identity{e.Znode, e.Session, e.Czxid} }

// FencingToken is the token of the lock that the contender holds or waits for:
// see [Lock.Token].
func (e Entry) FencingToken() int64 {
	if e.Data.Durable && e.Data.Token != 0 {
		return e.Data.Token
	}
	return e.Czxid
}

// Joined is when the contender joined the queue: by its own word, else by the
// server's clock.
func (e Entry) Joined() time.Time {
	if !e.Data.Since.IsZero() {
		return e.Data.Since
	}
	return e.Created
}

// Until is when the run that holds the lock is interrupted at the latest, if that was
// asked for; otherwise zero.
func (e Entry) Until() time.Time {
	held, limit := e.Data.HeldSince, e.Data.MaxHold
	if held.IsZero() || limit <= 0 || limit > int(MaxWait/time.Second) {
		return time.Time{}
	}
	return held.Add(time.Duration(limit) * time.Second)
}

// readers bounds how many znodes are read at once.
const readers = 32

// readAll reads the contenders' znodes side by side; nil for one that has left. Of several
// errors it returns the first one, and reads no further.
func readAll(ctx context.Context, s *zookeeper.Session, dir string, contenders []Contender) ([]*Entry, error) {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	var (
		entries = make([]*Entry, len(contenders))
		first   error
		failed  sync.Once
	)
	eachOf(len(contenders), func(i int) {
		if reading.Err() != nil {
			return
		}
		var err error
		if entries[i], err = readEntry(reading, s, dir, contenders[i]); err != nil {
			failed.Do(func() {
				first = err
				stop()
			})
		}
	})
	if first == nil {
		first = context.Cause(ctx)
	} else if len(contenders) > 1 {
		first = fmt.Errorf("one of %d contenders: %w", len(contenders), first)
	}
	return entries, first
}

// eachOf calls f for 0 to n-1, for a few of them at a time.
func eachOf(n int, f func(int)) {
	free := make(chan struct{}, readers)
	var all sync.WaitGroup
	for i := range n {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			f(i)
		})
	}
	all.Wait()
}

// readEntry reads a contender's znode; nil if it has left.
func readEntry(ctx context.Context, s *zookeeper.Session, dir string, c Contender) (*Entry, error) {
	node, err := s.Get(ctx, dir+"/"+c.Name)
	if errors.Is(err, zookeeper.ErrNoNode) {
		return nil, nil //nolint:nilnil // a contender that has left is not an error
	}
	if err != nil {
		return nil, err
	}
	entry := entryOf(dir, c, node)
	return &entry, nil
}

func entryOf(dir string, c Contender, node zookeeper.Node) Entry {
	return Entry{
		Contender:  c,
		Data:       decodeData(node.Data),
		Znode:      dir + "/" + c.Name,
		Created:    time.UnixMilli(node.Stat.Ctime),
		Session:    node.Stat.EphemeralOwner,
		Czxid:      node.Stat.Czxid,
		Unreadable: node.Unreadable,
	}
}
