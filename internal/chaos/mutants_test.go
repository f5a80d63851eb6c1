// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// mutant is the provider with one fault put back, and the test that finds it.
type mutant struct {
	file, from, to string // of internal/; from stands there once
	test           string // package and name
	finds          string // what the test says of it
	tries          int    // at most, if not 1: whether it is found depends on the servers' clocks
	quick          bool   // also without CHAOS_LONG
}

var mutants = map[string]mutant{
	"a check that no quorum answers": {
		file: "zookeeper/requests.go",
		from: `func() ([]Result, error) { return s.multi(ops) })
	return slices`,
		to: `func() ([]Result, error) {
		for _, path := range paths {
			if _, err := s.conn.Sync(path); err != nil {
				return nil, err
			}
			if there, _, err := s.conn.Exists(path); err != nil || !there {
				return nil, errors.Join(err, ErrNoNode)
			}
		}
		return nil, nil
	})
	return slices`,
		test: "locker TestADeposedLeaderIsNotBelieved", finds: "TWO HOLD",
	},
	"lease from the sending of the last answered write": {
		file: "zookeeper/lease.go", from: "basis = sent", to: "basis = now",
		test: "zookeeper TestLease", finds: "alive until", quick: true,
	},
	"lease from the sending of the last answered write, on real servers": {
		file: "zookeeper/lease.go", from: "basis = sent", to: "basis = now",
		test: "locker TestAFollowerThatIsCutOffBeforeItsPing", finds: "TWO HOLD", tries: 4,
	},
	"no watch over the holder's znode": {
		file: "zookeeper/keep.go", from: "go k.watch(watch)", to: "_ = watch",
		test: "zookeeper TestKeepLearnsOfADeletion", finds: "the loss of",
	},
	"no end of a session without a connection": {
		file: "zookeeper/session.go", from: "; !ready && timeout > 0", to: "; false && !ready && timeout > 0",
		test: "locker TestAWaiterSurvivesAnEnsembleWithoutData", finds: "vain|waited|deadline",
	},
	"a failed write told to the client library, which then hangs": {
		file: "zookeeper/packets.go", from: "_ = c.Conn.Close()\n\t}\n\treturn len(p), nil", to: "_ = c.Conn.Close()\n\t\treturn 0, err\n\t}\n\treturn len(p), nil",
		test: "zookeeper TestFailedWriteIsTheReadersError", finds: "write", quick: true,
	},
	"slots compared with one contender only": {
		file: "locker/contender.go", from: "for j := range queue[:i] {", to: "for j := max(0, i-1); j < i; j++ {",
		test: "locker TestSlotsAreComparedWithAll", finds: "C gets", quick: true,
	},
	"no barrier before a look for others": {
		file: "zookeeper/requests.go", from: `err := s.Check(ctx, "/")`, to: "err := ctx.Err()",
		test: "chaos TestALaggingFollowerHidesNothing", finds: "HIDDEN",
	},
	"no way to wait for a contender that cannot be read": {
		file: "zookeeper/watch.go", from: "if !errors.Is(err, ErrNoAuth) {\n\t\treturn watch", to: "if errors.Is(err, ErrNoAuth) || watch.Event != nil {\n\t\treturn watch",
		test: "locker TestAnUnreadableContenderIsWaitedFor", finds: "not authenticated",
	},
	"throttling taken for a refusal": {
		file: "zookeeper/errors.go", from: "ErrNoNode, ErrNodeExists, ErrNotEmpty,", to: "ErrThrottled, ErrNoNode, ErrNodeExists, ErrNotEmpty,",
		test: "locker TestEachRequestIsStruck/wait_and_take/throttled", finds: "too much to do",
	},
	"an unknown answer taken for a refusal": {
		file: "zookeeper/call.go", from: "if err == nil || Answered(err) || s.Err() != nil {", to: "if err == nil || !Disconnected(err) || s.Err() != nil {",
		test: "zookeeper TestThrottledRequestsAreSentAgain", finds: "code -77",
	},
	"a refused delete forgotten": {
		file: "locker/node.go", from: "return n.leave(err)", to: "return nil",
		test: "locker TestAContenderThatCannotBeDeletedIsNamed", finds: "names the contender",
	},
	"a delete that fails once forgotten": {
		file: "locker/node.go", from: "case err == nil, errors.Is(err, zookeeper.ErrNoNode), over", to: "case !zookeeper.Answered(err), errors.Is(err, zookeeper.ErrNoNode), over",
		test: "locker TestEachRequestIsStruck/release/request_lost", finds: "the contender is there",
	},
	"durable in its place though a gem waits behind": {
		file: "locker/durable.go", from: "w.node.move(ctx, gem)", to: "w.node.move(ctx, false)",
		test: "locker TestPromotionGoesBehindAWaitingGem", finds: "the queue is",
	},
	"no look after a wake": {
		file: "locker/wait.go", from: "watches.drop(name)\n", to: "watches.drop(name)\n\t\t\treturn nil\n",
		test: "chaos TestChaos", finds: "OVERLAP|LATE",
	},
	"TLS files that are read once": {
		file: "zookeeper/transport.go", from: "config, err := t.tls.Config()\n\tt.mu.Lock()\n\tdefer t.mu.Unlock()", to: "t.mu.Lock()\n\tdefer t.mu.Unlock()\n\tif t.lastTLS != nil {\n\t\treturn t.lastTLS.Clone(), nil\n\t}\n\tconfig, err := t.tls.Config()",
		test: "zookeeper TestRenewedCertificateIsUsed", finds: "is not in the log",
	},
	"lease when nobody answers": {
		file: "zookeeper/keep.go", from: "late := s.Alive()", to: "late := s.Err()",
		test: "chaos TestChaos", finds: "OVERLAP|LATE",
	},
	"a contender left when its acquire is cancelled": {
		file: "locker/acquire.go", from: "err := n.remove(ctx)", to: "err := error(nil)",
		test: "chaos TestChaos", finds: "STUCK|LEFT",
	},
}

// The tests find what is wrong with a provider that lacks something: each is built with
// a fault put back, and fails.
func TestMutantsAreFound(t *testing.T) {
	t.Parallel()
	for name, m := range allMutants() {
		t.Run(name, func(t *testing.T) {
			file, source := m.source(t)
			if !m.quick && !long() || testing.Short() {
				t.Skip("takes long: see make chaos")
			}
			m.check(t, file, source)
		})
	}
}

func allMutants() map[string]mutant {
	all := maps.Clone(mutants)
	maps.Copy(all, lockerMutants)
	maps.Copy(all, holderMutants)
	return all
}

// contributing has a table of the mutants, behind this line.
const contributing, mutantsTable = "../../CONTRIBUTING.md", "| What is wrong | File in `internal` | Found by |\n|---|---|---|\n"

// The table in CONTRIBUTING.md has all mutants.
func TestContributingListsTheMutants(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(contributing)
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), mutantsTable)
	table, _, _ = strings.Cut(table, "\n\n")
	var want strings.Builder
	all := allMutants()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		where, test, _ := strings.Cut(all[name].test, " ")
		fmt.Fprintf(&want, "| %s | `%s` | `%s` in `%s` |\n", name, all[name].file, test, where)
	}
	if strings.TrimSpace(table) != strings.TrimSpace(want.String()) {
		t.Errorf("the table of mutants in CONTRIBUTING.md should be\n%s%s", mutantsTable, want.String())
	}
}

// source is the file that the mutant changes, as it is.
func (m mutant) source(t *testing.T) (file, source string) {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("..", m.file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), m.from); n != 1 {
		t.Fatalf("%s has %d times %q, want 1", m.file, n, m.from)
	}
	return file, string(text)
}

func (m mutant) check(t *testing.T, file, source string) {
	dir := t.TempDir()
	mutated, overlay := filepath.Join(dir, filepath.Base(m.file)), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {file: mutated}})
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string][]byte{
		mutated: []byte(strings.Replace(source, m.from, m.to, 1)),
		overlay: replace,
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	where, test, _ := strings.Cut(m.test, " ")
	args := []string{"test", "-overlay", overlay, "-failfast", fmt.Sprintf("-count=%d", max(1, m.tries)), "-run=^" + test + "$", "-v", "../" + where}
	if raced() {
		args = slices.Insert(args, 1, "-race")
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CHAOS_ACQUISITIONS=3000")
	out, err := cmd.CombinedOutput()
	said := regexp.MustCompile(`(?m)^ *\w+_test\.go:\d+: (.*(?:` + m.finds + `).*)$`).FindSubmatch(out)
	if err == nil || said == nil {
		t.Fatalf("%v did not find %q: %v\n%s", args, m.finds, err, out)
	}
	t.Logf("found by %s: %s", m.test, said[1])
}

// raced tells whether this test looks for data races.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// long tells whether to do what takes minutes, as make chaos does.
func long() bool { return os.Getenv("CHAOS_LONG") != "" }
