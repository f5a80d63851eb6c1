// SPDX-License-Identifier: MPL-2.0

package kerberos

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-krb5/krb5/messages"
	"github.com/go-krb5/krb5/types"
)

// errCache says that a file is not a credential cache, or was cut off.
var errCache = errors.New("it is not a Kerberos credential cache, or not a whole one")

// cache is what we need of a credential cache: whose it is, and the ticket that gets others.
type cache struct {
	client principal
	tgt    *grant // nil if there is none
}

type principal struct {
	name  types.PrincipalName
	realm string
}

func (p principal) String() string { return p.name.PrincipalNameString() + "@" + p.realm }

// grant is a ticket with its key. That of a KDC gets tickets for others.
type grant struct {
	ticket     messages.Ticket
	key        types.EncryptionKey
	start, end time.Time
}

// ParseCache checks the name of a credential cache, FILE:path, DIR:path, or a path alone. It returns the kind and
// the path.
func ParseCache(name string) (kind, path string, err error) {
	kind, path, ok := strings.Cut(name, ":")
	if !ok || len(kind) == 1 || strings.ContainsAny(kind, `/\`) { // such as C:\krb5cc
		return "FILE", name, nil
	}
	switch kind {
	case "FILE":
		return kind, path, nil
	case "DIR":
		if strings.HasPrefix(path, ":") { // one cache of the directory
			return "FILE", path[1:], nil
		}
		return kind, path, nil
	}
	return kind, "", fmt.Errorf("credential caches of the kind %s cannot be read", kind)
}

// AdviceCache is what to do where [ParseCache] fails, or nobody has logged in.
const AdviceCache = "Log in with `kinit -c FILE:/path/to/a/file`, and set ccache_file in the kerberos block, or KRB5CCNAME, to FILE:/path/to/a/file. Or use keytab_file."

// readCache reads a credential cache.
func readCache(name string) (*cache, error) {
	kind, path, err := ParseCache(name)
	if err != nil {
		return nil, permanent(AdviceCache, "%w", err)
	}
	if kind == "DIR" {
		primary, err := readFile(filepath.Join(path, "primary"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, permanent(AdviceCache, "the credential cache %q cannot be read: %w", name, withoutPath(err))
		}
		if primary = strings.TrimSpace(primary); primary == "" {
			primary = "tkt"
		}
		if strings.ContainsAny(primary, `/\`) || !strings.HasPrefix(primary, "tkt") {
			return nil, permanent(AdviceCache, "the credential cache %q names no cache in its file \"primary\"", name)
		}
		path = filepath.Join(path, primary)
	}
	text, err := readFile(path)
	if err == nil {
		var c *cache
		if c, err = parseCache([]byte(text)); err == nil {
			return c, nil
		}
	}
	return nil, permanent(AdviceCache, "the credential cache %q cannot be read: %w", name, withoutPath(err))
}

// parseCache reads the format of MIT's "Credential cache file format", versions 3 and 4.
func parseCache(content []byte) (c *cache, err error) {
	defer caught(&err) // the library reads the tickets
	r := cacheReader{rest: content}
	version := r.number(2)
	if version != 0x0503 && version != 0x0504 {
		return nil, errCache
	}
	if version == 0x0504 {
		r.bytes(r.number(2)) // such as the difference of the clocks
	}
	c = &cache{client: r.principal()}
	for len(r.rest) > 0 && !r.failed {
		r.principal() // the client
		server := r.principal()
		key := types.EncryptionKey{KeyType: int32(int16(r.number(2)))} //nolint:gosec // as it is written
		if version == 0x0503 {
			r.number(2) // the type again
		}
		key.KeyValue = r.data()
		r.number(4) // when the user logged in
		start, end := r.time(), r.time()
		r.number(4)    // until when it can be renewed
		r.bytes(1 + 4) // flags
		for range 2 {  // addresses, and data of authorization
			for n := r.number(4); n > 0 && !r.failed; n-- {
				r.number(2)
				r.data()
			}
		}
		ticket := r.data()
		r.data() // a second ticket
		names := server.name.NameString
		if r.failed || server.realm != c.client.realm || len(names) != 2 || names[0] != "krbtgt" || names[1] != server.realm {
			continue
		}
		got := &grant{key: key, start: start, end: end}
		if err := got.ticket.Unmarshal(ticket); err != nil {
			return nil, errCache
		}
		if c.tgt == nil || c.tgt.end.Before(end) {
			c.tgt = got
		}
	}
	if r.failed {
		return nil, errCache
	}
	return c, nil
}

// cacheReader reads what is left, and remembers that it was too little.
type cacheReader struct {
	rest   []byte
	failed bool
}

func (r *cacheReader) bytes(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.failed, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *cacheReader) number(size int) int {
	b := r.bytes(size)
	switch {
	case b == nil:
		return 0
	case size == 2:
		return int(binary.BigEndian.Uint16(b))
	default:
		return int(binary.BigEndian.Uint32(b) & 0x7fffffff)
	}
}

func (r *cacheReader) data() []byte { return r.bytes(r.number(4)) }

func (r *cacheReader) time() time.Time {
	b := r.bytes(4)
	if b == nil {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint32(b)), 0)
}

func (r *cacheReader) principal() (p principal) {
	p.name.NameType = int32(r.number(4)) //nolint:gosec // fits
	parts := r.number(4)
	p.realm = string(r.data())
	for ; parts > 0 && !r.failed; parts-- {
		p.name.NameString = append(p.name.NameString, string(r.data()))
	}
	return p
}
