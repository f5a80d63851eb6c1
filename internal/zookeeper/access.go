// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/go-zookeeper/zk"
)

// changing are the permissions by which a user can take, break or stall a lock.
const changing = zk.PermCreate | zk.PermDelete | zk.PermWrite | zk.PermAdmin

// Schemes of ACLs. An ACL that a server keeps never has "auth": the server puts the
// user's identities in its place.
const (
	schemeWorld  = "world"
	schemeAuth   = "auth"
	schemeDigest = "digest"
)

// Access is what a server says of a znode's ACL.
type Access struct {
	// Ours: the znode has the ACL that this session gives to what it creates.
	Ours bool
	Stat *Stat

	acl []zk.ACL
}

// Access reads the ACL of a znode.
func (s *Session) Access(ctx context.Context, path string) (Access, error) {
	var stat *Stat
	acl, err := repeated(ctx, s, read, "get the ACL of", path, func() (acl []zk.ACL, err error) {
		acl, stat, err = s.conn.GetACL(path)
		return acl, err
	})
	if err != nil {
		return Access{}, err
	}
	return Access{Ours: s.gives(acl), Stat: stat, acl: acl}, nil
}

// Others names the users who may change a znode, its ACL, or the znodes below it, but may
// not change own, a znode that this session has created. The ACL of own has our
// identities, of which a session can have several.
func (s *Session) Others(ctx context.Context, path, own string) ([]string, error) {
	var (
		theirs, ours       Access
		theirsErr, oursErr error
		both               sync.WaitGroup
	)
	both.Go(func() { ours, oursErr = s.Access(ctx, own) })
	theirs, theirsErr = s.Access(ctx, path)
	both.Wait()
	if err := errors.Join(theirsErr, oursErr); err != nil {
		return nil, err
	}
	return others(theirs.acl, ours.acl), nil
}

// others names the users who may change a znode with an ACL, without those who may change
// a znode with the ACL own.
func others(acl, own []zk.ACL) []string {
	var names []string
	for _, entry := range acl {
		if entry.Perms&changing != 0 && !isOurs(entry, own) {
			names = append(names, nameOf(entry))
		}
	}
	return names
}

// isOurs returns whether the user of an entry is in own.
//
// A server shows the digest of a password only to users who may change the ACL. To others
// it shows "x" instead, so that the entry may be another user's with the same name. But
// whoever has given us permission to be here knows our digest, which the server shows to
// nobody else. That does not hold for an identity without a secret, such as the name in a
// certificate: if we have one, "x" counts as another user.
func isOurs(entry zk.ACL, own []zk.ACL) bool {
	secret := !slices.ContainsFunc(own, func(o zk.ACL) bool { return o.Perms&changing != 0 && o.Scheme != schemeDigest })
	return slices.ContainsFunc(own, func(o zk.ACL) bool {
		if o.Perms&changing != changing || o.Scheme != entry.Scheme {
			return false
		}
		return o.ID == entry.ID || o.Scheme == schemeDigest && secret && redacted(o.ID) == entry.ID
	})
}

// redacted is an id of the digest scheme as the server shows it to users who may not
// change the ACL.
func redacted(id string) string {
	user, _, _ := strings.Cut(id, ":")
	return user + ":x"
}

// nameOf is an entry of an ACL for a message: scheme and id, without the digest of a
// password, and the permissions as zkCli writes them.
func nameOf(entry zk.ACL) string {
	id := entry.ID
	if entry.Scheme == schemeDigest {
		id, _, _ = strings.Cut(id, ":")
	}
	permissions := ""
	for i, letter := range []string{"r", "w", "c", "d", "a"} { // by their bits, from the lowest
		if entry.Perms&(1<<i) != 0 {
			permissions += letter
		}
	}
	return Shown(entry.Scheme+":"+id) + " (" + permissions + ")"
}

// gives returns whether an ACL is that of the znodes that this session creates. The server
// writes the user's identities in place of "auth".
func (s *Session) gives(acl []zk.ACL) bool {
	rest := slices.Clone(s.acl)
	users := 0
	for _, entry := range acl {
		if i := slices.Index(rest, entry); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
		} else if entry.Scheme != schemeWorld && entry.Perms == zk.PermAll {
			users++
		} else {
			return false
		}
	}
	// The entry for our own identities is left.
	return s.creator && users > 0 && len(rest) == 1 && rest[0].Scheme == schemeAuth || users == 0 && len(rest) == 0
}
