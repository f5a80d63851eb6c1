// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// losing is a run that is about to lose its lock while its first work goes on.
type losing struct {
	*workspace
	what         string
	block        string
	space        *zktest.Space
	proxy        *zktest.Proxy // between the holder and the server
	first, later *testkit.Gate
	name         string // of the lock's contender
}

// blocks are the two that take locks for a run, by their addresses.
var blocks = map[string]func(name string, arguments ...string) string{
	"clocker_lock.a":           lock,
	"ephemeral.clocker_lock.a": ephemeralLock,
}

// newLosing makes a run with that block. Its session is short, but not so short that
// a slow machine loses it.
func newLosing(t *testing.T, space *zktest.Space, block string, arguments ...string) *losing {
	t.Helper()
	if strings.HasPrefix(block, "ephemeral") {
		testkit.Needs(t, testkit.EphemeralBlocks)
	}
	l := &losing{
		what:  fmt.Sprint(block, arguments),
		block: block, space: space, proxy: zktest.NewProxy(t, space.Server()), first: testkit.NewGate(t), later: testkit.NewGate(t),
	}
	arguments = append(arguments, fmt.Sprintf("zookeeper = %q", l.proxy.Addr()+space.Chroot()))
	l.workspace = newWorkspace(t, provider(space, "session_timeout = 10"), blocks[block]("a", arguments...),
		after(block, "first", l.first.Work()),
		after("terraform_data.first", "later", l.later.Work()))
	return l
}

// awaitHeld waits until the work goes on.
func (l *losing) awaitHeld() {
	l.T.Helper()
	l.first.AwaitBegun()
	l.name = l.space.WaitChildren(lockDir, 1)[0]
}

// deleted deletes the lock's znode, as an operator would.
func (l *losing) deleted() {
	l.T.Helper()
	l.space.Delete(lockDir + "/" + l.name)
}

// interrupted checks that the run was interrupted, once, and that the user was
// told so, once.
func (l *losing) interrupted(apply *testkit.Command, told string) {
	l.T.Helper()
	for _, want := range []string{`clocker: lock "e2e"`, l.space.Path(lockDir), "Interrupting this run"} {
		if strings.Count(told, want) != 1 {
			l.T.Errorf("%s: the user is not told %q once:\n%s", l.what, want, told)
		}
	}
	if out := apply.Stdout(); !strings.Contains(out, "Interrupt received") || strings.Contains(out, "Two interrupts") {
		l.T.Errorf("%s: the run was not interrupted once:\n%s", l.what, out)
	}
	if l.later.HasBegun() {
		l.T.Errorf("%s: work was begun after the loss", l.what)
	}
	l.AwaitNoProcess()
}

// wentOn checks that the run goes on after the loss, and that an ephemeral block
// says at its end that the run has failed.
func (l *losing) wentOn(apply *testkit.Command, why string) {
	l.T.Helper()
	l.first.End()
	l.later.AwaitBegun()
	l.later.End()
	if strings.HasPrefix(l.block, "ephemeral") {
		apply.Fail()
		if d := apply.Err(); d.Summary != "Lock Was Lost" || d.Address != l.block || !strings.Contains(d.Detail, `"e2e"`) || !regexp.MustCompile(why).MatchString(d.Detail) {
			l.T.Errorf("%s: the error is %v", l.what, d)
		}
	} else {
		apply.Succeed()
	}
	if strings.Contains(apply.Stdout(), "Interrupt received") {
		l.T.Errorf("%s: the run was interrupted", l.what)
	}
	l.AwaitNoProcess()
}

// told checks that the user was told once which lock was lost, when and why, and
// what comes of it.
func (l *losing) told(apply *testkit.Command, since time.Time, why, consequence string) {
	l.T.Helper()
	text := apply.Stderr()
	line := regexp.MustCompile(`clocker: lock "e2e" \((\S+)\) was lost at (\S+): (.*)`).FindAllStringSubmatch(text, -1)
	if len(line) != 1 {
		l.T.Fatalf("%s: the loss was told %d times:\n%s", l.what, len(line), text)
	}
	if want := l.space.Path(lockDir + "/" + l.name); line[0][1] != want {
		l.T.Errorf("%s: the lock that was lost is %q, want %q", l.what, line[0][1], want)
	}
	at, err := time.Parse(time.RFC3339, line[0][2])
	if err != nil || at.Before(since.Truncate(time.Second)) || at.After(time.Now()) {
		l.T.Errorf("%s: lost at %v, and the cause came at %v: %v", l.what, at, since, err)
	}
	if !regexp.MustCompile(why).MatchString(line[0][3]) || !strings.Contains(line[0][3], consequence) {
		l.T.Errorf("%s: %q does not say %q and %q", l.what, line[0][3], why, consequence)
	}
}

// losses are the ways to lose a lock. Whoever lost it learns the reason while the
// cause lasts.
var losses = map[string]struct {
	why  string
	lose func(*losing)
	mend func(*losing)
}{
	"deleted by an operator": {why: "somebody deleted its znode", lose: (*losing).deleted},
	"session closed":         {why: "somebody else closed its session", lose: func(l *losing) { l.proxy.Expire() }},
	"connection cut": {
		why:  "no quorum of the servers has answered for too long",
		lose: func(l *losing) { l.proxy.Refuse() },
		mend: func(l *losing) { l.proxy.Accept() },
	},
	"holder stopped for too long": {
		why: "for too long|session has been expired", // whichever it learns first
		lose: func(l *losing) {
			holder := l.Holder()
			l.must(holder.Suspend())
			l.space.WaitChildren(lockDir, 0)
			l.must(holder.Resume())
		},
	},
	"server frozen": {
		why:  "no quorum of the servers has answered for too long",
		lose: func(l *losing) { l.must(l.space.Server().Pause()) },
		mend: func(l *losing) { l.must(l.space.Server().Resume()) },
	},
}

func (l *losing) must(err error) {
	l.T.Helper()
	if err != nil {
		l.T.Fatal(err)
	}
}

// Whatever takes the lock away, a run with on_lost = "interrupt" ends as by Ctrl-C
// and begins nothing that depends on it; with "continue" it goes on. The user is told
// which lock was lost, when and why.
func TestLostLock(t *testing.T) {
	t.Parallel()
	for cause, loss := range losses {
		t.Run(cause, func(t *testing.T) {
			t.Parallel()
			space := func() *zktest.Space { return zktest.NewSpace(t) }
			if cause == "server frozen" { // for all at a time
				server := zktest.Own(t, zktest.Options{})
				space = func() *zktest.Space { return zktest.NewSpaceOn(t, server) }
			}
			interrupt, goOn := map[*losing]*testkit.Command{}, map[*losing]*testkit.Command{}
			for block := range blocks {
				l := newLosing(t, space(), block)
				interrupt[l] = l.Apply()
				l.awaitHeld() // one at a time, as starting them is much work
				l = newLosing(t, space(), block, `on_lost = "continue"`)
				goOn[l] = l.Apply()
				l.awaitHeld()
			}
			each := func(do func(*losing)) {
				for _, runs := range []map[*losing]*testkit.Command{interrupt, goOn} {
					for l := range runs {
						do(l)
					}
				}
			}
			since := time.Now()
			each(loss.lose)
			for l, apply := range interrupt {
				apply.Fail()
				l.interrupted(apply, apply.Stderr())
				l.told(apply, since, loss.why, ". Interrupting this run.")
			}
			for l, apply := range goOn {
				testkit.Eventually(t, "the word of the loss", func() bool { return strings.Contains(apply.Stderr(), "unguarded.\n") })
				l.told(apply, since, loss.why, `. on_lost is "continue", so the run goes on unguarded.`)
			}
			if loss.mend != nil {
				each(loss.mend)
			}
			for l, apply := range goOn {
				l.wentOn(apply, loss.why)
			}
			each(func(l *losing) {
				l.space.WaitChildren(lockDir, 0)
				deleteEmpty(l.space, lockDir)
			})
		})
	}
}
