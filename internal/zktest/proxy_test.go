// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// proxied is a client that connects through a proxy.
func proxied(t *testing.T, p *Proxy) *session {
	t.Helper()
	s, err := dialSession([]string{p.Addr()}, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// creates matches the creation of a znode whose data are text.
func creates(text string) func(Packet) bool {
	return func(p Packet) bool { return p.Op == OpCreate && bytes.Contains(p.Body, []byte(text)) }
}

func TestProxyCatches(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		side     Side
		pass     bool
		exists   bool // while it is caught
		answered bool
		after    bool // exists in the end
	}{
		"request passes":  {Request, true, false, true, true},
		"request is lost": {Request, false, false, false, false},
		"reply passes":    {Reply, true, true, true, true},
		"reply is lost":   {Reply, false, true, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := NewSpace(t)
			p := NewProxy(t, s.Server())
			client := proxied(t, p).conn
			if _, _, err := client.Exists("/"); err != nil {
				t.Fatal(err)
			}
			caught := p.Catch(test.side, creates("this one"))
			if _, err := client.Create(s.Path("/other"), []byte("that one"), 0, worldACL); err != nil {
				t.Fatal(err)
			}
			s.Delete("/other")
			done := make(chan error, 1)
			go func() {
				_, err := client.Create(s.Path("/a"), []byte("this one"), 0, worldACL)
				done <- err
			}()
			caught.Wait()
			if s.Exists("/a") != test.exists {
				t.Errorf("while caught, exists is not %v", test.exists)
			}
			if test.pass {
				caught.Pass()
			} else {
				caught.Lose()
			}
			err := <-done
			if answered := err == nil; answered != test.answered {
				t.Errorf("answered with %v", err)
			}
			if s.Exists("/a") != test.after {
				t.Errorf("in the end, exists is not %v", test.after)
			}
			if test.after {
				s.Delete("/a")
			}
			if _, _, err := client.Exists("/"); err != nil {
				t.Error("the client does not come back:", err)
			}
		})
	}
}

func TestProxyExpires(t *testing.T) {
	t.Parallel()
	s := NewSpace(t)
	p := NewProxy(t, s.Server())
	client := proxied(t, p).conn
	if _, err := client.Create(s.Path("/a"), nil, zk.FlagEphemeral, worldACL); err != nil {
		t.Fatal(err)
	}
	before := client.SessionID()
	p.Expire()
	if s.Exists("/a") {
		t.Error("a znode outlives its session")
	}
	awaitSession(t, client, func(id int64) bool { return id != before })
}

func TestProxyRefuses(t *testing.T) {
	t.Parallel()
	s := NewSpace(t)
	p := NewProxy(t, s.Server())
	client := proxied(t, p).conn
	if _, _, err := client.Exists("/"); err != nil {
		t.Fatal(err)
	}
	p.Refuse()
	if _, _, err := client.Exists("/"); !errors.Is(err, zk.ErrConnectionClosed) && !errors.Is(err, zk.ErrNoServer) {
		t.Errorf("asked through a proxy that refuses: %v", err)
	}
	p.Accept()
	if err := try(bounded(t), func() error {
		_, _, err := client.Exists("/")
		return err
	}); err != nil {
		t.Error("the client does not come back:", err)
	}
}

func TestProxyAnswers(t *testing.T) {
	t.Parallel()
	s := NewSpace(t)
	p := NewProxy(t, s.Server())
	client := proxied(t, p).conn
	const noAuth = -102
	stop := p.Answer(noAuth, creates("this one"))
	for range 2 {
		if _, err := client.Create(s.Path("/a"), []byte("this one"), 0, worldACL); !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("answered with %v", err)
		}
	}
	if n := stop(); n != 2 || s.Exists("/a") {
		t.Errorf("it was answered %d times; exists is %v", n, s.Exists("/a"))
	}
	if _, err := client.Create(s.Path("/a"), []byte("this one"), 0, worldACL); err != nil {
		t.Error(err)
	}
	s.Delete("/a")
}

func TestProxyHoldsOneDirection(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		side   Side
		exists bool // while it is held
	}{
		"requests": {Request, false},
		"replies":  {Reply, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := NewSpace(t)
			p := NewProxy(t, s.Server())
			client := proxied(t, p).conn
			if _, _, err := client.Exists("/"); err != nil {
				t.Fatal(err)
			}
			arrived := p.Catch(Request, creates("this one"))
			p.Hold(test.side)
			done := make(chan error, 1)
			go func() {
				_, err := client.Create(s.Path("/a"), []byte("this one"), 0, worldACL)
				done <- err
			}()
			arrived.Wait()
			arrived.Pass()
			if test.exists {
				s.WaitExists("/a")
			} else if s.Exists("/a") {
				t.Error("the request arrives")
			}
			p.Release()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if !p.InUse() {
				t.Error("the client has hung up")
			}
			s.Delete("/a")
		})
	}
}

// awaitSession waits until the client's session is a wanted one.
func awaitSession(t *testing.T, client *zk.Conn, wanted func(id int64) bool) {
	t.Helper()
	err := try(bounded(t), func() error {
		_, _, err := client.Exists("/")
		if err == nil && !wanted(client.SessionID()) {
			err = zk.ErrSessionExpired
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
