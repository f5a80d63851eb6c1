// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"fmt"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// Contenders that a stranger has given other runs' ids close no circle: the run that waits
// goes on waiting, and gets the lock.
func TestForgedContendersCloseNoCircle(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	root := space.Path(DefaultRoot)
	alice, bob := newGreedy(t, space.Addr(), root, "alice"), newGreedy(t, space.Addr(), root, "bob")
	hers, his := alice.acquire(alice.wants("hers", exclusive)), bob.acquire(bob.wants("his", exclusive))
	// As if bob waited for her lock, and alice did so, too.
	mallory := space.NewSession(time.Minute)
	var forged []string
	for _, run := range []string{bob.data.Run, alice.data.Run} {
		path, err := mallory.Create(fmt.Sprintf("%s/hers/ex-%s%016x__lock__", root, run, 7),
			fmt.Appendf(nil, `{"v":1,"run":%q}`, run), int32(zktest.EphemeralSequential), worldACL)
		if err != nil {
			t.Fatal(err)
		}
		forged = append(forged, path)
	}
	req := alice.wants("his", exclusive)
	waiting := alice.queue(req)
	queue, _ := Contenders(space.Children(DefaultRoot + "/his"))
	own := queue[len(queue)-1]
	s := search{alice.session(), req, claim{entry: Entry{Contender: own, Znode: req.Dir + "/" + own.Name}, dir: req.Dir, run: own.run()}}
	if circle, stuck := s.look(bounded(t)); len(circle) > 0 || stuck {
		t.Errorf("a forged circle is taken for one: %v, %t", circle, stuck)
	}
	for _, path := range forged {
		if err := mallory.Delete(path, -1); err != nil {
			t.Error(err)
		}
	}
	release(t, his)
	release(t, waiting.get())
	release(t, hers)
}
