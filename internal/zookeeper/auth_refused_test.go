// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func TestServersThatRequireAUser(t *testing.T) {
	t.Parallel()
	server := zktest.Own(t, zktest.Options{Config: map[string]string{"enforce.auth.enabled": "true", "enforce.auth.schemes": "digest"}})
	nobody := open(t, config(server.Addr()))
	if _, err := nobody.Stat(bounded(t), "/"); !errors.Is(err, ErrAuthRequired) || !Answered(err) {
		t.Errorf("nobody: want ErrAuthRequired, got %v", err)
	}
	if _, err := open(t, owner(server.Addr())).Stat(bounded(t), "/"); err != nil {
		t.Errorf("alice: %v", err)
	}
}

// A server that requires SASL says so in the answer to the first request, also to a
// client with a username and a password.
func TestServersThatRequireSASL(t *testing.T) {
	t.Parallel()
	const provider = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"
	for name, config := range map[string]map[string]string{
		"for sessions": {"sessionRequireClientSASLAuth": "true", "authProvider.sasl": provider},
		"by scheme":    {"enforce.auth.enabled": "true", "enforce.auth.schemes": "sasl", "authProvider.sasl": provider},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := zktest.Own(t, zktest.Options{Config: config})
			nobody := owner(server.Addr())
			nobody.Auth = Digest{}
			for who, cfg := range map[string]Config{"nobody": nobody, "alice": owner(server.Addr())} {
				s := open(t, cfg)
				err := again(func() error { _, err := s.Create(bounded(t), "/a", nil, Ephemeral); return err })
				if !errors.Is(err, ErrAuthRequired) || !Answered(err) {
					t.Errorf("%s: want ErrAuthRequired, got %v", who, err)
				}
			}
		})
	}
}

func TestLocalSessions(t *testing.T) {
	t.Parallel()
	ensemble := zktest.OwnEnsemble(t, 3, zktest.Options{Config: map[string]string{"localSessionsEnabled": "true", "localSessionsUpgradingEnabled": "false"}})
	for _, addr := range ensemble.Addrs() {
		_, err := open(t, config(addr)).Create(bounded(t), "/a", nil, Ephemeral)
		if !errors.Is(err, ErrLocalSession) || !Answered(err) {
			t.Errorf("want ErrLocalSession, got %v", err)
		}
	}
}

func TestServersThatTakeNoUsers(t *testing.T) {
	t.Parallel()
	server := zktest.Own(t, zktest.Options{Config: map[string]string{"DigestAuthenticationProvider.enabled": "false"}})
	s, err := Open(bounded(t), owner(server.Addr()))
	failed := connectError(t, s, err)
	if !errors.Is(err, ErrAuthFailed) || !strings.Contains(failed.Hint, "username and password") {
		t.Errorf("the advice on %q is %q", err, failed.Hint)
	}
	if strings.Contains(err.Error(), "after") {
		t.Errorf("the error blames the time: %v", err)
	}
}

// What a server answers to the authentication, or something else that listens there.
func TestAnswersToTheAuthentication(t *testing.T) {
	t.Parallel()
	answer := func(xid, code int32) string {
		return reply(xid, code)
	}
	for name, test := range map[string]struct {
		answer string
		err    error
		want   error
		says   string
	}{
		"accepted":         {answer: answer(-4, 0)},
		"refused":          {answer: answer(-4, codeAuthFailed), want: ErrAuthFailed, says: `"alice"`},
		"another scheme":   {answer: answer(-4, codeAuthRequired), want: ErrAuthRequired},
		"an unknown error": {answer: answer(-4, -127), says: "error -127"},
		"another packet":   {answer: answer(-1, 0), want: errNotZooKeeper},
		"too short":        {answer: answer(-4, 0)[:15], want: errNotZooKeeper},
		"nothing":          {want: errNotZooKeeper},
		"an end":           {err: io.ErrUnexpectedEOF, want: io.ErrUnexpectedEOF, says: "authentication as"},
	} {
		err := digest(alice())(func(packet []byte) ([]byte, error) {
			if !strings.HasSuffix(string(packet), "\x00\x00\x00\x06digest\x00\x00\x00\x10alice:wonderland") {
				t.Errorf("%s: sent %q", name, packet)
			}
			return []byte(test.answer), test.err
		})
		switch {
		case test.want == nil && test.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != nil && !errors.Is(err, test.want):
			t.Errorf("%s: want %v, got %v", name, test.want, err)
		case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
			t.Errorf("%s: want an error with %q, got %v", name, test.says, err)
		case err != nil && strings.Contains(err.Error(), "wonderland"):
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
	if digest(Digest{}) != nil {
		t.Error("nobody authenticates")
	}
}
