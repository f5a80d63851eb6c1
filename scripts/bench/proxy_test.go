package main

import (
	"testing"
	"time"

	"github.com/go-zookeeper/zk" //nolint:depguard // the client whose requests are counted

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func TestMain(m *testing.M) { zktest.Main(m) }

// A proxy counts requests, writes and fired watches.
func TestProxy(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	p, err := newProxy(t.Context(), space.Addr(), time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	conn, events, err := connect(t.Context(), p.addr())
	if err != nil {
		t.Fatal(err)
	}
	c := &peer{conn: conn, events: events}
	t.Cleanup(c.close)
	p.take()

	_, _, fired, err := conn.ExistsW(space.Path("/a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Create(space.Path("/a"), nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatal(err)
	}
	<-fired
	space.Delete("/a")
	if requests, woken := p.take(); requests != (Requests{All: 2, Writes: 1}) || woken != 1 {
		t.Errorf("%+v and %v woken, want two requests, one of them a write, and one", requests, woken)
	}
	if requests, woken := p.take(); requests != (Requests{}) || woken != 0 {
		t.Errorf("%+v and %v woken after they were taken", requests, woken)
	}
}
