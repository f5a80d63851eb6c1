// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxQuoted is how many bytes of a value a message shows.
	maxQuoted = 100
	// maxShown is the same for a znode's path, which can be needed whole.
	maxShown = 1024
	// maxText is the same for a whole message.
	maxText = 8 << 10
)

// Quote is s for a message: in quotes, with escapes for characters that cannot be printed,
// and only its beginning if it is long.
func Quote(s string) string {
	beginning, rest := cut(s, maxQuoted)
	return strconv.Quote(beginning) + rest
}

// longestPlain is the length of the longest word without punctuation that is not a key.
const longestPlain = 40

// LooksSecret returns whether a value may be a key that was given by mistake. Such a value
// is not shown.
func LooksSecret(s string) bool {
	if strings.Contains(s, "BEGIN ") || strings.Contains(s, "PRIVATE KEY") {
		return true
	}
	if s != "" && strings.ContainsRune("/.~", rune(s[0])) {
		return false // it is a path
	}
	// Base64: words of letters, of both cases, and digits.
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return !isBase64(r) }) {
		if len(word) > longestPlain && strings.ContainsFunc(word, unicode.IsUpper) && strings.ContainsFunc(word, unicode.IsLower) && strings.ContainsFunc(word, unicode.IsDigit) {
			return true
		}
	}
	return false
}

func isBase64(r rune) bool {
	return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("+/=_-", r))
}

// Shown is a path or a name for a message: as it is, or like [Quote] if it has characters
// that cannot be printed, as names of others can have. If it is longer than any path of
// ours, its middle is left out.
func Shown(s string) string {
	if len(s) > maxShown {
		beginning, rest := cut(s, maxShown-maxQuoted)
		end := s[len(s)-maxQuoted:]
		for len(end) > maxQuoted-utf8.UTFMax && !utf8.RuneStart(end[0]) {
			end = end[1:]
		}
		s = beginning + rest + end
	}
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	return strconv.Quote(s)
}

// Clean is a message with escapes for characters that cannot be printed, and only its
// beginning if it is very long. Messages can have text of servers and other clients in
// them, such as the names in a certificate.
func Clean(text string) string {
	beginning, rest := cut(strings.ToValidUTF8(text, string(utf8.RuneError)), maxText)
	var b strings.Builder
	for _, r := range beginning {
		if r == '\n' || unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String() + rest
}

// cut returns the beginning of s, of at most n bytes, and "…" if that is not all.
func cut(s string, n int) (beginning, rest string) {
	if len(s) <= n {
		return s, ""
	}
	for end := n; end > n-utf8.UTFMax; end-- {
		if utf8.RuneStart(s[end]) {
			return s[:end], "…"
		}
	}
	return s[:n], "…"
}

// MaxNamed is how many of a list a message names.
const MaxNamed = 3

// FirstOf is a list for a message: it names the first few and counts the others.
func FirstOf(list []string) string {
	if more := len(list) - MaxNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:MaxNamed], ", "), more)
	}
	return strings.Join(list, ", ")
}
