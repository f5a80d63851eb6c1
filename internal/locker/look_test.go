// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A waiter whose znode somebody has replaced by one of the same name finds that out
// when it is woken, and queues anew.
func TestAWaiterIsReplacedInTheQueue(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]zktest.Mode{"ephemeral": zktest.Ephemeral, "persistent": zktest.Persistent} {
		for _, behind := range []int{0, 2} {
			t.Run(fmt.Sprintf("by an %s one with %d behind", name, behind), func(t *testing.T) {
				t.Parallel()
				space := zktest.NewSpace(t)
				c := newClient(t, space.Addr())
				holder := newClient(t, space.Addr()).lock(dirOf(space))
				w := c.queue(c.request(dirOf(space)))
				var others []*pending
				for range behind {
					other := newClient(t, space.Addr())
					others = append(others, other.queue(other.request(dirOf(space))))
				}
				ours := testDir + "/" + slices.SortedFunc(slices.Values(space.Children(testDir)), byNumber)[1]
				path := space.Path(ours)
				if _, err := space.Conn().Multi(&zk.DeleteRequest{Path: path, Version: -1},
					&zk.CreateRequest{Path: path, Acl: zk.WorldACL(zk.PermAll), Flags: int32(mode)}); err != nil {
					t.Fatal(err)
				}
				release(t, holder)

				for _, other := range others {
					release(t, other.get())
				}
				l := w.get()
				node := testDir + "/" + nameOf(l.Znode())
				_, stat := space.Get(node)
				if node == ours || stat.EphemeralOwner != c.session().ID() || stat.Czxid != l.Token() {
					t.Errorf("holds %s with token %d, which is %+v, after %s was replaced", l.Znode(), l.Token(), stat, ours)
				}
				release(t, l)
			})
		}
	}
}

func byNumber(a, b string) int {
	return strings.Compare(a[max(0, len(a)-10):], b[max(0, len(b)-10):])
}
