// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

func TestDisplayName(t *testing.T) {
	t.Parallel()
	by := func(owners ...string) (entries []locker.Entry) {
		for _, owner := range owners {
			entries = append(entries, locker.Entry{Data: locker.Data{Owner: owner}, Session: 1})
		}
		return entries
	}
	durable := by("carol")
	durable[0].Session = 0
	for want, lock := range map[string]locker.Listed{
		"web: held by alice, 2 waiting":                        {Name: "web", Holders: by("alice"), Waiters: 2},
		"web: held by carol (durable), 0 waiting":              {Name: "web", Holders: durable},
		"web: held by an unnamed client, 0 waiting":            {Name: "web", Holders: by("")},
		"web: held by a and b and c and 2 more, 1 waiting":     {Name: "web", Holders: by("a", "b", "c", "d", "e"), Waiters: 1},
		"web: held by nobody, 1 waiting":                       {Name: "web", Waiters: 1},
		"web: this client may not list its holders":            {Name: "web", Unreadable: true},
		"\"web\\u202e\": this client may not list its holders": {Name: "web\u202e", Unreadable: true},
	} {
		if got := displayName(lock); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
