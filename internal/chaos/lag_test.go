// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

import (
	"context"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// A follower learns everything late. What is read there for another process is still what
// a quorum knows: a lock that is held is seen, and one that is released is gone.
func TestALaggingFollowerHidesNothing(t *testing.T) {
	t.Parallel()
	const lag = time.Second
	servers := zktest.OwnEnsemble(t, 3, zktest.Options{Links: true})
	ctx, cancel := context.WithTimeout(t.Context(), stuckTime)
	defer cancel()
	leader, err := servers.Leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	follower := servers.Servers()[0]
	if follower == leader {
		follower = servers.Servers()[1]
	}
	space := zktest.NewSpaceOn(t, leader)
	at := func(server *zktest.Server) locker.Sessions {
		pool := &zookeeper.Pool{}
		t.Cleanup(pool.Close)
		cfg := zookeeper.Config{Servers: []string{server.Addr()}, SessionTimeout: stuckTime, ConnectTimeout: stuckTime}
		return func(ctx context.Context) (*zookeeper.Session, error) { return pool.Session(ctx, cfg) }
	}
	there, behind := at(leader), at(follower)
	late, err := behind(ctx)
	if err != nil {
		t.Fatal(err)
	}
	take := func(id string) string {
		t.Helper()
		req := locker.Request{LockID: id, Dir: space.Path(locker.DefaultRoot + "/" + id), Durable: true}
		l, err := locker.Acquire(ctx, there, req)
		if err != nil {
			t.Fatal(err)
		}
		return l.Znode()
	}

	servers.Link(leader, follower).Lag(lag)
	held := take("one")
	if _, ok, err := locker.Lookup(ctx, late, held); err != nil || !ok {
		t.Errorf("HIDDEN: %s is not there, %v", held, err)
	}
	take("two")
	queue, err := locker.Inspect(ctx, late, space.Path(locker.DefaultRoot+"/two"), 0)
	if err != nil || len(queue.Holders) != 1 {
		t.Errorf("HIDDEN: a lock that is held has the queue %+v, %v", queue, err)
	}
	for _, id := range []string{"one", "two", "three"} {
		dir := locker.DefaultRoot + "/" + id
		znode := space.Path(dir) + "/"
		if id == "three" {
			znode = take(id)
		} else {
			znode += space.Children(dir)[0]
		}
		if err := locker.RemoveDurable(ctx, behind, znode); err != nil {
			t.Error(err)
		}
		if space.Exists(dir) {
			t.Errorf("HIDDEN: %s is said to be released and stays", znode)
			space.Delete(dir+"/"+space.Children(dir)[0], dir)
		}
	}
}
