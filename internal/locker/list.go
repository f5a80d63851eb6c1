// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/unicode/norm"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

const (
	// listRequests bounds how many requests of a list are under way at once. With so many,
	// a thousand locks take a dozen round trips. It is a quarter of what a server takes
	// from all its clients before it slows them down (globalOutstandingLimit).
	listRequests = 250
	// listDepth is how far below a root locks are looked for. Ours are at depth 1; other
	// clients' can be deeper.
	listDepth = 5
	// listTries is how often a lock is looked at whose holder leaves meanwhile.
	listTries = 10
)

// Listed is a lock that somebody holds or waits for, as it was found below a root.
type Listed struct {
	Root string // absolute path
	// Name is the directory's path below the root. It has a slash only where another client
	// made it.
	Name    string
	Dir     string // absolute path
	Holders []Entry
	Waiters int
	// Unreadable says that this user may not list the directory: it is not known who is
	// there.
	Unreadable bool
}

// LockID is the id that leads to the lock below its root; "" if no id does.
func (l Listed) LockID() string {
	if ValidateLockID(l.Name) != nil || Directory("", l.Root, l.Name) != l.Dir {
		return ""
	}
	return l.Name
}

// ShownName is Name for people: in quotes and with escapes where it would garble a terminal.
func (l Listed) ShownName() string { return shown(l.Name) }

// List looks at all locks below the roots whose ids begin with prefix, and returns them in
// the order of their names. A root that does not exist has none. It shows all that was
// committed before the call. A lock that is taken or released while the call lasts may
// be shown or not.
func List(ctx context.Context, s *zookeeper.Session, roots []string, prefix string) ([]Listed, error) {
	if err := s.Barrier(ctx); err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	l := newLister(s, prefix)
	for _, root := range roots {
		l.running.Go(func() { l.visit(ctx, rootAt(root)) })
	}
	l.running.Wait()
	return l.result()
}

// directory is a znode below which locks are looked for: a root, a lock's directory, or one
// that has those below it.
type directory struct {
	root, path string
	name       string // the path below the root; "" for the root
	depth      int
}

func rootAt(path string) *directory { return &directory{root: path, path: path} }

func (d *directory) child(name string) *directory {
	c := &directory{root: d.root, path: strings.TrimSuffix(d.path, "/") + "/" + name, name: name, depth: d.depth + 1}
	if d.name != "" {
		c.name = d.name + "/" + name
	}
	return c
}

// lister looks at all locks.
type lister struct {
	session  *zookeeper.Session
	prefix   string // as a directory's name has it
	requests chan struct{}
	running  sync.WaitGroup

	mu    sync.Mutex
	locks map[*directory]Listed
	err   error
}

func newLister(s *zookeeper.Session, prefix string) *lister {
	return &lister{
		session:  s,
		prefix:   normalized(prefix),
		requests: make(chan struct{}, listRequests),
		locks:    make(map[*directory]Listed),
	}
}

// normalized is the name as a directory of ours would have it.
func normalized(name string) string { return norm.NFC.String(directoryName(name)) }

// wants tells whether a lock of that name is asked for.
func (l *lister) wants(name string) bool { return strings.HasPrefix(normalized(name), l.prefix) }

// wantsBelow tells whether a lock that is asked for can be there or below.
func (l *lister) wantsBelow(name string) bool {
	return l.wants(name) || strings.HasPrefix(l.prefix, normalized(name+"/"))
}

// result is what was found.
func (l *lister) result() ([]Listed, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, fmt.Errorf("list: %w", l.err)
	}
	return slices.SortedFunc(maps.Values(l.locks), func(a, b Listed) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Root, b.Root))
	}), nil
}

// visit looks at a directory, and at those below it.
func (l *lister) visit(ctx context.Context, d *directory) {
	for tries := 1; ; tries++ {
		var listing zookeeper.Listing
		err := l.ask(func() (err error) {
			listing, err = l.session.Children(ctx, d.path)
			return err
		})
		if err != nil {
			l.failed(d, err)
			return
		}
		lock, holding, below := l.read(d, listing)
		holders, all, err := l.readHolders(ctx, d.path, holding)
		if err != nil {
			l.fail(err)
			return
		}
		lock.Holders = holders
		if !all && tries < listTries {
			continue // someone else holds it now
		}
		l.put(d, lock)
		for _, next := range below {
			l.running.Go(func() { l.visit(ctx, next) })
		}
		return
	}
}

// ask makes a request when not too many are under way.
func (l *lister) ask(request func() error) error {
	l.requests <- struct{}{}
	defer func() { <-l.requests }()
	return request()
}

// read tells what the children of a directory say: the lock without its holders, which of
// them hold it, and in which of them there may be more locks. In an ephemeral znode there
// are none.
func (l *lister) read(d *directory, listing zookeeper.Listing) (lock Listed, holding []Contender, below []*directory) {
	if listing.Stat.EphemeralOwner != 0 {
		return Listed{}, nil, nil
	}
	lock = Listed{Root: d.root, Name: d.name, Dir: d.path}
	others := listing.Names
	if d.depth > 0 {
		var queue []Contender
		queue, others = Contenders(listing.Names)
		if !l.wants(d.name) {
			queue = nil
		}
		holding = queue[:countHolders(queue, slotsOf(queue, 0))]
		lock.Waiters = len(queue) - len(holding)
	}
	for _, name := range others {
		next := d.child(name)
		if next.depth <= listDepth && l.wantsBelow(next.name) && next.path != serverRoot {
			below = append(below, next)
		}
	}
	return lock, holding, below
}

// readHolders reads the holders' znodes. all is false if one of them has left.
func (l *lister) readHolders(ctx context.Context, dir string, holding []Contender) (entries []Entry, all bool, err error) {
	read := make([]*Entry, len(holding))
	errs := make([]error, len(holding))
	var wg sync.WaitGroup
	for i, c := range holding {
		wg.Go(func() {
			errs[i] = l.ask(func() (err error) {
				read[i], err = readEntry(ctx, l.session, dir, c)
				return err
			})
		})
	}
	wg.Wait()
	all = true
	for _, entry := range read {
		if entry == nil {
			all = false
			continue
		}
		entries = append(entries, *entry)
	}
	return entries, all, errors.Join(errs...)
}

// put takes note of what was found in a directory, which can be nothing.
func (l *lister) put(d *directory, lock Listed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.putLocked(d, lock)
}

// putLocked is put with l.mu held.
func (l *lister) putLocked(d *directory, lock Listed) {
	if len(lock.Holders)+lock.Waiters == 0 && !lock.Unreadable {
		delete(l.locks, d)
		return
	}
	l.locks[d] = lock
}

// failed takes note that a directory could not be listed.
func (l *lister) failed(d *directory, err error) {
	switch {
	case errors.Is(err, zookeeper.ErrNoNode):
		// It has been deleted.
	case errors.Is(err, zookeeper.ErrNoAuth) && d.depth > 0:
		l.put(d, l.unreadable(d))
	default:
		l.fail(err)
	}
}

// unreadable is what is found in a directory that this user may not list.
func (l *lister) unreadable(d *directory) Listed {
	if !l.wants(d.name) {
		return Listed{}
	}
	return Listed{Root: d.root, Name: d.name, Dir: d.path, Unreadable: true}
}

// fail takes note that there is no result.
func (l *lister) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = cmp.Or(l.err, err)
}
