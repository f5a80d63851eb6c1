// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// wrong is an argument that cannot be, and what Terraform's user is told of it: an
// error on that argument which names it, the value and what to do.
type wrong struct {
	in      string // the blocks that have it: of "provider", "resource", "ephemeral", "data"
	args    string // the one at fault first
	at      string // the attribute where the error is, if it is not the first one; "-" is the block
	summary string
	says    string // the value and the remedy; several parts are set apart by "|"
	hides   string // must not be shown
}

// huge is a text too long for anything, as an expression.
const huge = `join("", [for i in range(1000) : "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"])`

// long is a text of n bytes, as an expression.
func long(n int) string { return fmt.Sprintf("%q", strings.Repeat("x", n)) }

// attribute is where the error is to be.
func (w wrong) attribute() string { return cmp.Or(w.at, strings.TrimPrefix(w.argument(), "tls.")) }

// wrongBlock is what is wrong with a block, whose number is in its name, or is its
// alias. A lock has one thing wrong with it. A provider has several, in different
// arguments, as each further one would be a further process.
type wrongBlock struct {
	kind  string
	wrong []wrong
}

// wrongBlocks are the blocks of these kinds with all that is wrong in the table.
func wrongBlocks(table []wrong, kinds ...string) []wrongBlock {
	var blocks []wrongBlock
	for _, w := range table {
		for _, kind := range kinds {
			if !strings.Contains(w.in, kind) {
				continue
			}
			// Terraform itself looks first, and does not ask the provider if it finds something.
			fits := slices.IndexFunc(blocks, func(b wrongBlock) bool {
				return kind == "provider" && b.kind == kind && !slices.ContainsFunc(b.wrong, func(other wrong) bool {
					return w.argument() == other.argument() || terraforms[w.summary] != terraforms[other.summary]
				})
			})
			if fits < 0 {
				fits, blocks = len(blocks), append(blocks, wrongBlock{kind: kind})
			}
			blocks[fits].wrong = append(blocks[fits].wrong, w)
		}
	}
	return blocks
}

func (w wrong) argument() string {
	name, _, _ := strings.Cut(w.args, " ")
	return name
}

// configuration is that of all the blocks; those of "tls." stand in a block of theirs.
func configuration(space *zktest.Space, blocks []wrongBlock) string {
	var text strings.Builder
	text.WriteString(provider(space))
	for n, b := range blocks {
		var args, tls []string
		for _, w := range b.wrong {
			if arg, ok := strings.CutPrefix(w.args, "tls."); ok {
				tls = append(tls, arg)
			} else {
				args = append(args, w.args)
			}
		}
		if len(tls) > 0 {
			args = append(args, block("tls", strings.Join(tls, "\n")))
		}
		kind := b.kind
		if kind == "provider" {
			fmt.Fprintf(&text, "provider \"clocker\" {\n  alias = \"n%d\"\n  %s\n}\n", n, strings.Join(args, "\n"))
			kind, args = "data", []string{fmt.Sprintf("provider = clocker.n%d", n)}
		}
		if !regexp.MustCompile(`(?m)^\s*lockid`).MatchString(strings.Join(args, "\n")) {
			args = append(args, "lockid = \"e2e\"")
		}
		fmt.Fprintf(&text, "%s \"clocker_lock\" \"n%d\" {\n  %s\n}\n", kind, n, strings.Join(args, "\n"))
	}
	return text.String()
}

var blockNumber = regexp.MustCompile(`"clocker_lock" "n(\d+)"$`)

// checkWrong compares what an ended command says with what is wrong: one error on each
// argument, no other, and nothing that cannot be read or is too long to.
func checkWrong(t *testing.T, c *testkit.Command, config string, blocks []wrongBlock) {
	t.Helper()
	c.Fail()
	said := make([]map[string][]testkit.Diagnostic, len(blocks)) // by attribute
	for _, d := range c.Diagnostics() {
		if d.Severity != "error" {
			continue
		}
		n := -1
		if match := blockNumber.FindStringSubmatch(d.Snippet.Context); match != nil {
			_, _ = fmt.Sscan(match[1], &n)
		} else if strings.HasPrefix(d.Snippet.Context, `provider "clocker"`) {
			n = aliasAbove(config, d.Snippet.Line)
		}
		if n < 0 || n >= len(blocks) {
			t.Errorf("an error that belongs to nothing: %v", d)
			continue
		}
		if said[n] == nil {
			said[n] = map[string][]testkit.Diagnostic{}
		}
		at, _, _ := strings.Cut(strings.TrimSpace(d.Snippet.Code), " ")
		said[n][at] = append(said[n][at], d)
		checkReadable(t, d)
	}
	for n, b := range blocks {
		for _, w := range b.wrong {
			at := w.attribute()
			if at == "-" {
				at = b.kind
			}
			if len(said[n][at]) != 1 {
				t.Errorf("%s { %.200s }: want one error on %s, there is %v", b.kind, w.args, at, said[n])
			} else {
				w.check(t, said[n][at][0])
			}
			delete(said[n], at)
		}
		if len(said[n]) > 0 {
			t.Errorf("block %d, a %s: there are other errors, %v", n, b.kind, said[n])
		}
	}
}

func (w wrong) check(t *testing.T, d testkit.Diagnostic) {
	t.Helper()
	if d.Summary != w.summary {
		t.Errorf("%.200s: the error is not %q: %v", w.args, w.summary, d)
	}
	text := unwrapped(d.Summary + " " + d.Detail)
	for _, part := range strings.Split(w.says, "|") {
		if !strings.Contains(text, part) {
			t.Errorf("%.200s: the error does not say %q: %v", w.args, part, d)
		}
	}
	if w.hides != "" && strings.Contains(text, w.hides) {
		t.Errorf("%.50s: the error shows a secret: %v", w.args, d)
	}
}

func checkReadable(t *testing.T, d testkit.Diagnostic) {
	t.Helper()
	garbles := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
	if i := strings.IndexFunc(d.Detail, garbles); i >= 0 || !utf8.ValidString(d.Detail) || strings.Contains(d.Detail, "bug in the provider") ||
		strings.Contains(d.Detail, "error in the provider") {
		t.Errorf("nobody can make use of %q", d.Detail)
	}
	if len(d.Detail) > 3000 {
		t.Errorf("the detail is %d bytes long: %.100s...", len(d.Detail), d.Detail)
	}
}

// aliasAbove is the number of the provider block that has the line.
func aliasAbove(config string, line int) int {
	n := -1
	for i, text := range strings.Split(testkit.RequiredProviders+"\n"+config, "\n") {
		if alias, ok := strings.CutPrefix(strings.TrimSpace(text), `alias = "n`); ok && i < line+1 {
			_, _ = fmt.Sscan(strings.TrimSuffix(alias, `"`), &n)
		}
	}
	return n
}
