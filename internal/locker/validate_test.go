// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// A request comes over a pipe: whatever it asks for, nothing but locks comes of
// it.
func TestRequestsThatCannotBe(t *testing.T) {
	t.Parallel()
	nobody := func(context.Context) (*zookeeper.Session, error) {
		t.Error("a session was asked for")
		return nil, zookeeper.ErrClosed
	}
	for name, change := range map[string]func(*Request){
		"no lockid":                 func(r *Request) { r.LockID = "" },
		"lockid that is no name":    func(r *Request) { r.LockID = ".." },
		"long lockid":               func(r *Request) { r.LockID = strings.Repeat("a", MaxLockID+1) },
		"no directory":              func(r *Request) { r.Dir = "" },
		"the root":                  func(r *Request) { r.Dir = "/" },
		"relative directory":        func(r *Request) { r.Dir = "a/b" },
		"directory that goes up":    func(r *Request) { r.Dir = "/a/../zookeeper" },
		"directory with a gap":      func(r *Request) { r.Dir = "/a//b" },
		"trailing slash":            func(r *Request) { r.Dir = "/a/" },
		"directory with a null":     func(r *Request) { r.Dir = "/a/\x00" },
		"negative wait":             func(r *Request) { r.Wait = -time.Second },
		"negative slots":            func(r *Request) { r.Slots = -1 },
		"unknown mode":              func(r *Request) { r.Mode = "mine" },
		"shared semaphore":          func(r *Request) { r.Mode, r.Slots = Shared, 2 },
		"unknown layout":            func(r *Request) { r.Layout = "mine" },
		"shared lock for Curator":   func(r *Request) { r.Mode, r.Layout = Shared, Curator },
		"semaphore for Curator":     func(r *Request) { r.Slots, r.Layout = 2, Curator },
		"semaphore as a plain mode": func(r *Request) { r.Mode = Semaphore },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := Request{LockID: "test", Dir: "/a/test"}
			change(&req)
			if l, err := Acquire(bounded(t), nobody, req); l != nil || !errors.Is(err, ErrRequest) {
				t.Errorf("want ErrRequest, got %v, %v", l, err)
			}
		})
	}
}

// A request that comes over the pipe is refused, or asks for a session and names one
// directory, and nothing above it or of ZooKeeper's own.
func FuzzRequest(f *testing.F) {
	f.Add("test", "/a/test", int64(0), "", 0, "", false)
	f.Add("a/b", "/_zklocking/a__b", int64(-1), "shared", 0, "standard", true)
	f.Add("test", "/zookeeper/config", int64(5), "exclusive", 3, "curator", false)
	f.Add("..", "/a/../b", int64(-2), "semaphore", -1, "mine", true)
	f.Fuzz(func(t *testing.T, id, dir string, wait int64, mode string, slots int, layout string, durable bool) {
		asked := 0
		req := Request{LockID: id, Dir: dir, Wait: time.Duration(wait), Mode: Mode(mode), Slots: slots, Layout: Layout(layout), Durable: durable}
		l, err := Acquire(t.Context(), func(context.Context) (*zookeeper.Session, error) {
			asked++
			return nil, zookeeper.ErrClosed
		}, req)
		checkRefused(t, asked, err)
		if l != nil {
			t.Errorf("a lock without a session: %v", l)
		}
		checkText(t, err.Error())
		if asked > 0 {
			checkDirectory(t, dir)
			if c, ok := ParseContender(prefixOf(req) + "0000000007"); !ok || c.Sequence != 7 || (c.Mode == Semaphore) != (slots > 0) {
				t.Errorf("its contender is %+v, %v", c, ok)
			}
		}
	})
}

// The same for what is to be released or described.
func FuzzZnode(f *testing.F) {
	for _, seed := range []string{"", "/a/ex-0000000001", "/a/../ex-0000000001", "/ex-0000000001", "/a/config", "/zookeeper/lock-1", "/a//lock-1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, znode string) {
		asked := 0
		err := RemoveDurable(t.Context(), func(context.Context) (*zookeeper.Session, error) {
			asked++
			return nil, zookeeper.ErrClosed
		}, znode)
		checkRefused(t, asked, err)
		checkText(t, err.Error())
		if asked > 0 {
			dir, name := split(znode)
			checkDirectory(t, dir)
			if _, ok := ParseContender(name); !ok {
				t.Errorf("%q is no contender", name)
			}
		}
	})
}

// checkRefused makes sure that a request is either refused or made.
func checkRefused(t *testing.T, asked int, err error) {
	t.Helper()
	if refused := errors.Is(err, ErrRequest); asked > 1 || refused != (asked == 0) || !refused && !errors.Is(err, zookeeper.ErrClosed) {
		t.Fatalf("%d sessions were asked for: %v", asked, err)
	}
}

func checkDirectory(t *testing.T, dir string) {
	t.Helper()
	if zookeeper.ValidatePath(dir) != nil || dir == "/" || (dir + "/")[:min(len(dir)+1, 11)] == "/zookeeper/" {
		t.Errorf("the directory is %q", dir)
	}
}

func TestRequestsThatCanBe(t *testing.T) {
	t.Parallel()
	for name, req := range map[string]Request{
		"plain":                     {},
		"without limit":             {Wait: NoLimit},
		"exclusive":                 {Mode: Exclusive, Layout: Standard},
		"shared":                    {Mode: Shared},
		"semaphore":                 {Slots: 3},
		"semaphore of the provider": {Mode: Exclusive, Slots: 1, Layout: Standard},
		"Curator's":                 {Mode: Exclusive, Layout: Curator},
	} {
		req.LockID, req.Dir = "test", "/test"
		if err := req.validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is no contender is never touched, whatever it says of itself.
func TestZnodesThatAreNoContenders(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	c := newClient(t, space.Addr())
	says := Data{Durable: true}.encode()
	space.AllowEmpty("/config")
	space.Create("/config", says, zktest.Persistent)
	for name, znode := range map[string]string{
		"nothing":          "",
		"relative":         "a/ex-0000000001",
		"up":               "/a/../ex-0000000001",
		"not below a lock": "/ex-0000000001",
		"a directory":      "/a/ex-0000000001/",
		"no contender":     space.Path("/config"),
	} {
		if err := RemoveDurable(bounded(t), c.sessions, znode); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: removed with %v", name, err)
		}
		if err := DescribeDurable(bounded(t), c.session(), znode, "mine"); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: described with %v", name, err)
		}
	}
	if data, _ := space.Get("/config"); string(data) != string(says) {
		t.Errorf("it says %s", data)
	}
}
