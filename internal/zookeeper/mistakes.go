// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"crypto/x509"
	"errors"
)

// mistakes are certain errors in our settings, of which the servers told before there is a
// session. If all servers tell of the same one, every further attempt would fail.
type mistakes struct {
	servers   []string
	addresses map[string]int // how many addresses a server's name has
	said      map[string]verdict
}

// verdict is how often in a row a server has told of the same mistake.
type verdict struct {
	mistake string
	times   int
}

func newMistakes(servers []string) *mistakes {
	return &mistakes{servers: servers, addresses: make(map[string]int), said: make(map[string]verdict)}
}

// resolved takes note of how many addresses a server has. Each can be another machine, and
// each attempt begins with another one.
func (m *mistakes) resolved(server string, addresses int) { m.addresses[server] = addresses }

// unanimous takes note of why a connection to a server failed, and returns whether all
// addresses of all servers told of the same mistake.
func (m *mistakes) unanimous(server string, err error, config *TLS) bool {
	now := mistake(err, config)
	if now == "" {
		delete(m.said, server)
		return false
	}
	before := m.said[server]
	if before.mistake != now {
		before = verdict{mistake: now}
	}
	before.times++
	m.said[server] = before
	for _, other := range m.servers {
		if v := m.said[other]; v.mistake != now || v.times < max(1, m.addresses[other]) {
			return false
		}
	}
	return true
}

// mistake names what is wrong with our settings or a server's certificate. It is empty if
// the next attempt may succeed.
func mistake(err error, config *TLS) string {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
	)
	switch {
	case config == nil:
		return ""
	case errors.As(err, &unknown):
		return "unknown CA"
	case errors.As(err, &hostname):
		return "wrong name"
	case alerted(err, certificateAlerts...) && !config.HasCertificate():
		return "no client certificate"
	default:
		return ""
	}
}
