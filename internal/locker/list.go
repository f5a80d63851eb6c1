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
		return nil, fmt.Errorf("locker: list: %w", err)
	}
	v := newSurvey(s, prefix)
	for _, root := range roots {
		v.running.Go(func() { v.visit(ctx, rootOf(root)) })
	}
	v.running.Wait()
	return v.result()
}

// survey is a look at all locks.
type survey struct {
	session  *zookeeper.Session
	prefix   string // as a directory's name has it
	requests chan struct{}
	running  sync.WaitGroup

	mu    sync.Mutex
	locks map[*site]Listed
	err   error
}

func newSurvey(s *zookeeper.Session, prefix string) *survey {
	return &survey{
		session:  s,
		prefix:   inOurForm(prefix),
		requests: make(chan struct{}, listRequests),
		locks:    make(map[*site]Listed),
	}
}

// site is a directory to look at: a root, or one that is a lock's or has those below it.
type site struct {
	root, dir string
	name      string // below the root; "" for the root
	depth     int
}

func rootOf(path string) *site { return &site{root: path, dir: path} }

func (p *site) child(name string) *site {
	c := &site{root: p.root, dir: strings.TrimSuffix(p.dir, "/") + "/" + name, name: name, depth: p.depth + 1}
	if p.name != "" {
		c.name = p.name + "/" + name
	}
	return c
}

// result is what was found.
func (v *survey) result() ([]Listed, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil {
		return nil, fmt.Errorf("locker: list: %w", v.err)
	}
	return slices.SortedFunc(maps.Values(v.locks), func(a, b Listed) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Root, b.Root))
	}), nil
}

// visit looks at a site, and at those below it.
func (v *survey) visit(ctx context.Context, at *site) {
	for tries := 1; ; tries++ {
		var listing zookeeper.Listing
		err := v.ask(func() (err error) {
			listing, err = v.session.Children(ctx, at.dir)
			return err
		})
		if err != nil {
			v.refused(at, err)
			return
		}
		lock, holding, below := v.dissect(at, listing)
		holders, all, err := v.readHolders(ctx, at.dir, holding)
		if err != nil {
			v.fail(err)
			return
		}
		lock.Holders = holders
		if !all && tries < listTries {
			continue // someone else holds it now
		}
		v.put(at, lock)
		for _, next := range below {
			v.running.Go(func() { v.visit(ctx, next) })
		}
		return
	}
}

// ask makes a request when not too many are under way.
func (v *survey) ask(request func() error) error {
	v.requests <- struct{}{}
	defer func() { <-v.requests }()
	return request()
}

// dissect tells what the children of a site say: the lock without its holders, which of
// them hold it, and where else to look for locks. An ephemeral znode is no site.
func (v *survey) dissect(at *site, listing zookeeper.Listing) (lock Listed, holding []Contender, below []*site) {
	if listing.Stat.EphemeralOwner != 0 {
		return Listed{}, nil, nil
	}
	lock = Listed{Root: at.root, Name: at.name, Dir: at.dir}
	others := listing.Names
	if at.depth > 0 {
		var queue []Contender
		queue, others = Contenders(listing.Names)
		if !v.matches(at.name) {
			queue = nil
		}
		slots := slotsOfQueue(queue, 0)
		for i, c := range queue {
			if holds(queue, i, slots) {
				holding = append(holding, c)
			}
		}
		lock.Waiters = len(queue) - len(holding)
	}
	for _, name := range others {
		next := at.child(name)
		if next.depth <= listDepth && v.leads(next.name) && next.dir != ownDir {
			below = append(below, next)
		}
	}
	return lock, holding, below
}

// matches tells whether a lock of that name is asked for.
func (v *survey) matches(name string) bool {
	return strings.HasPrefix(inOurForm(name), v.prefix)
}

// leads tells whether a lock that is asked for can be there or below.
func (v *survey) leads(name string) bool {
	return v.matches(name) || strings.HasPrefix(v.prefix, inOurForm(name+"/"))
}

// inOurForm is the name as a directory of ours would have it.
func inOurForm(name string) string { return norm.NFC.String(directoryName(name)) }

// readHolders reads the holders' znodes. all is false if one of them has left.
func (v *survey) readHolders(ctx context.Context, dir string, holding []Contender) (entries []Entry, all bool, err error) {
	read := make([]*Entry, len(holding))
	errs := make([]error, len(holding))
	var wg sync.WaitGroup
	for i, c := range holding {
		wg.Go(func() {
			errs[i] = v.ask(func() (err error) {
				read[i], err = readEntry(ctx, v.session, dir, c)
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

// put takes down what was found at a site, which can be nothing.
func (v *survey) put(at *site, lock Listed) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.set(at, lock)
}

// set is put with v.mu held.
func (v *survey) set(at *site, lock Listed) {
	if len(lock.Holders)+lock.Waiters == 0 && !lock.Unreadable {
		delete(v.locks, at)
		return
	}
	v.locks[at] = lock
}

// unreadable is what is found at a site that this user may not list.
func (v *survey) unreadable(at *site) Listed {
	if !v.matches(at.name) {
		return Listed{}
	}
	return Listed{Root: at.root, Name: at.name, Dir: at.dir, Unreadable: true}
}

// refused takes down why a site could not be listed.
func (v *survey) refused(at *site, err error) {
	switch {
	case errors.Is(err, zookeeper.ErrNoNode):
		// It has vanished.
	case errors.Is(err, zookeeper.ErrNoAuth) && at.depth > 0:
		v.put(at, v.unreadable(at))
	default:
		v.fail(err)
	}
}

// fail takes down why there is no result.
func (v *survey) fail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.err = cmp.Or(v.err, err)
}
