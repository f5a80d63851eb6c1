package zookeeper

import (
	"errors"
	"fmt"
	"time"
)

const (
	// MaxServers is the most servers of an ensemble.
	MaxServers = 100
	// MaxTimeout is the longest timeout of a session, or to connect.
	MaxTimeout = time.Hour
	// MaxPEM is the most bytes of each PEM text of a [TLS].
	MaxPEM = 1 << 20

	// The session timeouts that a server may grant. That can be more than was asked for.
	minGranted = 10 * time.Millisecond
	maxGranted = 24 * time.Hour
)

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
