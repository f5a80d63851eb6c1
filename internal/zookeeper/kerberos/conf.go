// SPDX-License-Identifier: MPL-2.0

package kerberos

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-krb5/krb5/iana/etypeID"
)

// The Kerberos library's own reader of krb5.conf refuses or ignores some of what systems
// come with: include and includedir, values in quotes, dns_canonicalize_hostname = fallback, kdc =
// tcp/host, auth_to_local_names, IPv6 addresses.

const (
	maxFile    = 1 << 20 // bytes
	maxInclude = 10      // files within files
)

// configuration is what we need of krb5.conf. Of a value that is given twice the first counts.
type configuration struct {
	defaultRealm   string
	cacheName      string // default_ccache_name
	ticketLifetime time.Duration
	clockSkew      time.Duration
	lookUpKDC      bool    // by DNS, where no KDC is named
	canonicalize   bool    // a host's name may be replaced by the one that DNS has for it
	etypes         []int32 // encryption types to ask for
	kdcs           map[string][]string
	realms         map[string]string // of hosts, and of domains, which begin with a dot
	read           []string          // the files that were there
}

// allowed are the encryption types that we use, the best first. RC4 and DES are not safe.
var allowed = []int32{
	etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA1_96,
	etypeID.AES256_CTS_HMAC_SHA384_192, etypeID.AES128_CTS_HMAC_SHA256_128,
}

const (
	defaultLifetime = 24 * time.Hour
	defaultSkew     = 5 * time.Minute
)

// readConfiguration reads krb5.conf files. A missing one is no error.
func readConfiguration(paths []string) (*configuration, error) {
	r := confReader{values: map[string][]string{}}
	for _, path := range paths {
		if err := r.file(path, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, permanent("Check config_file in the kerberos block.", "the configuration file %q cannot be read: %w", path, withoutPath(err))
		}
	}
	c := &configuration{
		defaultRealm:   r.first("libdefaults", "default_realm"),
		cacheName:      r.first("libdefaults", "default_ccache_name"),
		ticketLifetime: duration(r.first("libdefaults", "ticket_lifetime"), defaultLifetime),
		clockSkew:      duration(r.first("libdefaults", "clockskew"), defaultSkew),
		lookUpKDC:      boolean(r.first("libdefaults", "dns_lookup_kdc"), true),
		canonicalize:   boolean(r.first("libdefaults", "dns_canonicalize_hostname"), true),
		kdcs:           map[string][]string{},
		realms:         map[string]string{},
		read:           r.read,
	}
	permitted := allowed
	if names := r.first("libdefaults", "permitted_enctypes"); names != "" {
		permitted = encryptionTypes(names)
	}
	for _, etype := range permitted {
		if slices.Contains(allowed, etype) && !slices.Contains(c.etypes, etype) {
			c.etypes = append(c.etypes, etype)
		}
	}
	for key, values := range r.values {
		switch names := strings.Split(key, "\x00"); {
		case len(names) == 2 && names[0] == "domain_realm":
			c.realms[strings.ToLower(names[1])] = values[0]
		case len(names) == 3 && names[0] == "realms" && names[2] == "kdc":
			for _, value := range values {
				if address := kdcAddress(value); address != "" {
					c.kdcs[names[1]] = append(c.kdcs[names[1]], address)
				}
			}
		}
	}
	return c, nil
}

// realmOf is the realm of a host by [domain_realm]; empty if that does not say.
func (c *configuration) realmOf(host string) string {
	for name := host; name != ""; {
		if realm := c.realms[name]; realm != "" {
			return realm
		}
		at := strings.IndexByte(name[1:], '.')
		if at < 0 {
			break
		}
		name = name[1+at:]
	}
	return ""
}

// confReader gathers values by section and names, with zero bytes between them.
type confReader struct {
	values map[string][]string
	read   []string
}

func (r *confReader) first(names ...string) string {
	if values := r.values[strings.Join(names, "\x00")]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func (r *confReader) file(path string, depth int) error {
	if depth > maxInclude {
		return errors.New("its include directives do not end")
	}
	text, err := readFile(path)
	if err != nil {
		return err
	}
	r.read = append(r.read, path)
	return r.text(text, depth)
}

func (r *confReader) text(text string, depth int) error {
	var names []string // the section, and the blocks within it
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case word == "include":
			if err := r.file(strings.TrimSpace(rest), depth+1); err != nil {
				return err
			}
		case word == "includedir":
			if err := r.directory(strings.TrimSpace(rest), depth+1); err != nil {
				return err
			}
		case line[0] == '[':
			section, _, _ := strings.Cut(line[1:], "]")
			names = []string{strings.TrimSpace(section)}
		case line[0] == '}':
			if len(names) > 1 {
				names = names[:len(names)-1]
			}
		default:
			name, value, ok := strings.Cut(line, "=")
			if !ok || len(names) == 0 {
				continue // such as the module directive
			}
			name, value = strings.TrimSpace(strings.TrimRight(strings.TrimSpace(name), "*")), strings.TrimSpace(value)
			if value == "{" {
				names = append(names, name)
				continue
			}
			key := strings.Join(append(slices.Clone(names), name), "\x00")
			r.values[key] = append(r.values[key], unquote(value))
		}
	}
	return nil
}

// directory reads the files of a directory whose names are plain or end in .conf, as the Kerberos of
// MIT does. One that is missing is no error.
func (r *confReader) directory(path string, depth int) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	for _, entry := range entries { // sorted
		name := entry.Name()
		plain := strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
		if !plain && (name[0] == '.' || !strings.HasSuffix(name, ".conf")) {
			continue
		}
		file := filepath.Join(path, name)
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
			continue // such as a link to nothing
		}
		if err := r.file(file, depth); err != nil {
			return err
		}
	}
	return nil
}

// readFile reads a file of a sane size.
func readFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is not a regular file")
	}
	if info.Size() > maxFile {
		return "", fmt.Errorf("it is longer than %d bytes", maxFile)
	}
	content, err := os.ReadFile(path) //nolint:gosec // the user names the file
	return string(content), err
}

// withoutPath is an error that does not repeat the path.
func withoutPath(err error) error {
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
