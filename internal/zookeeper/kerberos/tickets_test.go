// SPDX-License-Identifier: MPL-2.0

package kerberos

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A ticket that is there is had at once, also while a KDC is waited for on behalf of another host; one
// that ages, too, once a new one was not to be had.
func TestKeptTicketsDoNotWait(t *testing.T) {
	t.Parallel()
	tickets := NewTickets(User{}, Service{})
	now := time.Now()
	for host, start := range map[string]time.Time{"fresh": now.Add(-time.Hour), "aging": now.Add(-9 * time.Hour), "over": now.Add(-11 * time.Hour)} {
		tickets.kept[host] = Ticket{Server: host, Start: start, End: start.Add(10 * time.Hour)}
	}
	<-tickets.turn // another asks the KDC
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for _, host := range []string{"fresh", "Fresh.", "aging"} {
		if ticket, kept, err := tickets.Get(ctx, host); err != nil || !kept || ticket.Server == "" {
			t.Errorf("%s: %+v, kept %t, %v", host, ticket, kept, err)
		}
	}
	if ctx.Err() != nil {
		t.Error("no time is left to connect")
	}
	tickets.Doubt("fresh")
	if _, valid, aging := tickets.look("fresh"); !valid || !aging {
		t.Error("a ticket that a server did not take is not renewed")
	}
	for _, host := range []string{"over", "other"} {
		if _, _, err := tickets.Get(ctx, host); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", host, err)
		}
	}
}
