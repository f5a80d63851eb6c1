package locker

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
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
				space.Delete(ours)
				space.Create(ours, nil, mode)
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

const aPrefix = "ex-0123456789abcdef0123456789abcdef__lock__"

// Where somebody behind it has left, a waiter has to ask whether its znode is the
// same, once for each time.
func TestAWaiterAsksWhenSomebodyBehindItHasLeft(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	proxy := zktest.NewProxy(t, space.Server())
	holder := newClient(t, space.Addr()).lock(dirOf(space))
	next := newClient(t, space.Addr())
	first := next.queue(next.request(dirOf(space)))
	c, other := newClient(t, proxy.Addr()), newClient(t, space.Addr())
	w := c.queue(c.request(dirOf(space)))
	other.queue(other.request(dirOf(space))).leave()
	requests := record(proxy)
	release(t, holder)
	release(t, first.get())
	l := w.get()
	if got := requests.take(); !sameRequests(got, zktest.OpChildren, zktest.OpExists) {
		t.Errorf("to get the lock took %v", got)
	}
	release(t, l)
}

// Whatever happens in a directory on a real server: a sighting like the last one
// means that it is the same znode, and arrivals behind it and departures before it
// do not change the sighting.
func TestASightingTellsAReplacedZnode(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	space.Create(DefaultRoot, nil, zktest.Persistent)
	random := seeded(newSeed(t), 1)
	for range 20 {
		s := newSightseer(t, space, random)
		for range 40 {
			s.step()
		}
		for _, name := range space.Children(testDir) {
			space.Delete(testDir + "/" + name)
		}
		space.Delete(testDir)
	}
}

// sightseer looks at a contender in the midst of others.
type sightseer struct {
	t      *testing.T
	space  *zktest.Space
	random *rand.Rand
	c      *candidate
	czxid  int64
}

func newSightseer(t *testing.T, space *zktest.Space, random *rand.Rand) *sightseer {
	t.Helper()
	space.Create(testDir, nil, zktest.Persistent)
	s := &sightseer{t: t, space: space, random: random, c: &candidate{}}
	for range random.IntN(4) {
		s.arrive()
	}
	s.c.node = s.arrive()
	s.czxid = s.stat().Czxid
	return s
}

func (s *sightseer) arrive() string {
	return nameOf(s.space.Create(testDir+"/"+aPrefix, nil, zktest.PersistentSequential))
}

func (s *sightseer) stat() *zk.Stat {
	_, stat := s.space.Get(testDir + "/" + s.c.node)
	return stat
}

// step lets something happen, and looks.
func (s *sightseer) step() {
	s.t.Helper()
	names := s.space.Children(testDir)
	other := names[s.random.IntN(len(names))]
	place, number := byNumber(other, s.c.node), s.random.IntN(10)
	harmless := true
	switch {
	case number < 4:
		s.arrive()
	case number < 7 && other != s.c.node:
		s.space.Delete(testDir + "/" + other)
		harmless = place < 0
	case number == 7 && other != s.c.node: // another one is replaced
		s.space.Delete(testDir + "/" + other)
		s.space.Create(testDir+"/"+other, nil, zktest.Persistent)
		harmless = false
	case number == 8: // and something comes or goes that has no number
		harmless = false
		if extra := testDir + "/extra"; s.space.Exists(extra) {
			s.space.Delete(extra)
			harmless = true
		} else {
			s.space.Create(extra, nil, zktest.Persistent)
		}
	case number == 9:
		s.space.Delete(testDir + "/" + s.c.node)
		if s.random.IntN(2) == 0 {
			s.arrive()
		}
		s.space.Create(testDir+"/"+s.c.node, nil, zktest.Persistent)
		harmless = false
	}
	listing := s.list()
	queue, _ := Contenders(listing.Names)
	at := slices.IndexFunc(queue, func(q Contender) bool { return q.Name == s.c.node })
	seen, czxid := sightingOf(listing, len(queue)-1-at), s.stat().Czxid
	same := s.c.same(seen)
	if same && czxid != s.czxid {
		s.t.Fatalf("step %d: %s was replaced, and the sighting is %v as before", number, s.c.node, seen)
	}
	if harmless && !same {
		s.t.Fatalf("step %d: %s is the same, and the sighting is %v after %v", number, s.c.node, seen, s.c.seen)
	}
	s.c.seen, s.czxid = seen, czxid
}

func (s *sightseer) list() zookeeper.Listing {
	s.t.Helper()
	names, stat, err := s.space.Conn().Children(s.space.Path(testDir))
	if err != nil {
		s.t.Fatal(err)
	}
	return zookeeper.Listing{Names: names, Stat: stat}
}

// Numbers are signed and wrap, and the server's double of the creations does so twice
// as soon.
func TestASightingWhenTheNumbersWrap(t *testing.T) {
	t.Parallel()
	for _, before := range []int32{0, 1, 1<<30 - 2, 1<<30 - 1, 1 << 30, math.MaxInt32 - 2, math.MaxInt32 - 1, math.MaxInt32, math.MinInt32, -2, -1} {
		c := &candidate{}
		c.node = fmt.Sprintf("%s%010d", aPrefix, before)
		for behind := range int32(5) {
			for ahead := range int32(3) {
				created, children := before+1+behind, ahead+1+behind
				listing := zookeeper.Listing{Stat: &zk.Stat{Czxid: 7, Cversion: 2*created - children, NumChildren: children}}
				if seen := sightingOf(listing, int(behind)); !c.same(seen) {
					t.Errorf("%s with %d behind it is not the same: %v", c.node, behind, seen)
				}
				listing.Stat.Cversion += 2 // deleted, and created anew
				if seen := sightingOf(listing, int(behind)); c.same(seen) {
					t.Errorf("%s with %d behind it is the same after it was replaced: %v", c.node, behind, seen)
				}
			}
		}
	}
}
