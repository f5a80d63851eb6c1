// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func TestUnanimousMistakes(t *testing.T) {
	t.Parallel()
	unknown, name, dead := fmt.Errorf("%w: %w", errTLS, x509.UnknownAuthorityError{}), error(x509.HostnameError{Certificate: &x509.Certificate{}}), errDialing
	type attempt struct {
		server string
		err    error
	}
	for what, test := range map[string]struct {
		attempts []attempt
		want     bool // after the last
	}{
		"both of two":                    {[]attempt{{"a", unknown}, {"b", unknown}}, true},
		"one of two":                     {[]attempt{{"a", unknown}}, false},
		"one of two, again and again":    {[]attempt{{"a", unknown}, {"a", unknown}, {"a", unknown}}, false},
		"the other cannot be reached":    {[]attempt{{"a", unknown}, {"b", dead}, {"a", unknown}}, false},
		"the other says something else":  {[]attempt{{"a", unknown}, {"b", name}, {"a", unknown}}, false},
		"the other comes to say so":      {[]attempt{{"a", unknown}, {"b", dead}, {"b", unknown}}, true},
		"one changes its mind":           {[]attempt{{"a", unknown}, {"a", dead}, {"b", unknown}}, false},
		"one of two addresses":           {[]attempt{{"two", unknown}, {"a", unknown}, {"b", unknown}}, false},
		"both addresses":                 {[]attempt{{"two", unknown}, {"a", unknown}, {"b", unknown}, {"two", unknown}}, true},
		"both addresses, not in a row":   {[]attempt{{"two", unknown}, {"a", unknown}, {"b", unknown}, {"two", dead}, {"two", unknown}}, false},
		"what the next attempt may mend": {[]attempt{{"a", dead}, {"b", dead}}, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			servers := []string{"a", "b"}
			if strings.Contains(what, "addresses") {
				servers = append(servers, "two")
			}
			m, got := newMistakes(servers), false
			m.resolved("two", 2)
			for _, a := range test.attempts {
				got = m.unanimous(a.server, a.err, &TLS{})
			}
			if got != test.want {
				t.Errorf("unanimous: %t", got)
			}
		})
	}
}

// A server that is out of reach may still take the connection: it is waited for.
func TestMistakeOfOneServerIsTriedAgain(t *testing.T) {
	t.Parallel()
	servers := zktest.NewAuthority(t)
	_, addr := zktest.OwnSecure(t, zktest.Options{}, servers.Server(t, loopback, localhost), nil)
	for name, test := range map[string]struct {
		others []string
		again  bool
	}{
		"alone":          {nil, false},
		"beside a dead":  {[]string{deadServer(t)}, true},
		"by a name, too": {[]string{onPort(localhost, addr)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := encrypted(addr, TLS{CA: zktest.NewAuthority(t).CA})
			cfg.Servers = append(cfg.Servers, test.others...)
			cfg.ConnectTimeout = time.Hour
			if test.again {
				cfg.ConnectTimeout = 2 * time.Second
			}
			_, err := Open(bounded(t), cfg)
			var failed *ConnectError
			if !errors.As(err, &failed) {
				t.Fatalf("Open says %v", err)
			}
			if strings.Contains(err.Error(), "after 2s: ") != test.again {
				t.Errorf("Open says %v; want it to try again: %t", err, test.again)
			}
		})
	}
}

// An attempt that was only too slow does not hide why the one before it failed.
func TestCauseIsTheClearestOne(t *testing.T) {
	t.Parallel()
	tr := newTransport(time.Second, "a")
	tr.begin("a")
	tr.fail(errSecuring)
	if err := tr.cause(); err.Error() != "a: "+errSecuring.Error() {
		t.Errorf("the cause is %v", err)
	}
	unknown := x509.UnknownAuthorityError{}
	tr.fail(fmt.Errorf("%w: %w", errTLS, unknown))
	tr.fail(errSecuring)
	if err := tr.cause(); !errors.As(err, new(x509.UnknownAuthorityError)) || !errors.Is(err, errSecuring) || !strings.Contains(hint(err, &TLS{}), "ca_file") {
		t.Errorf("the cause is %v, and the hint %q", err, hint(err, &TLS{}))
	}
	tr.fail(errHungUp)
	if err := tr.cause(); errors.As(err, new(x509.UnknownAuthorityError)) || !errors.Is(err, errHungUp) {
		t.Errorf("the cause is %v", err)
	}
}
