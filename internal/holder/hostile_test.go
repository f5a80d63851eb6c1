// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// Nothing beyond a limit is begun, and what is asked within them afterwards is.
func TestServerRefusesWhatIsBeyondLimits(t *testing.T) {
	space := zktest.NewSpace(t)
	p, _, _ := connected(t, newLocal(t, self(t)))
	good := request(t, space, "a", 0)
	long := strings.Repeat("x", 5000)
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, locker.ErrRequest) {
			t.Errorf("%s: want %v, got %v", what, locker.ErrRequest, err)
		}
	}
	for what, spoil := range map[string]func(*zookeeper.Config){
		"no servers":             func(c *zookeeper.Config) { c.Servers = nil },
		"too many servers":       func(c *zookeeper.Config) { c.Servers = make([]string, zookeeper.MaxServers+1) },
		"a server without port":  func(c *zookeeper.Config) { c.Servers = []string{"127.0.0.1"} },
		"a server of port 0":     func(c *zookeeper.Config) { c.Servers = []string{"127.0.0.1:0"} },
		"a file for a server":    func(c *zookeeper.Config) { c.Servers = []string{"/run/docker.sock"} },
		"a URL for a server":     func(c *zookeeper.Config) { c.Servers = []string{"http://127.0.0.1:80"} },
		"two servers in one":     func(c *zookeeper.Config) { c.Servers = []string{"127.0.0.1:1,127.0.0.1:2"} },
		"no session timeout":     func(c *zookeeper.Config) { c.SessionTimeout = 0 },
		"a long session timeout": func(c *zookeeper.Config) { c.SessionTimeout = zookeeper.MaxTimeout + 1 },
		"no connect timeout":     func(c *zookeeper.Config) { c.ConnectTimeout = -1 },
		"a long connect timeout": func(c *zookeeper.Config) { c.ConnectTimeout = zookeeper.MaxTimeout + 1 },
		"a long CA":              func(c *zookeeper.Config) { c.TLS = &zookeeper.TLS{CA: strings.Repeat("x", zookeeper.MaxPEM+1)} },
		"two secrets of Kerberos": func(c *zookeeper.Config) {
			c.Kerberos = &zookeeper.Kerberos{KeytabFile: "/keytab", Cache: "/cache", ServiceName: "zookeeper"}
		},
		"a keytab somewhere": func(c *zookeeper.Config) {
			c.Kerberos = &zookeeper.Kerberos{KeytabFile: "keytab", ServiceName: "zookeeper"}
		},
		"a long SASL password": func(c *zookeeper.Config) {
			c.SASL = zookeeper.SASLUser{Username: "a", Password: zookeeper.NewSecret(strings.Repeat("x", 1<<16))}
		},
		"a long key": func(c *zookeeper.Config) {
			c.TLS = &zookeeper.TLS{Key: zookeeper.NewSecret(strings.Repeat("x", zookeeper.MaxPEM+1))}
		},
	} {
		bad := good
		spoil(&bad.Ensemble)
		_, err := p.Acquire(t.Context(), bad)
		refused(what, err)
		znode := Znode{Ensemble: bad.Ensemble, Path: good.Lock.Dir + "/ex-1__lock__0000000000", Durable: true}
		refused(what+" to release from", p.Release(t.Context(), znode))
		refused(what+" to describe at", p.Describe(t.Context(), znode, "info"))
	}
	for what, spoil := range map[string]func(*locker.Request){
		"no lockid":          func(r *locker.Request) { r.LockID = "" },
		"a long lockid":      func(r *locker.Request) { r.LockID = long },
		"no directory":       func(r *locker.Request) { r.Dir = "" },
		"the root":           func(r *locker.Request) { r.Dir = "/" },
		"a relative path":    func(r *locker.Request) { r.Dir = "a/b" },
		"a path upwards":     func(r *locker.Request) { r.Dir += "/../b" },
		"a NUL in a path":    func(r *locker.Request) { r.Dir += "/\x00" },
		"a wait before now":  func(r *locker.Request) { r.Wait = -time.Second },
		"a wait of years":    func(r *locker.Request) { r.Wait = locker.MaxWait + 1 },
		"slots below none":   func(r *locker.Request) { r.Slots = -1 },
		"too many slots":     func(r *locker.Request) { r.Slots = locker.MaxSlots + 1 },
		"an unknown mode":    func(r *locker.Request) { r.Mode = "mine" },
		"an unknown layout":  func(r *locker.Request) { r.Layout = "mine" },
		"a layout with mode": func(r *locker.Request) { r.Layout, r.Mode = locker.Curator, locker.Shared },
	} {
		bad := good
		spoil(&bad.Lock)
		_, err := p.Acquire(t.Context(), bad)
		refused(what, err)
	}
	for _, path := range []string{"", "/", "/zookeeper/config", good.Lock.Dir, good.Lock.Dir + "/readme", "/a/../ex-1__lock__0000000000"} {
		znode := Znode{Ensemble: good.Ensemble, Path: path, Durable: true}
		refused("releasing "+path, p.Release(t.Context(), znode))
		refused("describing "+path, p.Describe(t.Context(), znode, "info"))
	}
	if tree := space.Tree(); len(tree) > 0 {
		t.Errorf("there is %q", tree)
	}
	take(t, p, good)
}
