//go:build unix

package chaos

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// mutant is the locker with something taken out that it needs.
type mutant struct {
	file, from, to string
	places         int    // where from stands; 0 for one
	finds          string // what TestChaos says of it
	slow           bool
}

var mutants = map[string]mutant{
	"does not look again after a wake": {
		file:   "wait.go",
		from:   "watches.drop(",
		to:     "return nil; watches.drop(",
		places: 2,
		finds:  "OVERLAP|LATE",
	},
	"believes on when nobody answers": {
		file:  "lock.go",
		from:  "context.WithDeadlineCause(ctx, l.session.Answered().Add(l.session.Timeout()), ErrSilence)",
		to:    "context.WithDeadlineCause(ctx, l.session.Answered().Add(l.session.Timeout()+time.Hour), ErrSilence)",
		finds: "OVERLAP|LATE", slow: true,
	},
	"leaves its contender when it is cancelled": {
		file:  "acquire.go",
		from:  "c.withdraw(ctx)",
		to:    "_ = c.withdraw",
		finds: "STUCK|LEFT", slow: true,
	},
}

// TestChaos finds what is wrong with a locker that lacks something: the same test,
// built with one thing of the locker replaced.
func TestChaosFindsBrokenLockers(t *testing.T) {
	for name, m := range mutants {
		t.Run(name, func(t *testing.T) {
			if m.slow && !long() {
				t.Skip("takes long: see make chaos")
			}
			m.test(t)
		})
	}
}

func (m mutant) test(t *testing.T) {
	file, err := filepath.Abs(filepath.Join("..", "locker", m.file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n, want := strings.Count(string(source), m.from), max(1, m.places); n != want {
		t.Fatalf("%s has %d times %q, want %d", m.file, n, m.from, want)
	}
	dir := t.TempDir()
	broken, overlay := filepath.Join(dir, m.file), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {file: broken}})
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string][]byte{
		broken:  []byte(strings.ReplaceAll(string(source), m.from, m.to)),
		overlay: replace,
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"test", "-overlay", overlay, "-count=1", "-run=^TestChaos$", "-v", "."}
	if raced() {
		args = slices.Insert(args, 1, "-race")
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CHAOS_ACQUISITIONS=3000")
	out, err := cmd.CombinedOutput()
	said := regexp.MustCompile(`(?m)^ *\w+_test\.go:\d+: ((?:` + m.finds + `).*)$`).FindSubmatch(out)
	if err == nil || said == nil {
		t.Fatalf("%v did not find %q: %v\n%s", args, m.finds, err, out)
	}
	t.Logf("found: %s", said[1])
}

// raced tells whether this test looks for data races.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// long tells whether to do what takes minutes, as make chaos does.
func long() bool { return os.Getenv("CHAOS_LONG") != "" }
