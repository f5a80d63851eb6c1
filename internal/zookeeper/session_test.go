// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func TestTimeoutIsWhatTheServerGrants(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	shortest, longest := limits(t, space.Server())
	for name, test := range map[string]struct{ asked, granted time.Duration }{
		"longer than asked":  {shortest / 2, shortest},
		"as asked":           {shortest + time.Second, shortest + time.Second},
		"shorter than asked": {longest + time.Second, longest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(space.Addr())
			cfg.SessionTimeout = test.asked
			s := open(t, cfg)
			if got := s.Timeout(); got != test.granted {
				t.Errorf("asked for %v, the session has %v, want %v", test.asked, got, test.granted)
			}
		})
	}
}

// limits are the shortest and the longest session that the server grants.
func limits(t *testing.T, server *zktest.Server) (shortest, longest time.Duration) {
	t.Helper()
	conf, err := server.FourLetter(bounded(t), "conf")
	if err != nil {
		t.Fatal(err)
	}
	var low, high int64
	for line := range strings.Lines(conf) {
		_, _ = fmt.Sscanf(line, "minSessionTimeout=%d", &low)
		_, _ = fmt.Sscanf(line, "maxSessionTimeout=%d", &high)
	}
	if low == 0 || high == 0 {
		t.Fatalf("no limits in %s", conf)
	}
	return time.Duration(low) * time.Millisecond, time.Duration(high) * time.Millisecond
}

func TestIDOwnsEphemerals(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	s := open(t, config(space.Addr()))
	mustCreate(t, s, space.Path("/a"), Ephemeral)
	if _, stat := space.Get("/a"); stat.EphemeralOwner != s.ID() || s.ID() == 0 {
		t.Errorf("the owner is %#x, the session %#x", stat.EphemeralOwner, s.ID())
	}
	_ = s.Close()
}

func TestCloseRemovesEphemeralsAtOnce(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	s := open(t, config(space.Addr()))
	mustCreate(t, s, space.Path("/a"), Ephemeral)
	mustCreate(t, s, space.Path("/b-"), EphemeralSequential)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if tree := space.Tree(); len(tree) != 0 {
		t.Errorf("Close left %q", tree)
	}
	if !errors.Is(s.Err(), ErrClosed) {
		t.Errorf("the session ended by %v", s.Err())
	}
	await(t, "the loss", s.Lost())
	if _, err := s.Stat(bounded(t), "/"); !errors.Is(err, ErrClosed) || Answered(err) {
		t.Errorf("a request on a closed session: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

func TestPausedServer(t *testing.T) {
	t.Parallel()
	server := zktest.Own(t, zktest.Options{})
	space := zktest.NewSpaceOn(t, server)
	asking := open(t, config(server.Addr()))
	long := config(server.Addr())
	long.SessionTimeout = time.Minute // so is the library's patience
	closing := open(t, long)
	mustCreate(t, closing, space.Path("/a"), Ephemeral)
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}

	t.Run("a request ends with its context", func(t *testing.T) {
		alive := asking.AliveUntil()
		cause := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, cause)
		defer cancel()
		_, err := asking.Stat(ctx, "/")
		if !errors.Is(err, cause) || Answered(err) || Disconnected(err) {
			t.Errorf("want %v, got %v", cause, err)
		}
		if asking.AliveUntil() != alive {
			t.Error("a request without an answer counts as answered")
		}
	})
	t.Run("opening says that the server is silent", func(t *testing.T) {
		cfg := config(server.Addr())
		cfg.ConnectTimeout = time.Second
		s, err := Open(bounded(t), cfg)
		_ = connectError(t, s, err)
		if !errors.Is(err, errHandshake) {
			t.Errorf("the cause is not the silence: %v", err)
		}
	})
	t.Run("closing comes back", func(t *testing.T) {
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			_ = closing.Close()
		}()
		await(t, "Close", closed)
	})
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	space.WaitGone("/a")
}

func TestRestartedServer(t *testing.T) {
	t.Parallel()
	server := zktest.Own(t, zktest.Options{})
	space := zktest.NewSpaceOn(t, server)
	cfg := config(server.Addr())
	cfg.SessionTimeout = time.Minute // the server is away for seconds
	s := open(t, cfg)
	id := s.ID()
	mustCreate(t, s, space.Path("/a"), Ephemeral)

	changed := s.Changed()
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, "the loss of the connection", changed)
	changed = s.Changed()
	cause := errors.New("enough")
	short, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, cause)
	defer cancel()
	if _, err := s.Stat(short, "/"); !errors.Is(err, cause) {
		t.Errorf("a request without a connection does not wait: %v", err)
	}
	type answer struct {
		stat *Stat
		err  error
	}
	waiting := make(chan answer)
	go func() {
		stat, err := s.Stat(bounded(t), space.Path("/a"))
		waiting <- answer{stat, err}
	}()

	if err := server.Restart(bounded(t)); err != nil {
		t.Fatal(err)
	}
	await(t, "the return of the connection", changed)
	if a := <-waiting; a.err != nil || a.stat.EphemeralOwner != id {
		t.Errorf("after the restart: %+v", a)
	}
	if s.ID() != id || s.Err() != nil {
		t.Errorf("session %#x has become %#x, %v", id, s.ID(), s.Err())
	}

	t.Run("closing without a connection comes back", func(t *testing.T) {
		if err := space.Server().Kill(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
