// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
)

func TestProblemsNameTheFlag(t *testing.T) {
	t.Setenv("CLOCKER_ZOOKEEPER", "a:b")
	t.Setenv("CLOCKER_OWNER", strings.Repeat("x", 1000))
	t.Setenv("CLOCKER_TLS_CA_FILE", "/no/such/file")
	t.Setenv("CLOCKER_KERBEROS_KEYTAB_FILE", "/no/such/keytab")
	_, err := NewClient(t.Context(), "test", nil)
	if err == nil {
		t.Fatal("no error")
	}
	for text, want := range map[string]bool{
		"(--zookeeper)": true, "CLOCKER_OWNER": true, "CLOCKER_TLS_CA_FILE": true, "keytab_file cannot be used": true,
		"(--owner)": false, "(--tls": false, "(--kerberos": false,
	} {
		if strings.Contains(err.Error(), text) != want {
			t.Errorf("%q is in it: %t\n%v", text, !want, err)
		}
	}
}

func TestWithoutSecrets(t *testing.T) {
	environment := []string{
		"PATH=/bin", "CLOCKER_PASSWORD=secret", "CLOCKER_USERNAME=user", "CLOCKER_TLS_KEY_FILE=-----BEGIN", "BUILD_ID=1", "CLOCKER_PASSWORD",
		"CLOCKER_KERBEROS_PASSWORD=secret", "CLOCKER_KERBEROS_KEYTAB_FILE=BQI", "CLOCKER_DIGEST_MD5_PASSWORD=secret",
	}
	want := []string{"PATH=/bin", "CLOCKER_USERNAME=user", "BUILD_ID=1"}
	if got := WithoutSecrets(environment); !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q", got, want)
	}
	if len(environment) != 9 || environment[1] != "CLOCKER_PASSWORD=secret" {
		t.Error("the argument was changed")
	}
}

// releaseFails is a holder whose releases fail.
type releaseFails struct {
	holder.Holder
	err error
}

func (r releaseFails) Release(context.Context, holder.Znode) error { return r.err }

// If the holder process has ended, nobody knows how long the lock was held. So the command
// that it guarded has not succeeded.
func TestReleaseSaysWhetherTheLockWasLost(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		lost bool
	}{
		"released":                 {nil, false},
		"lost":                     {&holder.LostError{}, true},
		"the holder has ended":     {fmt.Errorf("%w: connection reset", holder.ErrEnded), true},
		"no server could be asked": {errors.New("no connection"), false},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Client{client: client{runtime: Runtime{Holder: releaseFails{err: tc.err}}}}
			lost, err := c.Release(t.Context(), Held{})
			if lost != tc.lost || (err == nil) != (tc.err == nil) {
				t.Errorf("lost: %t, %v; want %t, %v", lost, err, tc.lost, tc.err)
			}
		})
	}
}
