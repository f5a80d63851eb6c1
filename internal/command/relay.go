// SPDX-License-Identifier: MPL-2.0

package command

import (
	"maps"
	"os"
	"slices"
	"syscall"
	"time"
)

const (
	// lookTime is how long the relay waits to hear whether the command got the signal too.
	// To end the processes of a group or a job one by one takes less time.
	lookTime = 500 * time.Millisecond
	// answerTime is how long the relay then waits for the listener to answer that it got no
	// signal. On a busy machine that can take a while.
	answerTime = 5 * time.Second
)

// relay decides which of the signals that this process gets are passed on to the command.
// A terminal, and a platform that ends all processes of a job, send them to both. A second
// interrupt would end Terraform at once and leave its state unwritten. So there is a
// listener, a process beside this one that gets what is sent to all of them. What the
// listener gets, the command has got.
type relay struct {
	listening bool                    // there is a listener, or it is being started
	pending   map[os.Signal]*look     // signals that this process got
	early     map[os.Signal]time.Time // signals that the listener got first, and until when this process may get them
	stopped   os.Signal               // the first one that stopped the command, or will
}

// look is the wait for the listener to tell of the same signal.
type look struct {
	until time.Time
	asked bool // whether the listener was asked, at the end of lookTime
}

func newRelay() *relay {
	return &relay{pending: make(map[os.Signal]*look), early: make(map[os.Signal]time.Time)}
}

// stops tells whether a signal asks a program to stop normally. Terraform takes a second
// one, of any kind, as the order to end at once.
func stops(s os.Signal) bool {
	return s == os.Interrupt || s == syscall.SIGTERM || s == syscall.SIGHUP
}

// got notes a signal that this process got.
func (r *relay) got(s os.Signal, now time.Time) {
	until, heard := r.early[s]
	delete(r.early, s)
	switch {
	case heard && now.Before(until):
		r.reached(s)
	case !r.listening:
		r.pending[s] = &look{until: now}
	case r.pending[s] == nil:
		r.pending[s] = &look{until: now.Add(lookTime)}
	}
}

// heard notes a signal that the listener got.
func (r *relay) heard(s os.Signal, now time.Time) {
	if _, waits := r.pending[s]; waits {
		delete(r.pending, s)
	} else {
		r.early[s] = now.Add(lookTime)
	}
	r.reached(s)
}

func (r *relay) reached(s os.Signal) {
	if r.stopped == nil && stops(s) {
		r.stopped = s
	}
}

// next is when there is something to pass on. It is zero if there is nothing before
// another signal comes.
func (r *relay) next() time.Time {
	if len(r.pending) == 0 {
		return time.Time{}
	}
	first := slices.MinFunc(slices.Collect(maps.Values(r.pending)), func(a, b *look) int { return a.until.Compare(b.until) })
	return first.until
}

// answered notes that the listener has told of all signals that it got.
func (r *relay) answered(now time.Time) {
	for _, l := range r.pending {
		if l.asked {
			l.until = now
		}
	}
}

// due returns the signals to pass on now, which the command has not got. Of those that stop
// the command, only the first one is passed on, and the same one again if somebody insists.
// A platform sends another one to a job that does not end soon: that one is left out. ask
// says to ask the listener first.
func (r *relay) due(now time.Time) (pass, leave []os.Signal, ask bool) {
	inOrder := slices.SortedFunc(maps.Keys(r.pending), func(a, b os.Signal) int { return r.pending[a].until.Compare(r.pending[b].until) })
	for _, s := range inOrder {
		l := r.pending[s]
		if now.Before(l.until) {
			break
		}
		if r.listening && !l.asked {
			l.asked, l.until, ask = true, now.Add(answerTime), true
			continue
		}
		delete(r.pending, s)
		if stops(s) && r.stopped != nil && r.stopped != s {
			leave = append(leave, s)
			continue
		}
		pass = append(pass, s)
	}
	return pass, leave, ask
}
