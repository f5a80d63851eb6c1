// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func (c *client) inspect(dir string, slots int) Queue {
	c.tb.Helper()
	q, err := Inspect(bounded(c.tb), c.session(), dir, slots)
	if err != nil {
		c.tb.Fatal(err)
	}
	return q
}

func znodesOf(entries []Entry) []string {
	var names []string
	for _, e := range entries {
		names = append(names, nameOf(e.Znode))
	}
	return names
}

func TestInspectWhatIsNotThere(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	c := newClient(t, space.Addr())
	for _, make := range []func(){
		func() {},
		func() { space.Create(DefaultRoot, nil, zktest.Persistent) },
		func() { space.Create(testDir, []byte("a note"), zktest.Persistent) },
	} {
		make()
		if q := c.inspect(dirOf(space), 0); len(q.Holders)+len(q.Waiters)+len(q.Unrecognized) != 0 {
			t.Errorf("there is %+v", q)
		}
	}
	space.Delete(testDir)
}

func TestInspect(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	before := time.Now().Add(-time.Second)
	anna, bob := newClient(t, space.Addr()), newClient(t, space.Addr())
	anna.data = Data{Owner: "anna@build", Info: "web", Run: "0123456789abcdef", Host: "build", PID: 7, Client: "clocker/1"}
	l := anna.lock(dirOf(space))
	w := bob.queue(bob.request(dirOf(space)))
	kazoo := space.Create(testDir+"/0123456789abcdef0123456789abcdef__lock__", []byte("carl"), zktest.EphemeralSequential)
	space.Create(testDir+"/zoo", nil, zktest.Persistent)
	space.Create(testDir+"/config", nil, zktest.Persistent)

	q := bob.inspect(dirOf(space), 0)
	if len(q.Holders) != 1 || len(q.Waiters) != 2 {
		t.Fatalf("there is %+v", q)
	}
	h := q.Holders[0]
	if h.Data.Owner != "anna@build" || h.Data.Info != "web" || h.Data.Run != "0123456789abcdef" || h.Data.Host != "build" || h.Data.PID != 7 || h.Data.Client != "clocker/1" ||
		h.Contender.Mode != Exclusive || h.Znode != l.Znode() || h.Session != anna.session().ID() || h.FencingToken() != l.Token() || h.Data.Durable {
		t.Errorf("the holder is %+v", h)
	}
	if h.Joined().Before(before.Truncate(time.Second)) || h.Created.Before(before) {
		t.Errorf("the holder joined at %v, was created at %v, not since %v", h.Joined(), h.Created, before)
	}
	if q.Waiters[0].Session != bob.session().ID() || nameOf(q.Waiters[1].Znode) != nameOf(kazoo) {
		t.Errorf("the waiters are %q", znodesOf(q.Waiters))
	}
	if other := q.Waiters[1]; other.Data.Owner != "carl" || !other.Data.Since.IsZero() || !other.Joined().Equal(other.Created) {
		t.Errorf("another client's contender is %+v", other)
	}
	if !slices.Equal(q.Unrecognized, []string{"config", "zoo"}) {
		t.Errorf("unrecognized are %q", q.Unrecognized)
	}

	space.Delete(kazoo, testDir+"/zoo", testDir+"/config")
	w.leave()
	release(t, l)
}

func TestInspectKinds(t *testing.T) {
	t.Parallel()
	const hex = "0123456789abcdef0123456789abcdef"
	for name, test := range map[string]struct {
		names            []string // without their numbers, in order
		slots            int
		holders, waiters string // by their places
	}{
		"readers together":                {[]string{"sh", hex + "__rlock__", "read-"}, 0, "012", ""},
		"readers before a writer":         {[]string{"sh", "sh", "ex", "sh"}, 0, "01", "23"},
		"a writer before readers":         {[]string{"write-", "read-", "read-"}, 0, "0", "12"},
		"a semaphore":                     {[]string{"sem", "sem", "sem"}, 2, "01", "2"},
		"a semaphore that is not full":    {[]string{"sem", "sem"}, 3, "01", ""},
		"a semaphore taken for a lock":    {[]string{"sem", "sem"}, 0, "0", "1"},
		"exclusive ones in a semaphore":   {[]string{"ex", "sem", "sem"}, 2, "01", "2"},
		"a queue of all clients of locks": {[]string{"ex", hex + "__lock__", "lock-", "mutex-"}, 0, "0", "123"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			space.Create(DefaultRoot, nil, zktest.Persistent)
			space.Create(testDir, nil, zktest.Persistent)
			var made []string
			for _, n := range test.names {
				made = append(made, nameOf(space.Create(testDir+"/"+n, nil, zktest.EphemeralSequential)))
			}
			q := newClient(t, space.Addr()).inspect(dirOf(space), test.slots)
			for what, of := range map[string]struct {
				got  []Entry
				want string
			}{"holders": {q.Holders, test.holders}, "waiters": {q.Waiters, test.waiters}} {
				var want []string
				for _, place := range of.want {
					want = append(want, made[place-'0'])
				}
				if got := znodesOf(of.got); !slices.Equal(got, want) {
					t.Errorf("the %s are %q, want %q", what, got, want)
				}
			}
			for _, n := range made {
				space.Delete(testDir + "/" + n)
			}
			space.Delete(testDir)
		})
	}
}

func TestInspectAHundred(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	space.Create(DefaultRoot, nil, zktest.Persistent)
	space.Create(testDir, nil, zktest.Persistent)
	conn := space.NewSession(time.Minute)
	for i := range 100 {
		if _, err := conn.CreateProtectedEphemeralSequential(space.Path(testDir)+"/lock-", fmt.Appendf(nil, "client %d", i), worldACL); err != nil {
			t.Fatal(err)
		}
	}
	q := newClient(t, space.Addr()).inspect(dirOf(space), 0)
	if len(q.Holders) != 1 || len(q.Waiters) != 99 {
		t.Fatalf("%d hold it and %d wait", len(q.Holders), len(q.Waiters))
	}
	for i, e := range append(q.Holders, q.Waiters...) {
		if want := fmt.Sprintf("client %d", i); e.Data.Owner != want || int(e.Contender.Sequence) != i {
			t.Errorf("at place %d there is %q with number %d", i, e.Data.Owner, e.Contender.Sequence)
		}
	}
	conn.Close()
	space.WaitChildren(testDir, 0)
	space.Delete(testDir)
}

func TestEntryString(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
	for name, test := range map[string]struct {
		entry   Entry
		want    []string
		without []string
	}{
		"all": {
			Entry{Data: Data{Owner: "anna", Info: "web", Host: "build", PID: 7, Since: at}, Znode: "/l/a", Created: at.Add(time.Hour)},
			[]string{"anna (", "on host build", "process 7", "in the queue since 2026-11-23T01:02:03Z", `info "web"`, "znode /l/a"},
			[]string{"durable", "holds"},
		},
		"a holder": {
			Entry{Data: Data{Owner: "anna", Since: at, HeldSince: at.Add(time.Minute)}},
			[]string{"holds it since 2026-11-23T01:03:03Z"},
			[]string{"01:02:03", "queue"},
		},
		"with an end": {
			Entry{Data: Data{Owner: "anna", HeldSince: at, MaxHold: 90}},
			[]string{"holds it since 2026-11-23T01:02:03Z, until 2026-11-23T01:03:33Z at the latest"},
			nil,
		},
		"with an end that cannot be": {Entry{Data: Data{Owner: "anna", HeldSince: at, MaxHold: math.MaxInt}}, []string{"holds it since"}, []string{"until"}},
		"that will have an end":      {Entry{Data: Data{Owner: "anna", Since: at, MaxHold: 90}}, []string{"in the queue since"}, []string{"until"}},
		"the host is in the owner":   {Entry{Data: Data{Owner: "anna@build", Host: "build"}}, []string{"anna@build"}, []string{"on host"}},
		"durable":                    {Entry{Data: Data{Owner: "anna", Durable: true}}, []string{"durable"}, nil},
		"of another client":          {Entry{Created: at}, []string{"an unnamed client", "in the queue since 2026-11-23T01:02:03Z"}, []string{"process", "info", "on host"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := test.entry.String()
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q lacks %q", got, want)
				}
			}
			for _, without := range test.without {
				if strings.Contains(got, without) {
					t.Errorf("%q has %q", got, without)
				}
			}
		})
	}
}
