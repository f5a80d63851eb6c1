// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxHost is the most bytes of a name in the DNS.
const maxHost = 253

// MaxPath is the most bytes of a znode's path. The server would close the connection
// on a request that is too long for it, again and again.
const MaxPath = 4096

// DefaultPort is the client port of a server whose port is not given.
const DefaultPort = 2181

// ErrConnectString is wrapped by every error of [ParseConnectString].
var ErrConnectString = errors.New("not a ZooKeeper connect string")

// ConnectString is a parsed connect string,
// host[:port][,host[:port]...][/chroot], as the ZooKeeper Programmer's Guide
// (section "ZooKeeper Sessions") defines it.
type ConnectString struct {
	// Servers are host:port pairs in the order given, IPv6 addresses in brackets.
	Servers []string
	// Chroot is "" or an absolute path without a trailing slash.
	Chroot string
}

// String returns the canonical form, which parses to the same value.
func (c ConnectString) String() string {
	return strings.Join(c.Servers, ",") + c.Chroot
}

// ParseConnectString parses s. White space around a server is ignored, the default
// port is 2181, and an IPv6 address needs brackets. An error wraps
// [ErrConnectString] and says which part is wrong.
func ParseConnectString(s string) (ConnectString, error) {
	c, err := parseConnectString(s)
	switch at := strings.LastIndexByte(s, '@'); {
	case err == nil:
		return c, nil
	case at >= 0:
		// err is not shown either, because it quotes parts.
		return ConnectString{}, fmt.Errorf("%s is %w: %w", Quote("…"+s[at:]), ErrConnectString, errCredentials)
	case LooksSecret(s):
		return ConnectString{}, fmt.Errorf("the value, which is not shown because it looks like a key, is %w", ErrConnectString)
	default:
		return ConnectString{}, fmt.Errorf("%s is %w: %w", Quote(s), ErrConnectString, err)
	}
}

// errCredentials says that a connect string seems to have a password.
var errCredentials = errors.New(`the part before "@" is not shown, because it may be a password; leave it out, and set username and password instead`)

func parseConnectString(s string) (ConnectString, error) {
	var c ConnectString
	if strings.TrimSpace(s) == "" {
		return c, errors.New("it names no server")
	}
	if scheme, _, ok := strings.Cut(s, "://"); ok {
		return c, fmt.Errorf("it is a URL: leave out %s", Quote(scheme+"://"))
	}
	hosts := s
	if i := strings.IndexByte(s, '/'); i >= 0 {
		hosts = s[:i]
		chroot := strings.TrimRight(s[i:], " \t\r\n")
		if chroot != "/" {
			err := ValidatePath(chroot)
			if err == nil {
				err = ValidateVisible(chroot)
			}
			if err != nil {
				return c, fmt.Errorf("the chroot: %w", err)
			}
			c.Chroot = chroot
		}
	}
	for _, server := range strings.Split(hosts, ",") {
		addr, err := parseServer(strings.TrimSpace(server))
		if err == nil && LooksSecret(addr) {
			err = errors.New("a host looks like a key")
		}
		if err != nil {
			return c, err
		}
		c.Servers = append(c.Servers, addr)
	}
	if len(c.Servers) > MaxServers {
		return ConnectString{}, fmt.Errorf("it names %d servers, more than %d", len(c.Servers), MaxServers)
	}
	return c, nil
}

// parseServer returns a server as host:port.
func parseServer(s string) (string, error) {
	if s == "" {
		return "", errors.New("a server is empty")
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil { // it may lack only the port
		host, port, err = net.SplitHostPort(s + ":" + strconv.Itoa(DefaultPort))
	}
	if err != nil {
		return "", fmt.Errorf("server %s is not host:port; put an IPv6 address in brackets", Quote(s))
	}
	if strings.HasPrefix(s, "[") {
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() {
			return "", fmt.Errorf("server %s has no IPv6 address in its brackets", Quote(s))
		}
	}
	if host == "" {
		return "", fmt.Errorf("server %s has no host", Quote(s))
	}
	if i := strings.IndexFunc(host, notInHost); i >= 0 {
		r, _ := utf8.DecodeRuneInString(host[i:])
		return "", fmt.Errorf("host %s has the character %q", Quote(host), r)
	}
	if len(host) > maxHost {
		return "", fmt.Errorf("host %s is %d bytes long, more than %d", Quote(host), len(host), maxHost)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return "", fmt.Errorf("port %s of server %s is not a number from 1 to 65535", Quote(port), Quote(s))
	}
	return net.JoinHostPort(host, strconv.FormatUint(number, 10)), nil
}

// notInHost are characters that neither a name nor an address has. The resolver
// judges the rest.
func notInHost(r rune) bool {
	return !unicode.IsPrint(r) || unicode.IsSpace(r) || r == utf8.RuneError || strings.ContainsRune(`@?#\"'<>|;=[]{}`, r)
}

// ValidatePath returns what is wrong with an absolute znode path, or nil. The rules are the server's (org.apache.zookeeper.common.PathUtils).
func ValidatePath(path string) error {
	if path == "" || path[0] != '/' {
		return fmt.Errorf("path %s does not begin with a slash", Quote(path))
	}
	if len(path) > MaxPath {
		return fmt.Errorf("path %s is %d bytes long, more than %d", Quote(path), len(path), MaxPath)
	}
	if path == "/" {
		return nil
	}
	for _, name := range strings.Split(path[1:], "/") {
		if err := ValidateName(name); err != nil {
			return fmt.Errorf("path %s: %w", Quote(path), err)
		}
	}
	return nil
}

// ValidateName returns what is wrong with one component of a znode path, or nil. The
// server looks at UTF-16 units and allows no surrogates, so no character beyond U+FFEF
// is allowed.
func ValidateName(name string) error {
	switch {
	case name == "":
		return errors.New("a component is empty")
	case name == "." || name == "..":
		return fmt.Errorf("the component %q is relative", name)
	case !utf8.ValidString(name):
		return fmt.Errorf("the component %s is not UTF-8", Quote(name))
	}
	for _, r := range name {
		if r == '/' || r <= 0x1f || r >= 0x7f && r <= 0x9f || r >= 0xd800 && r <= 0xf8ff || r >= 0xfff0 {
			return fmt.Errorf("the component %s has the character %U, which ZooKeeper does not allow", Quote(name), r)
		}
	}
	return nil
}
