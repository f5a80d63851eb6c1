// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func TestProgressInWords(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	held := locker.Data{Owner: "alice@build1", Info: "release 1.4.2", Since: now.Add(-time.Hour), HeldSince: now.Add(-time.Hour + time.Minute)}
	for name, test := range map[string]struct {
		waiting locker.Waiting
		want    string
	}{
		"nothing is known yet": {locker.Waiting{}, `waiting for ZooKeeper, to take lock "web"`},
		"behind a holder": {
			locker.Waiting{Place: 2, Holders: 1, Next: locker.Entry{Data: held, Session: 1}},
			`waiting for lock "web": 2nd in line, behind alice@build1 (holds it since 02:01:00 UTC, "release 1.4.2")`,
		},
		"behind one with an end": {
			locker.Waiting{Place: 1, Holders: 1, Next: locker.Entry{Data: locker.Data{Owner: "bob", HeldSince: now.Add(time.Second), MaxHold: 3600, Info: "i"}, Session: 1}},
			`waiting for lock "web": 1st in line, behind bob (holds it since 03:00:01 UTC, until 04:01 UTC at the latest, "i")`,
		},
		"behind two": {
			locker.Waiting{Place: 1, Holders: 2, Next: locker.Entry{Data: locker.Data{Owner: "bob", HeldSince: now}, Session: 1}},
			`waiting for lock "web": 1st in line, behind bob (holds it since 03:00:00 UTC) and another holder`,
		},
		"behind many": {
			locker.Waiting{Place: 13, Holders: 4, Next: locker.Entry{Data: locker.Data{Owner: "bob", HeldSince: now}, Session: 1}},
			`waiting for lock "web": 13th in line, behind bob (holds it since 03:00:00 UTC) and 3 other holders`,
		},
		"behind a durable one of another day": {
			locker.Waiting{Place: 3, Holders: 1, Next: locker.Entry{Data: locker.Data{Owner: "ops", HeldSince: now.Add(-4 * time.Hour)}}},
			`waiting for lock "web": 3rd in line, behind ops (holds it since 2026-11-22 23:00:00 UTC, durable)`,
		},
		"behind another client": {
			locker.Waiting{Place: 1, Holders: 1, Next: locker.Entry{Created: now, Session: 1}},
			`waiting for lock "web": 1st in line, behind an unnamed client (in the queue since 03:00:00 UTC)`,
		},
		"behind one that is not to be read": {
			locker.Waiting{Place: 1, Holders: 1, Next: locker.Entry{Created: now, Session: 1, Unreadable: true}},
			`waiting for lock "web": 1st in line, behind a client whose znode this user may not read (in the queue since 03:00:00 UTC)`,
		},
		"info that would garble a terminal": {
			locker.Waiting{Place: 1, Holders: 1, Next: locker.Entry{Data: locker.Data{Owner: "o", Info: "\x1b[2J\"\nclocker: got lock", HeldSince: now}, Session: 1}},
			`waiting for lock "web": 1st in line, behind o (holds it since 03:00:00 UTC, "\x1b[2J\"\nclocker: got lock")`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Progress("web", test.waiting, now); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// said is what a place has been told, without what stands before each line.
func (p *place) said() (lines []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		lines = append(lines, strings.TrimSuffix(strings.TrimPrefix(line, "clocker: "), "\n"))
	}
	return lines
}

// says waits until a place is told a line that begins and ends so.
func (p *place) says(t *testing.T, begin, end string) {
	t.Helper()
	eventually(t, begin+"…"+end, func() bool {
		return slices.ContainsFunc(p.said(), func(line string) bool { return strings.HasPrefix(line, begin) && strings.HasSuffix(line, end) })
	})
}

// telling is a holder that tells of waits after a moment.
func telling(t *testing.T, again time.Duration) (*Local, *place) {
	t.Helper()
	l, screen := newLocal(t, otherRun(t)), &place{}
	l.teller = &teller{ways: []way{screen.open}, log: silent()}
	l.pace = pace{first: 10 * time.Millisecond, again: again}
	return l, screen
}

const never = time.Hour

// The user is told who is in front, at each change, and in the end that the lock is had.
func TestWaitIsTold(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	first, second := newLocal(t, self(t)), newLocal(t, self(t))
	req := request(t, space, "a", locker.NoLimit)
	grant := take(t, first, req)
	between := begin(t, second, req)
	space.WaitChildren(dir("a"), 2)
	l, screen := telling(t, never)
	asked := req
	asked.Announce = true
	waiting := begin(t, l, asked)
	screen.says(t, `waiting for lock "a": 2nd in line, behind tester (holds it since `, `, "testing a")`)
	if err := first.Release(t.Context(), znodeOf(req, grant)); err != nil {
		t.Fatal(err)
	}
	held := await(t, "the lock", between)
	screen.says(t, `waiting for lock "a": 1st in line, behind tester (holds it since `, `, "testing a")`)
	if err := second.Release(t.Context(), znodeOf(req, held.grant)); err != nil {
		t.Fatal(err)
	}
	got := await(t, "the lock", waiting)
	screen.says(t, `got lock "a" after 0s`, "")
	// On a slow machine the first moment passes before there is a session, and a line can
	// come before the one in front, whose turn it is, has said that it holds the lock.
	lines := slices.DeleteFunc(screen.said(), func(line string) bool {
		return strings.HasPrefix(line, "waiting for ZooKeeper") || strings.Contains(line, "1st in line, behind tester (in the queue since ")
	})
	if len(lines) != 3 {
		t.Errorf("the user was told %q", lines)
	}
	if err := l.Release(t.Context(), znodeOf(req, got.grant)); err != nil {
		t.Fatal(err)
	}
}

// Without a change a line comes now and then. The next in line asks nothing for it, and who
// is further back asks for the queue and for one znode.
func TestWhatALineAsks(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before int
		want   map[zktest.Op]int // for a line
	}{
		"the next":      {0, map[zktest.Op]int{}},
		"the one after": {1, map[zktest.Op]int{zktest.OpChildren: 1, zktest.OpGetData: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			holder := newLocal(t, self(t))
			req := request(t, space, "a", locker.NoLimit)
			grant := take(t, holder, req)
			for range test.before {
				begin(t, newLocal(t, self(t)), req)
				space.WaitChildren(dir("a"), 2)
			}
			proxy := zktest.NewProxy(t, space.Server())
			l, screen := telling(t, 20*time.Millisecond)
			asked := req
			asked.Announce, asked.Ensemble.Servers = true, []string{proxy.Addr()}
			waiting := begin(t, l, asked)
			screen.says(t, "waiting for lock", "")
			var mu sync.Mutex
			count := map[zktest.Op]int{}
			from := len(screen.said())
			proxy.Catch(zktest.Request, func(p zktest.Packet) bool {
				mu.Lock()
				defer mu.Unlock()
				count[p.Op]++
				return false
			})
			eventually(t, "ten lines", func() bool { return len(screen.said()) >= from+10 })
			mu.Lock()
			lines := len(screen.said()) - from
			for _, op := range []zktest.Op{zktest.OpChildren, zktest.OpGetData, zktest.OpMulti, zktest.OpExists} {
				// The first line may have asked before we counted, the next may ask already.
				if n, want := count[op], test.want[op]; n < want*(lines-2) || n > want*(lines+2) {
					t.Errorf("%d lines took %d requests of kind %d, want %d for each", lines, n, op, want)
				}
			}
			mu.Unlock()
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if r := await(t, "the end", waiting); r.err == nil {
				t.Error("it got the lock")
			}
			if slices.ContainsFunc(screen.said(), func(line string) bool { return strings.HasPrefix(line, "got") }) {
				t.Error("the user was told that the lock is had")
			}
			if err := holder.Release(t.Context(), znodeOf(req, grant)); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Nothing is told of a lock that is got at once, nor to who tells the user itself.
func TestWaitIsNotTold(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	quick, screen := telling(t, never)
	quick.pace = usualPace
	req := request(t, space, "a", locker.NoLimit)
	req.Announce = true
	grant := take(t, quick, req)
	silentReq := req
	silentReq.Announce = false
	other, quiet := telling(t, time.Millisecond)
	looks := make(chan locker.Waiting, 100)
	silentReq.Lock.Waiting = func(w locker.Waiting) { looks <- w }
	waiting := begin(t, other, silentReq)
	await(t, "the queue", looks)
	loud, heard := telling(t, never)
	begin(t, loud, req)
	heard.says(t, "waiting for lock", "")
	if err := quick.Release(t.Context(), znodeOf(req, grant)); err != nil {
		t.Fatal(err)
	}
	await(t, "the lock", waiting)
	if lines := append(screen.said(), quiet.said()...); len(lines) > 0 {
		t.Errorf("the user was told %q", lines)
	}
}

// A line about a wait is not worth a word later, where the user could not be told.
func TestMentionIsNotKept(t *testing.T) {
	t.Parallel()
	teller := &teller{log: silent()}
	teller.mention("clocker: waiting")
	teller.say(nil, "lost")
	eventually(t, "the end of the work", func() bool {
		teller.mu.Lock()
		defer teller.mu.Unlock()
		return !teller.busy
	})
	if kept := teller.take(); !slices.Equal(kept, []string{"lost"}) {
		t.Errorf("kept %q", kept)
	}
}
