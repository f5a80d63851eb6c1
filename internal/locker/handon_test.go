// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"slices"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A lock that somebody waited for is given up alone, whatever has become of those who
// waited and of the directory, which goes only if it is empty, and nobody's.
func TestReleaseOfALockThatIsWaitedFor(t *testing.T) {
	t.Parallel()
	write := func(space *zktest.Space) { space.Set(testDir, []byte("keep me")) }
	for name, test := range map[string]struct {
		change func(*zktest.Space)
		kept   bool // the directory, though nobody is left
	}{
		"":                        {change: func(*zktest.Space) {}},
		"and has been written to": {change: write, kept: true},
	} {
		for _, left := range []bool{false, true} {
			title := "still waited for" + name
			if left {
				title = "waited for no more" + name
			}
			t.Run(title, func(t *testing.T) {
				t.Parallel()
				space := zktest.NewSpace(t)
				l, behind := waitedFor(t, space)
				test.change(space)
				want := []string{behind}
				if left {
					space.Delete(testDir + "/" + behind)
					want = nil
				}
				release(t, l)
				if got := space.Children(testDir); !slices.Equal(got, want) {
					t.Errorf("the release left %q, want %q", got, want)
				}
				if kept := space.Exists(testDir); kept != (test.kept || !left) {
					t.Errorf("the directory was kept: %v", kept)
				}
				if !space.Exists(testDir) {
					return
				}
				if data, _ := space.Get(testDir); test.kept && string(data) != "keep me" {
					t.Errorf("the data are %q", data)
				}
				for _, name := range want {
					space.Delete(testDir + "/" + name)
				}
				space.Delete(testDir)
			})
		}
	}
}

// A directory that has another program's children is not written to.
func TestHandOnInAnotherProgramsDirectory(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	l, behind := waitedFor(t, space, "config")
	_, before := space.Get(testDir)
	release(t, l)
	_, after := space.Get(testDir)
	if got := space.Children(testDir); after.Version != before.Version || !slices.Equal(got, []string{"config", behind}) {
		t.Errorf("the directory was %+v and is %+v, with %q", before, after, got)
	}
	space.Delete(testDir+"/config", testDir+"/"+behind, testDir)
}

// waitedFor returns a lock whose holder has seen that somebody waits behind it, and
// that one's name.
func waitedFor(t *testing.T, space *zktest.Space, others ...string) (l *Lock, behind string) {
	t.Helper()
	space.Create(DefaultRoot, nil, zktest.Persistent)
	space.Create(testDir, nil, zktest.Persistent)
	for _, other := range others {
		space.Create(testDir+"/"+other, nil, zktest.Persistent)
	}
	before := space.Create(testDir+"/lock-", nil, zktest.EphemeralSequential)
	c := newClient(t, space.Addr())
	w := c.queue(c.request(dirOf(space)))
	behind = nameOf(space.Create(testDir+"/lock-", nil, zktest.EphemeralSequential))
	space.Delete(before)
	return w.get(), behind
}
