// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func TestEnsemble(t *testing.T) {
	t.Parallel()
	ensemble := zktest.OwnEnsemble(t, 3, zktest.Options{})
	t.Run("without a majority", func(t *testing.T) { noMajority(t, ensemble) })
	t.Run("that loses servers", func(t *testing.T) { moveOn(t, ensemble) })
}

// One server of three takes connections, but cannot serve: then connecting ends
// in time, too.
func noMajority(t *testing.T, ensemble *zktest.Ensemble) {
	for _, s := range ensemble.Servers()[1:] {
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	cfg := config(ensemble.Addrs()[0])
	cfg.ConnectTimeout = 3 * time.Second
	s, err := Open(bounded(t), cfg)
	if failed := connectError(t, s, err); !strings.Contains(failed.Hint, "no majority") {
		t.Errorf("the advice on %q is %q", err, failed.Hint)
	}
	// Side by side: none serves alone.
	var restarting sync.WaitGroup
	for _, s := range ensemble.Servers()[1:] {
		restarting.Go(func() {
			if err := s.Restart(bounded(t)); err != nil {
				t.Error(err)
			}
		})
	}
	restarting.Wait()
}

// moveOn kills the server that a session is with, twice. All kinds of servers that
// are of no use stand in its list, too; the order in which they are tried is
// random.
func moveOn(t *testing.T, ensemble *zktest.Ensemble) {
	space := zktest.NewSpaceOn(t, ensemble.Servers()...)
	hangsUp := zktest.NewProxy(t, ensemble.Servers()[0])
	hangsUp.Refuse()
	cfg := config(append(ensemble.Addrs(), deadServer(t), hangsUp.Addr(), listen(t, func(net.Conn) {}), "nowhere.example.com:2181")...)
	cfg.SessionTimeout = 20 * time.Second
	s := open(t, cfg)
	id := s.ID()
	mustCreate(t, s, space.Path("/a"), Ephemeral)
	for range 2 {
		connected := server(t, ensemble, s)
		if err := connected.Kill(); err != nil {
			t.Fatal(err)
		}
		err := again(func() error {
			stat, err := s.Stat(bounded(t), space.Path("/a"))
			if err == nil && stat.EphemeralOwner != id {
				err = fmt.Errorf("the owner is %#x", stat.EphemeralOwner)
			}
			return err
		})
		if err != nil || s.Err() != nil || s.ID() != id {
			t.Fatalf("session %#x has become %#x: %v, %v", id, s.ID(), err, s.Err())
		}
		if server(t, ensemble, s) == connected {
			t.Fatal("the session is with the dead server")
		}
		if err := connected.Restart(bounded(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	space.WaitGone("/a")
}

// server is the member that the session is with.
func server(t *testing.T, ensemble *zktest.Ensemble, s *Session) *zktest.Server {
	t.Helper()
	addr := s.conn.Server()
	i := slices.Index(ensemble.Addrs(), addr)
	if i < 0 {
		t.Fatalf("the session is with %s, which is no server", addr)
	}
	return ensemble.Servers()[i]
}
