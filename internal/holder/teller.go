package holder

import (
	"io"
	"log/slog"
	"sync"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// teller tells the user of the run, who does not look at the holder, but at what
// the run writes. It does not keep its caller waiting.
type teller struct {
	ways []way // the best one first
	log  *slog.Logger

	mu     sync.Mutex
	queue  []told
	busy   bool // somebody works on the queue
	untold []string
}

// way opens a place where the user looks. To open it takes no time; to write there
// takes a second at most.
type way func() (io.WriteCloser, error)

type told struct {
	message string
	passing bool           // not worth a word later
	out     io.WriteCloser // nil: by no way
	next    []way          // if that fails
}

// prepare opens the way to the user, which is closed when a run has ended.
func (t *teller) prepare() told { return open(t.ways) }

func open(ways []way) told {
	for i, way := range ways {
		if out, err := way(); err == nil {
			return told{out: out, next: ways[i+1:]}
		}
	}
	return told{}
}

// maxMentions is how many messages may wait before those that are not important are left
// out: nobody reads where they go.
const maxMentions = 16

// mention tells the user a message that is of no use later: where the user cannot be
// told now, it is left out.
func (t *teller) mention(message string) {
	t.mu.Lock()
	crowded := len(t.queue) >= maxMentions
	t.mu.Unlock()
	if !crowded {
		t.say(&told{next: t.ways, passing: true}, message)
	}
}

// say tells the user the message, by the way that prepare has opened if it did.
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

// work writes what is in the queue, in its order.
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

// take returns, once, what the user could not be told.
func (t *teller) take() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	untold := t.untold
	t.untold = nil
	return untold
}
