// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// envStartAndHang makes this test binary start a server, print its address and
// hang: see TestServerDiesWithItsStarter.
const envStartAndHang = "ZKTEST_START_AND_HANG"

func TestMain(m *testing.M) {
	if os.Getenv(envStartAndHang) != "" {
		s, err := StartServer(context.Background(), Options{})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(s.Addr())
		<-make(chan struct{})
	}
	Main(m)
}

func TestSpaceReportsWhatIsLeft(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		paths  []string
		allow  []string
		report []string
	}{
		"nothing":           {},
		"empty lock roots":  {paths: []string{"/_zklocking", "/_zksemaphore"}},
		"an allowed root":   {paths: []string{"/mine"}, allow: []string{"/mine"}},
		"an unknown root":   {paths: []string{"/mine"}, report: []string{"/mine"}},
		"a lock's contents": {paths: []string{"/_zklocking", "/_zklocking/a", "/_zklocking/a/ex-1"}, report: []string{"/_zklocking/a", "/_zklocking/a/ex-1"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorder := &recorder{TB: t}
			s := NewSpace(recorder)
			s.leaveTime = 50 * time.Millisecond
			s.AllowEmpty(test.allow...)
			for _, path := range test.paths {
				s.Create(path, nil, Persistent)
			}
			recorder.finish()

			if len(test.report) == 0 {
				if len(recorder.errors) > 0 {
					t.Fatalf("reported %q, want nothing", recorder.errors)
				}
				return
			}
			want := fmt.Sprintf("the test left these znodes below %s:\n  %s", s.Chroot(), strings.Join(test.report, "\n  "))
			if len(recorder.errors) != 1 || recorder.errors[0] != want {
				t.Fatalf("reported %q, want %q", recorder.errors, want)
			}
		})
	}
}

func TestSpaceDeletesItsChroot(t *testing.T) {
	t.Parallel()
	recorder := &recorder{TB: t}
	s := NewSpace(recorder)
	s.Create("/_zklocking", nil, Persistent)
	recorder.finish()

	exists, _, err := NewSpace(t).Conn().Exists(s.Chroot())
	if err != nil || exists {
		t.Fatalf("after the test %s exists: %t, %v", s.Chroot(), exists, err)
	}
}

// A session that ends with the test may take its time: that is not a leftover.
func TestSpaceWaitsForSessionsToEnd(t *testing.T) {
	t.Parallel()
	recorder := &recorder{TB: t}
	s := NewSpace(recorder)
	client := NewSpace(t).NewSession(time.Minute)
	s.Create("/_zklocking", nil, Persistent)
	if _, err := client.Create(s.Path("/_zklocking/a"), nil, int32(Ephemeral), worldACL); err != nil {
		t.Fatal(err)
	}

	finished := make(chan struct{})
	go func() {
		defer close(finished)
		recorder.finish()
	}()
	// The clean-up watches the node by the time the server knows of a watch on it.
	await := func() error {
		answer, err := s.Server().FourLetter(t.Context(), "wchp")
		if err == nil && !strings.Contains(answer, s.Path("/_zklocking/a")) {
			err = fmt.Errorf("not among the watches: %s", answer)
		}
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := poll(ctx, await); err != nil {
		t.Fatal(err)
	}
	client.Close()
	<-finished
	if len(recorder.errors) != 0 {
		t.Fatalf("reported %q, want nothing", recorder.errors)
	}
}

func TestSpaceWaits(t *testing.T) {
	t.Parallel()
	s := NewSpace(t)
	other := s.NewSession(time.Minute)
	if names := s.WaitChildren("/a", 0); len(names) != 0 {
		t.Errorf("a znode that does not exist has children %q", names)
	}
	go func() { _, _ = other.Create(s.Path("/a"), []byte("1"), int32(Persistent), worldACL) }()
	s.WaitExists("/a")
	_, stat := s.Get("/a")

	go func() { _, _ = other.Set(s.Path("/a"), []byte("2"), -1) }()
	s.WaitChanged("/a", stat.Version)
	if data, _ := s.Get("/a"); string(data) != "2" {
		t.Errorf("data are %q, want 2", data)
	}

	go func() {
		_, _ = other.Create(s.Path("/a/y"), nil, int32(Ephemeral), worldACL)
		_, _ = other.Create(s.Path("/a/x"), nil, int32(Ephemeral), worldACL)
	}()
	if names := s.WaitChildren("/a", 2); names[0] != "x" || names[1] != "y" {
		t.Errorf("children are %q, want x and y", names)
	}
	if tree := s.Tree(); strings.Join(tree, " ") != "/a /a/x /a/y" {
		t.Errorf("the tree is %q", tree)
	}

	other.Close()
	s.WaitGone("/a/x")
	s.WaitGone("/a/y")
	if path := s.Create("/a/s-", nil, PersistentSequential); path != "/a/s-0000000002" {
		t.Errorf("created %s", path)
	} else {
		s.Delete(path)
	}
	s.Delete("/a")
	if s.Exists("/a") {
		t.Error("/a exists after its deletion")
	}
}

// recorder is a test within a test: it collects errors and runs its clean-ups
// when told to.
type recorder struct {
	testing.TB

	mu       sync.Mutex
	errors   []string
	cleanups []func()
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) finish() {
	for len(r.cleanups) > 0 {
		last := len(r.cleanups) - 1
		f := r.cleanups[last]
		r.cleanups = r.cleanups[:last]
		f()
	}
}
