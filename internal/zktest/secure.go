// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"path/filepath"
	"strconv"
	"testing"
)

// OwnSecure is Own for a server that also speaks TLS, at addr, as identity. With
// clients it wants certificates that they have signed, and takes whoever has one
// for a user of the scheme "x509"; without, it wants none.
func OwnSecure(tb testing.TB, options Options, identity Identity, clients *Authority) (server *Server, addr string) {
	tb.Helper()
	port, err := FreePort(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	config := map[string]string{
		// The default one knows no TLS.
		"serverCnxnFactory":       "org.apache.zookeeper.server.NettyServerCnxnFactory",
		"secureClientPort":        strconv.Itoa(port),
		"secureClientPortAddress": loopback,
		"ssl.keyStore.location":   filepath.ToSlash(WriteSecret(tb, "server.pem", identity.Key+identity.Cert)),
		"ssl.trustStore.location": filepath.ToSlash(WriteSecret(tb, "ca.pem", identity.Cert)),
		"ssl.clientAuth":          "none",
	}
	if clients != nil {
		config["ssl.trustStore.location"] = filepath.ToSlash(WriteSecret(tb, "clients.pem", clients.CA))
		config["ssl.clientAuth"] = "need"
	}
	maps.Copy(config, options.Config)
	options.Config = config
	server, addr = Own(tb, options), net.JoinHostPort(loopback, strconv.Itoa(port))
	// The server opens this port after the other one. Its first handshake, in which it
	// loads its classes, takes long: it is over then, whatever comes of it.
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	err = poll(ctx, func() error {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err == nil {
			_ = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx) //nolint:gosec // nothing is said
			err = conn.Close()
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return server, addr
}
