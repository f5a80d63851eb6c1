// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// peer is how another client, or one of ours, takes part in a lock: how it names its
// contenders, and which ones they wait for. The rules are written down from the
// clients' published code (zk gem 1.10, Kazoo 2.8, Curator 5, go-zookeeper 1.0.4),
// not from what this provider believes of them.
type peer struct {
	name string
	mode Mode
	// prefix is the name of a new contender, which the server completes.
	prefix func() string
	// waitsFor are those of a directory's children, in no order, that keep own from
	// the lock; an error if the client cannot make sense of them.
	waitsFor func(children []string, own string) ([]string, error)
	// tolerates is how many of those may be left, for a semaphore.
	tolerates int
}

// patterns make Kazoo see the names of the gem, of Curator and of go-zookeeper.
var patterns = []string{"ex", "sh", "-lock-"}

// The peers.
var (
	ourExclusive = ours("exclusive", Request{})
	ourShared    = ours("shared", Request{Mode: Shared})
	ourCurator   = ours("layout = curator", Request{Layout: Curator})

	gemExclusive = peer{name: "zk gem exclusive", mode: Exclusive, prefix: fixed("ex"), waitsFor: gemRule("")}
	gemShared    = peer{name: "zk gem shared", mode: Shared, prefix: fixed("sh"), waitsFor: gemRule("ex")}

	kazooLock      = peer{name: "Kazoo Lock", mode: Exclusive, prefix: kazooName("__lock__"), waitsFor: kazooRule("__lock__")}
	kazooPatterns  = peer{name: "Kazoo WriteLock with patterns", mode: Exclusive, prefix: kazooName("__lock__"), waitsFor: kazooRule(append([]string{"__lock__", "__rlock__"}, patterns...)...)}
	kazooWriteLock = peer{name: "Kazoo WriteLock", mode: Exclusive, prefix: kazooName("__lock__"), waitsFor: kazooRule("__lock__", "__rlock__")}
	kazooReadLock  = peer{name: "Kazoo ReadLock", mode: Shared, prefix: kazooName("__rlock__"), waitsFor: kazooRule("__lock__")}

	curatorMutex = peer{name: "Curator InterProcessMutex", mode: Exclusive, prefix: curatorName("lock-"), waitsFor: curatorRule("lock-")}
	curatorWrite = peer{name: "Curator write lock", mode: Exclusive, prefix: curatorName("__WRIT__"), waitsFor: curatorRule("__READ__", "__WRIT__")}
	curatorRead  = peer{name: "Curator read lock", mode: Shared, prefix: curatorName("__READ__"), waitsFor: curatorReadRule}

	goLock = peer{name: "go-zookeeper Lock", mode: Exclusive, prefix: goName, waitsFor: goRule}
)

func ours(name string, req Request) peer {
	rule := func(children []string, own string) ([]string, error) {
		queue, _ := Contenders(children)
		place := slices.IndexFunc(queue, func(c Contender) bool { return c.Name == own })
		var names []string
		for _, c := range blockers(queue, place, req.Slots) {
			names = append(names, c.Name)
		}
		return names, nil
	}
	return peer{name: name, mode: cmp.Or(req.Mode, Exclusive), prefix: func() string { return prefixOf(req) }, waitsFor: rule}
}

// prefixOf is the name of a new node without its number.
func prefixOf(req Request) string { return newPrefix(req.Data.Run, req.Mode, req.Slots, req.Layout) }

func fixed(prefix string) func() string { return func() string { return prefix } }

func randomHex() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// gemRule waits for all with a lower number whose names begin with prefix. The
// number is what digits a name ends in; 0 if there are none.
func gemRule(prefix string) func([]string, string) ([]string, error) {
	digits := regexp.MustCompile(`\d+$`)
	number := func(name string) int {
		n, _ := strconv.Atoi(digits.FindString(name))
		return n
	}
	return func(children []string, own string) ([]string, error) {
		var lower []string
		for _, name := range children {
			if strings.HasPrefix(name, prefix) && number(name) < number(own) {
				lower = append(lower, name)
			}
		}
		return lower, nil
	}
}

// gemSemaphore waits until fewer than so many of those with a lower number are
// left.
func gemSemaphore(slots int) peer {
	lower := gemRule("")
	rule := func(children []string, own string) ([]string, error) {
		before, err := lower(children, own)
		if len(before) < slots {
			return nil, err
		}
		return before, err
	}
	return peer{name: "zk gem semaphore", mode: Semaphore, prefix: fixed("sem"), waitsFor: rule, tolerates: slots - 1}
}

func kazooName(marker string) func() string {
	return func() string { return randomHex() + marker }
}

// kazooRule waits for the next lower of those whose names have one of the patterns.
// If its own name has none, as that of a ReadLock, it waits for the highest.
func kazooRule(patterns ...string) func([]string, string) ([]string, error) {
	contender := regexp.MustCompile(`(?:` + strings.Join(patterns, "|") + `)(-?\d{10})$`)
	return func(children []string, own string) ([]string, error) {
		var seen [][]string
		for _, name := range children {
			if m := contender.FindStringSubmatch(name); m != nil {
				seen = append(seen, []string{m[1], name})
			}
		}
		slices.SortStableFunc(seen, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
		var predecessor []string
		for _, m := range seen {
			if m[1] == own {
				break
			}
			predecessor = []string{m[1]}
		}
		return predecessor, nil
	}
}

func curatorName(lockName string) func() string {
	return func() string {
		id := randomHex()
		return "_c_" + id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:] + "-" + lockName
	}
}

// curatorSorted sorts as fixForSorting has it: by what follows the last of each
// of the lock names in turn, and by the whole name where there is none.
func curatorSorted(children []string, lockNames ...string) []string {
	fix := func(name string) string {
		for _, lockName := range lockNames {
			if i := strings.LastIndex(name, lockName); i >= 0 {
				name = name[i+len(lockName):]
			}
		}
		return name
	}
	sorted := slices.Clone(children)
	slices.SortStableFunc(sorted, func(a, b string) int { return strings.Compare(fix(a), fix(b)) })
	return sorted
}

// curatorRule waits for the one before it among all children (getsTheLock with one
// lease).
func curatorRule(lockNames ...string) func([]string, string) ([]string, error) {
	return func(children []string, own string) ([]string, error) {
		sorted := curatorSorted(children, lockNames...)
		if i := slices.Index(sorted, own); i > 0 {
			return sorted[i-1 : i], nil
		}
		return nil, nil
	}
}

// curatorReadRule waits for the first writer before it.
func curatorReadRule(children []string, own string) ([]string, error) {
	for _, name := range curatorSorted(children, "__READ__", "__WRIT__") {
		if name == own {
			break
		}
		if strings.Contains(name, "__WRIT__") {
			return []string{name}, nil
		}
	}
	return nil, nil
}

func goName() string { return "_c_" + randomHex() + "-lock-" }

// goRule waits for the next lower number, and fails if any child has none where it
// expects it.
func goRule(children []string, own string) ([]string, error) {
	number := func(name string) (int, error) {
		parts := strings.Split(name, "lock-")
		if len(parts) == 1 {
			parts = strings.Split(name, "__")
		}
		return strconv.Atoi(parts[len(parts)-1])
	}
	mine, err := number(own)
	previous, before := -1, []string(nil)
	for _, name := range children {
		n, e := number(name)
		err = errors.Join(err, e)
		if n < mine && n > previous {
			previous, before = n, []string{name}
		}
	}
	return before, err
}
