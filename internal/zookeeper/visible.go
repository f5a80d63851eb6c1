// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// invisible are characters that nobody sees, or that change how others are shown: those of
// zero width, marks of direction, the byte order mark, and others without a glyph.
var invisible = []*unicode.RangeTable{
	unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
}

// ValidateVisible returns which character makes a name or a path look like another one, or
// nil. Such are invisible characters, white space other than a space, and a space at the
// beginning or end of a name. ZooKeeper allows them.
func ValidateVisible(s string) error {
	for i, r := range s {
		switch {
		case unicode.In(r, invisible...):
			return fmt.Errorf("%s has the character %U, which cannot be seen: leave it out", Quote(s), r)
		case r != ' ' && unicode.IsSpace(r):
			return fmt.Errorf("%s has the white space %U: write an ordinary space, or none", Quote(s), r)
		case r == ' ' && (atStart(s[:i]) || atEnd(s[i+utf8.RuneLen(r):])):
			return fmt.Errorf("%s has the character %U, a space, where a name begins or ends: leave it out", Quote(s), r)
		}
	}
	return nil
}

func atStart(before string) bool { return before == "" || strings.HasSuffix(before, "/") }

func atEnd(behind string) bool { return behind == "" || strings.HasPrefix(behind, "/") }
