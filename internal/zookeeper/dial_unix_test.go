// SPDX-License-Identifier: MPL-2.0

//go:build unix

package zookeeper

import (
	"net"
	"testing"
)

func init() {
	deaths["does not answer to connections"] = func(t *testing.T, addr string) { blackHoleAt(t, addr) }
}

// The system itself would go on for minutes.
func TestRacePassesAnAddressThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	living := listen(t, func(net.Conn) {})
	conn, err := race(bounded(t), "tcp", []string{blackHole(t), blackHole(t), living})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if got := conn.RemoteAddr().String(); got != living {
		t.Errorf("connected to %s, want %s", got, living)
	}
}
