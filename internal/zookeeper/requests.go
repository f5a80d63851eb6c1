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

// Create makes a znode of the given kind; the result's Path is its name. The
// session that sends it adds its ACL.
func Create(path string, data []byte, kind int32) Op {
	return Op{&zk.CreateRequest{Path: path, Data: data, Flags: kind}}
}

// Delete removes a znode of whatever version.
func Delete(path string) Op { return DeleteUnchanged(path, anyVersion) }

// DeleteUnchanged removes a znode whose data have the given version.
func DeleteUnchanged(path string, version int32) Op {
	return Op{&zk.DeleteRequest{Path: path, Version: version}}
}

// Set replaces the data of a znode that has the given version; the result's
// Stat is the znode's own after the whole transaction.
func Set(path string, data []byte, version int32) Op {
	return Op{&zk.SetDataRequest{Path: path, Data: data, Version: version}}
}

// Check changes nothing and is refused with [ErrNoNode] where there is no such znode. It
// takes a quorum like every write.
func Check(path string) Op { return Op{&zk.CheckVersionRequest{Path: path, Version: anyVersion}} }

// Result is what one operation of [Session.Multi] gave.
type Result struct {
	Path string // of a created znode
	Stat *Stat  // of a Set
	Err  error  // this operation's refusal, if it is the one that failed
}

// Create makes a znode and returns its path, which for a sequential one has the
// server's number at its end. After an error that is not [Answered] it may exist.
func (s *Session) Create(ctx context.Context, path string, data []byte, kind int32) (string, error) {
	return once(ctx, s, write, "create", path, func() (string, error) {
		return s.conn.Create(path, data, kind, s.acl)
	})
}

// CreateShared makes a persistent znode below which everyone may create and delete,
// because other users' locks stand there, too. With [Config.Creator] nobody else may
// change the znode itself.
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

// Delete removes a znode of whatever version. Where it had to be sent again,
// [ErrNoNode] can mean that it was carried out the first time.
func (s *Session) Delete(ctx context.Context, path string) error {
	return s.DeleteUnchanged(ctx, path, anyVersion)
}

// DeleteUnchanged removes a znode whose data have the given version; [ErrBadVersion]
// if they have another. [ErrNoNode] is as with Delete.
func (s *Session) DeleteUnchanged(ctx context.Context, path string, version int32) error {
	_, err := repeated(ctx, s, write, "delete", path, func() (struct{}, error) {
		return struct{}{}, s.conn.Delete(path, version)
	})
	return err
}

// Listing is a znode's children, in no order, and its own Stat.
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

// Get reads a znode, or only its Stat where this user may not read its data.
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

// Stat looks a znode up; [ErrNoNode] if there is none.
func (s *Session) Stat(ctx context.Context, path string) (*Stat, error) {
	return repeated(ctx, s, read, "stat", path, func() (*Stat, error) {
		ok, stat, err := s.conn.Exists(path)
		if err == nil && !ok {
			err = ErrNoNode
		}
		return stat, err
	})
}

// Set replaces the data of a znode that has the given version; [ErrBadVersion]
// if it has another. After an error that is not [Answered] it may be done.
func (s *Session) Set(ctx context.Context, path string, data []byte, version int32) error {
	_, err := once(ctx, s, write, "set", path, func() (*Stat, error) { return s.conn.Set(path, data, version) })
	return err
}

// Overwrite replaces the data of a znode, whatever its version; [ErrNoNode] if there is
// none.
func (s *Session) Overwrite(ctx context.Context, path string, data []byte) error {
	_, err := repeated(ctx, s, write, "set", path, func() (*Stat, error) { return s.conn.Set(path, data, anyVersion) })
	return err
}

// Barrier waits until a quorum has answered a write that changes nothing. Reads after it
// see all that was committed before it, whatever server answers them. A sync is not
// enough: a leader that was deposed answers it before it has noticed.
func (s *Session) Barrier(ctx context.Context) error {
	err := s.Check(ctx, "/")
	if Answered(err) { // also by a refusal
		return nil
	}
	return err
}

// Check asks a quorum whether znodes are there, all in one transaction; [ErrNoNode] if
// one of them is not.
func (s *Session) Check(ctx context.Context, paths ...string) error {
	_, err := s.check(ctx, paths)
	return err
}

// check is Check that tells which of the paths the error is about; -1 if none.
func (s *Session) check(ctx context.Context, paths []string) (at int, err error) {
	ops := make([]Op, len(paths))
	for i, path := range paths {
		ops[i] = Check(path)
	}
	results, err := repeated(ctx, s, write, "check", opPath(ops), func() ([]Result, error) { return s.multi(ops) })
	return slices.IndexFunc(results, func(r Result) bool { return r.Err != nil }), err
}

// Multi carries out all operations or none (the multi transaction of the
// ZooKeeper API). The results stand in the operations' order; on a refusal the
// error is that of the operation at fault. After an error that is not [Answered] the
// transaction may have been carried out.
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
