// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// guide says which clients exclude each other.
const guide = "../../templates/guides/sharing-locks.md.tmpl"

// guidePeers are the clients as the guide calls them.
var guidePeers = map[string][]peer{
	"exclusive":              {ourExclusive},
	"shared":                 {ourShared},
	"`layout = \"curator\"`": {ourCurator},

	"zk gem `ExclusiveLocker`":            {gemExclusive},
	"zk gem `SharedLocker`":               {gemShared},
	"Kazoo `Lock`":                        {kazooLock},
	"Kazoo `WriteLock`":                   {kazooWriteLock},
	"Kazoo `ReadLock`":                    {kazooReadLock},
	"Kazoo `WriteLock` with patterns":     {kazooPatterns},
	"go-zookeeper `Lock`":                 {goLock},
	"Curator `InterProcessMutex`":         {curatorMutex},
	"Curator `InterProcessReadWriteLock`": {curatorWrite, curatorRead},
}

// The guide's tables say what follows from the rules by which the clients wait.
func TestTheGuideSaysWhoExcludesWhom(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	cells := 0
	for _, table := range tables(string(text)) {
		if _, about := guidePeers[table[0][1]]; !about {
			continue // another kind of table
		}
		for _, row := range table[1:] {
			for i, cell := range row[1:] {
				column, ok := guidePeers[table[0][i+1]]
				if !ok {
					continue
				}
				rows, ok := guidePeers[row[0]]
				if !ok {
					t.Fatalf("who is %s?", row[0])
				}
				cells++
				says, _, _ := strings.Cut(cell, " ")
				if want := together(rows, column); strings.Trim(says, "*") != want {
					t.Errorf("of %s and %s the guide says %q, want %q", row[0], table[0][i+1], says, want)
				}
			}
		}
	}
	if want := 9*3 + 6*5; cells != want {
		t.Errorf("the guide has %d cells, want %d", cells, want)
	}
}

// tables are the cells of all Markdown tables, without notes: the heads, and the rows.
func tables(text string) [][][]string {
	var all [][][]string
	var table [][]string
	for line := range strings.Lines(text + "\n") {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			if table != nil {
				all = append(all, table)
			}
			table = nil
			continue
		}
		if strings.HasPrefix(line, "|--") {
			continue
		}
		var row []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			row = append(row, strings.TrimSpace(strings.TrimRight(cell, " ¹²³⁴")))
		}
		table = append(table, row)
	}
	return all
}

// together tells how contenders of two kinds of clients get on, at worst.
func together(some, others []peer) string {
	worst := ""
	for _, one := range some {
		for _, other := range others {
			verdict := "excluded"
			for _, v := range []string{beside(one, other), beside(other, one)} {
				switch {
				case v == passes && (one.mode != Shared || other.mode != Shared):
					verdict = "unsafe" // whatever the other one does
				case v == fails && verdict != "unsafe":
					verdict = "error"
				case v == passes && verdict == "excluded":
					verdict = "shared"
				}
			}
			if worst == "" || verdict == "unsafe" || verdict == "error" {
				worst = verdict
			}
		}
	}
	return worst
}

// What a later contender does where another is before it.
const (
	waits  = "waits"  // for that
	passes = "passes" // it
	fails  = "fails"  // with an error
)

// beside tells it of a contender of one client beside another's. By chance of the
// names it may wait at times; then it cannot be relied on.
func beside(later, earlier peer) string {
	verdict := waits
	for range 100 {
		first := earlier.prefix() + "0000000041"
		second := later.prefix() + "0000000042"
		before, err := later.waitsFor([]string{second, first}, second)
		switch {
		case err != nil:
			return fails
		case !slices.Contains(before, first):
			verdict = passes
		}
	}
	return verdict
}
