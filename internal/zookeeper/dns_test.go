// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// All names that are not in the hosts file are asked of this test.
func init() {
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			_ = answerDNS(server)
			_ = server.Close()
		}()
		return client, nil
	}}
}

// dns has the names that exist, each with its addresses, or a service's port on this machine. Those in aliases are
// other names of localhost.
var dns = struct {
	sync.Mutex
	addresses map[string][]string
	services  map[string]uint16
	aliases   map[string]bool
}{addresses: map[string][]string{}, services: map[string]uint16{}, aliases: map[string]bool{}}

// newName makes a DNS name of the test's own.
func newName(t *testing.T, addresses ...string) string {
	t.Helper()
	name := strings.NewReplacer("/", "-", "_", "-").Replace(strings.ToLower(t.Name())) + ".example.com"
	rename(t, name, addresses...)
	return name
}

// rename gives a name other addresses.
func rename(t *testing.T, name string, addresses ...string) {
	t.Helper()
	dns.Lock()
	defer dns.Unlock()
	dns.addresses[name] = addresses
}

// answerDNS answers one question (RFC 1035, section 4).
func answerDNS(conn net.Conn) error {
	const header, question, noSuchName = 12, 4, 3
	var length uint16
	if err := binary.Read(conn, binary.BigEndian, &length); err != nil {
		return err
	}
	query := make([]byte, length)
	if _, err := io.ReadFull(conn, query); err != nil {
		return err
	}
	var labels []string
	end := header
	for query[end] != 0 {
		next := end + 1 + int(query[end])
		labels = append(labels, string(query[end+1:next]))
		end = next
	}
	end += 1 + question
	kind := binary.BigEndian.Uint16(query[end-question:])

	name := strings.ToLower(strings.Join(labels, "."))
	dns.Lock()
	addresses, known := dns.addresses[name]
	service, alias := dns.services[name], dns.aliases[name]
	dns.Unlock()
	var records []byte
	var count uint16
	const localhost, cname, srv = "\x09localhost\x00", 5, 33
	switch {
	case alias:
		known, count = true, 1
		records = append([]byte{0xc0, header, 0, cname, 0, 1, 0, 0, 0, 0, 0, byte(len(localhost))}, localhost...)
		if kind == 1 {
			count++
			records = append(records, 0xc0, byte(end+header), 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1)
		}
	case service != 0 && kind == srv:
		known, count = true, 1
		records = append([]byte{0xc0, header, 0, srv, 0, 1, 0, 0, 0, 0, 0, byte(6 + len(localhost)), 0, 0, 0, 0}, localhost...)
		records = slices.Insert(records, len(records)-len(localhost), binary.BigEndian.AppendUint16(nil, service)...)
	}
	for _, address := range addresses {
		ip, record := net.ParseIP(address), uint16(28) // AAAA
		if ip.To4() != nil {
			ip, record = ip.To4(), 1 // A
		}
		if record == kind {
			count++
			records = append(records, 0xc0, header, 0, byte(record), 0, 1, 0, 0, 0, 0, 0, byte(len(ip))) //nolint:gosec // 4 or 16
			records = append(records, ip...)
		}
	}
	code := uint16(0)
	if !known {
		code = noSuchName
	}
	answer := append([]byte{}, query[:2]...)
	for _, field := range []uint16{0x8180 | code, 1, count, 0, 0} {
		answer = binary.BigEndian.AppendUint16(answer, field)
	}
	answer = append(append(answer, query[header:end]...), records...)
	_, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)) //nolint:gosec // a few bytes
	return err
}

// elsewhere are further addresses of this machine.
func elsewhere(t *testing.T) (second, third string) {
	t.Helper()
	const second2, third3 = "127.0.0.2", "127.0.0.3"
	listener, err := net.Listen("tcp", net.JoinHostPort(third3, "0"))
	if err != nil {
		t.Skip("this system has no other address on loopback: ", err)
	}
	_ = listener.Close()
	return second2, third3
}

func TestNameIsUnknown(t *testing.T) {
	t.Parallel()
	cfg := config("nowhere.example.com:2181")
	cfg.ConnectTimeout = 500 * time.Millisecond
	s, err := Open(bounded(t), cfg)
	failed := connectError(t, s, err)
	if !strings.Contains(failed.Hint, "cannot be resolved") || !strings.Contains(err.Error(), "nowhere.example.com") {
		t.Errorf("the advice on %q is %q", err, failed.Hint)
	}
}

// deaths are ways of an address to be of no use.
var deaths = map[string]func(t *testing.T, addr string){
	"nobody listens":                func(*testing.T, string) {},
	"accepts and then says nothing": func(t *testing.T, addr string) { listenAt(t, addr, func(net.Conn) {}) },
	"accepts and hangs up":          func(t *testing.T, addr string) { listenAt(t, addr, func(c net.Conn) { _ = c.Close() }) },
}

// Whatever order a name's addresses come in, one that lives has to be found.
func TestNameWithDeadAddresses(t *testing.T) {
	t.Parallel()
	second, third := elsewhere(t)
	for name, die := range deaths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			proxy := zktest.NewProxyAt(t, net.JoinHostPort(loopback, "0"), space.Server())
			_, port, _ := net.SplitHostPort(proxy.Addr())
			die(t, net.JoinHostPort(second, port))
			die(t, net.JoinHostPort(third, port))
			for _, addresses := range [][]string{{loopback, second}, {second, third, loopback}} {
				host := newName(t, addresses...)
				cfg := config(net.JoinHostPort(host, port))
				cfg.SessionTimeout = 2 * time.Second // keeps the attempts short
				s, err := Open(bounded(t), cfg)
				if err != nil {
					t.Fatalf("of the addresses %v only %s lives: %v", addresses, loopback, err)
				}
				if _, err := s.Stat(bounded(t), space.Path("/")); err != nil {
					t.Error(err)
				}
				_ = s.Close()
			}
		})
	}
}

func TestNameThatMoves(t *testing.T) {
	t.Parallel()
	second, third := elsewhere(t)
	space := zktest.NewSpace(t)
	before := zktest.NewProxyAt(t, net.JoinHostPort(second, "0"), space.Server())
	_, port, _ := net.SplitHostPort(before.Addr())
	after := zktest.NewProxyAt(t, net.JoinHostPort(third, port), space.Server())
	after.Refuse()
	host := newName(t, second)
	s := open(t, config(net.JoinHostPort(host, port)))
	id := s.ID()
	mustCreate(t, s, space.Path("/a"), Ephemeral)

	rename(t, host, third)
	before.Refuse()
	after.Accept()
	err := again(func() error {
		stat, err := s.Stat(bounded(t), space.Path("/a"))
		if err == nil && stat.EphemeralOwner != id {
			err = fmt.Errorf("the owner is %#x", stat.EphemeralOwner)
		}
		return err
	})
	if err != nil || s.ID() != id {
		t.Errorf("session %#x has become %#x: %v", id, s.ID(), err)
	}
	_ = s.Close()
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this system has no IPv6: ", err)
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	servers := zktest.NewAuthority(t)
	server, secure := zktest.OwnSecure(t, zktest.Options{}, servers.Server(t, "::1"), nil)
	space := zktest.NewSpaceOn(t, server)
	forward(t, addr, secure, func() {})
	_, port, _ := net.SplitHostPort(addr)
	host := newName(t, "::1", loopback) // where nobody listens
	for name, cfg := range map[string]Config{
		"address in brackets": encrypted(addr, TLS{CA: servers.CA}),
		"name of both kinds":  encrypted(net.JoinHostPort(host, port), TLS{CA: servers.CA, ServerName: "::1"}),
		"plain text":          config(zktest.NewProxyAt(t, "[::1]:0", server).Addr()),
	} {
		parsed, err := ParseConnectString(cfg.Servers[0])
		if err != nil {
			t.Fatal(err)
		}
		cfg.Servers = parsed.Servers
		s, err := Open(bounded(t), cfg)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := s.Stat(bounded(t), space.Path("/")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_ = s.Close()
	}
}

func TestRaceEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	conn, err := race(ctx, "tcp", []string{deadServer(t), deadServer(t)})
	if conn != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("want %v, got %v, %v", context.Canceled, conn, err)
	}
}
