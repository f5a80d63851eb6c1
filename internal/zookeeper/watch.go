package zookeeper

import (
	"context"
	"errors"
	"strings"
)

// Watch is a znode's content and its next event: the deletion or a change of
// its data. The channel also yields when the connection is lost, whatever event it
// tells then.
type Watch struct {
	Node
	Event <-chan Event
}

// Watch reads a znode and watches it; [ErrNoNode] if there is no such znode. It needs no
// permission on the znode. A server tells nobody what becomes of a znode that they may
// not read (since 3.8.4 and 3.9.2, CVE-2024-23944), so of such a one the parent's children
// are watched, and the event can be about any of them.
func (s *Session) Watch(ctx context.Context, path string) (Watch, error) {
	watch, err := repeated(ctx, s, read, "watch", path, func() (Watch, error) {
		s.transport.watches.begin(path)
		data, stat, event, err := s.conn.GetW(path)
		s.transport.watches.end(path, err == nil)
		return Watch{Node{Data: data, Stat: stat}, event}, err
	})
	if !errors.Is(err, ErrNoAuth) {
		return watch, err
	}
	parent := path[:max(1, strings.LastIndexByte(path, '/'))]
	event, err := repeated(ctx, s, read, "watch", parent, func() (<-chan Event, error) {
		s.transport.watches.begin(parent)
		_, _, event, err := s.conn.ChildrenW(parent)
		s.transport.watches.end(parent, err == nil)
		return event, err
	})
	if err != nil {
		return Watch{}, err
	}
	stat, err := s.Stat(ctx, path) // after the watch was set
	return Watch{Node{Stat: stat, Unreadable: true}, event}, err
}

// WatchedListing is a znode's children and its next event: that one of them was created or
// deleted, or that the znode itself was deleted. The channel also yields when the
// connection is lost.
type WatchedListing struct {
	Listing
	Event <-chan Event
}

// WatchChildren lists the children of a znode and watches them.
func (s *Session) WatchChildren(ctx context.Context, path string) (WatchedListing, error) {
	return repeated(ctx, s, read, "watch", path, func() (WatchedListing, error) {
		s.transport.watches.begin(path)
		names, stat, event, err := s.conn.ChildrenW(path)
		s.transport.watches.end(path, err == nil)
		return WatchedListing{Listing{names, stat}, event}, err
	})
}

// WatchStat looks a znode up and watches it, whether it is there or not: without it the
// Stat is nil. The event is its creation, its deletion or a change of its data.
func (s *Session) WatchStat(ctx context.Context, path string) (Watch, error) {
	return repeated(ctx, s, read, "watch", path, func() (Watch, error) {
		s.transport.watches.begin(path)
		there, stat, event, err := s.conn.ExistsW(path)
		s.transport.watches.end(path, err == nil)
		if !there {
			stat = nil
		}
		return Watch{Node{Stat: stat}, event}, err
	})
}
