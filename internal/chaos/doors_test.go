// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// doors are TLS servers before the links of one actor. They let in only who has the
// certificate that was issued last. What ZooKeeper says to certificates is tested in
// internal/zookeeper; behind a door, the links can read what passes.
type doors struct {
	c         *chaos
	authority *zktest.Authority
	files     zookeeper.TLS
	valid     atomic.Pointer[string] // the certificate issued last
	addrs     []string
}

func newDoors(c *chaos, l links) *doors {
	dir := c.t.TempDir()
	d := &doors{c: c, authority: zktest.NewAuthority(c.t), files: zookeeper.TLS{
		CAFile: filepath.Join(dir, "ca.pem"), CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"),
	}}
	d.write(d.files.CAFile, d.authority.CA)
	d.renew()
	host, _, err := net.SplitHostPort(l[0].Addr())
	if err != nil {
		c.t.Fatal(err)
	}
	server := d.authority.Server(c.t, host)
	own, err := tls.X509KeyPair([]byte(server.Cert), []byte(server.Key))
	if err != nil {
		c.t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM([]byte(d.authority.CA))
	config := &tls.Config{
		Certificates: []tls.Certificate{own}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
		SessionTicketsDisabled: true, // a resumed session would show no certificate
		VerifyConnection: func(state tls.ConnectionState) error {
			if string(state.PeerCertificates[0].Raw) != *d.valid.Load() {
				return errors.New("the certificate was replaced")
			}
			return nil
		},
	}
	for _, p := range l {
		d.open(config, host, p)
	}
	return d
}

// open serves one door until the test ends.
func (d *doors) open(config *tls.Config, host string, behind *zktest.Proxy) {
	var listen net.ListenConfig
	listener, err := listen.Listen(d.c.t.Context(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		d.c.t.Fatal(err)
	}
	d.addrs = append(d.addrs, listener.Addr().String())
	var serving sync.WaitGroup
	ctx, leave := context.WithCancel(context.WithoutCancel(d.c.t.Context()))
	d.c.t.Cleanup(func() {
		leave()
		_ = listener.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { passDoor(ctx, tls.Server(conn, config), behind) })
		}
	})
}

// passDoor lets a client through. Both connections end together.
func passDoor(ctx context.Context, client *tls.Conn, behind *zktest.Proxy) {
	defer func() { _ = client.Close() }()
	shake, cancel := context.WithTimeout(ctx, stuckTime)
	defer cancel()
	if client.HandshakeContext(shake) != nil {
		return
	}
	var dialer net.Dialer
	server, err := dialer.DialContext(shake, "tcp", behind.Addr())
	if err != nil {
		return
	}
	hangUp := func() {
		_ = server.Close()
		_ = client.NetConn().Close()
	}
	defer context.AfterFunc(ctx, hangUp)()
	var replies sync.WaitGroup
	replies.Go(func() {
		_, _ = io.Copy(client, server)
		hangUp()
	})
	_, _ = io.Copy(server, client)
	hangUp()
	replies.Wait()
}

// renew replaces the certificate. From then on the one before opens no door.
func (d *doors) renew() {
	next := d.authority.Client(d.c.t, "run")
	pair, err := tls.X509KeyPair([]byte(next.Cert), []byte(next.Key))
	if err != nil {
		d.c.report("certificate: %v", err)
		return
	}
	d.write(d.files.CertFile, next.Cert)
	d.write(d.files.KeyFile, next.Key)
	leaf := string(pair.Certificate[0])
	d.valid.Store(&leaf)
}

func (d *doors) write(path, text string) {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.c.report("certificate: %v", err)
	}
}
