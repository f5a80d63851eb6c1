package locker

import (
	"context"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// watches are those of one waiter. A watch that has not fired is kept from one
// look to the next: setting it anew would pile up in the client library.
type watches struct {
	session *zookeeper.Session
	set     map[string]bool
	fired   chan string // names
	stopped chan struct{}
}

func newWatches(s *zookeeper.Session) *watches {
	return &watches{session: s, set: make(map[string]bool), fired: make(chan string), stopped: make(chan struct{})}
}

// add watches those contenders that are not watched yet. It fails with ErrNoNode
// if one of them has left.
func (w *watches) add(ctx context.Context, dir string, contenders []Contender) error {
	for _, c := range contenders {
		if w.set[c.Name] {
			continue
		}
		watch, err := w.session.GetWatch(ctx, dir+"/"+c.Name)
		if err != nil {
			return err
		}
		w.set[c.Name] = true
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
	return nil
}

// drop forgets a watch that has fired.
func (w *watches) drop(name string) { delete(w.set, name) }

// stop ends the listening.
func (w *watches) stop() { close(w.stopped) }
