// SPDX-License-Identifier: MPL-2.0

package zookeeper

import "time"

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

// maxIdentity is the most bytes of a name, a path or a password.
const maxIdentity = 4096
