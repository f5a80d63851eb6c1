// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"
)

// CloseSession closes a session of somebody else's, of which nothing but its id is known:
// ephemeralOwner of each ephemeral znode. Its password follows from that by a constant in
// ZooKeeper's source (ZooKeeperServer.generatePasswd).
func CloseSession(ctx context.Context, addr string, id int64) error {
	var err error
	for attempt := range attempts { // the owner comes back when its connection is closed, and can be faster
		err = closeSession(ctx, addr, id)
		if attempt > 0 && errors.Is(err, errNotOwner) {
			return nil // it was closed, and the owner came before the answer
		}
		if err == nil || errors.Is(err, errNotOwner) {
			return err
		}
	}
	return err
}

const attempts = 10

var errNotOwner = errors.New("the server does not take us for the session's owner")

func closeSession(ctx context.Context, addr string, id int64) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	// See ConnectRequest and RequestHeader in zookeeper.jute. Both are sent at once.
	const protocol, zxid, timeout, xid, opClose = 0, 0, 10_000, 1, -11
	password := passwordOf(id)
	hello := binary.BigEndian.AppendUint32(nil, protocol)
	hello = binary.BigEndian.AppendUint64(hello, zxid)
	hello = binary.BigEndian.AppendUint32(hello, timeout)
	hello = binary.BigEndian.AppendUint64(hello, uint64(id)) //nolint:gosec // a bit pattern
	hello = append(binary.BigEndian.AppendUint32(hello, uint32(len(password))), password[:]...)
	request := binary.BigEndian.AppendUint64(nil, xid<<32|opClose&0xffffffff)
	if _, err := conn.Write(append(framed(hello), framed(request)...)); err != nil {
		return err
	}
	answer, err := readFrame(conn)
	if err != nil {
		return err
	}
	const sessionAt, shortest = 8, 16
	if len(answer) < shortest || binary.BigEndian.Uint64(answer[sessionAt:]) != uint64(id) { //nolint:gosec // a bit pattern
		return errNotOwner
	}
	const codeAt, header = 12, 16
	if answer, err = readFrame(conn); err != nil {
		return err
	}
	if len(answer) < header || binary.BigEndian.Uint32(answer[codeAt:]) != 0 {
		return errors.New("the server refuses to close the session")
	}
	return nil
}

// framed is a packet behind its length.
func framed(packet []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(packet))), packet...) //nolint:gosec // it is short
}

func readFrame(conn io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	packet := make([]byte, binary.BigEndian.Uint32(length[:]))
	_, err := io.ReadFull(conn, packet)
	return packet, err
}

// passwordOf is the password that a server gives to the session: bytes of Java's random
// numbers, whose seed is the id and a constant.
func passwordOf(id int64) (password [16]byte) {
	const superSecret, multiplier, increment, bits = 0xB3415C00, 0x5DEECE66D, 0xB, 48
	const mask = 1<<bits - 1
	seed := (uint64(id) ^ superSecret ^ multiplier) & mask //nolint:gosec // a bit pattern
	for i := 0; i < len(password); i += 4 {
		seed = (seed*multiplier + increment) & mask
		binary.LittleEndian.PutUint32(password[i:], uint32(seed>>(bits-32)))
	}
	return password
}
