// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// What the server or other clients say cannot garble a terminal in any error, and no error
// is too long to read.
func TestDiagnosticsAreShortAndReadable(t *testing.T) {
	t.Parallel()
	const escapes = "\x1b[31m\u202e\u200b\xff\u009b"
	entries := make([]locker.Entry, 5000)
	for i := range entries {
		entries[i] = locker.Entry{Znode: fmt.Sprintf("/%s/ex-%d", escapes, i), Created: time.Now()}
	}
	at := holder.Request{Lock: locker.Request{LockID: "l" + escapes, Dir: "/a" + escapes}}
	few := locker.BusyError{LockID: "l", Holders: entries[:3], More: len(entries) - 3}
	for name, err := range map[string]error{
		"busy":         &few,
		"a name":       fmt.Errorf("locker: %s", escapes),
		"a crowd":      errors.New(strings.Repeat("zookeeper: get "+escapes+"\n", 900_000)),
		"connect":      &zookeeper.ConnectError{Servers: []string{"zk1"}, Cause: errors.New("x509: certificate is valid for " + escapes), Hint: escapes},
		"not reserved": &locker.NotReservedError{Dir: "/" + escapes, Others: []string{"a", "b", "c", "d"}},
		"left":         errors.Join(&few, &locker.LeftError{Znode: "/" + escapes, Err: errors.New(escapes)}),
		"no auth":      fmt.Errorf("%s: %w", escapes, zookeeper.ErrNoAuth),
		"disagree":     &locker.DisagreeError{LockID: "l", Other: entries[0]},
	} {
		d := explain(taking, at, err)
		if i := strings.IndexFunc(d.Detail(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%s: the detail has %q", name, d.Detail()[i:min(len(d.Detail()), i+20)])
		}
		if lines := strings.Count(d.Detail(), "\n"); len(d.Detail()) > 100_000 || name != "a crowd" && lines > 20 {
			t.Errorf("%s: the detail has %d bytes and %d lines", name, len(d.Detail()), lines)
		}
	}
	text := notDurable(at, locker.Queue{Holders: entries})
	if lines := strings.Count(text, "\n"); lines > 10 || !strings.Contains(text, "and 4997 more") {
		t.Errorf("the error of an import has %d lines: %.2000s", lines, text)
	}
}
