// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// stage is the lock "test" in a Space of its own, and two clients: ours comes
// through a proxy, the other one does not.
type stage struct {
	*zktest.Space
	t     *testing.T
	proxy *zktest.Proxy
	ours  *client
	other *client
	held  *Lock // by an act that only holds it
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{Space: zktest.NewSpace(t), t: t}
	s.proxy = zktest.NewProxy(t, s.Server())
	s.ours = newClient(t, s.proxy.Addr())
	s.other = newClient(t, s.Addr())
	return s
}

// request is for a durable lock, without a limit to the wait.
func (s *stage) request() Request {
	req := s.ours.request(dirOf(s.Space))
	req.Durable = true
	return req
}

// fails waits for the end of an acquire, and returns the error.
func (s *stage) fails(p *pending) error {
	s.t.Helper()
	l, err := p.end()
	if l != nil || err == nil {
		s.t.Fatalf("the acquire ended with %v, %v; want an error", l, err)
	}
	return err
}

// undecided fails the test if the acquire has ended.
func (s *stage) undecided(p *pending) {
	s.t.Helper()
	select {
	case <-p.done:
		s.t.Fatalf("the acquire has ended: %v, %v", p.lock, p.err)
	default:
	}
}

// remove releases a durable lock, as another run does.
func (s *stage) remove(l *Lock) {
	s.t.Helper()
	if err := RemoveDurable(bounded(s.t), s.other.sessions, l.Znode()); err != nil {
		s.t.Error(err)
	}
}

// one returns the name of the only child in the lock's directory, which must be
// of this kind.
func (s *stage) one(durable bool) string {
	s.t.Helper()
	names := s.Children(testDir)
	if len(names) != 1 {
		s.t.Fatalf("there are %q, want one", names)
	}
	_, stat := s.Get(testDir + "/" + names[0])
	if (stat.EphemeralOwner == 0) != durable {
		s.t.Errorf("%s has owner %#x, want durable = %v", names[0], stat.EphemeralOwner, durable)
	}
	return names[0]
}

// queue makes a contender of another client by hand.
func (s *stage) queue(prefix string) (name string) {
	s.t.Helper()
	return strings.TrimPrefix(s.Create(testDir+"/"+prefix, nil, zktest.EphemeralSequential), testDir+"/")
}

// leave deletes such a contender.
func (s *stage) leave(name string) {
	s.t.Helper()
	s.Delete(testDir + "/" + name)
}

// check matches the request that asks a quorum for znodes.
func check(p zktest.Packet) bool {
	return p.Op == zktest.OpMulti && zktest.Op(binary.BigEndian.Uint32(p.Body)) == zktest.OpCheck //nolint:gosec // the wire format is a signed number
}

// promotion matches the request that makes a lock durable.
func promotion(p zktest.Packet) bool {
	return p.Op == zktest.OpMulti && bytes.Contains(p.Body, []byte(`"durable":true`))
}

// ofKind matches the requests of one kind.
func ofKind(op zktest.Op) func(zktest.Packet) bool {
	return func(p zktest.Packet) bool { return p.Op == op }
}

// ping is what the client library sends by itself.
const ping zktest.Op = 11
