package locker

import (
	"context"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// watches are those of one waiter. A watch that has not fired is kept from one
// look to the next: setting it anew would pile up in the client library.
type watches struct {
	session *zookeeper.Session
	set     map[string]watch // by names
	fired   chan string      // names, of those that are gathered
	stopped chan struct{}
}

type watch struct {
	Entry
	event    <-chan zookeeper.Event
	gathered bool // its event comes by way of fired
}

func newWatches(s *zookeeper.Session) *watches {
	return &watches{session: s, set: make(map[string]watch), fired: make(chan string), stopped: make(chan struct{})}
}

// add watches those contenders that are not watched yet, and returns the last of
// them all. It fails with ErrNoNode if one of them has left.
func (w *watches) add(ctx context.Context, dir string, contenders []Contender) (last Entry, err error) {
	for _, c := range contenders {
		if known, ok := w.set[c.Name]; ok {
			last = known.Entry
			continue
		}
		got, err := w.session.GetWatch(ctx, dir+"/"+c.Name)
		if err != nil {
			return Entry{}, err
		}
		last = entryOf(dir, c, got.Node)
		w.set[c.Name] = watch{Entry: last, event: got.Event}
	}
	return last, nil
}

// alone is the event of the only watch. It is nil where there are several: then
// their events are gathered in fired, for which each takes a goroutine, and most
// waiters have but one.
func (w *watches) alone() (name string, event <-chan zookeeper.Event) {
	for name, one := range w.set {
		if len(w.set) == 1 && !one.gathered {
			return name, one.event
		}
		if !one.gathered {
			go w.gather(name, one.event)
			one.gathered = true
			w.set[name] = one
		}
	}
	return "", nil
}

func (w *watches) gather(name string, event <-chan zookeeper.Event) {
	select {
	case <-event:
	case <-w.stopped:
		return
	}
	select {
	case w.fired <- name:
	case <-w.stopped:
	}
}

// drop forgets a watch that has fired.
func (w *watches) drop(name string) { delete(w.set, name) }

// stop ends the listening.
func (w *watches) stop() { close(w.stopped) }
