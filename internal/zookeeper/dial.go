// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// addressDelay is how long to wait for an address of a server before the next one is
// tried beside it, as in RFC 8305.
const addressDelay = 300 * time.Millisecond

// dial connects to a server for the client library.
func (t *transport) dial(network, server string, _ time.Duration) (net.Conn, error) {
	if pause := t.pause(); pause > 0 {
		t.sleep(t.ctx, pause)
	}
	t.begin(server)
	conn, err := t.connect(network, server)
	if err != nil {
		t.fail(err)
		return nil, err
	}
	return conn, nil
}

// connect makes a connection on which the server has to answer soon. A name can have
// several addresses, which share the time of the attempt. Each attempt begins with
// another one, so that a stopped server, which accepts connections and does not answer,
// does not keep us from the others. net.Dialer would begin with the same one each time.
func (t *transport) connect(network, server string) (net.Conn, error) {
	config, err := t.tlsConfig()
	if err != nil {
		return nil, err
	}
	attempt := t.attempt
	if _, timeout := t.negotiated(); timeout > 0 {
		// A server that is just starting may accept the connection and never answer.
		attempt = min(attempt, max(timeout/3, time.Second))
	}
	ctx, cancel := context.WithTimeout(t.ctx, attempt)
	defer cancel()
	t.reach(errIdentifying)
	authenticate, err := t.identify(ctx, server)
	if err != nil {
		return nil, instead(err, errIdentifying)
	}
	t.reach(errResolving)
	addresses, err := t.resolve(ctx, server)
	if err != nil {
		return nil, instead(err, errResolving)
	}
	t.reach(errDialing)
	raw, err := race(ctx, network, addresses)
	if err != nil {
		return nil, err
	}
	// The TLS handshake, ZooKeeper's own and the authentication share this time.
	limit, release := context.WithTimeout(t.ctx, max(attempt/time.Duration(len(addresses)), min(attempt, time.Second)))
	t.reach(errSecuring)
	conn, err := secure(limit, raw, config, server)
	if err == nil {
		err = t.open(raw)
	}
	if err != nil {
		release()
		_ = raw.Close()
		return nil, instead(err, errSecuring)
	}
	t.reach(errHandshake)
	watching := context.AfterFunc(limit, func() {
		t.fail(errHandshake)
		_ = raw.Close()
	})
	return &packetConn{Conn: conn, transport: t, authenticate: authenticate, incoming: bufio.NewReader(conn), shaken: func() {
		watching()
		release()
	}}, nil
}

// instead returns better if err says only that the time is over.
func instead(err, better error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return better
	}
	return err
}

// resolve returns the present addresses of a server as host:port, in another order each
// time.
func (t *transport) resolve(ctx context.Context, server string) ([]string, error) {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		return nil, err
	}
	hosts, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	first := t.turn(server, len(hosts))
	addresses := make([]string, len(hosts))
	for i := range hosts {
		addresses[i] = net.JoinHostPort(hosts[(first+i)%len(hosts)], port)
	}
	return addresses, nil
}

// race returns a connection to the address that accepts it first. It tries the next
// address when one fails, or after addressDelay.
func race(ctx context.Context, network string, addresses []string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	type result struct {
		conn net.Conn
		err  error
	}
	var (
		dialer  net.Dialer
		results = make(chan result)
		tick    = time.NewTicker(addressDelay)
		last    result
		running int
	)
	for last.conn == nil && (len(addresses) > 0 || running > 0) {
		if len(addresses) > 0 {
			go func(address string) {
				conn, err := dialer.DialContext(ctx, network, address)
				results <- result{conn, err}
			}(addresses[0])
			addresses = addresses[1:]
			running++
		}
		select {
		case last = <-results:
			running--
		case <-tick.C:
		}
	}
	tick.Stop()
	cancel()
	for ; running > 0; running-- {
		if late := <-results; late.conn != nil {
			_ = late.conn.Close()
		}
	}
	return last.conn, last.err
}

// secure makes a TLS connection to a server. The server's certificate must name its
// host, or the ServerName of the configuration. Without a configuration secure returns
// the plain connection.
func secure(ctx context.Context, conn net.Conn, config *tls.Config, server string) (net.Conn, error) {
	if config == nil {
		return conn, nil
	}
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(server)
		if err != nil {
			return nil, err
		}
		config.ServerName = host
	}
	encrypted := tls.Client(conn, config)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", errTLS, err)
	}
	return encrypted, nil
}
