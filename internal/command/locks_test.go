// SPDX-License-Identifier: MPL-2.0

package command

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// someLocks are locks of all kinds.
func someLocks() []locker.Listed {
	at := time.Date(2026, 11, 23, 2, 31, 7, 0, time.UTC)
	holder := func(owner, znode string, session int64) locker.Entry {
		return locker.Entry{
			Contender: locker.Contender{Mode: locker.Exclusive}, Znode: znode, Session: session,
			Data: locker.Data{Owner: owner, Since: at},
		}
	}
	alice := holder("alice@build1", "/_zklocking/web-rollout/ex-1", 0x100005c6d220001)
	alice.Data.HeldSince, alice.Data.MaxHold = at.Add(time.Minute), 3600
	alice.Data.Info, alice.Data.Run, alice.Data.Host, alice.Data.PID = "release 1.4.2", "136b2cbfac5ff389", "build1", 20490
	hidden := holder("", "/_zklocking/hidden/ex-2", 1)
	hidden.Unreadable = true
	locks := []locker.Listed{
		{Name: "empty", Waiters: 2},
		{Name: "hidden", Holders: []locker.Entry{hidden}},
		{Name: "secret", Unreadable: true},
		{Name: "staging", Holders: []locker.Entry{holder("carol@ops", "/_zklocking/staging/ex-3", 0)}},
		{Name: "team/\u202edeploy", Holders: []locker.Entry{holder("", "/_zklocking/team/\u202edeploy/lock-4", 2)}},
		{Name: "web-rollout", Holders: []locker.Entry{alice, holder("bob@build2", "/_zklocking/web-rollout/ex-5", 3)}, Waiters: 7},
	}
	for i := range locks {
		locks[i].Root, locks[i].Dir = "/_zklocking", "/_zklocking/"+locks[i].Name
	}
	return locks
}

func printed(t *testing.T, l lockPrinter, locks []locker.Listed) string {
	t.Helper()
	var b strings.Builder
	l.out = &b
	if err := l.print(locks); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLocksTable(t *testing.T) {
	t.Parallel()
	const want = `
LOCK                 HELD BY                     SINCE                 WAITING  INFO           ZNODE
empty                (nobody)                    -                     2        -              -
hidden               (no permission to read it)  2026-11-23T02:31:07Z  0        -              /_zklocking/hidden/ex-2
secret               (no permission to list it)  -                     ?        -              -
staging              carol@ops (durable)         2026-11-23T02:31:07Z  0        -              /_zklocking/staging/ex-3
"team/\u202edeploy"  (unnamed)                   2026-11-23T02:31:07Z  0        -              "/_zklocking/team/\u202edeploy/lock-4"
web-rollout          alice@build1                2026-11-23T02:32:07Z  7        release 1.4.2  /_zklocking/web-rollout/ex-1
                     bob@build2                  2026-11-23T02:31:07Z           -              /_zklocking/web-rollout/ex-5
`
	if got := printed(t, lockPrinter{}, someLocks()); got != want[1:] {
		t.Errorf("printed\n%s\nwant%s", got, want)
	}
	if got := printed(t, lockPrinter{}, nil); got != "Nobody holds or waits for a lock.\n" {
		t.Errorf("of no lock it says %q", got)
	}
	if got := printed(t, lockPrinter{watch: true, clear: true}, nil); !strings.HasPrefix(got, clearScreen) {
		t.Errorf("on a terminal it prints %q", got)
	}
}

func TestLocksJSON(t *testing.T) {
	t.Parallel()
	var locks []map[string]any
	text := printed(t, lockPrinter{json: true}, someLocks())
	if err := json.Unmarshal([]byte(text), &locks); err != nil {
		t.Fatal(err)
	}
	for i, want := range []map[string]any{
		{"lockid": "empty", "waiters": 2.0, "readable": true},
		{"lockid": "hidden"},
		{"lockid": "secret", "readable": false},
		{"lockid": "staging"},
		{"lockid": nil, "name": "team/\u202edeploy"},
		{"lockid": "web-rollout", "directory": "/_zklocking/web-rollout", "waiters": 7.0},
	} {
		for name, value := range want {
			if locks[i][name] != value {
				t.Errorf("%s of lock %d is %v, want %v", name, i, locks[i][name], value)
			}
		}
	}
	holders, _ := locks[5]["holders"].([]any)
	alice, _ := holders[0].(map[string]any)
	for name, want := range map[string]any{
		"owner": "alice@build1", "info": "release 1.4.2", "run": "136b2cbfac5ff389", "host": "build1", "pid": 20490.0, "mode": "exclusive", "client": nil,
		"durable": false, "since": "2026-11-23T02:31:07Z", "held_since": "2026-11-23T02:32:07Z", "until": "2026-11-23T03:32:07Z", "znode": "/_zklocking/web-rollout/ex-1",
	} {
		if alice[name] != want {
			t.Errorf("%s of a holder is %v, want %v", name, alice[name], want)
		}
	}
	if line := printed(t, lockPrinter{json: true, watch: true}, someLocks()); strings.Count(line, "\n") != 1 {
		t.Errorf("a change is not one line: %q", line)
	}
	if got := printed(t, lockPrinter{json: true}, nil); got != "[]\n" {
		t.Errorf("of no lock it says %q", got)
	}
}

// broken is an output that nobody reads.
type broken struct{}

var errBroken = errors.New("broken")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestLocksToNobody(t *testing.T) {
	t.Parallel()
	for _, l := range []*lockPrinter{{out: broken{}}, {out: broken{}, json: true}} {
		if err := l.print(nil); !errors.Is(err, errBroken) {
			t.Errorf("it ends with %v", err)
		}
	}
}

func TestWrongArguments(t *testing.T) {
	for _, name := range []string{"CLOCKER_ZOOKEEPER", "ZOOKEEPER_SERVERS"} {
		t.Setenv(name, "") // so that it is restored
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	const znode = "--znode=/_zklocking/a/ex-0000000000"
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{"locks a b", exitUsage, `only one PREFIX, not ["a" "b"]`},
		{"locks", exitFailure, "No ZooKeeper Named (--zookeeper)"},
		{"locks --watch --json a", exitFailure, "No ZooKeeper Named (--zookeeper)"},
		{"locks -- --zookeeper", exitFailure, "No ZooKeeper Named"},
		{"locks a --zookeeper=http://a", exitFailure, "Invalid Connect String (--zookeeper)"},
		{"break " + znode + " --reason=r", exitUsage, "one LOCKID, not 0"},
		{"break a b " + znode + " --reason=r", exitUsage, "one LOCKID, not 2"},
		{"break a --reason=r", exitUsage, "--znode is missing"},
		{"break a " + znode, exitUsage, "--reason is missing"},
		{"break a " + znode + " --reason=r", exitFailure, "No ZooKeeper Named (--zookeeper)"},
		{"break . " + znode + " --reason=r", exitFailure, "Invalid Lock ID (--lockid)"},
		{"break a --znode=b --reason=r", exitFailure, "Invalid Path (--znode)"},
		{"break a " + znode + " --reason=" + strings.Repeat("r", 257), exitFailure, "(--reason)"},
		{"break a " + znode + " --reason=r --zookeeper=http://a", exitFailure, "Invalid Connect String (--zookeeper)"},
	} {
		p, out, err := played()
		if code, ok := Main(t.Context(), p, strings.Fields(test.args)); !ok || code != test.code || out.String() != "" || !strings.Contains(err.String(), test.says) {
			t.Errorf("%s: exit code %d, printed %q and %q, want %d and %q", test.args, code, out, err, test.code, test.says)
		}
	}
}
