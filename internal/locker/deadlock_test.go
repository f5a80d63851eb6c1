// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"fmt"
	"strings"
	"testing"
)

// queueOf reads a queue such as "1x 2x 1s": runs, each wanting the lock exclusive, shared, or
// as a semaphore of so many slots. A number behind a slash is the order of creation.
func queueOf(t *testing.T, dir, text string) (queue []claim) {
	t.Helper()
	for i, word := range strings.Fields(text) {
		var run, kind string
		var zxid int64
		if _, err := fmt.Sscanf(strings.NewReplacer("x", " x ", "s", " s ", "1of", " 1 ", "2of", " 2 ", "/", "").Replace(word), "%s %s %d", &run, &kind, &zxid); err != nil {
			t.Fatalf("%q: %v", word, err)
		}
		c := claim{entry: Entry{Contender: Contender{Name: word, Sequence: int32(i), Mode: Exclusive}, Data: Data{Owner: run}, Znode: dir + "/" + word, Czxid: zxid}, dir: dir, run: run}
		switch kind {
		case "s":
			c.entry.Contender.Mode = Shared
		case "1", "2":
			c.entry.Contender.Mode, c.entry.Contender.Slots = Semaphore, int(kind[0]-'0')
		}
		c.first = i == 0
		queue = append(queue, c)
	}
	return queue
}

// Who of several has closed the deadlock, and how it is told.
func TestWhoClosesADeadlock(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		locks  map[string]string
		victim string // by its name; "" if there is no deadlock
		tells  string
	}{
		"none":                            {map[string]string{"a": "Ax/1 Bx/2", "b": "Bx/3"}, "", ""},
		"of two":                          {map[string]string{"a": "Ax/1 Bx/4", "b": "Bx/2 Ax/3"}, "Bx/4", "a:A b:B"},
		"of three":                        {map[string]string{"a": "Ax/1 Cx/6", "b": "Bx/2 Ax/4", "c": "Cx/3 Bx/5"}, "Cx/6", "a:A b:B c:C"},
		"behind one who waits":            {map[string]string{"a": "Ax/1 Dx/2 Bx/5", "b": "Bx/3 Ax/4"}, "Bx/5", "a:A b:B"},
		"readers share":                   {map[string]string{"a": "As/1 Bs/4", "b": "Bx/2 Ax/3"}, "", ""},
		"a reader behind a writer":        {map[string]string{"a": "As/1 Bx/4", "b": "Bx/2 Ax/3"}, "Bx/4", "a:A b:B"},
		"a reader behind a waiting one":   {map[string]string{"a": "As/1 Cx/2 Bs/5", "b": "Bx/3 Ax/4"}, "Bs/5", "a:C a:A b:B"},
		"a semaphore with a free slot":    {map[string]string{"a": "A2of/1 B2of/4", "b": "Bx/2 Ax/3"}, "", ""},
		"a semaphore that another leaves": {map[string]string{"a": "A2of/1 C2of/2 B2of/5", "b": "Bx/3 Ax/4"}, "", ""},
		"a semaphore":                     {map[string]string{"a": "A1of/1 B1of/4", "b": "Bx/2 Ax/3"}, "B1of/4", "a:A b:B"},
		"a semaphore with two slots":      {map[string]string{"a": "A2of/1 C2of/2 B2of/6", "b": "Bx/3 Ax/4 Cx/5"}, "B2of/6", "a:A b:B"},
		"two that wait for one":           {map[string]string{"a": "Ax/1 Bx/5 Cx/6", "b": "Bx/2 Ax/4"}, "Bx/5", "a:A b:B"},
		"of whom another one gives up":    {map[string]string{"a": "Ax/1 Bx/6", "b": "Bx/2 Ax/5", "c": "Dx/3 Ax/8", "e": "Bx/4 Dx/7"}, "Bx/6", "a:A b:B"},
		"at once on both sides":           {map[string]string{"a": "Ax/1 Bx/3", "b": "Bx/2 Ax/4"}, "Ax/4", "b:B a:A"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s claims
			for lock, text := range test.locks {
				s = append(s, queueOf(t, "/"+lock, text))
			}
			var victims []string
			for _, queue := range s {
				for _, c := range queue {
					circle, _ := s.closedBy(c)
					if len(circle) == 0 {
						continue
					}
					victims = append(victims, c.entry.Contender.Name)
					var tells []string
					for _, link := range circle {
						tells = append(tells, strings.TrimPrefix(link.Dir, "/")+":"+link.Before.Data.Owner)
					}
					if got := strings.Join(tells, " "); got != test.tells {
						t.Errorf("it tells %q, want %q", got, test.tells)
					}
				}
			}
			if got := strings.Join(victims, " "); got != test.victim {
				t.Errorf("%q give up, want %q", got, test.victim)
			}
		})
	}
}

// Another one is expected to give up, as it has closed a deadlock. When that has gone
// by itself, ours is seen at the next look.
func TestDeadlockBehindAnotherOne(t *testing.T) {
	t.Parallel()
	last := queueOf(t, "/b", "Ax/2 Cx/7")[1]
	with := claims{queueOf(t, "/a", "Ax/1 Xx/5"), {queueOf(t, "/b", "Ax/2 Cx/7")[0], last}, queueOf(t, "/x", "Xx/3 Cx/4 Ax/6")}
	if circle, stuck := with.closedBy(last); len(circle) > 0 || !stuck {
		t.Errorf("beside another one: %v, stuck %t", circle, stuck)
	}
	without := with.only(func(c claim) bool { return c.run != "X" })
	if circle, _ := without.closedBy(without[2][1]); len(circle) > 0 {
		t.Errorf("it gives up for nothing: %v", circle)
	}
	if circle, _ := without.closedBy(last); len(circle) != 2 {
		t.Errorf("without the other one: %v", circle)
	}
}
