// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// readPacket reads four bytes of length and what follows.
func readPacket(r io.Reader) ([]byte, error) {
	const most = 4 << 20
	var length uint32
	if err := binary.Read(r, binary.BigEndian, &length); err != nil {
		return nil, err
	}
	if length > most {
		return nil, fmt.Errorf("a packet of %d bytes", length)
	}
	packet := make([]byte, length)
	_, err := io.ReadFull(r, packet)
	return packet, err
}

func writePacket(w io.Writer, packet []byte) error {
	whole := binary.BigEndian.AppendUint32(nil, uint32(len(packet))) //nolint:gosec // as read
	_, err := w.Write(append(whole, packet...))
	return err
}

// expire takes over the session that a server's answer to a client named, and
// closes it: protocol version, timeout, session id and password, with which
// a request to connect goes on after the zxid last seen.
func expire(ctx context.Context, server string, answer []byte) error {
	const id, idAndPassword = 8, 8 + 4 + 16
	if len(answer) < id+idAndPassword {
		return errors.New("no client has connected yet")
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", server)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	connect := append(make([]byte, 4+8), answer[4:id]...)
	connect = append(connect, answer[id:id+idAndPassword]...)
	for _, packet := range [][]byte{connect, fields(1, int32(opCloseSession))} {
		if err := writePacket(conn, packet); err != nil {
			return err
		}
		if _, err := readPacket(conn); err != nil {
			return err
		}
	}
	return nil
}

func fields(numbers ...int32) []byte {
	var packet bytes.Buffer
	_ = binary.Write(&packet, binary.BigEndian, numbers) // to memory: never fails
	return packet.Bytes()
}
