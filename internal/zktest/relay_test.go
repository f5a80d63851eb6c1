// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestRelay(t *testing.T) {
	t.Parallel()
	for name, delay := range map[string]time.Duration{"at once": 0, "late": 10 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := NewSpace(t)
			r, err := StartRelay(t.Context(), s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(r.Close)
			r.Delay(delay)
			client, err := Dial([]string{r.Addr()}, s.Chroot(), time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.Close)

			_, _, fired, err := client.Conn().ExistsW(client.Path("/a"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.Create(bounded(t), "/a", nil, Persistent); err != nil {
				t.Fatal(err)
			}
			<-fired
			if got, want := r.Count(), (Counts{Requests: 2, Writes: 1, Events: 1}); got != want {
				t.Errorf("%+v has passed, want %+v", got, want)
			}
			if got := r.Count(); got != (Counts{}) {
				t.Errorf("%+v is counted twice", got)
			}
			s.Delete("/a")
		})
	}
}

func TestClientWatchesAQueue(t *testing.T) {
	t.Parallel()
	s := NewSpace(t)
	client, err := Dial([]string{s.Addr()}, s.Chroot(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	ctx, stop := context.WithCancelCause(bounded(t))
	seen, done := make(chan []Contender), make(chan error, 1)
	go func() {
		defer close(seen)
		done <- client.WatchQueue(ctx, "/queue", func(queue []Contender) {
			select {
			case seen <- queue:
			case <-ctx.Done():
			}
		})
	}()
	// Each step is seen, but maybe not at once: the directory comes before who is in it.
	await := func(want ...string) {
		t.Helper()
		for queue := range seen {
			var data []string
			for _, c := range queue {
				data = append(data, string(c.Data))
			}
			if len(data) != len(want) {
				continue
			}
			for i := range want {
				if data[i] != want[i] {
					t.Fatalf("the queue is %q, want %q", data, want)
				}
			}
			return
		}
		t.Fatalf("%q was not seen", want)
	}
	await()
	s.Create("/queue", nil, Persistent)
	first := s.Create("/queue/z-", []byte("first"), PersistentSequential)
	await("first")
	second := s.Create("/queue/a-", []byte("second"), PersistentSequential)
	await("first", "second")
	if err := client.AwaitQueue(bounded(t), "/queue", 2); err != nil {
		t.Error(err)
	}
	s.Delete(first)
	await("second")
	s.Delete(second, "/queue")
	await()
	enough := errors.New("enough")
	stop(enough)
	if err := <-done; !errors.Is(err, enough) {
		t.Errorf("the watch ended with %v", err)
	}
	if err := client.AwaitQueue(bounded(t), "/queue", 0); err != nil {
		t.Error(err)
	}
}
