package zookeeper

import (
	"strconv"
	"unicode/utf8"
)

// maxQuoted is how many bytes of a value a message shows.
const maxQuoted = 100

// Quote is s for a message: in quotes, with escapes for what is no text or would garble
// a terminal, and only its beginning where it is long.
func Quote(s string) string {
	if len(s) <= maxQuoted {
		return strconv.Quote(s)
	}
	n := maxQuoted
	for n > maxQuoted-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return strconv.Quote(s[:n]) + "…"
}
