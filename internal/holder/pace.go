// SPDX-License-Identifier: MPL-2.0

package holder

import "time"

// pace is how often somebody is told of a wait.
type pace struct {
	first time.Duration // the least time between two words
	again time.Duration // after which a word comes without news
}

var (
	// usualPace is that of the user. A wait that is shorter than first is not worth a word.
	usualPace = pace{first: 5 * time.Second, again: time.Minute}
	// providerPace is that of a provider process.
	providerPace = pace{first: 5 * time.Second, again: 30 * time.Second}
)

// follow calls tell when there is news, but not before a delay, and when there was none
// for long, which is late then. tell returns whether it has said something. follow returns
// when the wait is over.
func (p pace) follow(delay time.Duration, news, over <-chan struct{}, tell func(late bool) bool) {
	soon, again := time.NewTimer(delay), time.NewTimer(p.again)
	defer soon.Stop()
	defer again.Stop()
	var fresh <-chan struct{} // nil while the last word is too new
	for {
		late := false
		select {
		case <-over:
			return
		case <-soon.C:
			fresh = news
			continue
		case <-fresh:
		case <-again.C:
			late = true
		}
		if tell(late) || late {
			again.Reset(p.again)
		}
		fresh = nil
		soon.Reset(p.first)
	}
}

// notify puts an element into a channel that has room for one.
func notify(news chan struct{}) {
	select {
	case news <- struct{}{}:
	default:
	}
}
