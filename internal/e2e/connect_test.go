// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// Of several servers some are dead, and then the one dies that the session is with:
// a run connects to one that lives, moves on to the other, and keeps its lock.
func TestLockMovesOnWithItsServers(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	first, second := zktest.NewProxy(t, space.Server()), zktest.NewProxy(t, space.Server())
	second.Refuse()
	port, err := zktest.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gate := testkit.NewGate(t)
	w := newWorkspace(t, block(`provider "clocker"`, fmt.Sprintf("zookeeper = \"127.0.0.1:%d,%s,%s%s\"\nsession_timeout = 12",
		port, first.Addr(), second.Addr(), space.Chroot())),
		lock("a"), guarded("work", "a", `"1"`, gate.Work()))
	apply := w.Apply()
	gate.AwaitBegun()
	before := space.Children(lockDir)
	moved := second.Catch(zktest.Request, func(zktest.Packet) bool { return true })
	second.Accept()
	first.Refuse()
	moved.Wait() // for the holder, which asks for its lock all the time
	moved.Pass()
	if now := space.Children(lockDir); len(now) != 1 || now[0] != before[0] {
		t.Errorf("the lock's contenders were %q and are %q", before, now)
	}
	gate.End()
	apply.Succeed()
	space.WaitGone(lockDir)
}

// missingChroot: one that is missing is created, and where that is not allowed, the
// error says so.
func (s *secure) missingChroot(t *testing.T) {
	in := func(chroot, extra string) *workspace {
		return newWorkspace(t, block(`provider "clocker"`, fmt.Sprintf("zookeeper = %q\n%s", s.ConnectString()+chroot, extra)), lock("a"))
	}
	in("/team/a", alice).Apply().Succeed()
	if !s.Exists("/team/a/_zklocking") {
		t.Errorf("there is %q", s.Tree())
	}
	refused := in("/team/b", "").Apply()
	refused.Fail()
	if d := refused.Err(); d.Summary != "No Permission For Lock" || !strings.Contains(unwrapped(d.Detail), s.Path("/team/b")+" does not exist, and this client may not create it") {
		t.Errorf("the error is %v", d)
	}
	for _, path := range []string{"/team/a/_zklocking", "/team/a", "/team"} {
		s.Delete(path)
	}
}

// expired is a server whose certificate has expired, which no client gets further
// than.
func (s *secure) expired(t *testing.T) string {
	t.Helper()
	identity := s.servers.Expiring(t, time.Now().Add(-time.Minute), "127.0.0.1")
	pair, err := tls.X509KeyPair([]byte(identity.Cert), []byte(identity.Key))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if c, ok := conn.(*tls.Conn); ok {
				_ = c.Handshake()
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String()
}
