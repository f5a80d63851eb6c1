// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"strings"
	"testing"
)

func TestEnsembleSurvivesItsLeader(t *testing.T) {
	t.Parallel()
	ensemble := OwnEnsemble(t, 3, Options{})
	s := NewSpaceOn(t, ensemble.Servers()...)
	if want := ensemble.ConnectString() + s.Chroot(); s.ConnectString() != want {
		t.Errorf("the connect string is %s, want %s", s.ConnectString(), want)
	}
	if n := strings.Count(ensemble.ConnectString(), ","); n != 2 {
		t.Errorf("%s does not name three servers", ensemble.ConnectString())
	}
	s.Create("/a", []byte("kept"), Persistent)

	first, err := ensemble.Leader(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	second, err := ensemble.Leader(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Error("the killed server leads")
	}
	if data, _ := s.Get("/a"); string(data) != "kept" {
		t.Errorf("data are %q after the leader's end", data)
	}
	if err := first.Restart(bounded(t)); err != nil {
		t.Fatal(err)
	}
	stats, err := first.Stats(t.Context())
	if err != nil || stats["zk_server_state"] != "follower" {
		t.Errorf("the restarted server is a %s, %v", stats["zk_server_state"], err)
	}
	s.Delete("/a")
}

func TestEnsembleOfOne(t *testing.T) {
	t.Parallel()
	if _, err := StartEnsemble(t.Context(), 1, Options{}); err == nil {
		t.Error("one server is an ensemble")
	}
}
