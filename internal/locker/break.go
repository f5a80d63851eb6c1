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

// toldTime is how long a break waits for the run that lost its lock to read why.
const toldTime = 5 * time.Second

// MaxReason is the most bytes of [Breaking.Reason].
const MaxReason = MaxInfo

// Breaking says which holder of a lock to remove, who does it and why.
type Breaking struct {
	Dirs   []string // where the lock can be: see Directory
	Znode  string   // the holder's, absolute
	By     string
	Reason string
}

// Broken is what a break has done.
type Broken struct {
	Entry Entry // of the holder that was removed
	// Told says that the run that held the lock has read who broke it and why. Only
	// ephemeral holders of this provider are told.
	Told bool
	// Unsure says that the znode is gone, but that the reply was lost that says whether
	// this break removed it.
	Unsure bool
}

// String tells a person what was done.
func (b Broken) String() string {
	text := "Removed " + b.Entry.String() + "."
	switch {
	case b.Unsure:
		return fmt.Sprintf("The znode of %s is gone. The connection was lost before ZooKeeper said whether this break removed it, or somebody else.", b.Entry)
	case b.Told:
		return text + " The run that held the lock was told who did it and why."
	case b.Entry.Session == 0:
		return text + " No run watches a durable lock: the next plan of its configuration shows it as to be created again."
	case b.Entry.Data.Run == "":
		return text + " It is another client's, which is not told why."
	default:
		return text + " It is not known that the run that held the lock has read who did it and why: it may be stopped, cut off, or have ended."
	}
}

// Why a holder is not removed.
var (
	// ErrNotThere says that there is no such znode: it may have been released.
	ErrNotThere = errors.New("there is no such znode")
	// ErrNotHolder says that the znode does not hold the lock: it waits, or is nothing that
	// could hold it.
	ErrNotHolder = errors.New("the znode does not hold the lock")
	// ErrChanged says that the znode was changed between the look at it and its removal.
	ErrChanged = errors.New("the znode was changed meanwhile")
)

// Break removes a holder, whoever that is, and returns nil once the server has confirmed
// it. It removes exactly the znode that it has looked at, in one transaction, or nothing:
// the error is [ErrNotThere], [ErrNotHolder], [ErrChanged], [ErrRequest], or what
// ZooKeeper said, such as [zookeeper.ErrNoAuth].
//
// The run that held the lock is told who did it and why, if it is one of this provider's
// that still watches its lock: the same transaction leaves a note beside the lock's
// directory, which ends with the session of this break. Break waits a moment for the note
// to be read. Where the server does not let it leave a note, it does without.
func Break(ctx context.Context, sessions Sessions, req Breaking) (Broken, error) {
	if err := validateZnode(req.Znode); err != nil {
		return Broken{}, err
	}
	b := &breaking{Breaking: req}
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
			return Broken{}, fmt.Errorf("locker: break %s, which may be done: %w", shown(req.Znode), err)
		case err != nil:
			return Broken{}, fmt.Errorf("locker: break %s: %w", shown(req.Znode), err)
		}
	}
}

// breaking is a Break under way.
type breaking struct {
	Breaking
	dir, name string
	looked    bool
	entry     Entry  // as first looked at
	data      []byte // of its znode
	mute      bool   // no note can be left
	sent      bool   // a removal has no answer
	noted     bool   // the last removal left a note
	unsure    bool
}

// try looks at the holder and removes it. Without an error it is worth another try.
func (b *breaking) try(ctx context.Context, s *zookeeper.Session) (done bool, err error) {
	node, err := b.look(ctx, s)
	if errors.Is(err, ErrNotThere) && b.sent {
		b.judge(ctx, s)
		return true, nil
	}
	if err == nil {
		err = b.pin(ctx, s, &node)
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
		node, err = s.Get(ctx, b.Znode)
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
	place := slices.IndexFunc(queue, func(c Contender) bool { return c.Name == b.name })
	switch {
	case place < 0:
		return none, errAgain // it was created just now
	case !holds(queue, place, slotsOfQueue(queue, MaxSlots)): // other clients do not say how many slots there are
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

// unique are names that no other contender ever has: they have a random part.
var unique = regexp.MustCompile(`[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// pin makes sure that the znode of a name that can come again, as the zk gem's, stays what
// it was looked at: it writes the same data again, and the answer tells whose version that
// is.
func (b *breaking) pin(ctx context.Context, s *zookeeper.Session, node *zookeeper.Node) error {
	if unique.MatchString(b.name) {
		return nil
	}
	results, err := s.Multi(ctx, zookeeper.Set(b.Znode, b.data, node.Stat.Version))
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
	ops := []zookeeper.Op{zookeeper.DeleteUnchanged(b.Znode, node.Stat.Version)}
	b.noted = !b.mute && b.entry.Session != 0 && b.entry.Data.Run != ""
	if b.noted {
		note := Data{Owner: b.By, Info: b.Reason, Since: time.Now()}
		ops = append(ops, zookeeper.Create(notePath(b.Znode), note.encode(), zookeeper.Ephemeral))
	}
	results, err := s.Multi(ctx, ops...)
	switch {
	case err == nil:
		return nil
	case !zookeeper.Answered(err):
		b.sent = true
		return err
	case len(results) > 1 && results[0].Err == nil:
		b.mute = true
		return errAgain
	case errors.Is(err, zookeeper.ErrNoNode), errors.Is(err, zookeeper.ErrBadVersion):
		return errAgain // the next look tells which
	default:
		return err
	}
}

// judge finds out whether a removal without an answer was carried out: then the note is
// there, and ours, unless it has been read.
func (b *breaking) judge(ctx context.Context, s *zookeeper.Session) {
	stat, err := s.Stat(ctx, notePath(b.Znode))
	b.noted = err == nil && stat.EphemeralOwner == s.ID()
	b.unsure = !b.noted
}

// finish waits until the note was read, and clears away what the removal leaves.
func (b *breaking) finish(ctx context.Context, s *zookeeper.Session) Broken {
	done := Broken{Entry: b.entry, Unsure: b.unsure}
	n := &node{session: s, dir: b.dir}
	n.removeDirectory(ctx)
	if !b.noted {
		return done
	}
	wait, cancel := context.WithTimeout(ctx, toldTime)
	defer cancel()
	done.Told = b.awaitReader(wait, s)
	if !done.Told {
		tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTime)
		defer cancel()
		_ = s.Delete(tidy, notePath(b.Znode)) // else it goes with the session
	}
	return done
}

// awaitReader tells whether the note was read before ctx ended.
func (b *breaking) awaitReader(ctx context.Context, s *zookeeper.Session) bool {
	for {
		watch, err := s.WatchStat(ctx, notePath(b.Znode))
		if err != nil || watch.Stat == nil {
			return err == nil && s.Err() == nil // else it has gone with the session
		}
		select {
		case <-watch.Event:
		case <-ctx.Done():
			return false
		}
	}
}

// notePath is where the note about a holder stands: beside the lock's directory, as some
// clients take every child of that for a contender.
func notePath(znode string) string {
	dir, name := split(znode)
	root, lock := split(dir)
	return root + "/" + lock + "." + name + noteEnd
}

// noteEnd keeps a note from being taken for a contender.
const noteEnd = ".broken"

// Note is what a break has left for the run that held the lock: who did it and why. ok is
// false if the znode was removed in another way. The note is removed, by which whoever
// broke the lock knows that it was read.
func (l *Lock) Note(ctx context.Context) (by, reason string, ok bool) {
	path := notePath(l.Znode())
	note, err := l.session.Get(ctx, path)
	if err != nil || note.Unreadable {
		return "", "", false
	}
	_ = l.session.Delete(ctx, path)
	data := decodeData(note.Data)
	return data.Owner, data.Info, strings.TrimSpace(data.Info) != ""
}
