// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"errors"
	"fmt"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper/kerberos"
)

// Config says where to connect and how long to wait.
type Config struct {
	// Servers are those of a [ConnectString]. Paths given to a session are absolute:
	// the caller adds a chroot.
	Servers []string
	// SessionTimeout is how long the server keeps the session without hearing
	// of it. The server may grant another timeout: see [Session.Timeout].
	SessionTimeout time.Duration
	// ConnectTimeout bounds [Open], over all servers.
	ConnectTimeout time.Duration
	// Auth, SASL and Kerberos are our user. At most one of them is set.
	Auth     Digest
	SASL     SASLUser
	Kerberos *Kerberos
	// TLS encrypts the connections; nil does not.
	TLS *TLS
	// Creator lets only our user change the znodes that the session creates, and
	// everyone read them. It needs a user, or a certificate that is one for the servers.
	Creator bool

	tickets *kerberos.Tickets // of Kerberos; nil if there are none yet
}

// Validate returns what is wrong with c, or nil. It does not ask a server.
func (c Config) Validate() error {
	if len(c.Servers) == 0 || len(c.Servers) > MaxServers {
		return fmt.Errorf("zookeeper: there are %d servers, not 1 to %d", len(c.Servers), MaxServers)
	}
	for _, server := range c.Servers {
		if parsed, err := parseServer(server); err != nil {
			return fmt.Errorf("zookeeper: %w", err)
		} else if parsed != server {
			return fmt.Errorf("zookeeper: server %q has no port", server)
		}
	}
	if c.SessionTimeout <= 0 || c.SessionTimeout > MaxTimeout || c.ConnectTimeout <= 0 || c.ConnectTimeout > MaxTimeout {
		return fmt.Errorf("zookeeper: the timeouts %v and %v are not within %v", c.SessionTimeout, c.ConnectTimeout, MaxTimeout)
	}
	if len(c.SASL.Username)+len(c.SASL.Password.reveal()) > maxIdentity {
		return errors.New("zookeeper: the username or the password is too long")
	}
	if c.Kerberos != nil {
		if err := c.Kerberos.validate(); err != nil {
			return err
		}
	}
	if c.TLS != nil {
		return c.TLS.validate()
	}
	return nil
}

// attemptTime is how long one attempt to connect may take. It is so short that each server
// gets an attempt within the connect timeout. A single name gets several, since it may
// have many addresses.
func attemptTime(cfg Config) time.Duration {
	const several = 3
	attempts := len(cfg.Servers)
	if attempts <= 1 {
		attempts = several
	}
	share := min(cfg.ConnectTimeout, cfg.SessionTimeout) / time.Duration(attempts)
	return max(share, min(time.Second, cfg.ConnectTimeout/several))
}
