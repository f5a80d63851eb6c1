// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// unanswered tells whether an act that has one session may end with this error.
func unanswered(k struck, err error) bool {
	return k.cancels && (errors.Is(err, errCancelled) || errors.Is(err, context.Canceled)) || k.expires && errors.Is(err, zookeeper.ErrSessionExpired)
}

// describes replaces the info of a durable lock.
func describes(s *stage) (func(context.Context) error, func(struck, error)) {
	l := s.other.acquire(s.request())
	before := decodeData(first(s.Get(testDir + "/" + s.one(true))))
	session := s.ours.session()
	do := func(ctx context.Context) error { return DescribeDurable(ctx, session, l.Znode(), "described") }
	return do, func(k struck, err error) {
		now := decodeData(first(s.Get(testDir + "/" + s.one(true))))
		want := before
		want.Info = "described"
		if err != nil && !unanswered(k, err) || now != want && (err == nil || now != before) {
			s.t.Errorf("it ended with %v and says %+v, want %+v", err, now, want)
		}
		s.remove(l)
	}
}

// looks looks at a lock that another client holds.
func looks(s *stage) (func(context.Context) error, func(struck, error)) {
	l := s.other.lock(dirOf(s.Space))
	session := s.ours.session()
	var queue Queue
	do := func(ctx context.Context) (err error) {
		queue, err = Inspect(ctx, session, dirOf(s.Space), 0)
		return err
	}
	return do, func(k struck, err error) {
		seen := len(queue.Holders) == 1 && queue.Holders[0].Znode == l.Znode() && len(queue.Waiters) == 0
		if err == nil && !seen || err != nil && !unanswered(k, err) {
			s.t.Errorf("it shows %+v, %v", queue, err)
		}
		release(s.t, l)
	}
}

// looksUp looks at the contender of another client.
func looksUp(s *stage) (func(context.Context) error, func(struck, error)) {
	l := s.other.lock(dirOf(s.Space))
	session := s.ours.session()
	var entry Entry
	var found bool
	do := func(ctx context.Context) (err error) {
		entry, found, err = Lookup(ctx, session, l.Znode())
		return err
	}
	return do, func(k struck, err error) {
		if err == nil && (!found || entry.Identity() != l.Identity()) || err != nil && !unanswered(k, err) {
			s.t.Errorf("it shows %+v, %t, %v", entry, found, err)
		}
		release(s.t, l)
	}
}

// breaks removes the holder, for which another client waits.
func breaks(durable bool) begins {
	return func(s *stage) (func(context.Context) error, func(struck, error)) {
		holder := s.newHolder()
		req := holder.request(dirOf(s.Space))
		req.Durable = durable
		l := holder.acquire(req)
		next := s.other.queue(s.plain())
		var told <-chan string // nil: nobody watches over a durable lock
		if !durable {
			told = noted(s.t, l)
		}
		var done Broken
		do := func(ctx context.Context) (err error) {
			done, err = Break(ctx, s.ours.sessions, s.breaking(l.Znode()))
			return err
		}
		return do, func(k struck, err error) {
			if err != nil && k.cancels {
				done, err = Break(bounded(s.t), s.ours.sessions, s.breaking(l.Znode()))
				if errors.Is(err, ErrNotThere) {
					err = nil
				}
			}
			s.released(l, err)
			if told != nil {
				if by := <-told; done.Told && by != "carol@ops incident 4711" {
					s.t.Errorf("it was %+v, and the holder is told by %q", done, by)
				}
			}
			release(s.t, next.get())
			release(s.t, l)
			s.WaitChildren(DefaultRoot, 0) // the note is gone, too
			holder.pool.Close()
		}
	}
}
