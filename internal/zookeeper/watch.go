// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"errors"
	"strings"
)

// Watch is a znode's content and its next event: its deletion or a change of its data. The
// channel also has an event when the connection is lost, of any type.
type Watch struct {
	Node
	Event <-chan Event
}

// Watch reads a znode and watches it; [ErrNoNode] if there is no such znode. It needs no
// permission on the znode. Since 3.8.4 and 3.9.2 (CVE-2024-23944) a server tells a user
// nothing about a znode that the user may not read. Then Watch watches the children of the
// parent, and the event can be about any of them.
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

// WatchedListing is the children of a znode and its next event: one of them was created or
// deleted, or the znode itself was deleted. The channel also has an event when the
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

// WatchStat watches a znode that may not exist: then the Stat is nil. The event is its
// creation, its deletion or a change of its data.
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
