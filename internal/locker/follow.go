// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// Follow is [List] again and again: it calls show with all locks at first and after each
// change, until ctx ends, whose cause it returns, or an error. Changes that come while
// show works are shown together. ZooKeeper tells of changes; nothing is polled.
func Follow(ctx context.Context, sessions Sessions, roots []string, prefix string, show func([]Listed)) error {
	for {
		s, err := sessions(ctx)
		if err != nil {
			return err
		}
		if err := follow(ctx, s, roots, prefix, show); ctx.Err() != nil || s.Err() == nil {
			return err
		}
	}
}

// follow is Follow for as long as a session lives.
func follow(ctx context.Context, s *zookeeper.Session, roots []string, prefix string, show func([]Listed)) error {
	if err := s.Barrier(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	f := &treeFollower{lister: newLister(s, prefix), cancel: cancel, pending: len(roots), changed: make(chan struct{}, 1)}
	defer f.lister.running.Wait()
	defer cancel(nil)
	for _, root := range roots {
		f.lister.running.Go(func() { f.follow(ctx, rootAt(root)) })
	}
	for {
		select {
		case <-f.changed:
			locks, err := f.lister.result()
			if err != nil {
				return err
			}
			show(locks)
		case <-s.Lost():
			return s.Err()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// treeFollower follows all locks.
type treeFollower struct {
	lister  *lister
	cancel  context.CancelCauseFunc
	changed chan struct{} // something was found since the last result

	// Guarded by lister.mu.
	pending  int  // directories that have yet to be looked at for the first time
	complete bool // there were once no such directories
}

// directoryFollower follows one directory.
type directoryFollower struct {
	all     *treeFollower
	lister  *lister
	at      *directory
	looked  bool
	below   map[string]context.CancelFunc
	holders *watches
}

// follow looks at a directory, and again whenever it has changed. It ends with ctx, which
// the directory above ends when this one is not there any more.
func (f *treeFollower) follow(ctx context.Context, at *directory) {
	d := &directoryFollower{all: f, lister: f.lister, at: at, below: make(map[string]context.CancelFunc), holders: newWatches(f.lister.session)}
	defer d.holders.stop()
	for ctx.Err() == nil {
		var listing zookeeper.WatchedListing
		err := d.lister.ask(func() (err error) {
			listing, err = d.lister.session.WatchChildren(ctx, at.path)
			return err
		})
		switch {
		case err == nil:
			err = d.watch(ctx, listing)
		case errors.Is(err, zookeeper.ErrNoNode):
			err = d.awaitCreation(ctx)
		case errors.Is(err, zookeeper.ErrNoAuth) && at.depth > 0:
			d.put(ctx, d.lister.unreadable(at))
			<-ctx.Done()
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, zookeeper.ErrNoNode) {
			f.cancel(err)
		}
	}
	d.descend(ctx, nil)
	d.report()
}

// watch follows a directory until its children change, or one of its holders has left.
func (d *directoryFollower) watch(ctx context.Context, listing zookeeper.WatchedListing) error {
	lock, holding, below := d.lister.read(d.at, listing.Listing)
	d.descend(ctx, below)
	for {
		lock.Holders = nil
		for _, c := range holding {
			entry, err := d.holders.add(ctx, d.at.path, []Contender{c})
			if err != nil {
				return err
			}
			lock.Holders = append(lock.Holders, entry)
		}
		d.put(ctx, lock)
		select {
		case <-listing.Event:
			return nil
		case name := <-d.holders.fired:
			d.holders.drop(name) // it has left, or says something else now
		case <-ctx.Done():
			return nil
		}
	}
}

// awaitCreation waits until a directory is there.
func (d *directoryFollower) awaitCreation(ctx context.Context) error {
	d.descend(ctx, nil)
	watch, err := d.lister.session.WatchStat(ctx, d.at.path)
	if err != nil || watch.Stat != nil {
		return err
	}
	d.put(ctx, Listed{})
	select {
	case <-watch.Event:
	case <-ctx.Done():
	}
	return nil
}

// descend follows these directories below, and no others.
func (d *directoryFollower) descend(ctx context.Context, below []*directory) {
	there := make(map[string]bool, len(below))
	for _, next := range below {
		there[next.name] = true
		if d.below[next.name] != nil {
			continue
		}
		sub, cancel := context.WithCancel(ctx)
		d.below[next.name] = func() {
			cancel()
			d.lister.put(next, Listed{})
		}
		d.lister.mu.Lock()
		d.all.pending++
		d.lister.mu.Unlock()
		d.lister.running.Go(func() { d.all.follow(sub, next) })
	}
	for name, leave := range d.below {
		if !there[name] {
			leave()
			delete(d.below, name)
		}
	}
}

// put takes note of what is in the directory, unless that is not there any more.
func (d *directoryFollower) put(ctx context.Context, lock Listed) {
	d.lister.mu.Lock()
	if ctx.Err() == nil {
		d.lister.putLocked(d.at, lock)
	}
	d.lister.mu.Unlock()
	d.report()
}

// report has the result shown, once all directories were looked at.
func (d *directoryFollower) report() {
	d.lister.mu.Lock()
	defer d.lister.mu.Unlock()
	if !d.looked {
		d.looked = true
		d.all.pending--
	}
	d.all.complete = d.all.complete || d.all.pending == 0
	if d.all.complete {
		select {
		case d.all.changed <- struct{}{}:
		default: // what is to be shown next has it, too
		}
	}
}
