// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// say makes a contender of another client that says something of itself.
func (a *arena) say(prefix string, data []byte) string {
	a.t.Helper()
	name := a.stranger(prefix)
	a.Set(testDir+"/"+name, data)
	return name
}

// One queue of all clients, in the order in which they came, whatever the order of
// their names.
func TestInspectTellsTheQueueOfAllClients(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	type contender struct {
		name, owner string
		mode        Mode
	}
	var want []contender
	foreign := func(p peer, owner string) {
		want = append(want, contender{a.say(p.prefix(), []byte(owner)), owner, p.mode})
	}
	var ours []*pending
	our := func(kind Request) {
		p := a.player()
		ours = append(ours, p.waits(kind))
		names := a.Children(testDir)
		i := slices.IndexFunc(names, func(name string) bool { return strings.Contains(name, p.data.Run) })
		want = append(want, contender{names[i], p.data.Owner, kind.Mode})
	}
	foreign(gemShared, "")
	foreign(kazooReadLock, "python@web2")
	foreign(curatorRead, "10.1.2.3")
	our(exclusive)
	foreign(gemExclusive, "web1 4711")
	our(shared)
	foreign(kazooLock, "python@web3")
	foreign(curatorMutex, "10.1.2.4")
	our(curator)
	foreign(goLock, "")
	foreign(curatorWrite, "")
	for _, name := range []string{"config", "lock-", "__lock__x"} {
		a.Create(testDir+"/"+name, nil, zktest.Persistent)
	}

	queue := a.inspect(0)
	if len(queue.Holders) != 3 {
		t.Errorf("the holders are %v, want the three readers", queue.Holders)
	}
	all := append(slices.Clone(queue.Holders), queue.Waiters...)
	if len(all) != len(want) {
		t.Fatalf("there are %d contenders, want %d", len(all), len(want))
	}
	for i, entry := range all {
		if got := (contender{entry.Contender.Name, entry.Data.Owner, entry.Contender.Mode}); got != want[i] {
			t.Errorf("contender %d is %+v, want %+v", i+1, got, want[i])
		}
		if entry.Session == 0 || entry.Created.IsZero() || entry.Joined().IsZero() || entry.Znode != a.Path(testDir+"/"+entry.Contender.Name) {
			t.Errorf("contender %d is %+v", i+1, entry)
		}
	}
	if want := []string{"__lock__x", "config", "lock-"}; !slices.Equal(queue.Unrecognized, want) {
		t.Errorf("unrecognized are %q, want %q", queue.Unrecognized, want)
	}

	for _, p := range ours {
		p.leave()
	}
	for _, c := range want {
		if a.Exists(testDir + "/" + c.name) {
			a.leave(c.name)
		}
	}
	a.leave("config", "lock-", "__lock__x")
	a.removeDir()
}

// Nobody's data can garble a terminal, pass for more than a person reads, or keep
// the rest of the queue from being told.
func TestInspectShowsForeignDataSafely(t *testing.T) {
	t.Parallel()
	const most = 1<<20 - 1024 // what the server takes in one request
	deep := strings.Repeat(`[`, 2000) + strings.Repeat(`]`, 2000)
	var blob [256]byte
	for i := range blob {
		blob[i] = byte(i)
	}
	texts := [][]byte{
		nil,
		blob[:],
		bytes.Repeat([]byte{0}, most),
		bytes.Repeat([]byte{0xff}, most),
		bytes.Repeat([]byte("a"), most),
		[]byte(`{"v":1,"owner":"` + strings.Repeat("x", most-100) + `"}`),
		[]byte("\x1b]0;title\x07\x1b[2J\r\n\u202etxt.exe"),
		[]byte("\xc3\x28\xed\xa0\x80"),
		[]byte(`{"v":1,"owner":` + deep + `}`),
		[]byte(`{"v":1,"owner":"a","unknown":` + deep[:1000] + deep[3000:] + `}`),
		[]byte(`{"v":1,"owner":"a","pid":-7,"slots":-9223372036854775808,"token":-1,"since":"9999-12-31T23:59:59Z"}`),
		[]byte(`{"v":1,"owner":"a","slots":9223372036854775807,"token":9223372036854775807,"durable":true,"since":"0000-01-01T00:00:00+23:59"}`),
		[]byte(`{"v":1,"pid":1e400}`),
		[]byte(`{"v":1,"owner":"\u0000\u001b[31m\ud800"}`),
		[]byte(`{"v":1,"run":"../../etc","client":"\u2028\u2029"}`),
	}
	a := newArena(t)
	var names []string
	for _, text := range texts {
		names = append(names, a.say("ex", text))
	}
	queue := a.inspect(0)
	all := append(slices.Clone(queue.Holders), queue.Waiters...)
	if len(queue.Holders) != 1 || len(all) != len(texts) {
		t.Fatalf("%d of %d contenders hold the lock, want 1 of %d", len(queue.Holders), len(all), len(texts))
	}
	for i, entry := range all {
		if entry.Contender.Name != names[i] {
			t.Errorf("contender %d is %s, want %s", i, entry.Contender.Name, names[i])
		}
		checkPrintable(t, entry.Data)
		checkText(t, entry.String())
		if length := len(entry.String()); length > 5*MaxData {
			t.Errorf("contender %d takes %d bytes to tell", i, length)
		}
	}
	a.leave(names...)
	a.removeDir()
}

// Who holds a semaphore is told by its contenders' number of slots, not by that
// of who looks. Only for other clients, which do not say, it takes the latter.
func TestInspectGoesByTheSlotsThatContendersSay(t *testing.T) {
	t.Parallel()
	for _, believed := range []int{0, 1, 3, 100} {
		t.Run(fmt.Sprint(believed), func(t *testing.T) {
			t.Parallel()
			a := newArena(t)
			gem := a.stranger("sem")
			ours := a.takeAll(1, semaphore(2))
			waiter := a.player().waits(semaphore(2))
			if queue := a.inspect(believed); len(queue.Holders) != 2 || len(queue.Waiters) != 1 {
				t.Errorf("%d hold it and %d wait, want 2 and 1", len(queue.Holders), len(queue.Waiters))
			}
			waiter.leave()
			a.give(ours...)
			if queue := a.inspect(believed); len(queue.Holders) != 1 {
				t.Errorf("%d hold it, want the gem", len(queue.Holders))
			}
			second := a.stranger("sem")
			if queue := a.inspect(believed); len(queue.Holders) != max(1, min(believed, 2)) {
				t.Errorf("of two gems %d hold it, %d slots believed", len(queue.Holders), believed)
			}
			a.leave(gem, second)

			reader := a.player().takes(exclusive)
			other := a.player().waits(exclusive)
			a.heldBy(believed, reader)
			other.leave()
			a.give(reader)
		})
	}
}
