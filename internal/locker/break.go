// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

const (
	// MaxReason is the most bytes of [Breaking.Reason].
	MaxReason = MaxInfo
	// toldTime is how long a break waits for the run that lost its lock to read why.
	toldTime = 5 * time.Second
)

// Breaking says which holder of a lock to remove, who does it and why.
type Breaking struct {
	Dirs   []string // where the lock can be: see Directory
	Znode  string   // the holder's, absolute
	By     string
	Reason string
}

// Why a holder is not removed.
var (
	// ErrNotThere says that there is no such znode: it may have been released.
	ErrNotThere = errors.New("there is no such znode")
	// ErrNotHolder says that the znode does not hold the lock: it waits.
	ErrNotHolder = errors.New("the znode does not hold the lock")
	// ErrChanged says that the znode was changed between the look at it and its removal.
	ErrChanged = errors.New("the znode was changed meanwhile")
)

// Break removes a holder, whoever it is, and returns nil once the server has confirmed
// that. It removes exactly the znode that it has looked at, in one transaction, or nothing:
// the error is [ErrNotThere], [ErrNotHolder], [ErrChanged], [ErrRequest], or what
// ZooKeeper said, such as [zookeeper.ErrNoAuth].
//
// The run that held the lock is told who did it and why, if it is one of this provider's
// that still watches its lock. For that the same transaction leaves a note beside the lock's
// directory, which ends with the session of this break, and Break waits a moment for the
// note to be read. If the server does not let it leave a note, there is none.
func Break(ctx context.Context, sessions Sessions, req Breaking) (Broken, error) {
	if err := validateZnode(req.Znode); err != nil {
		return Broken{}, err
	}
	b := &breaking{req: req}
	b.dir, b.name = split(req.Znode)
	if !slices.Contains(req.Dirs, b.dir) {
		return Broken{}, fmt.Errorf("%w: znode %s is not in %s", ErrRequest, shown(req.Znode), shown(strings.Join(req.Dirs, " or ")))
	}
	for {
		s, err := sessions(ctx)
		done := false
		if err == nil {
			done, err = b.try(ctx, s)
		}
		switch {
		case done:
			return b.finish(ctx, s), nil
		case err != nil && b.sent:
			return Broken{}, fmt.Errorf("break %s, which may be done: %w", shown(req.Znode), err)
		case err != nil:
			return Broken{}, fmt.Errorf("break %s: %w", shown(req.Znode), err)
		}
	}
}

// breaking is a Break under way.
type breaking struct {
	req       Breaking
	dir, name string
	looked    bool
	entry     Entry  // as first looked at
	data      []byte // of its znode
	noNote    bool   // the server does not let us leave a note
	sent      bool   // a removal has no answer
	noted     bool   // the last removal left a note
	unsure    bool   // see Broken
}

// try looks at the holder and removes it. If it is neither done nor an error, it is worth
// another try.
func (b *breaking) try(ctx context.Context, s *zookeeper.Session) (done bool, err error) {
	node, err := b.look(ctx, s)
	if errors.Is(err, ErrNotThere) && b.sent {
		b.lookForNote(ctx, s)
		return true, nil
	}
	if err == nil {
		err = b.checkVersion(ctx, s, &node)
	}
	if err == nil {
		err = b.remove(ctx, s, node)
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, errAgain), ctx.Err() == nil && !zookeeper.Answered(err) && !final(err):
		return false, nil
	default:
		return false, err
	}
}

// errAgain says that another try will tell more.
var errAgain = errors.New("again")

func final(err error) bool {
	return errors.Is(err, ErrNotThere) || errors.Is(err, ErrNotHolder) || errors.Is(err, ErrChanged)
}

// look reads the znode, which must hold the lock and be the same as at the first look.
func (b *breaking) look(ctx context.Context, s *zookeeper.Session) (zookeeper.Node, error) {
	var none zookeeper.Node
	err := s.Barrier(ctx)
	var listing zookeeper.Listing
	if err == nil {
		listing, err = s.Children(ctx, b.dir)
	}
	var node zookeeper.Node
	if err == nil {
		node, err = s.Get(ctx, b.req.Znode)
	}
	switch {
	case errors.Is(err, zookeeper.ErrNoNode):
		return none, ErrNotThere
	case err != nil:
		return none, err
	case node.Unreadable:
		return none, fmt.Errorf("read it: %w", zookeeper.ErrNoAuth)
	}
	queue, _ := Contenders(listing.Names)
	place := placeOf(queue, b.name)
	switch {
	case place < 0:
		return none, errAgain // it was created just now
	case !holds(queue, place, slotsOf(queue, MaxSlots)): // other clients do not say how many slots there are
		return none, ErrNotHolder
	}
	entry := entryOf(b.dir, queue[place], node)
	switch {
	case !b.looked:
		b.looked, b.entry, b.data = true, entry, node.Data
	case entry.Czxid != b.entry.Czxid || !bytes.Equal(node.Data, b.data):
		return none, ErrChanged
	}
	return node, nil
}

// unique are names that no later contender can have, because they have a random part.
var unique = regexp.MustCompile(`[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// checkVersion makes sure that node's version is that of the znode that was looked at, and
// not of a later one with the same name, as the zk gem's can be. It writes the same data
// again, and the answer tells which znode has the version now.
func (b *breaking) checkVersion(ctx context.Context, s *zookeeper.Session, node *zookeeper.Node) error {
	if unique.MatchString(b.name) {
		return nil
	}
	results, err := s.Multi(ctx, zookeeper.Set(b.req.Znode, b.data, node.Stat.Version))
	switch {
	case errors.Is(err, zookeeper.ErrNoNode), errors.Is(err, zookeeper.ErrBadVersion):
		return errAgain
	case err != nil:
		return err
	case results[0].Stat.Czxid != b.entry.Czxid:
		return ErrChanged
	}
	node.Stat = results[0].Stat
	return nil
}

// remove deletes the znode and leaves the note, in one transaction.
func (b *breaking) remove(ctx context.Context, s *zookeeper.Session, node zookeeper.Node) error {
	ops := []zookeeper.Op{zookeeper.DeleteUnchanged(b.req.Znode, node.Stat.Version)}
	b.noted = !b.noNote && b.entry.Session != 0 && b.entry.Data.Run != ""
	if b.noted {
		note := Data{Owner: b.req.By, Info: b.req.Reason, Since: time.Now()}
		ops = append(ops, zookeeper.Create(notePath(b.req.Znode), note.encode(), zookeeper.Ephemeral))
	}
	results, err := s.Multi(ctx, ops...)
	switch {
	case err == nil:
		return nil
	case !zookeeper.Answered(err):
		b.sent = true
		return err
	case len(results) > 1 && results[0].Err == nil:
		b.noNote = true
		return errAgain
	case errors.Is(err, zookeeper.ErrNoNode), errors.Is(err, zookeeper.ErrBadVersion):
		return errAgain // the next look tells which
	default:
		return err
	}
}

// lookForNote finds out whether a removal without an answer was carried out. Then the note is
// there, and ours, unless it has been read.
func (b *breaking) lookForNote(ctx context.Context, s *zookeeper.Session) {
	stat, err := s.Stat(ctx, notePath(b.req.Znode))
	b.noted = err == nil && stat.EphemeralOwner == s.ID()
	b.unsure = !b.noted
}

// finish waits until the note was read, and removes what is left.
func (b *breaking) finish(ctx context.Context, s *zookeeper.Session) Broken {
	done := Broken{Entry: b.entry, Unsure: b.unsure}
	removeDirectory(ctx, s, b.dir)
	if !b.noted {
		return done
	}
	wait, cancel := context.WithTimeout(ctx, toldTime)
	defer cancel()
	done.Told = b.awaitReader(wait, s)
	if !done.Told {
		tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTime)
		defer cancel()
		_ = s.Delete(tidy, notePath(b.req.Znode)) // otherwise it ends with the session
	}
	return done
}

// awaitReader tells whether the note was read before ctx ended.
func (b *breaking) awaitReader(ctx context.Context, s *zookeeper.Session) bool {
	for {
		watch, err := s.WatchStat(ctx, notePath(b.req.Znode))
		if err != nil || watch.Stat == nil {
			return err == nil && s.Err() == nil // otherwise it ended with the session
		}
		select {
		case <-watch.Event:
		case <-ctx.Done():
			return false
		}
	}
}

// notePath is where the note about a holder is: beside the lock's directory, as some
// clients take every child of that for a contender.
func notePath(znode string) string {
	dir, name := split(znode)
	root, lock := split(dir)
	return root + "/" + lock + "." + name + noteEnd
}

// noteEnd keeps a note from being taken for a contender.
const noteEnd = ".broken"

// Note is what a break has left for the run that held the lock: who did it and why. ok is
// false if the znode was removed in another way. The note is removed, which tells whoever
// broke the lock that it was read.
func (l *Lock) Note(ctx context.Context) (by, reason string, ok bool) {
	path := notePath(l.Znode())
	note, err := l.node.session.Get(ctx, path)
	if err != nil || note.Unreadable {
		return "", "", false
	}
	_ = l.node.session.Delete(ctx, path)
	data := decodeData(note.Data)
	return data.Owner, data.Info, strings.TrimSpace(data.Info) != ""
}
