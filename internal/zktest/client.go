// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// Client is a session of the go-zookeeper library, with which a test or a script plays
// another client or looks at what ours have done: it shares no code with them. Its methods
// take paths below a root, which is absolute or "", and try again after the loss of a
// connection until ctx ends. For tests there is Space.
type Client struct {
	session *session
	root    string
}

// Dial makes a Client of servers, each host:port. It does not wait for a connection.
func Dial(servers []string, root string, timeout time.Duration) (*Client, error) {
	session, err := dialSession(servers, timeout)
	if err != nil {
		return nil, err
	}
	return &Client{session, root}, nil
}

// Close ends the session. No goroutine is left then.
func (c *Client) Close() { c.session.close() }

// Conn is the session itself, which knows no root: see Path.
func (c *Client) Conn() *zk.Conn { return c.session.conn }

// Path turns a path below the root into an absolute one.
func (c *Client) Path(path string) string { return c.root + strings.TrimSuffix(path, "/") }

// Create creates a znode that anyone may change and returns its path below the root, which
// a sequential mode has completed. Its parent must exist.
func (c *Client) Create(ctx context.Context, path string, data []byte, mode Mode) (string, error) {
	var created string
	err := try(ctx, func() (err error) {
		created, err = c.Conn().Create(c.Path(path), data, int32(mode), zk.WorldACL(zk.PermAll))
		return err
	})
	if err != nil {
		return "", describe(err, "create", c.Path(path))
	}
	return created[len(c.root):], nil
}

// Tree returns the paths of all znodes below the root, parents before their children.
func (c *Client) Tree(ctx context.Context) ([]string, error) {
	var tree []string
	err := try(ctx, func() (err error) {
		tree, err = c.tree()
		return err
	})
	return tree, err
}

// DeleteAll deletes the root and all below it.
func (c *Client) DeleteAll(ctx context.Context) error {
	return try(ctx, func() error {
		tree, err := c.tree()
		if err != nil {
			return err
		}
		for _, path := range slices.Backward(append([]string{""}, tree...)) {
			if err := c.Conn().Delete(c.Path(path), -1); err != nil && !isNoNode(err) {
				return describe(err, "delete", c.Path(path))
			}
		}
		return nil
	})
}

// Contender is a znode in the directory of a lock.
type Contender struct {
	Name string
	Data []byte // as it was when the znode was first seen
}

// WatchQueue calls changed with the contenders of a lock, in the order in which they came,
// at once and after each change. It returns when ctx ends, with the cause of that.
func (c *Client) WatchQueue(ctx context.Context, dir string, changed func([]Contender)) error {
	var queue []Contender
	return await(ctx, func() (bool, <-chan zk.Event, error) {
		names, event, err := c.watchChildren(dir)
		if err != nil {
			return false, nil, err
		}
		SortQueue(names)
		var now []Contender
		for _, name := range names {
			i := slices.IndexFunc(queue, func(c Contender) bool { return c.Name == name })
			if i >= 0 {
				now = append(now, queue[i])
				continue
			}
			data, _, err := c.Conn().Get(c.Path(dir) + "/" + name)
			if isNoNode(err) {
				continue // Gone already.
			}
			if err != nil {
				return false, nil, err
			}
			now = append(now, Contender{name, data})
		}
		queue = now
		changed(queue)
		return false, event, nil
	})
}

// AwaitQueue waits until a lock has n contenders. It asks often and does not watch: at each
// change, a watch would have it list the whole queue.
func (c *Client) AwaitQueue(ctx context.Context, dir string, n int) error {
	for {
		var stat *zk.Stat
		var exists bool
		err := try(ctx, func() (err error) {
			exists, stat, err = c.Conn().Exists(c.Path(dir))
			return err
		})
		if err != nil {
			return describe(err, "wait for contenders in", c.Path(dir))
		}
		if !exists && n == 0 || exists && int(stat.NumChildren) == n {
			return nil
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return describe(context.Cause(ctx), "wait for contenders in", c.Path(dir))
		}
	}
}

// SortQueue sorts the names of contenders by the number that the server gave them, which
// are the last ten characters.
func SortQueue(names []string) {
	number := func(name string) string { return name[max(0, len(name)-10):] }
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
}

// watchChildren returns the names of a znode's children, and a watch of their next change. A
// znode that does not exist has none.
func (c *Client) watchChildren(path string) ([]string, <-chan zk.Event, error) {
	for {
		names, _, changed, err := c.Conn().ChildrenW(c.Path(path))
		if !isNoNode(err) {
			return names, changed, err
		}
		exists, _, changed, err := c.Conn().ExistsW(c.Path(path))
		if err != nil || !exists {
			return nil, changed, err
		}
		// Created in between: list again.
	}
}

// tree is Tree without another try.
func (c *Client) tree() ([]string, error) {
	var paths []string
	var walk func(path string) error
	walk = func(path string) error {
		names, _, err := c.Conn().Children(c.Path(path))
		if isNoNode(err) {
			return nil // Deleted meanwhile.
		}
		if err != nil {
			return err
		}
		slices.Sort(names)
		for _, name := range names {
			paths = append(paths, path+"/"+name)
			if err := walk(path + "/" + name); err != nil {
				return err
			}
		}
		return nil
	}
	return paths, walk("")
}
