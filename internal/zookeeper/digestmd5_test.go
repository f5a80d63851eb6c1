// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// md5Module has users of DIGEST-MD5, and noFIPS lets new servers know it.
const (
	md5Module = `org.apache.zookeeper.server.auth.DigestLoginModule required user_alice="wonderland";`
	noFIPS    = "-Dzookeeper.fips-mode=false"
)

func TestDigestMD5(t *testing.T) {
	t.Parallel()
	server := zktest.OwnJAAS(t, md5Module, noFIPS)
	as := func(username, password string) Config {
		cfg := config(server.Addr())
		cfg.SessionTimeout = patience // the server is restarted
		cfg.SASL, cfg.Creator = SASLUser{username, NewSecret(password)}, true
		return cfg
	}
	s := open(t, as("alice", "wonderland"))
	works(t, s, "alice")
	id, path := s.ID(), mustCreate(t, s, "/kept", Ephemeral)
	if err := server.Restart(bounded(t)); err != nil {
		t.Fatal(err)
	}
	keeps(t, s, id, path)
	for user, password := range map[string]string{"alice": "guessed", "bob": "forgotten"} {
		s, err := Open(bounded(t), as(user, password))
		failed := connectError(t, s, err)
		if !refusedLogin(err) || !strings.Contains(failed.Hint, "Check username and password in the digest_md5 block") || strings.Contains(err.Error(), "after") {
			t.Errorf("%s: the error is %v, the advice %q", user, err, failed.Hint)
		}
		if strings.Contains(err.Error(), password) {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestDigestMD5WithoutJAAS(t *testing.T) {
	t.Parallel()
	cfg := config(zktest.NewSpace(t).Addr())
	cfg.SASL = SASLUser{"alice", NewSecret("wonderland")}
	s, err := Open(bounded(t), cfg)
	if failed := connectError(t, s, err); !strings.Contains(failed.Hint, "leave out the digest_md5 block") {
		t.Errorf("the error is %v, the advice %q", err, failed.Hint)
	}
}

// A server of 3.4 hangs up on a login that it refuses. That may be something else, so it is tried again.
func TestServerThatHangsUpOnALogin(t *testing.T) {
	t.Parallel()
	against := &refusals{servers: []string{"a:1"}, by: map[string]bool{}}
	err := byPassword(SASLUser{"alice", NewSecret("wonderland")}, "a:1", against)(func([]byte) ([]byte, error) { return nil, ended(io.EOF) })
	if permanent(err) || !errors.Is(err, errHungUp) || !strings.Contains(hint(err, nil), "ZooKeeper 3.4") || !strings.Contains(hint(err, nil), "digest_md5") {
		t.Errorf("the error is %v, the advice %q", err, hint(err, nil))
	}
}
