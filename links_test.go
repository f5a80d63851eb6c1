// SPDX-License-Identifier: MPL-2.0

package main

import (
	"io/fs"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	repository = os.DirFS(".")

	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	anchor  = regexp.MustCompile(`<a id="([^"]+)">`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
	// A test in the code, and one that a page names, perhaps with its package.
	aTest     = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	namedTest = regexp.MustCompile("(?:`(\\w+)` )?`((?:Test|Fuzz)\\w+)`")
	namedFile = regexp.MustCompile("`([\\w/*]+\\.go)`")

	noSlug = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// TestLinks follows each link from one page of the repository to another, headings
// included.
func TestLinks(t *testing.T) {
	t.Parallel()
	pages := 0
	err := fs.WalkDir(repository, ".", func(page string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (page == "bin" || page == "dist" || page == ".git"):
			return fs.SkipDir
		case path.Ext(page) != ".md":
			return nil
		}
		pages++
		for _, match := range link.FindAllStringSubmatch(prose(t, page), -1) {
			target, err := url.Parse(match[1])
			if err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			if target.Scheme == "" {
				follow(t, page, target)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages == 0 {
		t.Error("found no page")
	}
}

// questions are where a stranger's questions are answered.
var questions = []string{"guides/what-happens-when.md", "guides/operating.md#a-lock-is-stuck", "guides/gating.md", "guides/connecting-securely.md"}

// TestFindable looks for these on the pages on which strangers land, and on the first two
// screens of the first of them.
func TestFindable(t *testing.T) {
	t.Parallel()
	const screens = 2 * 50 // lines
	for _, page := range []string{
		"README.md", "docs/index.md", "docs/resources/lock.md", "docs/ephemeral-resources/lock.md", "docs/actions/lock.md", "docs/data-sources/lock.md", "docs/data-sources/locks.md",
	} {
		text := prose(t, page)
		if page == "README.md" {
			text = strings.Join(strings.SplitN(text, "\n", screens+1)[:screens], "\n")
		}
		for _, question := range questions {
			if !strings.Contains(text, question+")") {
				t.Errorf("%s does not link to %s", page, question)
			}
		}
	}
}

// TestNamedTests looks for each test that a page names for what it says.
func TestNamedTests(t *testing.T) {
	t.Parallel()
	var tests []string
	err := fs.WalkDir(repository, "internal", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(repository, file)
		for _, match := range aTest.FindAllSubmatch(text, -1) {
			tests = append(tests, path.Base(path.Dir(file))+" "+string(match[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	guides, err := fs.Glob(repository, "docs/guides/*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, page := range append(guides, "docs/tests.md") {
		for _, match := range namedTest.FindAllStringSubmatch(prose(t, page), -1) {
			named++
			// Of several tests, only the first has its package before it.
			if !slices.ContainsFunc(tests, func(test string) bool { return strings.HasSuffix(test, " "+match[2]) }) {
				t.Errorf("%s: there is no test %s", page, match[2])
			}
			if match[1] != "" && !slices.Contains(tests, match[1]+" "+match[2]) {
				t.Errorf("%s: %s is not in %s", page, match[2], match[1])
			}
		}
	}
	if named == 0 {
		t.Error("no page names a test")
	}
}

// TestNamedFiles looks for each Go file that the page on the architecture names.
func TestNamedFiles(t *testing.T) {
	t.Parallel()
	const page = "docs/architecture.md"
	names := namedFile.FindAllStringSubmatch(prose(t, page), -1)
	for _, match := range names {
		if found, err := fs.Glob(repository, match[1]); err != nil || len(found) > 0 {
			continue
		}
		// Of several files of a package, only the first has its path.
		if found, err := fs.Glob(repository, "internal/*/"+match[1]); err != nil || len(found) == 0 {
			t.Errorf("%s: there is no file %s", page, match[1])
		}
	}
	if len(names) == 0 {
		t.Errorf("%s names no file", page)
	}
}

// follow goes from a page to where a link leads.
func follow(t *testing.T, from string, target *url.URL) {
	t.Helper()
	to := from
	if target.Path != "" {
		to = path.Join(path.Dir(from), target.Path)
	}
	if _, err := fs.Stat(repository, to); err != nil {
		t.Errorf("%s: %v", from, err)
		return
	}
	if target.Fragment != "" && !slices.Contains(anchors(prose(t, to)), target.Fragment) {
		t.Errorf("%s: %s has no heading #%s", from, to, target.Fragment)
	}
}

// prose is a page without its blocks of code.
func prose(t *testing.T, file string) string {
	t.Helper()
	text, err := fs.ReadFile(repository, file)
	if err != nil {
		t.Fatal(err)
	}
	return fenced.ReplaceAllString(strings.ReplaceAll(string(text), "\r\n", "\n"), "")
}

// anchors are what the headings of a page are called in links, and what a page
// names in HTML.
func anchors(page string) []string {
	var all []string
	for _, match := range heading.FindAllStringSubmatch(page, -1) {
		slug := noSlug.ReplaceAllString(strings.ToLower(match[1]), "")
		all = append(all, strings.ReplaceAll(slug, " ", "-"))
	}
	for _, match := range anchor.FindAllStringSubmatch(page, -1) {
		all = append(all, match[1])
	}
	return all
}
