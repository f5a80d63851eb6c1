package locker

import (
	"bytes"
	"encoding/binary"
	"strings"
	"sync"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// villain loses a request, and keeps count of all.
type villain struct {
	mu   sync.Mutex
	seen map[string]int // by name
	over bool
	stop chan struct{}
	done chan struct{}
}

// lose loses the n-th request of a name or its reply, and the session with it if
// that expires. If first is not nil, all this begins once the reply to that is lost.
func (s *stage) lose(first func(zktest.Packet) bool, side zktest.Side, request string, n int, expires bool) *villain {
	s.t.Helper()
	v := &villain{seen: map[string]int{}, stop: make(chan struct{}), done: make(chan struct{})}
	begun := func() bool { return true }
	if first != nil {
		caught := s.proxy.Catch(zktest.Reply, first)
		caught.Lose()
		begun = func() bool {
			select {
			case <-caught.Hit():
				return true
			default:
				return false
			}
		}
	}
	held := false
	caught := s.proxy.Catch(side, func(p zktest.Packet) bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		if p.Op == ping || v.over || !begun() {
			return false
		}
		name := nameOfRequest(p)
		// A lock that is held for a moment is watched. If its session expires then, it is
		// lost, which is no fault of the act's.
		switch name {
		case "say since when":
			held = true
		case "create all", "create the contender":
			held = false
		case "watch":
			if held {
				return false
			}
		}
		v.seen[name]++
		return name == request && v.seen[name] == n
	})
	go func() {
		defer close(v.done)
		select {
		case <-caught.Hit():
			if expires {
				s.proxy.Expire()
			}
			caught.Lose()
		case <-v.stop:
		}
	}()
	return v
}

// ends calls it off, and returns how often each request was seen.
func (v *villain) ends() map[string]int {
	close(v.stop)
	<-v.done
	v.mu.Lock()
	defer v.mu.Unlock()
	v.over = true
	return v.seen
}

// nameOfRequest tells requests apart as acts name them.
func nameOfRequest(p zktest.Packet) string {
	number := func(at int) int { return int(binary.BigEndian.Uint32(p.Body[at:])) }
	path := ""
	if p.Op != zktest.OpMulti && p.Op != ping {
		path = string(p.Body[4 : 4+number(0)])
	}
	isDir := strings.HasSuffix(path, testDir)
	switch {
	case promotion(p):
		return "promote"
	case p.Op == zktest.OpMulti && number(0) == int(zktest.OpCreate):
		return "create all"
	case p.Op == zktest.OpMulti && number(0) == int(zktest.OpCheck):
		return "check"
	case p.Op == zktest.OpMulti:
		return "delete all"
	case p.Op == zktest.OpCreate && strings.HasSuffix(path, DefaultRoot):
		return "create the root"
	case p.Op == zktest.OpCreate:
		return "create the contender"
	case p.Op == zktest.OpDelete && isDir:
		return "delete the directory"
	case p.Op == zktest.OpDelete:
		return "delete the contender"
	case p.Op == zktest.OpGetData && bytes.HasSuffix(p.Body, []byte{1}):
		return "watch"
	case p.Op == zktest.OpGetData:
		return "read"
	case p.Op == zktest.OpChildren:
		return "list"
	case p.Op == zktest.OpExists:
		return "look at the contender"
	case p.Op == zktest.OpSetData:
		return "say since when"
	case p.Op == zktest.OpGetACL:
		return "look at the directory"
	}
	return "something else"
}
