// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-zookeeper/zk"
)

// Stat is what the server keeps of a znode.
type Stat = zk.Stat

// Event is delivered once by a watch.
type Event = zk.Event

// Kinds of znode for [Session.Create] and [Create].
const (
	Persistent           = zk.FlagPersistent
	Ephemeral            = zk.FlagEphemeral
	EphemeralSequential  = zk.FlagEphemeralSequential
	PersistentSequential = zk.FlagSequence
)

// anyVersion is a version that every znode has.
const anyVersion int32 = -1

// Op is one operation of [Session.Multi].
type Op struct{ request any }

// Create creates a znode of the given kind; the result's Path is its name. The session
// adds its ACL.
func Create(path string, data []byte, kind int32) Op {
	return Op{&zk.CreateRequest{Path: path, Data: data, Flags: kind}}
}

// Delete deletes a znode of any version.
func Delete(path string) Op { return DeleteUnchanged(path, anyVersion) }

// DeleteUnchanged deletes a znode whose data have the given version.
func DeleteUnchanged(path string, version int32) Op {
	return Op{&zk.DeleteRequest{Path: path, Version: version}}
}

// Set replaces the data of a znode that has the given version; the result's Stat is the
// znode's after the transaction.
func Set(path string, data []byte, version int32) Op {
	return Op{&zk.SetDataRequest{Path: path, Data: data, Version: version}}
}

// Check changes nothing, and is refused with [ErrNoNode] if there is no such znode. Like
// every write it needs a quorum.
func Check(path string) Op { return Op{&zk.CheckVersionRequest{Path: path, Version: anyVersion}} }

// Result is the result of one operation of [Session.Multi].
type Result struct {
	Path string // of a created znode
	Stat *Stat  // of a Set
	Err  error  // the refusal of this operation; nil if another one failed
}

// Create creates a znode and returns its path. The path of a sequential znode ends in the
// server's number. After an error that is not [Answered] the znode may exist.
func (s *Session) Create(ctx context.Context, path string, data []byte, kind int32) (string, error) {
	return once(ctx, s, write, "create", path, func() (string, error) {
		return s.conn.Create(path, data, kind, s.acl)
	})
}

// CreateShared creates a persistent znode below which everyone may create and delete,
// because there are locks of other users, too. With [Config.Creator] nobody else may change
// the znode itself.
func (s *Session) CreateShared(ctx context.Context, path string) error {
	acl := openACL
	if s.creator {
		acl = sharedACL
	}
	_, err := once(ctx, s, write, "create", path, func() (string, error) {
		return s.conn.Create(path, nil, Persistent, acl)
	})
	return err
}

// Delete deletes a znode of any version. If the request was sent twice, [ErrNoNode] can
// mean that it was carried out the first time.
func (s *Session) Delete(ctx context.Context, path string) error {
	return s.DeleteUnchanged(ctx, path, anyVersion)
}

// DeleteUnchanged deletes a znode whose data have the given version; [ErrBadVersion] if
// they have another. [ErrNoNode] is as with Delete.
func (s *Session) DeleteUnchanged(ctx context.Context, path string, version int32) error {
	_, err := repeated(ctx, s, write, "delete", path, func() (struct{}, error) {
		return struct{}{}, s.conn.Delete(path, version)
	})
	return err
}

// Listing is the children of a znode, in no order, and its own Stat.
type Listing struct {
	Names []string
	Stat  *Stat
}

// Children lists the children of a znode.
func (s *Session) Children(ctx context.Context, path string) (Listing, error) {
	return repeated(ctx, s, read, "list", path, func() (Listing, error) {
		names, stat, err := s.conn.Children(path)
		return Listing{names, stat}, err
	})
}

// Node is a znode's content.
type Node struct {
	Data []byte
	Stat *Stat
	// Unreadable says that this user may not read the data.
	Unreadable bool
}

// Get reads a znode, or only its Stat if this user may not read its data.
func (s *Session) Get(ctx context.Context, path string) (Node, error) {
	node, err := repeated(ctx, s, read, "get", path, func() (Node, error) {
		data, stat, err := s.conn.Get(path)
		return Node{Data: data, Stat: stat}, err
	})
	if errors.Is(err, ErrNoAuth) {
		var stat *Stat
		stat, err = s.Stat(ctx, path)
		node = Node{Stat: stat, Unreadable: true}
	}
	return node, err
}

// Stat returns the Stat of a znode; [ErrNoNode] if there is no such znode.
func (s *Session) Stat(ctx context.Context, path string) (*Stat, error) {
	return repeated(ctx, s, read, "stat", path, func() (*Stat, error) {
		ok, stat, err := s.conn.Exists(path)
		if err == nil && !ok {
			err = ErrNoNode
		}
		return stat, err
	})
}

// Set replaces the data of a znode that has the given version; [ErrBadVersion] if it has
// another. After an error that is not [Answered] the data may be replaced.
func (s *Session) Set(ctx context.Context, path string, data []byte, version int32) error {
	_, err := once(ctx, s, write, "set", path, func() (*Stat, error) { return s.conn.Set(path, data, version) })
	return err
}

// Overwrite replaces the data of a znode of any version; [ErrNoNode] if there is no such
// znode.
func (s *Session) Overwrite(ctx context.Context, path string, data []byte) error {
	_, err := repeated(ctx, s, write, "set", path, func() (*Stat, error) { return s.conn.Set(path, data, anyVersion) })
	return err
}

// Barrier waits until a quorum has answered a write that changes nothing. Later reads see
// all that was committed before, from every server. A sync is not enough: a server that was
// the leader, and does not know that another one is, answers it.
func (s *Session) Barrier(ctx context.Context) error {
	err := s.Check(ctx, "/")
	if Answered(err) { // also by a refusal
		return nil
	}
	return err
}

// Check asks a quorum, in one transaction, whether znodes exist; [ErrNoNode] if one of them
// does not.
func (s *Session) Check(ctx context.Context, paths ...string) error {
	_, err := s.check(ctx, paths)
	return err
}

// check is Check, and returns the index of the path that the error is about, or -1.
func (s *Session) check(ctx context.Context, paths []string) (at int, err error) {
	ops := make([]Op, len(paths))
	for i, path := range paths {
		ops[i] = Check(path)
	}
	results, err := repeated(ctx, s, write, "check", opPath(ops), func() ([]Result, error) { return s.multi(ops) })
	return slices.IndexFunc(results, func(r Result) bool { return r.Err != nil }), err
}

// Multi carries out all operations or none (a multi transaction of ZooKeeper). The results
// are in the order of the operations. If the server refuses one of them, the error is its
// refusal. After an error that is not [Answered] the transaction may have been carried out.
func (s *Session) Multi(ctx context.Context, ops ...Op) ([]Result, error) {
	return once(ctx, s, write, "multi", opPath(ops), func() ([]Result, error) { return s.multi(ops) })
}

func (s *Session) multi(ops []Op) ([]Result, error) {
	requests := make([]any, len(ops))
	for i, op := range ops {
		if create, ok := op.request.(*zk.CreateRequest); ok {
			create.Acl = s.acl
		}
		requests[i] = op.request
	}
	responses, err := s.conn.Multi(requests...)
	results := make([]Result, len(responses))
	for i, r := range responses {
		results[i] = Result{Path: r.String, Stat: r.Stat, Err: r.Error}
	}
	if err == nil && len(results) != len(ops) {
		err = fmt.Errorf("%w: %d results of %d operations", errPacket, len(results), len(ops))
	}
	return results, err
}

func opPath(ops []Op) string {
	if len(ops) == 0 {
		return ""
	}
	switch r := ops[0].request.(type) {
	case *zk.CreateRequest:
		return r.Path
	case *zk.DeleteRequest:
		return r.Path
	case *zk.SetDataRequest:
		return r.Path
	case *zk.CheckVersionRequest:
		return r.Path
	}
	return ""
}
