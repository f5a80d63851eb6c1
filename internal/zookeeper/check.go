// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// errPacket says that a packet came that no ZooKeeper sends.
var errPacket = errors.New("the server sent an invalid packet")

// Headers of packets, and their kinds: zookeeper.jute, and ZooDefs.OpCode.
const (
	requestHeader = 8  // xid and kind
	replyHeader   = 16 // xid, zxid and error

	xidEvent = -1
	xidPing  = -2

	opMulti = 14
)

// Fields of an answer: a number of 4 or 8 bytes, bytes or a text behind their length,
// and a list behind its count.
const (
	long           = 'l'      // any other letter stands for 4 bytes
	text, data     = 's', 'b' // data can be missing
	list, listEnd  = '[', ']'
	stat           = "lllliiiliil"
	listMinElement = 4 // bytes: each element begins with a number or a length
)

// shapes are the answers to requests, by their kind, as far as the client library reads
// them: newer servers may add to them.
var shapes = map[int32]string{
	1:   "s",            // create
	2:   "",             // delete
	3:   stat,           // exists
	4:   "b" + stat,     // get data
	5:   stat,           // set data
	6:   "[iss]" + stat, // get ACL
	7:   stat,           // set ACL
	8:   "[s]",          // get children
	9:   "s",            // sync
	12:  "[s]" + stat,   // get children, with their parent's stat
	13:  "",             // check
	100: "",             // authenticate
	101: "",             // set watches
	-11: "",             // close the session
}

// results of the operations in a multi, by their kind.
var results = map[int32]string{1: "s", 2: "", 5: stat, 13: "", -1: "i"}

const eventShape = "iis" // kind, state and path

// checker knows which requests wait for an answer, so that it can check the answers.
// The client library does not: decodePacketValue of go-zookeeper/zk v1.0.4 panics at a
// wrong length and allocates up to 34 GB for a wrong count. No issue there says so.
type checker struct{ kinds map[int32]int32 } // by xid

// sent takes note of a request.
func (c *checker) sent(packet []byte) {
	const length = 4
	if len(packet) < length+requestHeader {
		return
	}
	xid, kind := number(packet[length:]), number(packet[length+4:])
	if xid < 0 {
		return
	}
	if c.kinds == nil {
		c.kinds = make(map[int32]int32)
	}
	c.kinds[xid] = kind
}

// check returns what is wrong with a packet from the server, or nil.
func (c *checker) check(packet []byte) error {
	if len(packet) < replyHeader {
		return fmt.Errorf("%w: %d bytes are too few", errPacket, len(packet))
	}
	xid, code, body := number(packet), number(packet[12:]), packet[replyHeader:]
	if xid == xidPing {
		return nil
	}
	if xid == xidEvent {
		_, err := skip(body, eventShape)
		return err
	}
	kind, ok := c.kinds[xid]
	if !ok {
		return fmt.Errorf("%w: it answers no request", errPacket)
	}
	delete(c.kinds, xid)
	if code != 0 {
		return nil // nothing of the body is read then
	}
	if kind == opMulti {
		return checkMulti(body)
	}
	shape, ok := shapes[kind]
	if !ok {
		return fmt.Errorf("%w: it answers a request of the unknown kind %d", errPacket, kind)
	}
	_, err := skip(body, shape)
	return err
}

// checkMulti returns what is wrong with the answer to a multi, or nil. That is a list of
// results, each after its kind, a byte and an error. The byte is 0, but for the last one.
func checkMulti(body []byte) error {
	const header = 4 + 1 + 4
	for {
		if len(body) < header {
			return fmt.Errorf("%w: a multi without an end", errPacket)
		}
		kind, done := number(body), body[4] != 0
		body = body[header:]
		if done {
			return nil
		}
		shape, ok := results[kind]
		if !ok {
			return fmt.Errorf("%w: a result of the unknown kind %d", errPacket, kind)
		}
		var err error
		if body, err = skip(body, shape); err != nil {
			return err
		}
	}
}

// skip returns what follows the fields of a shape.
func skip(body []byte, shape string) ([]byte, error) {
	for i := 0; i < len(shape); i++ {
		size := 4
		if shape[i] == long {
			size = 8
		}
		if shape[i] == listEnd {
			continue
		}
		if len(body) < size {
			return nil, fmt.Errorf("%w: it ends too early", errPacket)
		}
		length := number(body)
		body = body[size:]
		switch shape[i] {
		case data, text:
			if length == -1 && shape[i] == data {
				continue // none
			}
			if length < 0 || int64(length) > int64(len(body)) {
				return nil, fmt.Errorf("%w: %d bytes do not fit", errPacket, length)
			}
			body = body[length:]
		case list:
			end := i + 1
			for shape[end] != listEnd {
				end++
			}
			if length < 0 || int(length) > len(body)/listMinElement {
				return nil, fmt.Errorf("%w: a list of %d does not fit", errPacket, uint32(length)) //nolint:gosec // as the library reads it
			}
			for range length {
				var err error
				if body, err = skip(body, shape[i+1:end]); err != nil {
					return nil, err
				}
			}
			i = end
		}
	}
	return body, nil
}

// number is a signed number at the beginning of b.
func number(b []byte) int32 {
	return int32(binary.BigEndian.Uint32(b)) //nolint:gosec // the wire format is a signed number
}

// withNumber appends a number of four bytes, such as a length.
func withNumber(b []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(n)) //nolint:gosec // the wire format is a signed number
}
