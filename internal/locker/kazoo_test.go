// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// python is where Debian's python3-kazoo is to be found, before any other.
var pythons = []string{"/usr/bin/python3", "python3"}

// findKazoo returns a Python that has Kazoo. Without one the test is skipped, but in
// CI, where it would be skipped for ever.
func findKazoo(t *testing.T) (python string) {
	t.Helper()
	var problem string
	for _, python := range pythons {
		output, err := exec.CommandContext(t.Context(), python, "-c", "import kazoo").CombinedOutput()
		if err == nil {
			return python
		}
		problem = fmt.Sprintf("%s -c 'import kazoo': %v\n%s", python, err, output)
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("CI must test against Kazoo (Debian's python3-kazoo): ", problem)
	}
	t.Skip("no Kazoo to test against (Debian's python3-kazoo): ", problem)
	return ""
}

// kazoo is a Python process that takes Kazoo's locks, see testdata/kazoo_locks.py.
type kazoo struct {
	*arena
	last atomic.Int64 // id

	mu     sync.Mutex
	input  *json.Encoder
	events map[int64]chan kazooEvent
}

type kazooRequest struct {
	ID       int64    `json:"id"`
	Do       string   `json:"do"`
	Session  int      `json:"session"`
	Kind     string   `json:"kind,omitempty"`
	Path     string   `json:"path,omitempty"`
	Patterns []string `json:"patterns,omitempty"`
	Leases   int      `json:"leases,omitempty"` // of a semaphore
}

type kazooEvent struct {
	ID    int64  `json:"id"`
	Event string `json:"event"`
	Node  string `json:"node"`
	Error string `json:"error"`
}

// startKazoo starts the process with so many sessions, and ends it with the test.
func startKazoo(a *arena, sessions int) *kazoo {
	a.t.Helper()
	python := findKazoo(a.t)
	k := &kazoo{arena: a, events: map[int64]chan kazooEvent{}}
	cmd := exec.CommandContext(a.t.Context(), python, "testdata/kazoo_locks.py", a.Addr(), fmt.Sprint(sessions))
	cmd.Env = append(os.Environ(), zktest.MarkProcesses(a.t))
	cmd.Stderr = a.t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	k.input = json.NewEncoder(stdin)
	ready := k.expect(0)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		k.read(stdout)
		_ = cmd.Wait() // what it had to say is among the events
	}()
	a.t.Cleanup(func() {
		_ = stdin.Close()
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-ended
			a.t.Error("Kazoo did not end")
		}
	})
	k.await(ready, "ready")
	return k
}

func (k *kazoo) read(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		var event kazooEvent
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			event = kazooEvent{Event: "error", Error: lines.Text()}
		}
		k.mu.Lock()
		events := k.events[event.ID]
		k.mu.Unlock()
		events <- event
	}
}

func (k *kazoo) expect(id int64) <-chan kazooEvent {
	k.mu.Lock()
	defer k.mu.Unlock()
	events := make(chan kazooEvent, 3) // all that can come
	k.events[id] = events
	return events
}

func (k *kazoo) send(request kazooRequest) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.input.Encode(request)
}

// kazooTurn is one lock that Kazoo has been asked for.
type kazooTurn struct {
	*kazoo
	id     int64
	events <-chan kazooEvent
}

// queues makes one of Kazoo's locks queue.
func (k *kazoo) queues(session int, kind string, patterns ...string) *kazooTurn {
	return k.asks(kazooRequest{Session: session, Kind: kind, Patterns: patterns})
}

func (k *kazoo) asks(request kazooRequest) *kazooTurn {
	id := k.last.Add(1)
	turn := &kazooTurn{k, id, k.expect(id)}
	request.ID, request.Do, request.Path = id, "acquire", k.Path(testDir)
	if err := k.send(request); err != nil {
		k.t.Errorf("Kazoo: %v", err)
	}
	return turn
}

// next returns what Kazoo says next of it, which must be that.
func (k *kazoo) next(events <-chan kazooEvent, want string) (kazooEvent, error) {
	select {
	case event := <-events:
		if event.Event != want {
			return event, fmt.Errorf("Kazoo says %+v, want %s", event, want)
		}
		return event, nil
	case <-time.After(patience):
		return kazooEvent{}, fmt.Errorf("Kazoo does not say %s", want)
	}
}

func (k *kazoo) await(events <-chan kazooEvent, want string) kazooEvent {
	k.t.Helper()
	event, err := k.next(events, want)
	if err != nil {
		k.t.Fatal(err)
	}
	return event
}

// held waits until Kazoo has the lock, and returns the contender's name.
func (turn *kazooTurn) held() string {
	turn.t.Helper()
	return path.Base(turn.await(turn.events, "held").Node)
}

// blocked fails the test if Kazoo has the lock.
func (turn *kazooTurn) blocked() {
	turn.t.Helper()
	select {
	case event := <-turn.events:
		turn.t.Fatalf("Kazoo says %+v, it should wait", event)
	default:
	}
}

// release makes Kazoo let the lock go.
func (turn *kazooTurn) release() {
	turn.t.Helper()
	if err := turn.send(kazooRequest{ID: turn.id, Do: "release"}); err != nil {
		turn.t.Fatal(err)
	}
	turn.await(turn.events, "released")
}
