// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Mode is how a contender wants the lock.
type Mode string

const (
	// Exclusive tolerates no other holder.
	Exclusive Mode = "exclusive"
	// Shared tolerates other shared holders.
	Shared Mode = "shared"
	// Semaphore tolerates a number of other holders, all of this mode.
	Semaphore Mode = "semaphore"
)

// MaxSlots is the most slots that a semaphore can have.
const MaxSlots = 1000

// Layout is how our contenders are named. All clients that share a lock must recognize
// each other's names.
type Layout string

const (
	// Standard names are read right by the zk gem, Kazoo and go-zookeeper. Curator
	// does not see them.
	Standard Layout = "standard"
	// Curator names are read right by Curator's InterProcessMutex, the zk gem and
	// go-zookeeper, for exclusive locks. Kazoo does not see them.
	Curator Layout = "curator"
)

// Contender is a child of a lock's directory that queues for the lock or holds
// it, read from nothing but its name.
type Contender struct {
	Name     string
	Sequence int32 // the server's counter
	Mode     Mode
	Slots    int // of a semaphore, where its name tells
}

// marker is what stands before the sequence number in a contender's name.
type marker struct {
	text string
	mode Mode
}

// Markers may follow anything, prefixes must begin the name. Beside this
// provider's own names they are those of Kazoo (__lock__, __rlock__), Curator
// (lock-, __WRIT__, __READ__), go-zookeeper (lock-), the zk gem (ex, sh, sem)
// and the ZooKeeper recipes (read-, write-).
var (
	markers = []marker{
		{"__lock__", Exclusive},
		{"__rlock__", Shared},
		{"lock-", Exclusive},
		{"__WRIT__", Exclusive},
		{"__READ__", Shared},
		{"write-", Exclusive},
		{"read-", Shared},
	}
	prefixes = []marker{
		{"ex", Exclusive},
		{"sh", Shared},
		{"sem", Semaphore},
		{"", Exclusive},
	}
	// unknownMarker ends in a number as the server appends it ("%010d"): ten
	// places, of which a minus takes one unless the number needs them all.
	unknownMarker = regexp.MustCompile(`(?:-[12]\d{9}|-\d{9}|\d{10})$`)
	// unnumbered are the children of Kazoo's semaphore, which are UUIDs and may
	// happen to end in ten digits.
	unnumbered = regexp.MustCompile(`^[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$`)
	// gemName is how the zk gem names its contenders.
	gemName = regexp.MustCompile(`^(?:ex|sh|sem)-?\d{9,10}$`)
)

// runIDLength is the length of a run's id, in hex digits.
const runIDLength = 16

// Our own names, as newPrefix makes them: the id of the run, and the number of slots.
var (
	ownName      = regexp.MustCompile(`^(?:ex|sh|sem)-([0-9a-fA-F]{16})[0-9a-fA-F]{16}(?:__lock__|__rlock__|-lock-)`)
	ownSemaphore = regexp.MustCompile(`^sem-[0-9a-fA-F]{16}([0-9a-fA-F]{4})[0-9a-fA-F]{12}__lock__`)
)

// newPrefix is the name of a new contender without its sequence number. It has 32 hex
// digits. The first 16 are the run's id, so that the names alone tell which run waits for
// which. Of a semaphore, the next 4 are the number of slots, so that the names alone tell
// whether all contenders agree. The rest is random, so that the znode can be found when
// the reply to its creation is lost. Without a proper id of the run all are random.
func newPrefix(run string, mode Mode, slots int, layout Layout) string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	id := hex.EncodeToString(random[:])
	if len(run) == runIDLength {
		id = run + id[runIDLength:]
	}
	switch {
	case layout == Curator:
		return "ex-" + id + "-lock-"
	case slots > 0:
		return fmt.Sprintf("sem-%s%04x%s__lock__", id[:16], slots, id[20:])
	case mode == Shared:
		return "sh-" + id + "__rlock__"
	default:
		return "ex-" + id + "__lock__"
	}
}

// run is the id of the run that a contender of ours belongs to; "" for another client's.
func (c Contender) run() string {
	if m := ownName.FindStringSubmatch(c.Name); m != nil {
		return m[1]
	}
	return ""
}

// Layout is how a contender of ours is named.
func (c Contender) Layout() Layout {
	if strings.Contains(c.Name, "-lock-") {
		return Curator
	}
	return Standard
}

// ParseContender recognizes a contender of any known client by its name. A child without
// a number is not a contender. A number behind an unknown marker is taken for an exclusive
// contender: it is safer to wait for an unknown client than to pass it.
func ParseContender(name string) (c Contender, ok bool) {
	digits := len(name)
	for digits > 0 && '0' <= name[digits-1] && name[digits-1] <= '9' {
		digits--
	}
	// A minus before the digits ends a marker, or else is the number's sign.
	for end := digits; end >= max(0, digits-1); end-- {
		n, ok := parseSequence(name[end:])
		if !ok {
			continue
		}
		for _, m := range markers {
			if !strings.HasSuffix(name[:end], m.text) || insideWord(name, end-len(m.text)) {
				continue
			}
			if strings.HasPrefix(name, "sem-") {
				return Contender{name, n, Semaphore, parseSlots(name)}, true
			}
			return Contender{Name: name, Sequence: n, Mode: m.mode}, true
		}
	}
	for _, m := range prefixes {
		if rest, ok := strings.CutPrefix(name, m.text); ok {
			if n, ok := parseSequence(rest); ok {
				return Contender{Name: name, Sequence: n, Mode: m.mode}, true
			}
		}
	}
	if n, ok := parseSequence(unknownMarker.FindString(name)); ok && !unnumbered.MatchString(name) {
		return Contender{Name: name, Sequence: n, Mode: Exclusive}, true
	}
	return Contender{}, false
}

// insideWord tells whether the marker at name[i:] is the end of a longer word, as in
// "thread-". To take such a client for a reader would be to pass it.
func insideWord(name string, i int) bool {
	return i > 0 && strings.HasPrefix(name[i:], "read-") && unicode.IsLetter(rune(name[i-1]))
}

func parseSequence(s string) (int32, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int32(n), err == nil && s[0] != '+'
}

// parseSlots is the number of slots in the name of a semaphore's contender of ours; 0 for
// other names.
func parseSlots(name string) int {
	m := ownSemaphore.FindStringSubmatch(name)
	if m == nil {
		return 0
	}
	slots, err := strconv.ParseUint(m[1], 16, 16)
	if err != nil || slots > MaxSlots {
		return 0
	}
	return int(slots)
}

// lastSequence is where the server's counter stays. All znodes that are created after it
// get this number, and so are not in the order of their creation any more.
const lastSequence = math.MaxInt32

// Contenders picks the contenders among a directory's children and puts them in
// queue order. The rest, sorted by name, are not contenders.
//
// The order is that of the sequence numbers. Equal numbers, which different clients'
// promotions and hand-made znodes can bring about, stand in the order of their
// names. The order is total, whatever the names are.
func Contenders(names []string) (queue []Contender, others []string) {
	queue = slices.Grow(queue, len(names))
	for _, name := range names {
		if c, ok := ParseContender(name); ok {
			queue = append(queue, c)
		} else {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	slices.SortFunc(queue, func(a, b Contender) int {
		return cmp.Or(cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.Name, b.Name))
	})
	return queue, others
}

// placeOf is where the contender of this name stands in the queue, from 0; -1 if it is
// not there.
func placeOf(queue []Contender, name string) int {
	return slices.IndexFunc(queue, func(c Contender) bool { return c.Name == name })
}

// disagreement is the first contender before queue[i] that takes the lock for another
// kind, or for a semaphore with another number of slots; nil if there is none. The zk gem's
// names have no number of slots, so they agree with any.
func disagreement(queue []Contender, i, slots int) *Contender {
	for j := range queue[:i] {
		other := &queue[j]
		semaphore := other.Mode == Semaphore
		if semaphore != (slots > 0) || semaphore && other.Slots != slots && !gemName.MatchString(other.Name) {
			return other
		}
	}
	return nil
}

// slotsOf is the number of slots in the first name that has one. If none has, it is
// believed for a semaphore, and 0 for a plain lock.
func slotsOf(queue []Contender, believed int) int {
	slots := 0
	for _, c := range queue {
		if c.Mode != Semaphore {
			continue
		}
		if c.Slots > 0 {
			return c.Slots
		}
		slots = believed
	}
	return slots
}

// holds tells whether queue[i] holds the lock. slots is the semaphore's number, 0
// for a plain lock.
func holds(queue []Contender, i, slots int) bool {
	return len(blockers(queue, i, slots)) == 0
}

// countHolders is how many hold the lock. They are the first in the queue.
func countHolders(queue []Contender, slots int) int {
	n := 0
	for n < len(queue) && holds(queue, n, slots) {
		n++
	}
	return n
}

// blockers are the contenders of which one must leave before queue[i] can hold
// the lock: the next lower one; if queue[i] is shared, the next lower that is
// not; of a semaphore the next lower ones, as many as there are slots.
func blockers(queue []Contender, i, slots int) []Contender {
	if slots > 0 {
		if i < slots {
			return nil
		}
		return queue[i-slots : i]
	}
	for j := i - 1; j >= 0; j-- {
		if queue[i].Mode != Shared || queue[j].Mode != Shared {
			return queue[j : j+1]
		}
	}
	return nil
}
