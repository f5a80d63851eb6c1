// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func TestAnsweredAndDisconnected(t *testing.T) {
	t.Parallel()
	dial := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for name, test := range map[string]struct {
		err                    error
		answered, disconnected bool
	}{
		"no error":           {nil, false, false},
		"no node":            {ErrNoNode, true, false},
		"node exists":        {ErrNodeExists, true, false},
		"not empty":          {ErrNotEmpty, true, false},
		"bad version":        {ErrBadVersion, true, false},
		"no auth":            {ErrNoAuth, true, false},
		"bad arguments":      {zk.ErrBadArguments, true, false},
		"invalid path":       {zk.ErrInvalidPath, true, false},
		"connection closed":  {zk.ErrConnectionClosed, false, true},
		"no server":          {zk.ErrNoServer, false, true},
		"session moved":      {zk.ErrSessionMoved, false, true},
		"end of file":        {io.EOF, false, true},
		"socket closed":      {net.ErrClosed, false, true},
		"connection refused": {dial, false, true},
		"broken pipe":        {&net.OpError{Op: "write", Err: syscall.EPIPE}, false, true},
		"write timed out":    {&net.OpError{Op: "write", Err: os.ErrDeadlineExceeded}, false, true},
		"session expired":    {ErrSessionExpired, false, false},
		"session closed":     {ErrClosed, false, false},
		"context cancelled":  {context.Canceled, false, false},
		"context's deadline": {context.DeadlineExceeded, false, false},
		"something else":     {errors.New("zk: unknown error: -6"), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, err := range []error{test.err, fmt.Errorf("zookeeper: get /a: %w", test.err)} {
				if Answered(err) != test.answered || Disconnected(err) != test.disconnected {
					t.Errorf("%v: answered %v, disconnected %v", err, Answered(err), Disconnected(err))
				}
			}
		})
	}
}

func TestMulti(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	s := open(t, config(space.Addr()))
	a := space.Path("/a")

	results, err := s.Multi(bounded(t),
		Create(a, []byte("1"), Persistent), Create(a+"/b-", nil, EphemeralSequential), Set(a, []byte("2"), 0))
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 3 || results[0].Path != a || !strings.HasPrefix(results[1].Path, a+"/b-") {
		t.Fatalf("the results are %+v", results)
	}
	node, err := s.Get(bounded(t), results[1].Path)
	if err != nil {
		t.Fatal(err)
	}
	// What the recipe's token rests on: one transaction, one zxid.
	if stat := results[2].Stat; stat.Mzxid != node.Stat.Czxid || stat.Version != 1 {
		t.Errorf("the directory is %+v, the node %+v", stat, node.Stat)
	}
	if data, _ := space.Get("/a"); string(data) != "2" {
		t.Errorf("the data are %q", data)
	}

	for name, test := range map[string]struct {
		ops   []Op
		err   error
		index int
	}{
		"the first":  {[]Op{Create(a, nil, Persistent), Create(a+"/c", nil, Persistent)}, ErrNodeExists, 0},
		"the second": {[]Op{Create(a+"/c", nil, Persistent), Delete(a)}, ErrNotEmpty, 1},
		"the last":   {[]Op{Create(a+"/c", nil, Persistent), Create(a+"/d", nil, Persistent), Set(a, nil, 7)}, ErrBadVersion, 2},
		"a missing":  {[]Op{Delete(a + "/nothing"), Delete(a)}, ErrNoNode, 0},
		"a parent":   {[]Op{Create(a+"/c/d", nil, Persistent), Delete(a)}, ErrNoNode, 0},
	} {
		t.Run("refused because of "+name, func(t *testing.T) {
			results, err := s.Multi(bounded(t), test.ops...)
			if !errors.Is(err, test.err) || !Answered(err) {
				t.Fatalf("want %v, got %v", test.err, err)
			}
			if len(results) != len(test.ops) {
				t.Fatalf("there are %d results for %d operations", len(results), len(test.ops))
			}
			at := slices.IndexFunc(results, func(r Result) bool { return r.Err != nil })
			if at != test.index || !errors.Is(results[at].Err, test.err) {
				t.Errorf("operation %d is at fault, want %d: %+v", at, test.index, results)
			}
			if got := space.Children("/a"); len(got) != 1 {
				t.Errorf("a refused transaction left %q", got)
			}
		})
	}
	if _, err := s.Multi(bounded(t), Delete(results[1].Path), Delete(a)); err != nil {
		t.Error(err)
	}
}

func TestErrorsNameTheRequest(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	s := open(t, config(space.Addr()))
	path := space.Path("/nothing")
	for verb, request := range map[string]func() error{
		"get":    func() error { _, err := s.Get(bounded(t), path); return err },
		"watch":  func() error { _, err := s.Watch(bounded(t), path); return err },
		"stat":   func() error { _, err := s.Stat(bounded(t), path); return err },
		"list":   func() error { _, err := s.Children(bounded(t), path); return err },
		"delete": func() error { return s.Delete(bounded(t), path) },
		"multi":  func() error { _, err := s.Multi(bounded(t), Delete(path)); return err },
		"set":    func() error { return s.Set(bounded(t), path, nil, 0) },
		"create": func() error { _, err := s.Create(bounded(t), path+"/a", nil, Persistent); return err },
	} {
		t.Run(verb, func(t *testing.T) {
			alive := s.AliveUntil()
			err := request()
			if !errors.Is(err, ErrNoNode) || !strings.Contains(err.Error(), "zookeeper: "+verb+" "+path) {
				t.Errorf("the error is %v", err)
			}
			// Reads are answered without a quorum.
			read := slices.Contains([]string{"get", "watch", "stat", "list"}, verb)
			if moved := s.AliveUntil() > alive; moved && read {
				t.Error("the answer to a read is taken for a quorum's")
			}
		})
	}
}

func TestARequestWithAnEndedContextIsNotSent(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	s := open(t, config(space.Addr()))
	cause := errors.New("too late")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := s.Create(ctx, space.Path("/a"), nil, Persistent); !errors.Is(err, cause) {
		t.Errorf("want %v, got %v", cause, err)
	}
	for range 3 { // the session's requests are carried out in order
		if err := s.Barrier(bounded(t)); err != nil {
			t.Fatal(err)
		}
	}
	if space.Exists("/a") {
		t.Error("the znode was made all the same")
		space.Delete("/a")
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	s := open(t, config(space.Addr()))
	space.Create("/a", []byte("1"), zktest.Persistent)
	watch, err := s.Watch(bounded(t), space.Path("/a"))
	if err != nil || string(watch.Data) != "1" {
		t.Fatalf("the watch read %q, %v", watch.Data, err)
	}
	space.Delete("/a")
	select {
	case ev := <-watch.Event:
		if ev.Type != zk.EventNodeDeleted {
			t.Errorf("the event is %v", ev)
		}
	case <-bounded(t).Done():
		t.Error("the watch did not fire")
	}
	if _, err := s.Watch(bounded(t), space.Path("/a")); !errors.Is(err, ErrNoNode) {
		t.Errorf("want ErrNoNode, got %v", err)
	}
	watches, err := space.Server().FourLetter(bounded(t), "wchp")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(watches, space.Path("/a")) {
		t.Error("a watch was left where there is no znode")
	}
}
