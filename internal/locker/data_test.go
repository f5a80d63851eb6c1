// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestDataIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 11, 23, 1, 2, 3, 4, time.FixedZone("", 3600))
	in := Data{
		Owner: `anna <a&b> "x" \ ü 锁`, Info: "rolling out 🔒", Run: "0123456789abcdef", Host: "build", PID: 77,
		Client: "clocker/1.2.3", Since: since, Durable: true, Token: 1 << 60,
	}
	out := decodeData(in.encode())
	if !out.Since.Equal(since.Truncate(time.Second)) || out.Since.Location() != time.UTC {
		t.Errorf("since is %v, want %v", out.Since, since)
	}
	in.Version, in.Since, out.Since = dataVersion, time.Time{}, time.Time{}
	if in != out {
		t.Errorf("read %+v, want %+v", out, in)
	}
}

func TestDataOfUsualLengthIsKept(t *testing.T) {
	t.Parallel()
	in := Data{
		Owner: strings.Repeat("o", MaxOwner), Info: strings.Repeat("&", MaxInfo), Run: "0123456789abcdef",
		Host: strings.Repeat("h", 253), PID: 1 << 22, Client: strings.Repeat("c", 48),
		Since: time.Now(), Durable: true, Token: -1 << 63,
	}
	out := decodeData(in.encode())
	if out.Owner != in.Owner || out.Info != in.Info || out.Run != in.Run || out.Host != in.Host || out.Client != in.Client {
		t.Errorf("%+v was cut to %+v", in, out)
	}
}

func TestDataIsCutToTheByte(t *testing.T) {
	t.Parallel()
	cut := false
	for n := range 2 * MaxData {
		b := Data{Owner: strings.Repeat("o", n)}.encode()
		if len(b) > MaxData {
			t.Fatalf("an owner of %d bytes gives %d", n, len(b))
		}
		cut = cut || len(decodeData(b).Owner) < n
	}
	if !cut {
		t.Error("nothing was cut")
	}
}

func FuzzDataEncode(f *testing.F) {
	f.Add("anna", "info", "run", "host", "client", int64(0), 1, true)
	f.Add(strings.Repeat("\x00", 2000), strings.Repeat(`"`, 2000), strings.Repeat("\u2028", 500), "\xff", strings.Repeat("<", 999), int64(1)<<62, -1, false)
	f.Add(strings.Repeat("é", 1000), strings.Repeat("🔒", 1000), strings.Repeat(`\`, 3000), strings.Repeat("\u202e", 400), "", int64(-1)<<63, 0, false)
	f.Fuzz(func(t *testing.T, owner, info, run, host, client string, number int64, pid int, durable bool) {
		b := Data{
			Owner: owner, Info: info, Run: run, Host: host, Client: client,
			PID: pid, Since: time.Unix(number, 0), Durable: durable, Token: number,
		}.encode()
		if len(b) > MaxData {
			t.Fatalf("%d bytes", len(b))
		}
		if !json.Valid(b) || !utf8.Valid(b) {
			t.Fatalf("no JSON: %q", b)
		}
		d := decodeData(b)
		if d.Version != dataVersion || d.PID != pid || d.Durable != durable || d.Token != number {
			t.Fatalf("%q is read as %+v", b, d)
		}
		checkPrintable(t, d)
		whole := len(owner)+len(info)+len(run)+len(host)+len(client) < (MaxData-256)/6 // a byte takes six at most
		for in, out := range map[string]string{owner: d.Owner, info: d.Info, run: d.Run, host: d.Host, client: d.Client} {
			if in = printable(in); !strings.HasPrefix(in, out) || whole && in != out {
				t.Errorf("%q is read as %q", in, out)
			}
		}
	})
}

func TestDataOfOthers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ in, owner string }{
		"nothing":           {"", ""},
		"Kazoo":             {"anna@build", "anna@build"},
		"Curator":           {"10.0.0.1", "10.0.0.1"},
		"another version":   {`{"v":2,"owner":"anna"}`, `{"v":2,"owner":"anna"}`},
		"no version":        {`{"owner":"anna"}`, `{"owner":"anna"}`},
		"a JSON string":     {`"anna"`, `"anna"`},
		"null":              {"null", "null"},
		"an array":          {"[1]", "[1]"},
		"half a JSON":       {`{"v":1,"owner":"an`, `{"v":1,"owner":"an`},
		"a wrong type":      {`{"v":1,"owner":7}`, `{"v":1,"owner":7}`},
		"a number too big":  {`{"v":1,"pid":1e99}`, `{"v":1,"pid":1e99}`},
		"terminal escapes":  {"\x1b[31mred\x07", "\ufffd[31mred\ufffd"},
		"line breaks":       {"a\r\nb", "a\ufffd\ufffdb"},
		"bidirectional":     {"a\u202eb", "a\ufffdb"},
		"not UTF-8":         {"a\xff\xfeb", "a\ufffdb"},
		"escapes in ours":   {`{"v":1,"owner":"a\u001b[0m"}`, "a\ufffd[0m"},
		"long":              {strings.Repeat("x", 5000), strings.Repeat("x", maxForeign)},
		"long, cut in ü":    {strings.Repeat("x", maxForeign-1) + "ü", strings.Repeat("x", maxForeign-1)},
		"ours, but too big": {`{"v":1,"owner":"` + strings.Repeat("x", 5000) + `"}`, `{"v":1,"owner":"` + strings.Repeat("x", maxForeign-16)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := decodeData([]byte(test.in))
			if d.Owner != test.owner {
				t.Errorf("the owner is %q, want %q", d.Owner, test.owner)
			}
			checkPrintable(t, d)
		})
	}
}

func FuzzDataDecode(f *testing.F) {
	for _, seed := range []string{"", "anna", `{"v":1,"owner":"a","since":"2026-01-01T00:00:00Z"}`, `{"v":1,"info":"\u0000\ud800"}`, "\xff\x00", `{"v":1,"since":"x"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		d := decodeData(in)
		checkPrintable(t, d)
		written := d.encode()
		if len(written) > MaxData {
			t.Errorf("%q is written again with %d bytes", in, len(written))
		}
		// As one of ours it is kept as it is from then on.
		again := decodeData(written)
		if last := decodeData(again.encode()); !last.Since.Equal(again.Since) || !bytes.Equal(last.encode(), again.encode()) {
			t.Errorf("%q is read as %+v, and then as %+v", in, again, last)
		}
		e := Entry{Data: d, Znode: "/a/" + string(in)}
		checkText(t, e.String())
		checkText(t, (&BusyError{LockID: string(in), Holders: []Entry{e}}).Error())
		checkText(t, (&DisagreeError{LockID: string(in), Other: e}).Error())
		checkText(t, (&LeftError{Znode: string(in), Err: ErrBusy}).Error())
	})
}

func checkPrintable(t *testing.T, d Data) {
	t.Helper()
	for _, text := range []string{d.Owner, d.Info, d.Run, d.Host, d.Client} {
		checkText(t, text)
	}
}

func checkText(t *testing.T, text string) {
	t.Helper()
	if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 || !utf8.ValidString(text) {
		t.Errorf("%q is not printable", text)
	}
}
