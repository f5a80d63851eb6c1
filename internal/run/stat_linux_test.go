// SPDX-License-Identifier: MPL-2.0

package run

import (
	"errors"
	"os"
	"testing"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	// An address space of 5 GiB, in the field behind the start.
	const rest = " S 17 4242 4242 34816 -1 4194560 1 2 3 4 5 6 7 8 20 0 31 0 987654321 5368709120 100 18446744073709551615"
	want := procStat{state: 'S', parent: 17, tty: 34816, threads: 31, start: 987654321}
	for name, text := range map[string]string{
		"a process":            "4242 (java)" + rest,
		"a name with spaces":   "4242 (Web Content)" + rest,
		"a name like a status": "4242 (x) R 1 (y)" + rest,
		"a line's end":         "4242 (node)" + rest + "\n",
	} {
		if got, err := parseStat([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, text := range map[string]string{
		"nothing":         "",
		"no name":         "4242",
		"too short":       "4242 (java) S 17 4242",
		"a long state":    "4242 (java) SS 17 1 1 0 -1 1 1 2 3 4 5 6 7 8 20 0 31 0 987654321",
		"no number":       "4242 (java) S x 1 1 0 -1 1 1 2 3 4 5 6 7 8 20 0 31 0 987654321",
		"a negative time": "4242 (java) S 1 1 1 0 -1 1 1 2 3 4 5 6 7 8 20 0 31 0 -1",
	} {
		if got, err := parseStat([]byte(text)); !errors.Is(err, errStat) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	self, err := readStat(os.Getpid())
	if err != nil || self.parent != os.Getppid() || self.start == 0 || self.threads == 0 {
		t.Errorf("this process is %+v, %v", self, err)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("1 (init) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 5 170000 100"))
	f.Add([]byte("1 ()) S"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := parseStat(text); err != nil && s != (procStat{}) {
			t.Errorf("%q is %+v, %v", text, s, err)
		}
	})
}
