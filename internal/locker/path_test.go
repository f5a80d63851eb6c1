// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

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
		"zero width":          {"a\u200bb", "U+200B"},
		"a joiner":            {"a\u200d", "U+200D"},
		"a word joiner":       {"\u2060a", "U+2060"},
		"right to left":       {"a\u202eb", "U+202E"},
		"an isolate":          {"a\u2066b", "U+2066"},
		"a byte order mark":   {"\ufeffa", "U+FEFF"},
		"a soft hyphen":       {"de\u00adploy", "U+00AD"},
		"a filler":            {"a\u3164", "U+3164"},
		"a variation":         {"a\ufe0f", "U+FE0F"},
		"a line separator":    {"a\u2028b", "U+2028"},
		"a space behind":      {"a ", "U+0020"},
		"a space before":      {" a", "U+0020"},
		"a space at a slash":  {"a /b", "U+0020"},
		"nothing but a space": {" ", "U+0020"},
		"a space that sticks": {"a\u00a0b", "U+00A0"},
		"a wide space":        {"a\u3000b", "U+3000"},
		"two characters":      {"de\u0301ploiement", ""},
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
		"of two characters":      {"/e\u0301quipe", "/re\u0301gion", "de\u0301ploiement", "/\u00e9quipe/r\u00e9gion/d\u00e9ploiement"},
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
			if root := RootPath(test.chroot, test.root); strings.TrimSuffix(root, "/") != got[:strings.LastIndexByte(got, '/')] {
				t.Errorf("the root is %q", root)
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
		spelled := func(id string) string { return norm.NFC.String(strings.ReplaceAll(id, "/", "__")) }
		if same := dir == Directory("/c", "/r", other); same != (spelled(id) == spelled(other)) {
			t.Errorf("%q and %q are one lock: %v", id, other, same)
		}
	})
}
