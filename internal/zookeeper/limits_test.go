// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"strings"
	"testing"
	"time"
)

// What the connect string gives is what a session takes.
func TestLimitsOfServers(t *testing.T) {
	t.Parallel()
	list := strings.TrimSuffix(strings.Repeat("[::1],zk,", MaxServers/2), ",")
	parsed, err := ParseConnectString(list)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Servers: parsed.Servers, SessionTimeout: MaxTimeout, ConnectTimeout: time.Nanosecond}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	if _, err := ParseConnectString(list + ",zk"); err == nil {
		t.Errorf("%d servers are taken", MaxServers+1)
	}
	cfg.Servers = append(cfg.Servers, "zk:2181")
	if err := cfg.Validate(); err == nil {
		t.Errorf("a session with %d servers is tried", len(cfg.Servers))
	}
}
