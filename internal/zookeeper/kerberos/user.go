// SPDX-License-Identifier: MPL-2.0

package kerberos

import (
	"strings"
	"time"
)

// secret is what the user has, read anew.
func (u User) secret(conf *configuration) (principal, secret, error) {
	if u.Password != "" {
		who, err := resolve(u.Principal, conf.defaultRealm)
		return who, &password{who, u.Password}, err
	}
	content := u.Keytab
	if u.KeytabFile != "" {
		var err error
		if content, err = readFile(u.KeytabFile); err != nil {
			return principal{}, nil, permanent("Check keytab_file in the kerberos block, and that this user may read that file.", "the keytab %q cannot be read: %w", u.KeytabFile, withoutPath(err))
		}
	}
	k, err := readKeytab(content, u.Principal, conf.defaultRealm)
	if err != nil {
		return principal{}, nil, err
	}
	return k.who, k, nil
}

// Check says what is wrong with a user, as far as that can be known without a KDC. end is until
// when a credential cache is of use; zero where there is none.
func (u User) Check() (end time.Time, err error) {
	defer caught(&err)
	conf, err := readConfiguration(u.Configuration)
	if err != nil {
		return end, err
	}
	if u.Cache == "" {
		_, _, err = u.secret(conf)
		return end, err
	}
	_, tgt, err := NewTickets(u, Service{}).fromCache(conf)
	if err != nil {
		return end, err
	}
	return tgt.end, nil
}

// DefaultCache is the credential cache that krb5.conf names for a user (default_ccache_name); empty if
// it names none.
func DefaultCache(configuration []string, uid, username string) string {
	conf, err := readConfiguration(configuration)
	if err != nil {
		return ""
	}
	return strings.NewReplacer("%{uid}", uid, "%{euid}", uid, "%{USERID}", uid, "%{username}", username, "%{null}", "", "%{TEMP}", "/tmp").Replace(conf.cacheName)
}

// fromCache takes what the user has logged in for. It has to be the same user each time: ZooKeeper would take
// another one for a stranger.
func (t *Tickets) fromCache(conf *configuration) (principal, *grant, error) {
	c, err := readCache(t.user.Cache)
	if err != nil {
		return principal{}, nil, err
	}
	wanted := t.client
	if t.user.Principal != "" {
		if wanted, err = resolve(t.user.Principal, conf.defaultRealm); err != nil {
			return principal{}, nil, err
		}
	}
	switch {
	case wanted.realm != "" && (wanted.realm != c.client.realm || !wanted.name.Equal(c.client.name)):
		return principal{}, nil, permanent("Log in again with kinit as that user, or change principal in the kerberos block.", "the credential cache %q is of %s, not of %s", t.user.Cache, c.client, wanted)
	case c.tgt == nil:
		return principal{}, nil, permanent(AdviceCache, "the credential cache %q has no ticket of %s that gets others", t.user.Cache, c.client)
	case !time.Now().Before(c.tgt.end):
		return principal{}, nil, permanent("Log in again with kinit, or use keytab_file in the kerberos block.",
			"the ticket of %s in the credential cache %q expired at %s", c.client, t.user.Cache, c.tgt.end.Format(time.RFC3339))
	}
	t.client = c.client
	return c.client, c.tgt, nil
}
