package locker

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Layout is a way to name contenders. All clients that share a lock must
// recognize each other's names.
type Layout string

const (
	// Standard names are read right by the zk gem, Kazoo and go-zookeeper. Curator
	// does not see them.
	Standard Layout = "standard"
	// Curator names are read right by Curator's InterProcessMutex, the zk gem and
	// go-zookeeper, for exclusive locks. Kazoo does not see them.
	Curator Layout = "curator"
)

// What our contenders' names begin with, before 32 hex digits.
const (
	exclusivePrefix = "ex-"
	sharedPrefix    = "sh-"
	semaphorePrefix = semaphoreMark + "-"
)

// curatorMarker ends them in Curator's layout.
const curatorMarker = "-lock-"

const (
	// runIDLength is that of a run's id, in hex digits.
	runIDLength = 16
	// slotsLength is that of a semaphore's number of slots, in hex digits.
	slotsLength = 4
	hexDigits   = 32
)

// newPrefix is the name of a new contender without its sequence number. It has
// 32 hex digits: the first 16 are the run's id, so that a look at the names alone
// tells who waits for whom; of a semaphore, the next 4 are the number of slots, so that
// the names alone tell whether all contenders agree; the rest is random, so that the
// znode can be found when the reply to its creation is lost. A run without a proper id
// is all random.
func newPrefix(req Request) string {
	var random [hexDigits / 2]byte
	_, _ = rand.Read(random[:]) // never fails
	id := hex.EncodeToString(random[:])
	if run := req.Data.Run; len(run) == runIDLength {
		id = run + id[runIDLength:]
	}
	switch {
	case req.Layout == Curator:
		return exclusivePrefix + id + curatorMarker
	case req.Slots > 0:
		slots := fmt.Sprintf("%0*x", slotsLength, req.Slots)
		return semaphorePrefix + id[:runIDLength] + slots + id[runIDLength+slotsLength:] + "__lock__"
	case req.Mode == Shared:
		return sharedPrefix + id + "__rlock__"
	default:
		return exclusivePrefix + id + "__lock__"
	}
}

// run is the id of the run that a contender of ours belongs to; "" for another client's.
func (c Contender) run() string {
	for _, prefix := range []string{exclusivePrefix, sharedPrefix, semaphorePrefix} {
		digits, ok := strings.CutPrefix(c.Name, prefix)
		if !ok || len(digits) < hexDigits {
			continue
		}
		_, err := hex.DecodeString(digits[:hexDigits])
		rest := digits[hexDigits:]
		if err == nil && (strings.HasPrefix(rest, "__lock__") || strings.HasPrefix(rest, "__rlock__") || strings.HasPrefix(rest, curatorMarker)) {
			return digits[:runIDLength]
		}
	}
	return ""
}

// slotsOf is the number of slots that a semaphore's contender of ours has in its name; 0
// for other names.
func slotsOf(name string) int {
	digits, ok := strings.CutPrefix(name, semaphorePrefix)
	if !ok || len(digits) < hexDigits {
		return 0
	}
	if _, err := hex.DecodeString(digits[:hexDigits]); err != nil || !strings.HasPrefix(digits[hexDigits:], "__lock__") {
		return 0
	}
	slots, err := strconv.ParseUint(digits[runIDLength:runIDLength+slotsLength], 16, 16)
	if err != nil || slots > MaxSlots {
		return 0
	}
	return int(slots)
}

// Layout is how a contender of ours is named.
func (c Contender) Layout() Layout {
	if strings.Contains(c.Name, curatorMarker) {
		return Curator
	}
	return Standard
}
