//go:build unix

package holder

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// Of several holders of a run one interrupts it.
func TestAlarmIsClaimedOnce(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", "")
	alarms := [3]*alarm{{run: run.Run{ID: "a"}}, {run: run.Run{ID: "a"}}, {run: run.Run{ID: "b"}}}
	for i, want := range []bool{true, false, true} {
		if got := alarms[i].claim(); got != want {
			t.Errorf("holder %d may interrupt: %t, want %t", i, got, want)
		}
	}
	for path, want := range map[string]os.FileMode{alarms[0].claimed: 0o600, filepath.Dir(alarms[0].claimed): os.ModeDir | 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s has the mode %v, want %v; %v", path, info.Mode(), want, err)
		}
	}
	alarms[1].runEnded()
	if (&alarm{run: run.Run{ID: "a"}}).claim() {
		t.Error("the end of a holder that did not interrupt the run takes the other's claim away")
	}
	alarms[0].runEnded()
	alarms[2].runEnded()
	if left, _ := filepath.Glob(filepath.Join(home, ".cache", "clocker", "*")); len(left) > 0 {
		t.Errorf("there is %q when the runs have ended", left)
	}
}

// Where there is no place for a claim, a holder interrupts without.
func TestAlarmWithoutAPlace(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, home := range []string{"", file} {
		t.Setenv("HOME", home)
		for range 2 {
			if !(&alarm{run: run.Run{ID: "a"}}).claim() {
				t.Errorf("with HOME=%q a holder may not interrupt", home)
			}
		}
	}
}
