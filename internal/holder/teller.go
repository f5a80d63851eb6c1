// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"io"
	"log/slog"
	"sync"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// teller tells messages to the user of the run, who looks at what the run writes. Its
// methods do not wait for that.
type teller struct {
	ways []way // the best one first
	log  *slog.Logger

	mu     sync.Mutex
	queue  []told
	busy   bool // work is running
	untold []string
}

// way opens a place where the user looks. To open it takes no time, and to write there
// takes at most a second.
type way func() (io.WriteCloser, error)

type told struct {
	message string
	passing bool           // of no use later
	out     io.WriteCloser // nil if no way could be opened
	next    []way          // to try after out
}

// prepare opens the way to the user, which cannot be opened when the run has ended.
func (t *teller) prepare() told { return open(t.ways) }

func open(ways []way) told {
	for i, way := range ways {
		if out, err := way(); err == nil {
			return told{out: out, next: ways[i+1:]}
		}
	}
	return told{}
}

// maxMentions is how many messages may wait before mention drops its own: nobody reads
// them.
const maxMentions = 16

// mention tells the user a message that is of no use later. If the user cannot be told
// now, it is dropped.
func (t *teller) mention(message string) {
	t.mu.Lock()
	crowded := len(t.queue) >= maxMentions
	t.mu.Unlock()
	if !crowded {
		t.say(&told{next: t.ways, passing: true}, message)
	}
}

// say tells the user a message. to is what prepare has returned, or nil.
func (t *teller) say(to *told, message string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if to == nil {
		to = &told{next: t.ways}
	}
	to.message = zookeeper.Clean(message)
	t.queue = append(t.queue, *to)
	if !t.busy {
		t.busy = true
		go t.work()
	}
}

// work writes the messages of the queue, in order.
func (t *teller) work() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.queue) > 0 {
		next := t.queue[0]
		t.queue = t.queue[1:]
		t.mu.Unlock()
		done := next.write()
		t.mu.Lock()
		if !done && !next.passing {
			t.log.Warn("the user could not be told", "message", next.message)
			t.untold = append(t.untold, next.message)
		}
	}
	t.busy = false
}

func (m told) write() bool {
	to := m
	if to.out == nil {
		to = open(m.next)
	}
	for ; to.out != nil; to = open(to.next) {
		_, err := io.WriteString(to.out, m.message)
		_ = to.out.Close()
		if err == nil {
			return true
		}
	}
	return false
}

// take returns, once, the messages that could not be told.
func (t *teller) take() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	untold := t.untold
	t.untold = nil
	return untold
}
