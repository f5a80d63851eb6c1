package locker

import (
	"context"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// watches are those of one waiter. A watch that has not fired is kept from one
// look to the next: setting it anew would pile up in the client library.
type watches struct {
	session *zookeeper.Session
	set     map[string]Entry
	fired   chan string // names
	stopped chan struct{}
}

func newWatches(s *zookeeper.Session) *watches {
	return &watches{session: s, set: make(map[string]Entry), fired: make(chan string), stopped: make(chan struct{})}
}

// add watches those contenders that are not watched yet, and returns the last of
// them all. It fails with ErrNoNode if one of them has left.
func (w *watches) add(ctx context.Context, dir string, contenders []Contender) (last Entry, err error) {
	for _, c := range contenders {
		var ok bool
		if last, ok = w.set[c.Name]; ok {
			continue
		}
		watch, err := w.session.GetWatch(ctx, dir+"/"+c.Name)
		if err != nil {
			return Entry{}, err
		}
		last = entryOf(dir, c, watch.Node)
		w.set[c.Name] = last
		go func() {
			select {
			case <-watch.Event:
			case <-w.stopped:
				return
			}
			select {
			case w.fired <- c.Name:
			case <-w.stopped:
			}
		}()
	}
	return last, nil
}

// drop forgets a watch that has fired.
func (w *watches) drop(name string) { delete(w.set, name) }

// stop ends the listening.
func (w *watches) stop() { close(w.stopped) }
