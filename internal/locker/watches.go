// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"context"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// watches are those of one waiter over the contenders that keep it from the lock. A watch
// that has not fired is kept from one look to the next, because the client library would
// keep every new one as well.
type watches struct {
	session *zookeeper.Session
	set     map[string]Entry
	fired   chan string // the names of those whose watch has fired
	stopped chan struct{}
}

func newWatches(s *zookeeper.Session) *watches {
	return &watches{session: s, set: make(map[string]Entry), fired: make(chan string), stopped: make(chan struct{})}
}

// add watches those contenders that are not watched yet, and returns the last of
// them all. It fails with ErrNoNode if one of them has left.
func (w *watches) add(ctx context.Context, dir string, contenders []Contender) (last Entry, err error) {
	for _, c := range contenders {
		known, ok := w.set[c.Name]
		if !ok {
			watch, err := w.session.Watch(ctx, dir+"/"+c.Name)
			if err != nil {
				return Entry{}, err
			}
			known = entryOf(dir, c, watch.Node)
			w.set[c.Name] = known
			go w.forward(c.Name, watch.Event)
		}
		last = known
	}
	return last, nil
}

func (w *watches) forward(name string, event <-chan zookeeper.Event) {
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
