// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// files are the parts of a client's TLS settings on disk.
type files struct {
	t             *testing.T
	ca, cert, key string
}

func newFiles(t *testing.T, ca string, client zktest.Identity) *files {
	t.Helper()
	dir := t.TempDir()
	f := &files{t, filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	f.write(f.ca, ca)
	f.renew(client)
	return f
}

func (f *files) write(path, text string) {
	f.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *files) renew(client zktest.Identity) {
	f.t.Helper()
	f.write(f.cert, client.Cert)
	f.write(f.key, client.Key)
}

func (f *files) tls() TLS { return TLS{CAFile: f.ca, CertFile: f.cert, KeyFile: f.key} }

// openWithLog is open with what the session says in the log.
func openWithLog(t *testing.T, cfg Config) (*Session, *logged) {
	t.Helper()
	log := newLogged()
	s, err := openLogged(bounded(t), cfg, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, log
}

// The servers come to trust another CA, and the client's certificate is renewed on
// disk: the session goes on with the new one.
func TestRenewedCertificateIsUsed(t *testing.T) {
	t.Parallel()
	servers, before, after := zktest.NewAuthority(t), zktest.NewAuthority(t), zktest.NewAuthority(t)
	f := newFiles(t, servers.CA, before.Client(t, "team"))
	trusted := zktest.WriteSecret(t, "trusted.pem", before.CA)
	options := zktest.Options{Config: map[string]string{"ssl.trustStore.location": filepath.ToSlash(trusted)}}
	server, addr := zktest.OwnSecure(t, options, servers.Server(t, loopback), before)
	cfg := encrypted(addr, f.tls())
	cfg.SessionTimeout = time.Minute
	s, log := openWithLog(t, cfg)
	id := s.ID()

	f.write(trusted, after.CA)
	f.write(f.key, "half of a ke") // does not matter yet: the one before is tried
	if err := server.Restart(bounded(t)); err != nil {
		t.Fatal(err)
	}
	log.await(t, "remote error: tls: ")
	log.await(t, "tried with the TLS files as they were before, because of key_file: ")
	f.renew(after.Client(t, "team"))
	if err := again(func() error { _, err := s.Stat(bounded(t), "/"); return err }); err != nil {
		t.Error(err)
	}
	if s.ID() != id || s.Cause() != nil {
		t.Errorf("session %#x has become %#x, %v", id, s.ID(), s.Cause())
	}
}

// Files that are gone do not end a session whose certificate is still good.
func TestMissingFilesDoNotMatterToASession(t *testing.T) {
	t.Parallel()
	servers, clients := zktest.NewAuthority(t), zktest.NewAuthority(t)
	_, addr := zktest.OwnSecure(t, zktest.Options{}, servers.Server(t, loopback), clients)
	f := newFiles(t, servers.CA, clients.Client(t, "team"))
	s := open(t, encrypted(addr, f.tls()))
	for _, path := range []string{f.ca, f.cert, f.key} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	changed := s.Changed()
	s.transport.hangUp()
	await(t, "the end of the connection", changed)
	if err := again(func() error { _, err := s.Stat(bounded(t), "/"); return err }); err != nil {
		t.Error(err)
	}
}

// A session can be opened as soon as its files are whole.
func TestOpenWaitsForItsFiles(t *testing.T) {
	t.Parallel()
	servers, clients := zktest.NewAuthority(t), zktest.NewAuthority(t)
	_, addr := zktest.OwnSecure(t, zktest.Options{}, servers.Server(t, loopback), clients)
	one, other := clients.Client(t, "one"), clients.Client(t, "other")
	for name, key := range map[string]string{"missing": "", "of another certificate": other.Key, "half of it": one.Key[:len(one.Key)/2]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFiles(t, servers.CA, zktest.Identity{Cert: one.Cert, Key: key})
			cfg := encrypted(addr, f.tls())
			cfg.ConnectTimeout = time.Second
			s, err := Open(bounded(t), cfg)
			failed := connectError(t, s, err)
			var part *TLSError
			if !errors.As(err, &part) || part.Part != "key" || !strings.Contains(failed.Hint, "key_file") {
				t.Errorf("with a key that is not right, Open says %v, hint %q", err, failed.Hint)
			}
			cfg.ConnectTimeout = patience
			opened := make(chan error, 1)
			go func() {
				s, err := Open(bounded(t), cfg)
				if err == nil {
					err = s.Close()
				}
				opened <- err
			}()
			f.renew(one)
			if err := <-opened; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTLSFilesAreChecked(t *testing.T) {
	t.Parallel()
	authority := zktest.NewAuthority(t)
	f := newFiles(t, authority.CA, authority.Client(t, "team"))
	cfg := func(tls TLS) Config { return encrypted("zk1:2281", tls) }
	for name, tls := range map[string]TLS{
		"a relative path":      {CAFile: "ca.pem"},
		"a text and a file":    {CA: authority.CA, CAFile: f.ca},
		"a relative key":       {Cert: "cert", KeyFile: "key.pem"},
		"a path without end":   {CertFile: "/" + strings.Repeat("x", MaxPEM)},
		"a text of great size": {CA: strings.Repeat("x", MaxPEM+1)},
	} {
		if cfg(tls).Validate() == nil {
			t.Errorf("%s is valid", name)
		}
	}
	if err := cfg(f.tls()).Validate(); err != nil {
		t.Error(err)
	}
	same := cfg(f.tls())
	if keyOf(same) != keyOf(cfg(f.tls())) || keyOf(cfg(f.tls())) == keyOf(cfg(TLS{CAFile: f.ca})) {
		t.Error("the same files are not the same")
	}
	var part *TLSError
	if _, err := (TLS{CAFile: t.TempDir()}).Config(); !errors.As(err, &part) || part.Part != "ca" || !part.File {
		t.Errorf("a directory for a file: %v", err)
	}
}
