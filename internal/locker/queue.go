package locker

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// FencingToken is the token of the lock that the contender holds or waits for:
// see [Lock.Token].
func (e Entry) FencingToken() int64 {
	if e.Data.Durable && e.Data.Token != 0 {
		return e.Data.Token
	}
	return e.Czxid
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

// Joined is when the contender joined the queue: by its own word, else by the
// server's clock.
func (e Entry) Joined() time.Time {
	if !e.Data.Since.IsZero() {
		return e.Data.Since
	}
	return e.Created
}

// Until is when the run that holds the lock is interrupted at the latest, if that was
// asked for; zero else.
func (e Entry) Until() time.Time {
	if e.Data.HeldSince.IsZero() || e.Data.MaxHold <= 0 || e.Data.MaxHold > int(MaxWait/time.Second) {
		return time.Time{}
	}
	return e.Data.HeldSince.Add(time.Duration(e.Data.MaxHold) * time.Second)
}

// Who is the owner in words.
func (e Entry) Who() string {
	switch {
	case e.Unreadable:
		return "a client whose znode this user may not read"
	case e.Data.Owner == "":
		return "an unnamed client"
	default:
		return e.Data.Owner
	}
}

// String tells a person who this is.
func (e Entry) String() string {
	who := e.Who()
	details := []string{}
	if e.Data.Host != "" && !strings.HasSuffix(who, "@"+e.Data.Host) {
		details = append(details, "on host "+e.Data.Host)
	}
	if e.Data.PID != 0 {
		details = append(details, fmt.Sprintf("process %d", e.Data.PID))
	}
	if e.Data.Durable {
		details = append(details, "durable")
	}
	if e.Data.HeldSince.IsZero() {
		details = append(details, "in the queue since "+e.Joined().UTC().Format(time.RFC3339))
	} else {
		details = append(details, "holds it since "+e.Data.HeldSince.UTC().Format(time.RFC3339))
	}
	if until := e.Until(); !until.IsZero() {
		details = append(details, "until "+until.UTC().Format(time.RFC3339)+" at the latest")
	}
	if e.Data.Info != "" {
		details = append(details, fmt.Sprintf("info %q", e.Data.Info))
	}
	details = append(details, "znode "+shown(e.Znode))
	return who + " (" + strings.Join(details, ", ") + ")"
}

// ShownZnode is Znode for people: in quotes and with escapes where it would garble a
// terminal.
func (e Entry) ShownZnode() string { return shown(e.Znode) }

// shown is a znode's path for people.
func shown(znode string) string { return zookeeper.Shown(znode) }

// Queue is a lock as it stood when it was looked at.
type Queue struct {
	Holders []Entry
	Waiters []Entry // in queue order
	// Unrecognized are children that are no contenders, sorted by name. They
	// stall clients that expect none, such as the zk gem.
	Unrecognized []string
}

// readers bounds how many znodes are read at once.
const readers = 32

// Inspect looks at the lock in directory dir. Whether it is a semaphore, and of how
// many slots, is what its contenders say; slots is for a semaphore whose contenders
// do not. A directory that is not there is a lock that nobody holds. It shows all that
// was committed before the call; contenders that leave while it lasts may be missing.
func Inspect(ctx context.Context, s *zookeeper.Session, dir string, slots int) (Queue, error) {
	err := s.Barrier(ctx)
	var listing zookeeper.Listing
	if err == nil {
		listing, err = s.Children(ctx, dir)
	}
	if errors.Is(err, zookeeper.ErrNoNode) {
		return Queue{}, nil
	}
	if err != nil {
		return Queue{}, fmt.Errorf("locker: inspect: %w", err)
	}
	contenders, others := Contenders(listing.Names)
	entries, err := readAll(ctx, s, dir, contenders)
	if err != nil {
		return Queue{}, fmt.Errorf("locker: inspect: %w", err)
	}
	queue := Queue{Unrecognized: others}
	slots = slotsOfQueue(contenders, slots)
	for i, entry := range entries {
		switch {
		case entry == nil:
		case holds(contenders, i, slots):
			queue.Holders = append(queue.Holders, *entry)
		default:
			queue.Waiters = append(queue.Waiters, *entry)
		}
	}
	return queue, nil
}

// slotsOfQueue is the number of slots that the first contender says that says one. If
// none does, it is the caller's for a semaphore, and 0 where there is none.
func slotsOfQueue(queue []Contender, believed int) int {
	slots := 0
	for _, c := range queue {
		if c.Mode != Semaphore {
			continue
		}
		if c.Slots > 0 {
			return c.Slots
		}
		slots = believed
	}
	return slots
}

// readAll gets the contenders' znodes side by side; nil for one that has left. Of several
// errors it returns the first one, and reads no further.
func readAll(ctx context.Context, s *zookeeper.Session, dir string, contenders []Contender) ([]*Entry, error) {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	var (
		entries = make([]*Entry, len(contenders))
		slots   = make(chan struct{}, readers)
		first   error
		failed  sync.Once
		wg      sync.WaitGroup
	)
	for i, c := range contenders {
		slots <- struct{}{}
		if reading.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			var err error
			if entries[i], err = readEntry(reading, s, dir, c); err != nil {
				failed.Do(func() {
					first = err
					stop()
				})
			}
		})
	}
	wg.Wait()
	if first == nil {
		first = context.Cause(ctx)
	} else if len(contenders) > 1 {
		first = fmt.Errorf("one of %d contenders: %w", len(contenders), first)
	}
	return entries, first
}

func readEntry(ctx context.Context, s *zookeeper.Session, dir string, c Contender) (*Entry, error) {
	node, err := s.Get(ctx, dir+"/"+c.Name)
	if errors.Is(err, zookeeper.ErrNoNode) {
		return nil, nil //nolint:nilnil // a contender that has left is no error
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
