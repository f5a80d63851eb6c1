package zktest

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// CloseSession closes a session of somebody else's, of which nothing but its id is known:
// ephemeralOwner of each ephemeral znode. Its password follows from that by a constant in
// ZooKeeper's source (SessionTrackerImpl, ZooKeeperServer.generatePasswd).
func CloseSession(tb testing.TB, addr string, id int64) {
	tb.Helper()
	// The owner comes back when its connection is closed, and can be faster.
	for range attempts {
		if err := closeSession(tb, addr, id); err == nil {
			return
		} else if errors.Is(err, errNotOwner) {
			tb.Fatal(err)
		}
	}
	tb.Fatalf("session %#x could not be closed", id)
}

const attempts = 10

var errNotOwner = errors.New("the server does not take us for the session's owner")

func closeSession(tb testing.TB, addr string, id int64) error {
	conn, err := (&net.Dialer{}).DialContext(tb.Context(), "tcp", addr)
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
	_, err = readFrame(conn)
	return err
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
		binary.LittleEndian.PutUint32(password[i:], uint32(seed>>(bits-32))) //nolint:gosec // the upper 32 bits
	}
	return password
}
