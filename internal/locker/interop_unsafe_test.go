// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// What the guide says of clients that cannot share a directory. Nobody should rely on any
// of it.

// Kazoo's semaphore counts our contenders as leases, if it has made the directory itself,
// and else fails. We do not see it.
func TestKazooSemaphoreBesideALock(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	k := startKazoo(a, 1)
	const pool = testDir + "-__lock__" // for those who want a lease
	semaphore := func(leases int) *kazooTurn {
		return k.asks(kazooRequest{Kind: "Semaphore", Leases: leases})
	}
	one := semaphore(1)
	one.held()
	beside := a.player().takes(exclusive)
	one.release()
	a.give(beside)

	ours := a.player().takes(exclusive)
	one = semaphore(1)
	a.WaitChildren(pool, 1)
	one.blocked()
	a.give(ours)
	one.held()
	one.release()
	a.WaitChildren(pool, 0)
	a.Delete(testDir, pool)

	two := semaphore(2)
	two.held()
	two.release()
	ours = a.player().takes(exclusive)
	two = semaphore(2)
	two.held()
	a.heldBy(0, ours)
	two.release()
	a.give(ours)
	a.WaitChildren(pool, 0)
	a.Delete(testDir, pool)

	ours = a.player().takes(exclusive)
	one = semaphore(1)
	k.await(one.events, "error") // it cannot read a directory without data
	a.give(ours)
}

// Curator's semaphores keep their leases one level below; we do not see them.
func TestCuratorSemaphoreBesideALock(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	mkdirs(a.Space, testDir+"/leases", testDir+"/locks")
	lease := a.Create(testDir+"/leases/"+curatorName("lease-")(), nil, zktest.EphemeralSequential)
	ours := a.player().takes(exclusive)
	if queue := a.inspect(0); len(queue.Holders) != 1 || strings.Join(queue.Unrecognized, " ") != "leases locks" {
		t.Errorf("there is %+v", queue)
	}
	a.give(ours)
	a.Delete(lease, testDir+"/leases", testDir+"/locks")
	a.removeDir()
}

// A gem's semaphore that comes second takes our exclusive lock for one of its slots. One
// of ours that comes second is refused.
func TestGemSemaphoreBesideALock(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	ours := a.player().takes(exclusive)
	node, err := a.gem(gemSemaphore(2)).acquire(bounded(t)) // at once
	if err != nil {
		t.Fatal(err)
	}
	if err := a.player().tries(exclusive); !errors.Is(err, ErrDisagree) {
		t.Errorf("a try beside it ends with %v", err)
	}
	a.give(ours)
	a.leave(node[strings.LastIndexByte(node, '/')+1:])
	a.removeDir()
}

// go-zookeeper's Lock fails beside a gem, and its contender stays until its session ends
// and keeps everybody from the lock. A gem's SharedLocker does not see it.
func TestGoZookeeperBesideAGem(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	gem := a.stranger("sh")
	conn := a.NewSession(time.Minute)
	lock := zk.NewLock(conn, a.Path(testDir), zk.WorldACL(zk.PermAll))
	if err := lock.Lock(); err == nil {
		t.Error("it has the lock")
	}
	a.WaitChildren(testDir, 2) // its contender is there
	a.leave(gem)
	node, err := a.gem(gemShared).acquire(bounded(t)) // at once, though go-zookeeper's is first
	if err != nil {
		t.Fatal(err)
	}
	a.leave(node[strings.LastIndexByte(node, '/')+1:])
	ours := a.player().waits(exclusive)
	ours.blocked()
	conn.Close()
	a.give(ours.get())
	a.removeDir()
}
