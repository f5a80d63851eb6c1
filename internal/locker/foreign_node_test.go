// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// dump is all there is in a space and what must not change of it.
func dump(t *testing.T, space *zktest.Space) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, path := range space.Tree() {
		data, stat := space.Get(path)
		all[path] = fmt.Sprintf("%.100q (%d bytes), version %d, of ACL %d, created by %#x, owner %#x, %v",
			data, len(data), stat.Version, stat.Aversion, stat.Czxid, stat.EphemeralOwner, space.ACL(path))
	}
	return all
}

// unchanged fails if anything is not as it was.
func unchanged(t *testing.T, space *zktest.Space, before map[string]string) {
	t.Helper()
	after := dump(t, space)
	if !maps.Equal(before, after) {
		for path := range after {
			if before[path] != after[path] {
				t.Errorf("%q was %s, and is %s", path, before[path], after[path])
			}
		}
		for path, was := range before {
			if after[path] == "" {
				t.Errorf("%q is gone; it was %s", path, was)
			}
		}
	}
}

// The lock's directory, or what is above it, is another program's, with data and
// children of its own: the lock can be taken, or it is said why it cannot, and nothing
// of the other's is touched, counted or deleted.
func TestTheDirectoryIsAnotherPrograms(t *testing.T) {
	t.Parallel()
	const dir, root = testDir, DefaultRoot
	huge := []byte(strings.Repeat("x", 1000*1000))
	type tree map[string][]byte
	for name, test := range map[string]struct {
		there     tree   // persistent znodes, parents first in the order of their names
		ephemeral string // a znode that is not
		err       error  // why the lock cannot be taken
		says      string
	}{
		"a file":                        {there: tree{root: nil, dir: []byte("keep me")}},
		"a huge file":                   {there: tree{root: nil, dir: huge}},
		"a file that is no text":        {there: tree{root: nil, dir: {0, 0xff, 0x1b}}},
		"a root that is a file":         {there: tree{root: []byte("keep me"), root + "/other": nil}},
		"a directory with children":     {there: tree{root: nil, dir: nil, dir + "/config": []byte("a"), dir + "/config/deep": []byte("b")}},
		"a file with children":          {there: tree{root: nil, dir: []byte("keep me"), dir + "/brokers": nil, dir + "/topics": []byte("a")}},
		"children with similar names":   {there: tree{root: nil, dir: nil, dir + "/ex": nil, dir + "/lock-": nil, dir + "/ex-abc": nil, dir + "/sem-x__lock__": nil}},
		"digits of other scripts":       {there: tree{root: nil, dir: nil, dir + "/lock-٠٠٠٠٠٠٠٠٠٧": nil, dir + "/ex７": nil}},
		"numbers beyond all sequences":  {there: tree{root: nil, dir: nil, dir + "/lock-99999999999999999999": nil, dir + "/ex99999999999": nil}},
		"UUIDs that end in digits":      {there: tree{root: nil, dir: nil, dir + "/6b7d2b8e-93c1-4d3c-9d52-2f0000000007": nil}},
		"a child with a long name":      {there: tree{root: nil, dir: nil, dir + "/" + strings.Repeat("n", 5000): nil}},
		"children of another lock":      {there: tree{root: nil, root + "/test2": nil, root + "/test2/ex-0000000000": []byte("theirs")}},
		"a queue of another program":    {there: tree{root: nil, dir: nil, dir + "/qn-0000000000": []byte("job"), dir + "/qn-0000000001": nil}, err: ErrBusy, says: "qn-000000000"},
		"a long numbered name":          {there: tree{root: nil, dir: nil, dir + "/" + strings.Repeat("n", 5000) + "-0000000000": nil}, err: ErrBusy, says: "nnn-0000000000"},
		"a negative number":             {there: tree{root: nil, dir: nil, dir + "/lock--000000001": []byte("theirs")}, err: ErrBusy, says: "theirs"},
		"a name that garbles terminals": {there: tree{root: nil, dir: nil, dir + "/\u202etxt-0000000000": nil}, err: ErrBusy, says: `\u202etxt-0000000000`},
		"a semaphore of the gem":        {there: tree{root: nil, dir: nil, dir + "/sem0000000000": []byte("theirs")}, err: ErrDisagree, says: "theirs"},
		"an ephemeral directory":        {there: tree{root: nil}, ephemeral: dir, err: zookeeper.ErrEphemeralParent, says: "ephemeral"},
		"an ephemeral root":             {ephemeral: root, err: zookeeper.ErrEphemeralParent, says: "ephemeral"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			c := newClient(t, space.Addr())
			space.Create("/beside", []byte("not ours"), zktest.Persistent)
			for _, path := range slices.Sorted(maps.Keys(test.there)) {
				space.Create(path, test.there[path], zktest.Persistent)
			}
			if test.ephemeral != "" {
				space.Create(test.ephemeral, []byte("theirs"), zktest.Ephemeral)
			}
			before := dump(t, space)
			for kind, change := range kinds {
				req := c.request(dirOf(space))
				req.Wait = 0
				change(&req)
				want := test.err
				if req.Slots > 0 { // then a lock is no semaphore, and a semaphore has room
					want = map[error]error{ErrBusy: ErrDisagree, zookeeper.ErrEphemeralParent: zookeeper.ErrEphemeralParent}[want]
				}
				l, err := Acquire(bounded(t), c.sessions, req)
				if !errors.Is(err, want) || err != nil && !strings.Contains(err.Error(), test.says) {
					t.Errorf("%s: want %v that says %q, got %v", kind, want, test.says, err)
				}
				if l != nil {
					release(t, l)
				}
				if err != nil {
					checkText(t, err.Error())
				}
				unchanged(t, space, before)
			}
			if _, err := Inspect(bounded(t), c.session(), dirOf(space), 0); err != nil {
				t.Error(err)
			}
			for _, path := range slices.Backward(space.Tree()) {
				space.Delete(path)
			}
		})
	}
}

// What others write into the directory while the lock is held is theirs, and so is the
// directory then.
func TestTheDirectoryBecomesAnotherPrograms(t *testing.T) {
	t.Parallel()
	for kind, change := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			c := newClient(t, space.Addr())
			req := c.request(dirOf(space))
			change(&req)
			l := c.acquire(req)
			space.Set(testDir, []byte("keep me"))
			if req.Durable {
				if err := RemoveDurable(bounded(t), c.sessions, l.Znode()); err != nil {
					t.Error(err)
				}
			}
			release(t, l)
			if data, _ := space.Get(testDir); string(data) != "keep me" {
				t.Errorf("it says %q", data)
			}
			// Once it is empty again, the next one takes it along.
			space.Set(testDir, nil)
			release(t, c.lock(dirOf(space)))
			if space.Exists(testDir) {
				t.Error("the directory was left")
			}
		})
	}
}

// ACLs and quotas are others' wills, too.
func TestTheDirectoryIsProtected(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpaceOn(t, zktest.Own(t, zktest.Options{Config: map[string]string{"enforceQuota": "true"}}))
	c := newClient(t, space.Addr())
	space.Create(DefaultRoot, nil, zktest.Persistent)
	space.Create(testDir, []byte("theirs"), zktest.Persistent)
	space.Create(testDir+"/config", []byte("theirs"), zktest.Persistent)
	refuses := func(name string, want error) {
		t.Helper()
		before := dump(t, space)
		for kind, change := range kinds {
			req := c.request(dirOf(space)) // without limit: must not wait
			change(&req)
			if l, err := Acquire(bounded(t), c.sessions, req); l != nil || !errors.Is(err, want) {
				t.Errorf("%s, %s: want %v, got %v, %v", name, kind, want, l, err)
			}
		}
		unchanged(t, space, before)
	}
	quota := "/zookeeper/quota" + space.Path(testDir)
	quotaPaths := []string{}
	for i := len("/zookeeper/quota/"); i < len(quota); i++ {
		if quota[i] == '/' {
			quotaPaths = append(quotaPaths, quota[:i])
		}
	}
	quotaPaths = append(quotaPaths, quota)
	for _, path := range quotaPaths {
		if _, err := space.Conn().Create(path, nil, 0, zk.WorldACL(zk.PermAll)); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			t.Fatal(err)
		}
	}
	for name, data := range map[string]string{"zookeeper_limits": "count=-1,bytes=-1,byteHardLimit=-1,countHardLimit=2", "zookeeper_stats": "count=2,bytes=12"} {
		if _, err := space.Conn().Create(quota+"/"+name, []byte(data), 0, zk.WorldACL(zk.PermAll)); err != nil {
			t.Fatal(err)
		}
	}
	refuses("a quota", zookeeper.ErrQuotaExceeded)

	protect := func(perms int32) {
		t.Helper()
		if _, err := space.Conn().SetACL(space.Path(testDir), zk.WorldACL(perms), -1); err != nil {
			t.Fatal(err)
		}
	}
	protect(zk.PermRead)
	refuses("read only", zookeeper.ErrNoAuth)
	protect(0)
	refuses("no rights at all", zookeeper.ErrNoAuth)
	if _, err := Inspect(bounded(t), c.session(), dirOf(space), 0); !errors.Is(err, zookeeper.ErrNoAuth) {
		t.Errorf("want ErrNoAuth, got %v", err)
	}
	for _, path := range []string{testDir + "/config", testDir} {
		space.Delete(path)
	}
}
