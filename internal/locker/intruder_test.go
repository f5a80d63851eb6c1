// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// Who can connect can close anybody's session, whatever the ACLs say. Its locks are lost
// at once, and say why.
func TestClosedSessionIsNoticedAtOnce(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	alice := owner(t, space.Addr())
	held := alice.lock(dirOf(space))
	_, stat := space.Get(strings.TrimPrefix(held.Znode(), space.Chroot()))
	if err := zktest.CloseSession(bounded(t), space.Addr(), stat.EphemeralOwner); err != nil {
		t.Fatal(err)
	}
	await(t, "the loss of the lock", held.Lost())
	if err := held.Err(); !errors.Is(err, zookeeper.ErrSessionExpired) || !strings.Contains(err.Error(), "somebody else closed its session") {
		t.Errorf("the lock was lost because of %v", err)
	}
	release(t, held)
	if space.Exists(testDir) {
		space.Delete(testDir)
	}
	release(t, alice.lock(dirOf(space))) // with another session
}

// A durable lock has no session that could be closed.
func TestDurableLockOutlivesAClosedSession(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	alice := owner(t, space.Addr())
	req := alice.request(dirOf(space))
	req.Durable = true
	held := alice.acquire(req)
	session := alice.session()
	if err := zktest.CloseSession(bounded(t), space.Addr(), session.ID()); err != nil {
		t.Fatal(err)
	}
	await(t, "the end of the session", session.Lost())
	if _, ok, err := Lookup(bounded(t), alice.session(), held.Znode()); err != nil || !ok {
		t.Errorf("the lock is there: %t, %v", ok, err)
	}
	release(t, held)
}

// Servers that require authentication let nobody else close a session.
func TestClosingASessionNeedsAuthenticationWhereItIsRequired(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpaceOn(t, zktest.Own(t, zktest.Options{Config: map[string]string{"enforce.auth.enabled": "true", "enforce.auth.schemes": "digest"}}))
	alice := owner(t, space.Addr())
	held := alice.lock(dirOf(space))
	if err := zktest.CloseSession(bounded(t), space.Addr(), alice.session().ID()); err == nil {
		t.Error("the session is closed")
	}
	if err := alice.session().Check(bounded(t), held.Znode()); err != nil || held.Err() != nil {
		t.Errorf("the lock: %v, %v", err, held.Err())
	}
	release(t, held)
}
