// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// opDelete is the kind of an operation within a multi.
const opDelete = 2

// crashing is a run in which a process gets a signal.
type crashing struct {
	*workspace
	crash
	kind     kind
	fate     fate
	space    *zktest.Space
	proxy    *zktest.Proxy // between the holder and the server
	removal  *zktest.Caught
	work     *testkit.Gate
	apply    *testkit.Command // or destroy
	name     string           // of the contender
	other    string           // of the one that it waits behind
	released bool             // the request to do so may pass
}

func newCrashing(t *testing.T, c crash, kind kind, fate fate) *crashing {
	t.Helper()
	space := zktest.NewSpace(t)
	r := &crashing{crash: c, kind: kind, fate: fate, space: space, proxy: zktest.NewProxy(t, space.Server()), work: testkit.NewGate(t)}
	seconds := sessionTimeout
	if fate.free == timedOut {
		seconds = 6 // but not so short that a slow machine loses the lock before
	}
	arguments := []string{fmt.Sprintf("zookeeper = %q", r.proxy.Addr()+space.Chroot())}
	if c.moment == waiting {
		arguments = append(arguments, "lockwait = -1")
	}
	block, address := lock, "clocker_lock.a"
	switch kind {
	case destroyed:
		block = durableLock
	case ephemeral:
		block, address = ephemeralLock, "ephemeral.clocker_lock.a"
	case runEnds:
	}
	work := r.work.Work()
	if c.moment == releasing {
		work = "true"
	}
	config := []string{provider(space, fmt.Sprintf("session_timeout = %d", seconds)), block("a", arguments...), after(address, "work", work)}
	if c.moment == holding && c.victim != terraform && kind != ephemeral {
		config = append(config, lock("later", `lockid = "later"`, "depends_on = [terraform_data.work]"))
	}
	if kind == runEnds {
		r.workspace = newWorkspace(t, config...)
	} else {
		r.workspace = newQuickWorkspace(t, config...)
	}
	return r
}

// begin comes to the moment.
func (r *crashing) begin() {
	r.T.Helper()
	if r.moment == waiting {
		r.other = holdForeign(r.space)
	}
	if r.moment == releasing && r.kind == destroyed {
		r.Apply().Succeed()
	}
	if r.moment == releasing {
		r.catchRemoval()
	}
	if r.moment == releasing && r.kind == destroyed {
		r.apply = r.destroy()
	} else {
		r.apply = r.Apply()
	}
	switch r.moment {
	case waiting:
		names := r.space.WaitChildren(lockDir, 2)
		r.name = slices.DeleteFunc(names, func(name string) bool { return name == r.other })[0]
		r.catchRemoval()
	case holding, alone:
		r.work.AwaitBegun()
		r.name = r.space.WaitChildren(lockDir, 1)[0]
		r.catchRemoval()
		if r.kind != ephemeral && (r.victim == terraform || r.moment == alone) {
			r.AwaitNoProvider()
		}
	case releasing:
		r.awaitRemoval()
		r.name = r.space.WaitChildren(lockDir, 1)[0]
	}
}

// catchRemoval catches the first request from now on to delete the contender, and
// not to put a durable one in its place.
func (r *crashing) catchRemoval() {
	r.removal = r.proxy.Catch(zktest.Request, func(p zktest.Packet) bool {
		deletes := p.Op == zktest.OpDelete || p.Op == zktest.OpMulti && binary.BigEndian.Uint32(p.Body) == opDelete
		return deletes && strings.Contains(string(p.Body), r.space.Path(lockDir)+"/") && !strings.Contains(string(p.Body), `"durable":true`)
	})
}

// awaitRemoval waits until the holder lets go.
func (r *crashing) awaitRemoval() {
	r.T.Helper()
	r.removal.Wait()
	// If it has ended by now it may have begun too early, but not the other way round.
	untilTheEnd := r.kind == runEnds && (r.fate.free == asEver || r.moment == releasing)
	if _, err := run.Of(r.apply.Pid()); (untilTheEnd || r.fate.free == atTheEnd) && !errors.Is(err, run.ErrEnded) {
		r.T.Errorf("the lock is let go before the run has ended (%v)", err)
	}
}

// strike sends the signal, and waits until it has taken hold as far as one can see.
func (r *crashing) strike() {
	r.T.Helper()
	victims := r.victims()
	for _, p := range victims {
		r.must(p.SendSignal(r.signal))
	}
	switch {
	case r.signal == freeze:
		for _, p := range victims {
			testkit.Eventually(r.T, "the stop of the "+string(r.victim), func() bool {
				status, err := p.Status()
				return err == nil && slices.Equal(status, []string{process.Stop})
			})
		}
		r.stays()
		if r.moment == releasing && r.victim != sentinelVictim {
			r.pass()
			r.space.WaitChildren(lockDir, 0) // the directory may take another request
		}
		for _, p := range victims {
			r.must(p.Resume())
		}
	// A holder that holds nothing leaves nothing by which its end could be seen.
	case r.signal == kill:
		for _, p := range victims {
			testkit.Eventually(r.T, "the end of the "+string(r.victim), func() bool {
				_, err := run.Of(int(p.Pid))
				return errors.Is(err, run.ErrEnded)
			})
		}
	case r.fate.free != asEver && r.moment == releasing:
		// Before it passes, or it might be over before the signal takes hold.
		r.exits()
	case r.signal != freeze && (r.victim == terraform || r.victim == everyone):
		// Else the work may be over before Terraform has heard.
		testkit.Eventually(r.T, "the interrupt", func() bool {
			return strings.Contains(r.apply.Stdout(), "Interrupt received") || !r.apply.Running()
		})
	}
}

func (r *crashing) must(err error) {
	r.T.Helper()
	if err != nil {
		r.T.Fatal(err)
	}
}

// victims are the processes that get the signal, Terraform first.
func (r *crashing) victims() (found []*process.Process) {
	r.T.Helper()
	only := func(arguments, why string) *process.Process {
		testkit.Eventually(r.T, why, func() bool { return len(r.Processes()[arguments]) == 1 })
		return r.Only(arguments)
	}
	copies := r.Processes()
	switch r.victim {
	case providerVictim:
		return []*process.Process{only("", "the end of the plan's provider process")}
	case holderVictim:
		return []*process.Process{r.Holder()}
	case sentinelVictim:
		sentinel := only("watch", "the start of the sentinel")
		testkit.Eventually(r.T, "the sentinel, which has just been started, to ignore SIGTERM", func() bool { return ignores(sentinel.Pid, term) })
		return []*process.Process{sentinel}
	case terraform, everyone:
	}
	p, err := process.NewProcess(int32(r.apply.Pid())) //nolint:gosec // a pid fits
	r.must(err)
	found = append(found, p)
	if r.victim == everyone {
		// The sentinel before the holder, whose end it would tell of.
		for _, command := range slices.Backward(slices.Sorted(maps.Keys(copies))) {
			found = append(found, copies[command]...)
		}
	}
	return found
}

// ignores tells whether a process ignores a signal. Only Linux shows that; elsewhere it is
// taken to.
func ignores(pid int32, signal syscall.Signal) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return true
	}
	_, mask, _ := strings.Cut(string(status), "SigIgn:\t")
	mask, _, _ = strings.Cut(mask, "\n")
	ignored, err := strconv.ParseUint(mask, 16, 64)
	return err == nil && ignored&(1<<(signal-1)) != 0
}

// pass lets the contender be deleted.
func (r *crashing) pass() {
	if !r.released {
		r.released = true
		r.removal.Pass()
	}
}

// stays fails the test if the contender is not there any more.
func (r *crashing) stays() {
	r.T.Helper()
	if names := r.space.Children(lockDir); !slices.Contains(names, r.name) {
		r.T.Errorf("the directory has %q, and not %q any more", names, r.name)
	}
}
