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
	f := &liveSurvey{survey: newSurvey(s, prefix), cancel: cancel, looking: len(roots), changed: make(chan struct{}, 1)}
	defer f.running.Wait()
	defer cancel(nil)
	for _, root := range roots {
		f.running.Go(func() { f.stay(ctx, rootOf(root)) })
	}
	for {
		select {
		case <-f.changed:
			locks, err := f.result()
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

// liveSurvey is a survey that goes on.
type liveSurvey struct {
	*survey
	cancel  context.CancelCauseFunc
	changed chan struct{} // something was found since the last result

	// Guarded by survey.mu.
	looking  int  // sites that have yet to be looked at for the first time
	complete bool // there were none of those once
}

// visitor stays at a site.
type visitor struct {
	*liveSurvey
	at      *site
	looked  bool
	below   map[string]context.CancelFunc
	holders *watches
}

// stay looks at a site, and again whenever it has changed. It ends with ctx, which is
// what the site above does when this one is not there any more.
func (f *liveSurvey) stay(ctx context.Context, at *site) {
	v := &visitor{liveSurvey: f, at: at, below: make(map[string]context.CancelFunc), holders: newWatches(f.session)}
	defer v.holders.stop()
	for ctx.Err() == nil {
		var listing zookeeper.WatchedListing
		err := f.ask(func() (err error) {
			listing, err = f.session.WatchChildren(ctx, at.dir)
			return err
		})
		switch {
		case err == nil:
			err = v.watch(ctx, listing)
		case errors.Is(err, zookeeper.ErrNoNode):
			err = v.awaitCreation(ctx)
		case errors.Is(err, zookeeper.ErrNoAuth) && at.depth > 0:
			v.shows(ctx, v.unreadable(at))
			<-ctx.Done()
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, zookeeper.ErrNoNode) {
			f.cancel(err)
		}
	}
	v.descend(ctx, nil)
	v.arrived()
}

// watch follows a site until its children change, or one of its holders has left.
func (v *visitor) watch(ctx context.Context, listing zookeeper.WatchedListing) error {
	lock, holding, below := v.dissect(v.at, listing.Listing)
	v.descend(ctx, below)
	for {
		lock.Holders = nil
		for _, c := range holding {
			entry, err := v.holders.add(ctx, v.at.dir, []Contender{c})
			if err != nil {
				return err
			}
			lock.Holders = append(lock.Holders, entry)
		}
		v.shows(ctx, lock)
		select {
		case <-listing.Event:
			return nil
		case name := <-v.holders.fired:
			v.holders.drop(name) // it has left, or says something else now
		case <-ctx.Done():
			return nil
		}
	}
}

// awaitCreation waits until a site is there.
func (v *visitor) awaitCreation(ctx context.Context) error {
	v.descend(ctx, nil)
	watch, err := v.session.WatchStat(ctx, v.at.dir)
	if err != nil || watch.Stat != nil {
		return err
	}
	v.shows(ctx, Listed{})
	select {
	case <-watch.Event:
	case <-ctx.Done():
	}
	return nil
}

// descend stays at the sites below, and at no others.
func (v *visitor) descend(ctx context.Context, sites []*site) {
	there := make(map[string]bool, len(sites))
	for _, next := range sites {
		there[next.name] = true
		if v.below[next.name] != nil {
			continue
		}
		sub, cancel := context.WithCancel(ctx)
		v.below[next.name] = func() {
			cancel()
			v.put(next, Listed{})
		}
		v.mu.Lock()
		v.looking++
		v.mu.Unlock()
		v.running.Go(func() { v.stay(sub, next) })
	}
	for name, leave := range v.below {
		if !there[name] {
			leave()
			delete(v.below, name)
		}
	}
}

// shows takes down what is at the site, unless the site above has it no more.
func (v *visitor) shows(ctx context.Context, lock Listed) {
	v.mu.Lock()
	gone := ctx.Err() != nil
	if !gone {
		v.set(v.at, lock)
	}
	v.mu.Unlock()
	v.arrived()
}

// arrived lets what was found be shown, from the time when all sites were looked at.
func (v *visitor) arrived() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.looked {
		v.looked = true
		v.looking--
	}
	v.complete = v.complete || v.looking == 0
	if v.complete {
		select {
		case v.changed <- struct{}{}:
		default: // what is to be shown next has it, too
		}
	}
}
