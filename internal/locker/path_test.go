package locker

import (
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

func TestValidateLockID(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		id  string
		why string // "" is good
	}{
		"a word":              {"deploy", ""},
		"slashes":             {"deploy/web/1", ""},
		"a slash":             {"/", ""},
		"slashes around":      {"/a/", ""},
		"dots in slashes":     {"../..", ""},
		"spaces":              {"rolling restart", ""},
		"letters of others":   {"déploiement-锁", ""},
		"three dots":          {"...", ""},
		"as long as can be":   {strings.Repeat("a", MaxLockID), ""},
		"nothing":             {"", "empty"},
		"a dot":               {".", "relative"},
		"two dots":            {"..", "relative"},
		"too long":            {strings.Repeat("a", MaxLockID+1), "256 bytes"},
		"too long in bytes":   {strings.Repeat("é", 128), "256 bytes"},
		"a line break":        {"a\nb", "U+000A"},
		"null":                {"a\x00", "U+0000"},
		"a control character": {"a\u009f", "U+009F"},
		"an emoji":            {"🔒", "U+1F512"},
		"not UTF-8":           {"a\xff", "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := ValidateLockID(test.id)
			switch {
			case test.why == "" && err != nil:
				t.Error(err)
			case test.why != "" && (err == nil || !strings.Contains(err.Error(), test.why)):
				t.Errorf("%q: %v, want %q", test.id, err, test.why)
			}
		})
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ chroot, root, id, want string }{
		"default":                {"", DefaultRoot, "deploy", "/_zklocking/deploy"},
		"chroot":                 {"/team/a", DefaultRoot, "deploy", "/team/a/_zklocking/deploy"},
		"slashes in the id":      {"", DefaultRoot, "deploy/web", "/_zklocking/deploy__web"},
		"slashes around the id":  {"", DefaultRoot, "/a/", "/_zklocking/__a__"},
		"dots in the id":         {"", DefaultRoot, "../a", "/_zklocking/..__a"},
		"another root":           {"/team", "/locks/prod", "a", "/team/locks/prod/a"},
		"a slash behind":         {"", "/locks/", "a", "/locks/a"},
		"the root itself":        {"", "/", "a", "/a"},
		"the root in a chroot":   {"/team", "/", "a", "/team/a"},
		"what the gem would do":  {"", "/_zksemaphore", "a/b/c", "/_zksemaphore/a__b__c"},
		"underscores in the id":  {"", DefaultRoot, "a__b", "/_zklocking/a__b"},
		"letters of other parts": {"", DefaultRoot, "ä ö", "/_zklocking/ä ö"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Directory(test.chroot, test.root, test.id)
			if got != test.want {
				t.Errorf("the directory is %q, want %q", got, test.want)
			}
			if err := zookeeper.ValidatePath(got); err != nil {
				t.Error(err)
			}
		})
	}
}

// An id that is accepted is one name of a path, which cannot lead elsewhere, and the
// lock of no id that differs by more than how it writes a slash.
func FuzzLockID(f *testing.F) {
	for _, seed := range [][2]string{{"a", "a"}, {"..", "."}, {"../..", "..__.."}, {"a/./b", "a__.__b"}, {"//", "____"}, {"\x00", ""}, {"é", "e\u0301"}, {"\xff", "\ufffd"}, {"__", "/"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, id, other string) {
		if err := ValidateLockID(id); err != nil {
			checkText(t, err.Error())
			return
		}
		dir := Directory("/c", "/r", id)
		rest, ok := strings.CutPrefix(dir, "/c/r/")
		if !ok || rest == "" || strings.Contains(rest, "/") || ValidateDirectory(dir) != nil {
			t.Errorf("%q is %q", id, dir)
		}
		spelled := func(id string) string { return strings.ReplaceAll(id, "/", "__") }
		if same := dir == Directory("/c", "/r", other); same != (spelled(id) == spelled(other)) {
			t.Errorf("%q and %q are one lock: %v", id, other, same)
		}
	})
}
