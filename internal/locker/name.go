package locker

import (
	"crypto/rand"
	"encoding/hex"
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

// runIDLength is that of a run's id, in hex digits.
const runIDLength = 16

// newPrefix is the name of a new contender without its sequence number. It has
// 32 hex digits: the first 16 are the run's id, so that a look at the names alone
// tells the own run; the rest is random, so that the znode can be found when the
// reply to its creation is lost. A run without a proper id is all random.
func newPrefix(req Request) string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	id := hex.EncodeToString(random[:])
	if run := req.Data.Run; len(run) == runIDLength {
		id = run + id[runIDLength:]
	}
	switch {
	case req.Layout == Curator:
		return exclusivePrefix + id + curatorMarker
	case req.Slots > 0:
		return semaphorePrefix + id + "__lock__"
	case req.Mode == Shared:
		return sharedPrefix + id + "__rlock__"
	default:
		return exclusivePrefix + id + "__lock__"
	}
}

// Layout is how a contender of ours is named.
func (c Contender) Layout() Layout {
	if strings.Contains(c.Name, curatorMarker) {
		return Curator
	}
	return Standard
}

// ofRun tells whether a contender's name is one that newPrefix gave to a run.
func ofRun(name, run string) bool {
	if len(run) != runIDLength {
		return false
	}
	for _, prefix := range []string{exclusivePrefix, sharedPrefix, semaphorePrefix} {
		if strings.HasPrefix(name, prefix+run) {
			return true
		}
	}
	return false
}
