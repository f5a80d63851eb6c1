// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// EnvProgress names the environment variable that turns off the lines about a wait, if its
// value is [ProgressOff].
const EnvProgress = "CLOCKER_PROGRESS"

// ProgressOff is a value of [EnvProgress].
const ProgressOff = "off"

// ShowsProgress returns whether the user of this process wants the lines about a wait.
func ShowsProgress() bool { return os.Getenv(EnvProgress) != ProgressOff }

// progress tells the user how a wait for a lock goes.
type progress struct {
	local *Local
	lock  *lock
	start time.Time
	news  chan struct{} // has an element when the queue was looked at again
	over  chan struct{} // closed when the wait is over
	err   error         // how it ended; valid then
}

// follow begins to tell of the wait for a lock. stop is called when it is over.
func (l *Local) follow(ctx context.Context, k *lock) (p *progress, stop func(error)) {
	p = &progress{local: l, lock: k, start: time.Now(), news: make(chan struct{}, 1), over: make(chan struct{})}
	if l.teller == nil {
		return p, func(error) {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var telling sync.WaitGroup
	telling.Go(func() { p.run(ctx) })
	return p, func(err error) {
		p.err = err
		close(p.over)
		cancel()
		telling.Wait()
	}
}

// run tells of the wait until its end.
func (p *progress) run(ctx context.Context) {
	pace, last := p.local.pace, ""
	notify(p.news) // that there is a wait
	pace.follow(pace.first, p.news, p.over, func(late bool) bool {
		text := Progress(p.lock.req.Lock.LockID, p.stands(ctx), time.Now())
		if text == last && !late {
			return false
		}
		last = p.say(text)
		return true
	})
	if last != "" && p.err == nil {
		p.say(fmt.Sprintf("got lock %q after %v", p.lock.req.Lock.LockID, time.Since(p.start).Round(time.Second)))
	}
}

// stands is how the queue stands. The first waiter watches the holder of the lock, so it
// knows. The others watch only the contender before them, and have to ask.
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

// say tells the user, if a waiter asks for that, and returns what it has told.
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

// Progress says in one line how the queue stands for a waiter.
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

// inFront says who a contender is, since when it holds the lock, and its info.
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

// clock is the time of day, with the date if that is not today.
func clock(at, now time.Time) string { return timeOfDay(at, now, "15:04:05 MST") }

// minute is clock without seconds, rounded up because it is about an end.
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
