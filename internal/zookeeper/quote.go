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

// Quote is s for a message: in quotes, with escapes for what is no text or would garble
// a terminal, and only its beginning where it is long.
func Quote(s string) string {
	beginning, rest := cut(s, maxQuoted)
	return strconv.Quote(beginning) + rest
}

// longestPlain is how long a word without punctuation can be that is no key.
const longestPlain = 40

// LooksSecret tells whether a value may be a key, in whatever form, that was given in
// place of something else: it is not shown then.
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

// Shown is a path or a name for a message: as it is, or in quotes and with escapes if it
// has what would garble a terminal, as names that others chose can have. What is longer
// than any path of ours lacks its middle.
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

// Clean is a message with escapes for all that would garble a terminal, and only its
// beginning where nobody would read on. What servers and other clients say can be part
// of a message, such as the names in a certificate.
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

// cut is the beginning of s, of at most n bytes, and "…" if that is not all.
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
