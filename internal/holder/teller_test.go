// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// place is where a user may look.
type place struct {
	mu     sync.Mutex
	lines  []string
	closed bool // cannot be opened
	err    error
	wait   chan struct{} // nil, or what a write waits for
}

func (p *place) open() (io.WriteCloser, error) {
	if p.closed {
		return nil, os.ErrPermission
	}
	return p, nil
}

func (p *place) Write(b []byte) (int, error) {
	if p.wait != nil {
		<-p.wait
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.lines = append(p.lines, string(b))
	}
	return len(b), p.err
}

func (*place) Close() error { return nil }

// A message goes the first way that works, and where none does, it is kept.
func TestTellerTriesOneWayAfterTheOther(t *testing.T) {
	blocked := errors.Join(os.ErrDeadlineExceeded)
	for name, test := range map[string]struct {
		places []*place
		want   int // the place; -1 for none
	}{
		"the first":                      {[]*place{{}, {}}, 0},
		"the first cannot be opened":     {[]*place{{closed: true}, {}}, 1},
		"nobody reads the first":         {[]*place{{err: blocked}, {}}, 1},
		"nobody reads, and no other way": {[]*place{{err: blocked}, {closed: true}}, -1},
		"none can be opened":             {[]*place{{closed: true}, {closed: true}}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			teller := &teller{log: silent()}
			for _, p := range test.places {
				teller.ways = append(teller.ways, p.open)
			}
			opened := teller.prepare()
			teller.say(&opened, "message")
			eventually(t, "the end of the work", func() bool {
				teller.mu.Lock()
				defer teller.mu.Unlock()
				return !teller.busy
			})
			for i, p := range test.places {
				if said := slices.Equal(p.lines, []string{"message"}); said != (i == test.want) {
					t.Errorf("place %d has %q", i, p.lines)
				}
			}
			if kept := teller.take(); (len(kept) == 1) != (test.want < 0) || len(teller.take()) > 0 {
				t.Errorf("kept %q", kept)
			}
		})
	}
}

// Messages come in their order, and who has them said does not wait for that.
func TestTellerKeepsNobodyWaiting(t *testing.T) {
	slow := &place{wait: make(chan struct{})}
	teller := &teller{log: silent(), ways: []way{slow.open}}
	want := []string{"one", "two", "three"}
	for _, message := range want {
		teller.say(nil, message)
	}
	close(slow.wait)
	eventually(t, "the messages", func() bool {
		slow.mu.Lock()
		defer slow.mu.Unlock()
		return len(slow.lines) == len(want)
	})
	if !slices.Equal(slow.lines, want) {
		t.Errorf("said %q", slow.lines)
	}
}

// What the user could not be told goes to the next provider process that asks for
// anything.
func TestNotesReachTheProvider(t *testing.T) {
	local := newLocal(t, self(t))
	near, far := net.Pipe()
	alarm := newInterrupter(order{Run: local.run}, silent())
	alarm.teller.ways = nil
	s := newServer(local.run.ID, local, alarm, silent())
	go s.serve(far)
	p := NewRemote(local.run)
	r, err := hello(near, message{Op: opHello, Run: local.run.ID, Passive: true}, p.pulse, p.note)
	if err != nil {
		t.Fatal(err)
	}
	p.connection = r
	alarm.lost(Loss{LockID: "a", Cause: "because"}, false)
	eventually(t, "the end of the work", func() bool {
		alarm.teller.mu.Lock()
		defer alarm.teller.mu.Unlock()
		return !alarm.teller.busy
	})
	if err := p.Release(t.Context(), Znode{Grant: "none"}); err != nil {
		t.Fatal(err)
	}
	if notes := p.Notes(); len(notes) != 1 || !strings.Contains(notes[0], `lock "a"`) || strings.TrimSpace(notes[0]) != notes[0] {
		t.Errorf("the notes are %q", notes)
	}
	_ = p.Close()
	s.close()
}
