// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxData is the most bytes a contender's data takes.
	MaxData = 1024
	// MaxOwner is the most bytes that [Data.Owner] should have, to be kept whole.
	MaxOwner = 128
	// MaxInfo is the same for [Data.Info].
	MaxInfo = 256
	// MaxWait is the longest that a lock is waited for with an end to the wait, or that it
	// is held with an end to that.
	MaxWait = 365 * 24 * time.Hour

	dataVersion = 1
	maxForeign  = 256
)

// Data is what a contender says of itself in its znode, for people and for
// other runs to read. Anybody can write it, so nothing is decided by it.
type Data struct {
	Version int       `json:"v"`
	Owner   string    `json:"owner,omitempty"`
	Info    string    `json:"info,omitempty"`
	Run     string    `json:"run,omitempty"`
	Host    string    `json:"host,omitempty"`
	PID     int       `json:"pid,omitempty"`
	Client  string    `json:"client,omitempty"`
	Since   time.Time `json:"since,omitzero"` // when it joined the queue, by its own clock
	// HeldSince is since when it holds the lock, by its own clock. Zero while it waits.
	HeldSince time.Time `json:"held_since,omitzero"`
	// MaxHold is after how many seconds of holding the lock its run is interrupted; 0 for
	// never.
	MaxHold int `json:"max_hold,omitempty"`
	// Once says that it does not wait for the lock: it takes it at once, or leaves.
	Once    bool  `json:"once,omitempty"`
	Durable bool  `json:"durable,omitempty"`
	Token   int64 `json:"token,omitempty"`
}

// encode gives the znode's bytes, at most [MaxData]: what is too long is cut.
func (d Data) encode() []byte {
	d.Version = dataVersion
	d.Since, d.HeldSince = d.Since.UTC().Truncate(time.Second), d.HeldSince.UTC().Truncate(time.Second)
	for _, text := range []*string{&d.Owner, &d.Info, &d.Run, &d.Host, &d.Client} {
		*text = printable(*text)
	}
	for {
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false) // <, > and & would take six bytes each
		if err := encoder.Encode(d); err != nil {
			d.Since, d.HeldSince = time.Time{}, time.Time{} // a year that RFC 3339 cannot write, all that can fail
			continue
		}
		if b.Len() <= MaxData {
			return bytes.TrimSpace(b.Bytes())
		}
		longest := &d.Info
		for _, text := range []*string{&d.Owner, &d.Run, &d.Host, &d.Client} {
			if len(*text) > len(*longest) {
				longest = text
			}
		}
		*longest = cut(*longest, len(*longest)/2)
	}
}

// decodeData reads what any client wrote. Another client's text, such as a
// Kazoo identifier or Curator's address, is taken for the owner. Nothing in the
// result can garble a terminal.
func decodeData(b []byte) Data {
	var d Data
	if len(b) <= 4*MaxData && json.Unmarshal(b, &d) == nil && d.Version == dataVersion {
		for _, text := range []*string{&d.Owner, &d.Info, &d.Run, &d.Host, &d.Client} {
			*text = printable(*text)
		}
		return d
	}
	return Data{Owner: cut(printable(string(b[:min(len(b), maxForeign)])), maxForeign)}
}

// printable replaces what cannot be printed by U+FFFD.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

// cut shortens s to at most n bytes at the border of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
