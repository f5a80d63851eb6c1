package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"
)

// Stat is what the server keeps of a znode.
type Stat = zk.Stat

// Event is delivered once by a watch.
type Event = zk.Event

// Kinds of znode for [Session.Create] and [Create].
const (
	Persistent          = zk.FlagPersistent
	Ephemeral           = zk.FlagEphemeral
	EphemeralSequential = zk.FlagEphemeralSequential
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

// Result is what one operation of [Session.Multi] gave.
type Result struct {
	Path string // of a created znode
	Stat *Stat  // of a Set
	Err  error  // this operation's refusal, if it is the one that failed
}

// Create makes a znode and returns its path, which for a sequential one has the
// server's number at its end.
func (s *Session) Create(ctx context.Context, path string, data []byte, kind int32) (string, error) {
	return confirmed(ctx, s, "create", path, func() (string, error) {
		return s.conn.Create(path, data, kind, s.acl)
	})
}

// Delete removes a znode of whatever version.
func (s *Session) Delete(ctx context.Context, path string) error {
	return s.DeleteUnchanged(ctx, path, anyVersion)
}

// DeleteUnchanged removes a znode whose data have the given version; [ErrBadVersion]
// if they have another.
func (s *Session) DeleteUnchanged(ctx context.Context, path string, version int32) error {
	_, err := confirmed(ctx, s, "delete", path, func() (struct{}, error) {
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
	return call(ctx, s, "list", path, func() (Listing, error) {
		names, stat, err := s.conn.Children(path)
		return Listing{names, stat}, err
	})
}

// Node is a znode's content.
type Node struct {
	Data []byte
	Stat *Stat
}

// Get reads a znode.
func (s *Session) Get(ctx context.Context, path string) (Node, error) {
	return call(ctx, s, "get", path, func() (Node, error) {
		data, stat, err := s.conn.Get(path)
		return Node{data, stat}, err
	})
}

// Watch is a znode's content and its next event: the deletion or a change of
// its data. The channel also yields when the connection is lost, whatever event it
// tells then.
type Watch struct {
	Node
	Event <-chan Event
}

// GetWatch reads a znode and watches it. No watch is left where there is no
// such znode.
func (s *Session) GetWatch(ctx context.Context, path string) (Watch, error) {
	return call(ctx, s, "watch", path, func() (Watch, error) {
		s.transport.watches.begin(path)
		data, stat, event, err := s.conn.GetW(path)
		s.transport.watches.end(path, err == nil)
		return Watch{Node{data, stat}, event}, err
	})
}

// Stat looks a znode up; [ErrNoNode] if there is none.
func (s *Session) Stat(ctx context.Context, path string) (*Stat, error) {
	return call(ctx, s, "stat", path, func() (*Stat, error) {
		ok, stat, err := s.conn.Exists(path)
		if err == nil && !ok {
			err = ErrNoNode
		}
		return stat, err
	})
}

// OpenToAll tells whether everyone may create or delete children of a znode, or
// change who may.
func (s *Session) OpenToAll(ctx context.Context, path string) (bool, error) {
	acl, err := call(ctx, s, "get the ACL of", path, func() ([]zk.ACL, error) {
		acl, _, err := s.conn.GetACL(path)
		return acl, err
	})
	return slices.ContainsFunc(acl, func(entry zk.ACL) bool {
		return entry.Scheme == "world" && entry.Perms&(zk.PermCreate|zk.PermDelete|zk.PermAdmin) != 0
	}), err
}

// Set replaces the data of a znode that has the given version; [ErrBadVersion]
// if it has another.
func (s *Session) Set(ctx context.Context, path string, data []byte, version int32) error {
	_, err := confirmed(ctx, s, "set", path, func() (*Stat, error) { return s.conn.Set(path, data, version) })
	return err
}

// Sync waits until the connected server has seen all that the ensemble had
// committed: a list after it cannot miss an earlier create of this session.
func (s *Session) Sync(ctx context.Context, path string) error {
	_, err := confirmed(ctx, s, "sync", path, func() (string, error) { return s.conn.Sync(path) })
	return err
}

// Multi carries out all operations or none (the multi transaction of the
// ZooKeeper API). The results stand in the operations' order; on a refusal the
// error is that of the operation at fault.
func (s *Session) Multi(ctx context.Context, ops ...Op) ([]Result, error) {
	requests := make([]any, len(ops))
	for i, op := range ops {
		if create, ok := op.request.(*zk.CreateRequest); ok {
			create.Acl = s.acl
		}
		requests[i] = op.request
	}
	return confirmed(ctx, s, "multi", opPath(ops), func() ([]Result, error) {
		responses, err := s.conn.Multi(requests...)
		results := make([]Result, len(responses))
		for i, r := range responses {
			results[i] = Result{Path: r.String, Stat: r.Stat, Err: r.Error}
		}
		if err == nil && len(results) != len(ops) {
			err = fmt.Errorf("%w: %d results of %d operations", errPacket, len(results), len(ops))
		}
		return results, err
	})
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
	}
	return ""
}

// call runs one request of the library, which takes no context, and gives up
// waiting for its answer when ctx or the session ends. The result comes along
// with a refusal, and is zero when there was no answer.
func call[T any](ctx context.Context, s *Session, op, path string, request func() (T, error)) (T, error) {
	var none T
	if err := s.Ready(ctx); err != nil {
		return none, fmt.Errorf("zookeeper: %s %s: %w", op, path, err)
	}
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		value, err := request()
		done <- answer{value, named(err)}
	}()
	var a answer
	select {
	case a = <-done:
	case <-ctx.Done():
		a.err = context.Cause(ctx)
	case <-s.Lost():
		a.err = s.Err()
	}
	if a.err != nil && !Answered(a.err) {
		if errors.Is(a.err, ErrSessionExpired) {
			// Said in an answer, on a connection that still stands.
			s.expire()
		}
		a.value = none
		if err := s.Err(); err != nil && !errors.Is(a.err, err) {
			a.err = fmt.Errorf("%w (%w)", err, a.err)
		}
	}
	if a.err != nil {
		a.err = fmt.Errorf("zookeeper: %s %s: %w", op, path, a.err)
	}
	return a.value, a.err
}

// confirmed is call for a request that the leader has to answer, be it by a
// refusal, and which so proves that the session is alive. A read proves nothing:
// a server that is cut off from its leader goes on answering those for a while.
func confirmed[T any](ctx context.Context, s *Session, op, path string, request func() (T, error)) (T, error) {
	sent := time.Now()
	value, err := call(ctx, s, op, path, request)
	if err == nil || Answered(err) {
		s.noteAnswer(sent)
	}
	return value, err
}

func (s *Session) noteAnswer(sent time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sent.After(s.answered) {
		s.answered = sent
	}
}
