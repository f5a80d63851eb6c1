package command

import (
	"maps"
	"os"
	"slices"
	"syscall"
	"time"
)

const (
	// lookTime is how long a signal waits for word that the command has got it, too. What
	// ends the processes of a group or a job one by one takes less.
	lookTime = 500 * time.Millisecond
	// answerTime bounds the wait for the listener's answer after that, which says that it
	// has got no signal meanwhile. A busy machine lets it wait.
	answerTime = 5 * time.Second
)

// relay decides which signals to this process are passed on to the command. A terminal,
// and what ends all processes of a job, sends them to both, and a second interrupt would
// end Terraform at once, its state unwritten. So there is a listener, a process beside
// this one that gets what is sent to all: what it gets, the command has got.
type relay struct {
	listening bool                    // there is a listener, or it is being started
	pending   map[os.Signal]*look     // what this process got
	early     map[os.Signal]time.Time // until when a word of the listener is about a signal yet to come
	stopped   os.Signal               // the first one that stopped the command, or is to
}

// look is the wait for the listener's word.
type look struct {
	until time.Time
	asked bool // the listener, at the end of lookTime
}

func newRelay() *relay {
	return &relay{pending: make(map[os.Signal]*look), early: make(map[os.Signal]time.Time)}
}

// stops tells whether a signal asks a program to end in good order. Terraform takes a
// second one, of whatever kind, as the order to end at once.
func stops(s os.Signal) bool {
	return s == os.Interrupt || s == syscall.SIGTERM || s == syscall.SIGHUP
}

// got takes note of a signal to this process.
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

// heard takes note of what the listener got.
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

// next is when there is something to pass on; zero: not before another signal comes.
func (r *relay) next() time.Time {
	if len(r.pending) == 0 {
		return time.Time{}
	}
	first := slices.MinFunc(slices.Collect(maps.Values(r.pending)), func(a, b *look) int { return a.until.Compare(b.until) })
	return first.until
}

// answered takes note that the listener has told of all signals that it got.
func (r *relay) answered(now time.Time) {
	for _, l := range r.pending {
		if l.asked {
			l.until = now
		}
	}
}

// due are the signals that the command has not got, and is to get now. Of those that
// stop it, that is the first one, and that one again if somebody insists. Another one is
// what a platform sends to a job that does not end soon, and is left out. ask says to ask
// the listener before.
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
