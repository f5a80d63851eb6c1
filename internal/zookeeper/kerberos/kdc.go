// SPDX-License-Identifier: MPL-2.0

package kerberos

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/go-krb5/krb5/messages"
)

const (
	maxReply = 1 << 20 // bytes
	// kdcTime is how long one KDC is waited for while there is another.
	kdcTime = 3 * time.Second
)

// adviceKDC is what to do where no KDC answers.
const adviceKDC = "Check that a KDC of the realm is up and that this machine may connect to it over TCP, port 88, and the [realms] section of krb5.conf (config_file in the kerberos block)."

// send gives a message to the KDCs of a realm, one after the other, and returns the first answer. An
// answer that is an error is returned as [messages.KRBError].
func (c *configuration) send(ctx context.Context, realm string, message []byte) ([]byte, error) {
	addresses, err := c.addresses(ctx, realm)
	if err != nil {
		return nil, err
	}
	var failures []string
	for i, address := range addresses {
		limit, cancel := ctx, context.CancelFunc(func() {})
		if i < len(addresses)-1 {
			patience := kdcTime
			if deadline, ok := ctx.Deadline(); ok {
				patience = min(patience, time.Until(deadline)/time.Duration(len(addresses)-i))
			}
			limit, cancel = context.WithTimeout(ctx, patience)
		}
		answer, err := converse(limit, address, message)
		cancel()
		if err == nil {
			var refused messages.KRBError
			if refused.Unmarshal(answer) == nil {
				return nil, refused
			}
			return answer, nil
		}
		failures = append(failures, err.Error())
		if ctx.Err() != nil {
			break
		}
	}
	return nil, &Error{Err: fmt.Errorf("no KDC of the realm %s answers: %s", realm, strings.Join(failures, "; ")), Advice: adviceKDC}
}

// addresses are those of a realm's KDCs, from the configuration or from DNS.
func (c *configuration) addresses(ctx context.Context, realm string) ([]string, error) {
	if addresses := c.kdcs[realm]; len(addresses) > 0 {
		return addresses, nil
	}
	if !c.lookUpKDC {
		return nil, permanent("Name them there: [realms], "+realm+" = { kdc = host }. Or check the realm of principal and default_realm.",
			"no KDC of the realm %s is named in %s, and dns_lookup_kdc is off there", realm, c.names())
	}
	_, records, err := net.DefaultResolver.LookupSRV(ctx, "kerberos", "tcp", realm)
	var addresses []string
	for _, record := range records {
		if host := strings.TrimSuffix(record.Target, "."); host != "" {
			addresses = append(addresses, net.JoinHostPort(host, strconv.Itoa(int(record.Port))))
		}
	}
	if len(addresses) == 0 {
		if err == nil {
			err = errors.New("there are no such records")
		}
		return nil, &Error{
			Err:    fmt.Errorf("no KDC of the realm %s is named in %s, nor by DNS: %w", realm, c.names(), err),
			Advice: "Set config_file in the kerberos block to a krb5.conf that names them: [realms], " + realm + " = { kdc = host }. Or check the realm of principal.",
			// Only an answer of DNS is final.
			Permanent: notFound(err),
		}
	}
	return addresses, nil
}

// names are the files that were read, for a message.
func (c *configuration) names() string {
	if len(c.read) == 0 {
		return "krb5.conf, which was not found"
	}
	return strings.Join(c.read, ", ")
}

func notFound(err error) bool {
	var failed *net.DNSError
	return errors.As(err, &failed) && failed.IsNotFound
}

// converse gives a KDC a message over TCP, and returns its answer (RFC 4120, section 7.2.2).
func converse(ctx context.Context, address string, message []byte) ([]byte, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	answer, err := exchange(conn, message)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("it did not answer in time")
		}
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return answer, nil
}

func exchange(conn io.ReadWriter, message []byte) ([]byte, error) {
	packet := binary.BigEndian.AppendUint32(nil, uint32(len(message))) //nolint:gosec // a message has kilobytes
	if _, err := conn.Write(append(packet, message...)); err != nil {
		return nil, err
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(conn, head); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head)
	if length == 0 || length > maxReply {
		return nil, fmt.Errorf("it is not a KDC: an answer of %d bytes", length)
	}
	answer := make([]byte, length)
	_, err := io.ReadFull(conn, answer)
	return answer, err
}
