// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// fault is what goes wrong during one step of one run. What it says of its moment
// is when it begins: it may well outlast that.
type fault string

const (
	noFault fault = ""

	cutWaiting   fault = "connection cut while waiting"
	cutHolding   fault = "connection cut while holding"
	cutReleasing fault = "connection cut while releasing"
	movedHolding fault = "link to the connected server cut while holding"

	createUnheard   fault = "create request lost"
	createUnsure    fault = "create reply lost"
	promotionUnsure fault = "promotion reply lost" // only where a lock is to be durable
	releaseUnheard  fault = "release request lost"
	releaseUnsure   fault = "release reply lost"

	createThrottled  fault = "throttled while taking"
	createUnknown    fault = "create answered by an unknown code"
	checkThrottled   fault = "throttled while holding"
	checkUnknown     fault = "answered by an unknown code while holding"
	releaseThrottled fault = "throttled while releasing"
	releaseUnknown   fault = "release answered by an unknown code"
	releaseRefused   fault = "delete of the holder's znode refused"
	cancelRefused    fault = "delete of a cancelled waiter's znode refused"

	aloneWaiting fault = "no connection for a while, while waiting"
	aloneHolding fault = "no connection for a while, while holding"
	lostWaiting  fault = "no connection for longer than the session, while waiting"
	lostHolding  fault = "no connection for longer than the session, while holding"
	deafWaiting  fault = "no answers for longer than the session, while waiting"
	deafHolding  fault = "no answers for longer than the session, while holding"
	muteWaiting  fault = "requests do not arrive for longer than the session, while waiting"
	muteHolding  fault = "requests do not arrive for longer than the session, while holding"

	renewedWaiting fault = "certificate renewed, and connection cut, while waiting"
	renewedHolding fault = "certificate renewed, and connection cut, while holding"

	cancelled  fault = "cancelled while waiting"
	runEnds    fault = "run ends"
	runDropped fault = "run drops its sessions"

	holderKilled     fault = "holder process killed"
	holderTerminated fault = "holder process told to end"
	holderStopped    fault = "holder process stopped for a while"
	terraformKilled  fault = "process of the run killed"
)

// kind is one of runs: what it does, and its faults. What passes quickly stands there
// more often.
type kind struct {
	name    string
	durable bool // takes durable locks, too
	secure  bool // speaks TLS, by a certificate that is renewed
	faults  []fault
}

var (
	steadyRuns = kind{name: "steady", durable: true, faults: []fault{
		cutWaiting, cutWaiting, cutHolding, cutHolding, cutReleasing, cutReleasing,
		createUnheard, createUnheard, createUnsure, createUnsure,
		promotionUnsure, promotionUnsure, promotionUnsure, promotionUnsure,
		releaseUnheard, releaseUnheard, releaseUnsure, releaseUnsure,
		createThrottled, createUnknown, createUnknown, checkThrottled, checkUnknown, releaseThrottled, releaseUnknown,
		releaseRefused, releaseRefused, cancelRefused, cancelRefused,
		movedHolding, aloneWaiting, aloneHolding, lostWaiting, lostHolding, deafWaiting, deafHolding, muteHolding,
		cancelled, cancelled, cancelled,
		runEnds, runEnds,
	}}
	// A durable lock of these would be left, for an operator to free: they can end
	// between the promotion and the answer to it.
	roughRuns = kind{name: "rough", faults: []fault{
		cutWaiting, cutHolding, cutReleasing, createUnsure, releaseUnsure,
		lostWaiting, lostHolding, muteWaiting, deafHolding, cancelled, cancelRefused, releaseRefused,
		createThrottled, checkUnknown, movedHolding,
		runEnds, runEnds, runDropped, runDropped,
	}}
	secureRuns = kind{name: "secure", secure: true, durable: true, faults: []fault{
		renewedWaiting, renewedWaiting, renewedHolding, renewedHolding, renewedHolding,
		cutHolding, createUnsure, releaseUnsure, aloneHolding, lostHolding, deafWaiting, movedHolding,
	}}
	processRuns = kind{name: "process", faults: []fault{
		cutWaiting, cutHolding, cutReleasing, createUnsure, releaseUnsure,
		aloneHolding, lostHolding, muteHolding, checkThrottled, createUnknown, movedHolding, cancelled,
		holderKilled, holderKilled, holderTerminated, holderStopped, terraformKilled,
	}}
)

// step is one lock to take, to hold and to release, and what goes wrong.
type step struct {
	lock    int
	mode    locker.Mode
	durable bool
	wait    time.Duration // locker.NoLimit, or how long
	hold    time.Duration
	fault   fault
	delay   time.Duration // of a fault, from the beginning of its moment
}

// faultEvery is how many steps there are for one with a fault.
const faultEvery = 8

// plan is the endless sequence of steps of one worker. It is made of nothing but
// the seed and the worker's name: what the worker meets does not change it.
type plan struct {
	random *rand.Rand
	kind   kind
	locks  []*lock
}

func newPlan(seed uint64, worker string, k kind, locks []*lock) *plan {
	return &plan{random: generator(seed, worker), kind: k, locks: locks}
}

// generator is the source of chance of one name.
func generator(seed uint64, name string) *rand.Rand {
	const prime = 1099511628211 // FNV-1a, to spread names
	hash := uint64(14695981039346656037)
	for _, b := range []byte(name) {
		hash = (hash ^ uint64(b)) * prime
	}
	return rand.New(rand.NewPCG(seed, hash)) //nolint:gosec // to be repeated, not to be secret
}

// next draws every part of a step, whether it is used or not, so that a step
// never shifts those after it.
func (p *plan) next() step {
	r := p.random
	s := step{
		lock:  r.IntN(len(p.locks)),
		mode:  locker.Exclusive,
		wait:  locker.NoLimit,
		hold:  between(r, 0, 3*time.Millisecond),
		delay: between(r, 0, 8*time.Millisecond),
	}
	sort, patience, wait, long := r.IntN(10), r.IntN(10), between(r, 0, 400*time.Millisecond), between(r, 3*time.Millisecond, 40*time.Millisecond)
	faulty, which := r.IntN(faultEvery), r.IntN(len(p.kind.faults))
	lock := p.locks[s.lock]
	switch {
	case lock.slots > 0:
		s.mode = locker.Semaphore
		s.durable = p.kind.durable && sort == 9
	case lock.id == readersLock && sort < 6:
		s.mode = locker.Shared
		s.durable = p.kind.durable && sort == 0
	case sort == 9:
		s.durable = p.kind.durable
	}
	if patience == 0 {
		s.wait = wait
	}
	if patience == 1 {
		s.wait = 0
	}
	if sort == 5 {
		s.hold = long
	}
	if faulty == 0 {
		s.fault = p.kind.faults[which]
		s.durable = s.durable || s.fault == promotionUnsure && lock.slots == 0
		if s.fault == cancelled || s.fault == cancelRefused {
			s.wait = locker.NoLimit
		}
	}
	return s
}

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

func (s step) String() string {
	return fmt.Sprintf("%d %s durable=%t wait=%v hold=%v %q after %v", s.lock, s.mode, s.durable, s.wait, s.hold, s.fault, s.delay)
}
