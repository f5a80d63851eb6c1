// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// An address that certificates of servers have, and a name that leads there.
const (
	loopback  = "127.0.0.1"
	localhost = "localhost"
)

func encrypted(addr string, by TLS) Config {
	cfg := config(addr)
	cfg.TLS = &by
	return cfg
}

func as(client zktest.Identity, ca string) TLS {
	return TLS{CA: ca, Cert: client.Cert, Key: NewSecret(client.Key)}
}

func onPort(host, addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return net.JoinHostPort(host, port)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	servers, clients := zktest.NewAuthority(t), zktest.NewAuthority(t)
	plain, addr := zktest.OwnSecure(t, zktest.Options{}, servers.Server(t, localhost, "zk.example.com"), nil)
	mutual, mutualAddr := zktest.OwnSecure(t, zktest.Options{}, servers.Server(t, loopback), clients)
	client := clients.Client(t, "team")
	for name, test := range map[string]struct {
		server *zktest.Server
		addr   string
		tls    TLS
	}{
		"by name":                      {plain, onPort(localhost, addr), TLS{CA: servers.CA}},
		"one of several CAs":           {plain, onPort(localhost, addr), TLS{CA: clients.CA + servers.CA}},
		"by another name":              {plain, addr, TLS{CA: servers.CA, ServerName: "zk.example.com"}},
		"unverified":                   {plain, addr, TLS{InsecureSkipVerify: true}},
		"certificate not asked for":    {plain, onPort(localhost, addr), as(client, servers.CA)},
		"mutual, by address":           {mutual, mutualAddr, as(client, servers.CA)},
		"mutual with one of two PEMs":  {mutual, mutualAddr, as(zktest.Identity{Cert: client.Cert + clients.CA, Key: client.Key}, servers.CA)},
		"mutual, server not verified ": {mutual, mutualAddr, TLS{InsecureSkipVerify: true, Cert: client.Cert, Key: NewSecret(client.Key)}},
	} {
		t.Run(name, func(t *testing.T) {
			space := zktest.NewSpaceOn(t, test.server)
			s := open(t, encrypted(test.addr, test.tls))
			mustCreate(t, s, space.Path("/a"), Ephemeral)
			if !space.Exists("/a") {
				t.Error("what was created is not there")
			}
			if err := s.Delete(bounded(t), space.Path("/a")); err != nil {
				t.Error(err)
			}
		})
	}
}

// Each mistake has to be told apart from all others, by the whole error and by
// what it advises.
func TestTLSMistakes(t *testing.T) {
	t.Parallel()
	servers, clients, strangers := zktest.NewAuthority(t), zktest.NewAuthority(t), zktest.NewAuthority(t)
	plain, addr := zktest.OwnSecure(t, zktest.Options{}, servers.Server(t, loopback), nil)
	_, mutual := zktest.OwnSecure(t, zktest.Options{}, servers.Server(t, loopback), clients)
	_, mutual13 := zktest.OwnSecure(t, tls13, servers.Server(t, loopback), clients)
	_, expired := zktest.OwnSecure(t, zktest.Options{}, servers.Expiring(t, time.Now().Add(-time.Minute), loopback), nil)
	_, named := zktest.OwnSecure(t, zktest.Options{}, servers.Server(t, "zk.example.com"), nil)
	stranger := as(strangers.Client(t, "stranger"), servers.CA)
	commonName := servers.Sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: localhost}})
	_, legacy := zktest.OwnSecure(t, zktest.Options{}, commonName, nil)
	_, rsaOnly := zktest.OwnSecure(t, tlsRSA, servers.Server(t, loopback), nil)
	forServers := as(clients.Server(t, "team"), servers.CA)
	gone := as(clients.Sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "team"}, NotAfter: time.Now().Add(-time.Minute)}), servers.CA)
	late := as(clients.Client(t, "team"), servers.CA)
	late.CA = strangers.CA

	const (
		unknownCA     = "set ca_file"
		notValid      = "has expired"
		otherName     = "is for another name"
		noCertificate = "set cert_file and key_file"
		otherCert     = "does not accept the client certificate: cert_file has to be signed"
		wantsTLS      = "That port may require TLS: then set tls"
		speaksNoTLS   = "That port does not speak TLS"
		tooOld        = "no safe version of TLS"
		legacyName    = "in the Common Name only"
		noSuite       = "no cipher suite in common"
		notForClients = "lacks clientAuth"
		expiredOurs   = "the one in cert_file expired on"
	)
	mistakes := []struct {
		name string
		cfg  Config
		hint string
	}{
		{"wrong CA", encrypted(addr, TLS{CA: strangers.CA}), unknownCA},
		{"the system's CAs", encrypted(addr, TLS{}), unknownCA},
		{"wrong CA of a mutual one", encrypted(mutual, late), unknownCA},
		{"expired", encrypted(expired, TLS{CA: servers.CA}), notValid},
		{"wrong address", encrypted(named, TLS{CA: servers.CA}), otherName},
		{"wrong name", encrypted(named, TLS{CA: servers.CA, ServerName: "zk.example.org"}), otherName},
		{"no client certificate", encrypted(mutual, TLS{CA: servers.CA}), noCertificate},
		{"no client certificate, TLS 1.3", encrypted(mutual13, TLS{CA: servers.CA}), noCertificate},
		{"a stranger's certificate", encrypted(mutual, stranger), otherCert},
		{"a stranger's certificate, TLS 1.3", encrypted(mutual13, stranger), otherCert},
		{"a name in the common name only", encrypted(onPort(localhost, legacy), TLS{CA: servers.CA}), legacyName},
		{"the same with another server_name", encrypted(legacy, TLS{CA: servers.CA, ServerName: localhost}), legacyName},
		{"suites without forward secrecy", encrypted(rsaOnly, TLS{CA: servers.CA}), noSuite},
		{"a server's certificate for a client's", encrypted(mutual, forServers), notForClients},
		{"a server's certificate for a client's, TLS 1.3", encrypted(mutual13, forServers), notForClients},
		{"an expired client certificate", encrypted(mutual, gone), expiredOurs},
		{"an expired client certificate, TLS 1.3", encrypted(mutual13, gone), expiredOurs},
		{"plain text to a TLS port", config(addr), wantsTLS},
		{"plain text to a port that says nothing", config(listen(t, func(net.Conn) {})), "that port may require TLS: then set tls"},
		{"TLS to a plain text port", encrypted(zktest.NewSpace(t).Addr(), TLS{CA: servers.CA}), speaksNoTLS},
		{"TLS to Netty's plain text port", encrypted(plain.Addr(), TLS{CA: servers.CA}), speaksNoTLS},
		{"TLS to something else", encrypted(listen(t, func(c net.Conn) { _, _ = fmt.Fprintln(c, "220 mail.example.com") }), TLS{CA: servers.CA}), speaksNoTLS},
		{"TLS 1.1", encrypted(oldServer(t, servers.Server(t, loopback)), TLS{CA: servers.CA}), tooOld},
	}
	hints := []string{unknownCA, notValid, otherName, noCertificate, otherCert, wantsTLS, speaksNoTLS, tooOld, legacyName, noSuite, notForClients, expiredOurs}
	certain := []string{unknownCA, otherName, legacyName, noCertificate}
	var opening sync.WaitGroup
	for _, m := range mistakes {
		opening.Go(func() {
			m.cfg.ConnectTimeout = 10 * time.Second
			if slices.Contains(certain, m.hint) {
				m.cfg.ConnectTimeout = time.Hour // which nobody waits for
			}
			s, err := Open(bounded(t), m.cfg)
			var failed *ConnectError
			if s != nil || !errors.As(err, &failed) {
				t.Errorf("%s: opened %v, %v; want a ConnectError", m.name, s, err)
				return
			}
			for _, hint := range hints {
				if strings.Contains(strings.ToLower(failed.Hint), strings.ToLower(hint)) != strings.EqualFold(hint, m.hint) {
					t.Errorf("%s: the advice on %q is %q, want %q and no other", m.name, err, failed.Hint, m.hint)
				}
			}
			if !strings.Contains(failed.Cause.Error(), m.cfg.Servers[0]+": ") {
				t.Errorf("%s: the cause %q does not say which server", m.name, failed.Cause)
			}
		})
	}
	opening.Wait()
}

// tls13 is for a server whose handshakes are over, for the client, before it has
// looked at the client's certificate.
var tls13 = zktest.Options{Config: map[string]string{
	"ssl.protocol": "TLSv1.3", "ssl.enabledProtocols": "TLSv1.3", "ssl.ciphersuites": "TLS_AES_128_GCM_SHA256",
}}

// tlsRSA is for a server that allows key exchange by RSA only.
var tlsRSA = zktest.Options{Config: map[string]string{
	"ssl.protocol": "TLSv1.2", "ssl.enabledProtocols": "TLSv1.2", "ssl.ciphersuites": "TLS_RSA_WITH_AES_128_GCM_SHA256",
}}

// oldServer speaks no TLS but 1.1.
func oldServer(t *testing.T, identity zktest.Identity) string {
	t.Helper()
	pair, err := tls.X509KeyPair([]byte(identity.Cert), []byte(identity.Key))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11} //nolint:gosec // must be refused
	return listen(t, func(c net.Conn) { _ = tls.Server(c, config).HandshakeContext(t.Context()) })
}

func TestTLSPartsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	authority := zktest.NewAuthority(t)
	one, other := authority.Client(t, "one"), authority.Client(t, "other")
	encryptedKey := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("nonsense")})
	oldKey := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: []byte("nonsense")})
	oneLine := func(text string) string { return strings.ReplaceAll(text, "\n", `\n`) }
	for name, test := range map[string]struct {
		tls  TLS
		part string
		says string
	}{
		"no certificate for CA":  {TLS{CA: "nonsense"}, "ca", "no PEM certificate"},
		"a key for CA":           {TLS{CA: one.Key}, "ca", "but a private key"},
		"CA with lost lines":     {TLS{CA: oneLine(authority.CA)}, "ca", `characters \n`},
		"CA that is broken":      {TLS{CA: "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n"}, "ca", "cannot be read"},
		"a request for CA":       {TLS{CA: "-----BEGIN CERTIFICATE REQUEST-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE REQUEST-----\n"}, "ca", "CERTIFICATE REQUEST"},
		"no key":                 {TLS{Cert: one.Cert}, "key", "needs its key"},
		"no certificate":         {TLS{Key: NewSecret(one.Key)}, "cert", "needs its certificate"},
		"a broken certificate":   {TLS{Cert: "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n", Key: NewSecret(one.Key)}, "cert", "malformed"},
		"both the wrong way":     {TLS{Cert: one.Key, Key: NewSecret(one.Cert)}, "cert", "give it as key_file"},
		"another's key":          {TLS{Cert: one.Cert, Key: NewSecret(other.Key)}, "key", "key of the first certificate"},
		"nonsense for key":       {TLS{Cert: one.Cert, Key: NewSecret("nonsense")}, "key", "no PEM private key"},
		"a certificate for key":  {TLS{Cert: one.Cert, Key: NewSecret(one.Cert)}, "key", "but a certificate"},
		"encrypted key":          {TLS{Cert: one.Cert, Key: NewSecret(string(encryptedKey))}, "key", "openssl pkey"},
		"encrypted key, old way": {TLS{Cert: one.Cert, Key: NewSecret(string(oldKey))}, "key", "openssl pkey"},
		"key with lost lines":    {TLS{Cert: one.Cert, Key: NewSecret(oneLine(one.Key))}, "key", `characters \n`},
		"cert with lost lines":   {TLS{Cert: oneLine(one.Cert), Key: NewSecret(one.Key)}, "cert", `characters \n`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := test.tls.Config()
			var failed *TLSError
			if !errors.As(err, &failed) || failed.Part != test.part || !strings.Contains(err.Error(), test.says) || failed.File {
				t.Fatalf("want an error of part %q with %q, got %v", test.part, test.says, err)
			}
			s, err := Open(bounded(t), encrypted(deadServer(t), test.tls))
			_ = connectError(t, s, err)
			if !errors.As(err, &failed) || strings.Contains(err.Error(), "BEGIN") {
				t.Errorf("Open says %v", err)
			}
		})
	}
}

func TestTLSSessionSurvivesARestart(t *testing.T) {
	t.Parallel()
	servers, clients := zktest.NewAuthority(t), zktest.NewAuthority(t)
	server, addr := zktest.OwnSecure(t, zktest.Options{}, servers.Server(t, loopback), clients)
	space := zktest.NewSpaceOn(t, server)
	s := open(t, encrypted(addr, as(clients.Client(t, "team"), servers.CA)))
	id := s.ID()
	mustCreate(t, s, space.Path("/a"), Ephemeral)
	if err := server.Restart(bounded(t)); err != nil {
		t.Fatal(err)
	}
	err := again(func() error {
		_, err := s.Stat(bounded(t), space.Path("/a"))
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if s.Err() != nil || s.ID() != id {
		t.Errorf("session %#x has become %#x, %v", id, s.ID(), s.Err())
	}
	_ = s.Close()
}

// Who takes a server's place while a session is without it is told nothing.
func TestEachConnectionIsVerified(t *testing.T) {
	t.Parallel()
	servers, strangers := zktest.NewAuthority(t), zktest.NewAuthority(t)
	server, addr := zktest.OwnSecure(t, zktest.Options{}, servers.Server(t, loopback), nil)
	open(t, encrypted(addr, TLS{CA: servers.CA}))
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	stranger := strangers.Server(t, loopback)
	pair, err := tls.X509KeyPair([]byte(stranger.Cert), []byte(stranger.Key))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	handshakes := make(chan error, 1)
	listenAt(t, addr, func(c net.Conn) {
		select {
		case handshakes <- tls.Server(c, config).HandshakeContext(t.Context()):
		default:
		}
	})
	select {
	case err := <-handshakes:
		if err == nil || !strings.Contains(err.Error(), tls.AlertError(48).Error()) && !strings.Contains(err.Error(), tls.AlertError(42).Error()) {
			t.Errorf("the stranger's handshake ends with %v", err)
		}
	case <-bounded(t).Done():
		t.Error("the session does not look for its server")
	}
}

// again repeats a request for which the connection was lost. Requests wait for its
// return.
func again(request func() error) error {
	for {
		if err := request(); !Disconnected(err) {
			return err
		}
	}
}
