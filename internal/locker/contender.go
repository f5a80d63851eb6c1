package locker

import (
	"cmp"
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

// semaphoreMark begins the names of the zk gem's semaphores and of ours.
const semaphoreMark = "sem"

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
		{semaphoreMark, Semaphore},
		{"", Exclusive},
	}
	// unknownMarker ends in a number as the server appends it ("%010d"): ten
	// places, of which a minus takes one unless the number needs them all.
	unknownMarker = regexp.MustCompile(`(?:-[12]\d{9}|-\d{9}|\d{10})$`)
	// unnumbered are the children of Kazoo's semaphore, which are UUIDs and may
	// happen to end in ten digits.
	unnumbered = regexp.MustCompile(`^[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$`)
)

// ParseContender recognizes a contender of any known client by its name. A
// child without a number is none. A number behind an unknown marker is taken
// for an exclusive contender: waiting for a stranger is safer than passing it.
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
			if strings.HasPrefix(name, semaphoreMark+"-") {
				return Contender{name, n, Semaphore, slotsOf(name)}, true
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
// "thread-": to take a stranger for a reader would be to pass it.
func insideWord(name string, i int) bool {
	return i > 0 && strings.HasPrefix(name[i:], "read-") && unicode.IsLetter(rune(name[i-1]))
}

func parseSequence(s string) (int32, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int32(n), err == nil && s[0] != '+'
}

// lastSequence is where the server's counter stays: znodes that are created after it all
// get this number, so that their order is not that of their creation any more.
const lastSequence = math.MaxInt32

// Contenders picks the contenders among a directory's children and puts them in
// queue order; the rest, sorted by name, are no contenders.
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

// disagreement is the first contender before queue[i] that takes the lock for another
// kind, or for a semaphore with another number of slots; nil if there is none. What a
// name does not tell, as those of the zk gem, is not held against it.
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

// gemName is how the zk gem names its contenders.
var gemName = regexp.MustCompile(`^(?:ex|sh|sem)-?\d{9,10}$`)

// holds tells whether queue[i] holds the lock. slots is the semaphore's number, 0
// for a plain lock.
func holds(queue []Contender, i, slots int) bool {
	return len(blockers(queue, i, slots)) == 0
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
