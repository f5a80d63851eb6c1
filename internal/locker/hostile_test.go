// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// What stands in another client's contender decides nothing and breaks nothing: the lock
// is held by it, and that is said in words that can be read, of bounded length.
func TestHostileContenders(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"v":`, 700)
	for name, test := range map[string]struct {
		data  string
		owner string // as it is shown
	}{
		"nothing":                {"", ""},
		"a mebibyte":             {strings.Repeat("x", 1000*1000), strings.Repeat("x", maxForeign)},
		"a mebibyte of JSON":     {`{"v":1,"owner":"` + strings.Repeat("x", 1000*1000) + `"}`, `{"v":1,"owner":"xxx`},
		"deep JSON":              {deep + strings.Repeat("}", 700), `{"v":{"v":`},
		"deep arrays":            {`{"v":1,"owner":` + strings.Repeat("[", 2000), `{"v":1,"owner":[[`},
		"wrong types":            {`{"v":1,"owner":7,"pid":"x","since":true}`, `{"v":1,"owner":7`},
		"a list":                 {`[{"v":1}]`, `[{"v":1}]`},
		"another version":        {`{"v":99,"owner":"anna"}`, `{"v":99`},
		"a version that is huge": {`{"v":1e999}`, `{"v":1e999}`},
		"a process beyond int":   {`{"v":1,"owner":"anna","pid":99999999999999999999}`, `{"v":1,"owner":"anna","pid"`},
		"a negative process":     {`{"v":1,"owner":"anna","pid":-5}`, "anna"},
		"numbers at their end":   {`{"v":1,"owner":"anna","slots":9223372036854775807,"token":-9223372036854775808}`, "anna"},
		"negative slots":         {`{"v":1,"owner":"anna","slots":-3}`, "anna"},
		"a time that is none":    {`{"v":1,"owner":"anna","since":"yesterday"}`, `{"v":1,"owner":"anna","since"`},
		"a time out of mind":     {`{"v":1,"owner":"anna","since":"0000-01-01T00:00:00Z"}`, "anna"},
		"a time far away":        {`{"v":1,"owner":"anna","since":"9999-12-31T23:59:59+23:59"}`, "anna"},
		"a key twice":            {`{"v":1,"owner":"anna","owner":"bob"}`, "bob"},
		"NUL":                    {"a\x00b", "a\ufffdb"},
		"NUL in JSON":            {`{"v":1,"owner":"a\u0000b"}`, "a\ufffdb"},
		"terminal escapes":       {"\x1b]0;title\x07\x1b[2J", "\ufffd]0;title"},
		"escapes in JSON":        {`{"v":1,"owner":"\u001b[31mred","info":"\u202egnp","client":"\u0007"}`, "\ufffd[31mred"},
		"half a surrogate":       {`{"v":1,"owner":"\ud800"}`, "\ufffd"},
		"not UTF-8":              {"\xff\xfe\x80", "\ufffd"},
		"not UTF-8 in JSON":      {"{\"v\":1,\"owner\":\"a\xffb\"}", "a\ufffdb"},
		"our run, so it says":    {`{"v":1,"owner":"anna","run":"0123456789abcdef"}`, "anna"},
		"durable, so it says":    {`{"v":1,"owner":"anna","durable":true,"token":1}`, "anna"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			c := newClient(t, space.Addr())
			c.data.Run = "0123456789abcdef"
			space.Create(DefaultRoot, nil, zktest.Persistent)
			space.Create(testDir, nil, zktest.Persistent)
			hostile := space.NewSession(time.Minute)
			before := map[string]string{}
			var holders []string
			for _, name := range []string{"lock-", "sem-x__lock__"} {
				holder, err := hostile.Create(space.Path(testDir+"/"+name), []byte(test.data), int32(zktest.EphemeralSequential), worldACL)
				if err != nil {
					t.Fatal(err)
				}
				holders = append(holders, strings.TrimPrefix(holder, space.Chroot()))
				for path, what := range dump(t, space) {
					before[path] = what
				}
				for kind, change := range kinds {
					req := c.request(dirOf(space))
					req.Wait = 0
					change(&req)
					l, err := Acquire(bounded(t), c.sessions, req)
					if l != nil || !errors.Is(err, ErrBusy) && !errors.Is(err, ErrDisagree) {
						t.Fatalf("%s: %v, %v", kind, l, err)
					}
					checkText(t, err.Error())
					if text := err.Error(); len(text) > 3000 || !strings.Contains(text, test.owner) && len(holders) == 1 {
						t.Errorf("%s: the error is %d bytes long: %.500s", kind, len(text), text)
					}
				}
				unchanged(t, space, before)
			}
			q := c.inspect(dirOf(space), 0)
			// How many slots a semaphore has, its contenders may say.
			if len(q.Holders) == 0 || len(q.Holders)+len(q.Waiters) != 2 || !strings.HasPrefix(q.Holders[0].Data.Owner, test.owner) {
				t.Errorf("there is %.1000s", fmt.Sprintf("%+v", q))
			}
			for _, e := range append(q.Holders, q.Waiters...) {
				checkPrintable(t, e.Data)
				if e.Session == 0 {
					t.Errorf("%s is taken for a durable one", e)
				}
			}
			// An ephemeral znode is no durable lock, whatever it says.
			for _, holder := range holders {
				if err := RemoveDurable(bounded(t), c.sessions, space.Path(holder)); !errors.Is(err, ErrNotDurable) {
					t.Errorf("want ErrNotDurable, got %v", err)
				}
				if err := DescribeDurable(bounded(t), c.session(), space.Path(holder), "mine"); !errors.Is(err, ErrNotDurable) {
					t.Errorf("want ErrNotDurable, got %v", err)
				}
			}
			unchanged(t, space, before)
			for _, holder := range holders {
				space.Delete(holder)
			}
			release(t, c.lock(dirOf(space)))
		})
	}
}
