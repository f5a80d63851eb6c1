package holder

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// EnvProgress names the environment variable that turns the lines about a wait off.
const EnvProgress = "CLOCKER_PROGRESS"

// ProgressOff is its value that does.
const ProgressOff = "off"

// ShowsProgress tells whether the user of this process wants the lines about a wait.
func ShowsProgress() bool { return os.Getenv(EnvProgress) != ProgressOff }

// pace is how often the user is told of a wait.
type pace struct {
	first time.Duration // how long a wait is not worth a word; also the least time between two lines
	again time.Duration // after which a line comes without a change
}

var usualPace = pace{first: 5 * time.Second, again: time.Minute}

// progress tells the user how a wait for a lock goes.
type progress struct {
	local *Local
	lock  *lock
	start time.Time
	moved chan struct{} // has an element when the queue was looked at again
	ended chan struct{} // closed when the wait is over
	err   error         // how it ended; valid then
}

// follow begins to tell of the wait for a lock. stop is called when it is over.
func (l *Local) follow(ctx context.Context, k *lock) (p *progress, stop func(error)) {
	p = &progress{local: l, lock: k, start: time.Now(), moved: make(chan struct{}, 1), ended: make(chan struct{})}
	if l.teller == nil {
		return p, func(error) {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	timer := time.AfterFunc(l.pace.first, func() {
		defer close(done)
		p.run(ctx)
	})
	return p, func(err error) {
		p.err = err
		close(p.ended)
		cancel()
		if !timer.Stop() {
			<-done
		}
	}
}

// moves takes note that the queue was looked at again.
func (p *progress) moves() {
	select {
	case p.moved <- struct{}{}:
	default:
	}
}

// run tells of the wait until its end.
func (p *progress) run(ctx context.Context) {
	pace := p.local.pace
	soon, again := time.NewTimer(pace.first), time.NewTimer(pace.again)
	defer soon.Stop()
	defer again.Stop()
	last := p.say(Progress(p.lock.req.Lock.LockID, p.stands(ctx), time.Now()))
	var moved <-chan struct{} // nil while the last line is too new
	for {
		late := false
		select {
		case <-p.ended:
			if last != "" && p.err == nil {
				p.say(fmt.Sprintf("got lock %q after %v", p.lock.req.Lock.LockID, time.Since(p.start).Round(time.Second)))
			}
			return
		case <-soon.C:
			moved = p.moved
			continue
		case <-moved:
		case <-again.C:
			late = true
		}
		text := Progress(p.lock.req.Lock.LockID, p.stands(ctx), time.Now())
		if late || text != last {
			last = p.say(text)
			again.Reset(pace.again)
		}
		moved = nil
		soon.Reset(pace.first)
	}
}

// stands is how the queue stands. For the next one in it that is known, as it watches
// who holds the lock. One further back watches the one before it, and has to ask.
func (p *progress) stands(ctx context.Context) locker.Waiting {
	l, k := p.local, p.lock
	l.mu.Lock()
	known := k.waiting
	l.mu.Unlock()
	switch {
	case known == nil:
		return locker.Waiting{}
	case known.Place <= 1:
		return *known
	}
	ctx, cancel := l.patiently(ctx, k.req.Ensemble)
	defer cancel()
	session, err := l.pool.Session(ctx, k.req.Ensemble)
	if err != nil {
		return *known
	}
	now, ok, err := locker.Stand(ctx, session, known.Znode)
	if err != nil || !ok {
		return *known
	}
	l.stands(k, now)
	return now
}

// say tells the user, unless who waits does so itself, and returns what it was told.
func (p *progress) say(text string) string {
	l := p.local
	l.mu.Lock()
	announced := false
	for w := range p.lock.waiters {
		announced = announced || w.req.Announce
	}
	l.mu.Unlock()
	if !announced {
		return ""
	}
	l.teller.mention("clocker: " + text + "\n")
	return text
}

// Progress says in one line how the queue stands for one who waits.
func Progress(lockID string, w locker.Waiting, now time.Time) string {
	if w.Place == 0 {
		return fmt.Sprintf("waiting for ZooKeeper, to take lock %q", lockID)
	}
	text := fmt.Sprintf("waiting for lock %q: %s in line, behind %s", lockID, ordinal(w.Place), inFront(w.Next, now))
	switch others := w.Holders - 1; {
	case others == 1:
		text += " and another holder"
	case others > 1:
		text += fmt.Sprintf(" and %d other holders", others)
	}
	return text
}

// inFront says who that is, since when it holds the lock, and what it says.
func inFront(e locker.Entry, now time.Time) string {
	text := " (in the queue since " + clock(e.Joined(), now)
	if !e.Data.HeldSince.IsZero() {
		text = " (holds it since " + clock(e.Data.HeldSince, now)
	}
	if until := e.Until(); !until.IsZero() {
		text += ", until " + minute(until, now) + " at the latest"
	}
	if e.Session == 0 {
		text += ", durable"
	}
	if e.Data.Info != "" {
		text += fmt.Sprintf(", %q", e.Data.Info)
	}
	return e.Who() + text + ")"
}

// clock is the time of day, with the date where that is not today.
func clock(at, now time.Time) string { return timeOfDay(at, now, "15:04:05 MST") }

// minute is clock without seconds, rounded up: it is about an end.
func minute(at, now time.Time) string {
	return timeOfDay(at.Add(time.Minute-1).Truncate(time.Minute), now, "15:04 MST")
}

func timeOfDay(at, now time.Time, layout string) string {
	at, now = at.UTC(), now.UTC()
	if !at.Truncate(24 * time.Hour).Equal(now.Truncate(24 * time.Hour)) {
		layout = "2006-01-02 " + layout
	}
	return at.Format(layout)
}

// ordinal is a number in words such as 2nd.
func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprintf("%d%s", n, suffix)
}
