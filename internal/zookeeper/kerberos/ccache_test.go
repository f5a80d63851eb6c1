// SPDX-License-Identifier: MPL-2.0

package kerberos

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-krb5/krb5/keytab"
	"github.com/go-krb5/krb5/messages"
	"github.com/go-krb5/krb5/types"
)

// cacheText is a credential cache as MIT's kinit writes it, with tickets for these servers that end so
// many seconds after 1970.
func cacheText(tb testing.TB, version byte, servers map[string]int) []byte {
	tb.Helper()
	var b bytes.Buffer
	number := func(n int) { b.Write([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) } //nolint:gosec // its bytes
	short := func(n uint16) { _ = binary.Write(&b, binary.BigEndian, n) }
	data := func(s string) { number(len(s)); b.WriteString(s) }
	name := func(text string) {
		n, realm, err := splitPrincipal(text)
		if err != nil {
			tb.Fatal(err)
		}
		number(1)
		number(len(n.NameString))
		data(realm)
		for _, part := range n.NameString {
			data(part)
		}
	}
	b.Write([]byte{5, version})
	if version == 4 {
		short(12)
		short(1)
		short(8)
		b.Write(make([]byte, 8))
	}
	name("alice@A")
	for server, end := range servers {
		name("alice@A")
		name(server)
		short(18)
		if version == 3 {
			short(18)
		}
		data(strings.Repeat("k", 32))
		for _, at := range []int{1, 2, end, end} {
			number(at)
		}
		b.WriteByte(0)
		number(0x50e00000)
		number(1) // address
		short(2)
		data("\x7f\x00\x00\x01")
		number(0)
		n, realm, _ := splitPrincipal(server)
		ticket := messages.Ticket{TktVNO: 5, Realm: realm, SName: n, EncPart: types.EncryptedData{EType: 18, Cipher: []byte("sealed")}}
		text, err := ticket.Marshal()
		if err != nil {
			tb.Fatal(err)
		}
		data(string(text))
		number(0)
	}
	return b.Bytes()
}

func TestCaches(t *testing.T) {
	t.Parallel()
	const conf = "krb5_ccache_conf_data/pa_type/krbtgt@X-CACHECONF:"
	servers := map[string]int{"krbtgt/A@A": 5000, "zookeeper/zk1@A": 9000, "krbtgt/B@A": 9000, conf: 0}
	for _, version := range []byte{3, 4} {
		content := cacheText(t, version, servers)
		c, err := parseCache(content)
		if err != nil || c.client.String() != "alice@A" || c.tgt == nil || !c.tgt.end.Equal(time.Unix(5000, 0)) || !c.tgt.start.Equal(time.Unix(2, 0)) ||
			c.tgt.key.KeyType != 18 || len(c.tgt.key.KeyValue) != 32 || c.tgt.ticket.SName.PrincipalNameString() != "krbtgt/A" {
			t.Fatalf("version %d: %+v, %v", version, c, err)
		}
		whole := len(cacheText(t, version, nil))
		for n := range content {
			// Cut off between two tickets it is a whole one with fewer of them.
			if c, err := parseCache(content[:n]); err == nil && n < whole || err == nil && c.tgt != nil && len(c.tgt.key.KeyValue) != 32 {
				t.Errorf("version %d: the first %d bytes are taken for a cache", version, n)
			} else if err != nil && !errors.Is(err, errCache) {
				t.Errorf("version %d: %v", version, err)
			}
		}
	}
	if c, err := parseCache(cacheText(t, 4, map[string]int{"zookeeper/zk1@A": 1})); err != nil || c.tgt != nil {
		t.Errorf("a cache without a ticket that gets others: %+v, %v", c, err)
	}
	for name, content := range map[string]string{"nothing": "", "text": "[libdefaults]", "version 2": "\x05\x02", "a keytab": "\x05\x02\x00\x00", "a count without end": "\x05\x04\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff"} {
		if _, err := parseCache([]byte(content)); !errors.Is(err, errCache) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNamesOfCaches(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"/tmp/krb5cc_0": "FILE /tmp/krb5cc_0", "FILE:/tmp/krb5cc_0": "FILE /tmp/krb5cc_0", "DIR:/run/krb5cc": "DIR /run/krb5cc", "DIR::/run/krb5cc/tkt1": "FILE /run/krb5cc/tkt1",
		`C:\krb5cc`: `FILE C:\krb5cc`, "relative": "FILE relative", "./a:b": "FILE ./a:b",
		"KEYRING:persistent:0": "", "KCM:": "", "KCM:0": "", "MEMORY:a": "", "API:a": "",
	} {
		kind, path, err := ParseCache(name)
		if (err == nil) != (want != "") || err == nil && kind+" "+path != want {
			t.Errorf("%s is %s %s, %v; want %q", name, kind, path, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), strings.SplitN(name, ":", 2)[0]) {
			t.Errorf("%s: the error does not name the kind: %v", name, err)
		}
	}
}

func FuzzCache(f *testing.F) {
	f.Add(cacheText(f, 3, map[string]int{"krbtgt/A@A": 5}))
	f.Add(cacheText(f, 4, map[string]int{"krbtgt/A@A": 5, "b@B": 1}))
	f.Fuzz(func(t *testing.T, content []byte) {
		if c, err := parseCache(content); (c == nil) == (err == nil) {
			t.Errorf("%+v, %v", c, err)
		}
	})
}

// No keytab makes us panic, and no error shows what is in one.
func FuzzKeytab(f *testing.F) {
	table := keytab.New()
	if err := table.AddEntry("alice", "A", "wonderland", time.Unix(1, 0), 1, 18); err != nil {
		f.Fatal(err)
	}
	content, err := table.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add(content[:len(content)-9])
	secret := string(table.Entries[0].Key.KeyValue)
	f.Fuzz(func(t *testing.T, content []byte) {
		_, err := readKeytab(string(content), "alice", "A")
		if err != nil && (strings.Contains(err.Error(), secret) || len(err.Error()) > 300+3*len(content)) {
			t.Errorf("the error shows a key: %v", err)
		}
		if CheckKeytab(string(content)) == nil {
			_, _ = readKeytab(string(content), "", "")
		}
	})
}
