// SPDX-License-Identifier: MPL-2.0

package sasl

import (
	"bytes"
	"crypto/hmac"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/go-krb5/krb5/crypto"
	"github.com/go-krb5/krb5/iana/keyusage"
	"github.com/go-krb5/krb5/types"
)

// errToken says that a token is not one of RFC 4121.
var errToken = fmt.Errorf("%w: it sent an invalid GSS-API token", ErrUnproved)

// Kinds of the tokens that make a context (RFC 4121, section 4.1).
const (
	tokenRequest = 0x0100
	tokenReply   = 0x0200
	tokenError   = 0x0300
)

// mechanism is Kerberos, as an object identifier in DER: 1.2.840.113554.1.2.2.
var mechanism = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}

// frame puts in front of a token what RFC 2743, section 3.1 wants there.
func frame(kind uint16, body []byte) []byte {
	const application = 0x60
	inner := append(binary.BigEndian.AppendUint16(bytes.Clone(mechanism), kind), body...)
	token := []byte{application}
	if n := len(inner); n < 0x80 {
		token = append(token, byte(n))
	} else {
		length := bytes.TrimLeft(binary.BigEndian.AppendUint32(nil, uint32(n)), "\x00") //nolint:gosec // no token has 4 GB
		token = append(append(token, 0x80|byte(len(length))), length...)                //nolint:gosec // at most 4
	}
	return append(token, inner...)
}

// unframe is the reverse of frame.
func unframe(token []byte) (kind uint16, body []byte, err error) {
	const application = 0x60
	if len(token) < 2 || token[0] != application {
		return 0, nil, fmt.Errorf("%w: it has no frame", errToken)
	}
	length, rest := int(token[1]), token[2:]
	if length >= 0x80 {
		digits := length & 0x7f
		if digits == 0 || digits > 4 || len(rest) < digits {
			return 0, nil, fmt.Errorf("%w: its length cannot be read", errToken)
		}
		length = 0
		for _, b := range rest[:digits] {
			length = length<<8 | int(b)
		}
		rest = rest[digits:]
	}
	if length != len(rest) {
		return 0, nil, fmt.Errorf("%w: its length is wrong", errToken)
	}
	rest, ok := bytes.CutPrefix(rest, mechanism)
	if !ok || len(rest) < 2 {
		return 0, nil, fmt.Errorf("%w: it is not one of Kerberos", errToken)
	}
	return binary.BigEndian.Uint16(rest), rest[2:], nil
}

// The header of a Wrap token (RFC 4121, section 4.2.6.2): its kind, flags, a filler, the length of the
// checksum, how far it is rotated, and a number that counts the tokens.
const (
	wrapHeader = 16

	atFlags, atFiller, atExtra, atRotation, atNumber = 2, 3, 4, 6, 8

	flagFromServer = 1
	flagSealed     = 2
	flagServerKey  = 4 // the key is the one that the server has chosen
)

func wrapHead(flags byte, serverKey bool, number uint64) []byte {
	if serverKey {
		flags |= flagServerKey
	}
	head := []byte{0x05, 0x04, flags, 0xff, 0, 0, 0, 0}
	return binary.BigEndian.AppendUint64(head, number)
}

// checksum is over the content and the header, as it is without the numbers of the checksum itself
// (RFC 4121, section 4.2.4).
func checksum(key types.EncryptionKey, usage uint32, content, head []byte) ([]byte, error) {
	etype, err := crypto.GetEtype(key.KeyType)
	if err != nil {
		return nil, fmt.Errorf("%w: its key has an unknown encryption type", errToken)
	}
	return etype.GetChecksumHash(key.KeyValue, append(bytes.Clone(content), head...), usage)
}

// wrap makes a Wrap token that is signed, and not encrypted.
func wrap(key types.EncryptionKey, serverKey bool, number uint64, content []byte) ([]byte, error) {
	head := wrapHead(0, serverKey, number)
	sum, err := checksum(key, keyusage.GSSAPI_INITIATOR_SEAL, content, head)
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint16(head[atExtra:], uint16(len(sum))) //nolint:gosec // at most 24
	return append(append(head, content...), sum...), nil
}

// unwrap returns the content of the server's Wrap token, once it is sure to be the server's.
func unwrap(key types.EncryptionKey, serverKey bool, number uint64, token []byte) ([]byte, error) {
	if len(token) < wrapHeader {
		return nil, fmt.Errorf("%w: %d bytes are too few", errToken, len(token))
	}
	if token[atFlags]&flagSealed != 0 {
		return nil, ErrLayer
	}
	head := wrapHead(flagFromServer, serverKey, number)
	given := bytes.Clone(token[:wrapHeader])
	size := int(binary.BigEndian.Uint16(given[atExtra:]))
	rotated := int(binary.BigEndian.Uint16(given[atRotation:]))
	clear(given[atExtra:atNumber])
	rest := token[wrapHeader:]
	if !bytes.Equal(given, head) || size > len(rest) {
		return nil, fmt.Errorf("%w: it is not the one that is due", errToken)
	}
	if len(rest) > 0 {
		by := rotated % len(rest)
		rest = slices.Concat(rest[by:], rest[:by])
	}
	content := rest[:len(rest)-size]
	sum, err := checksum(key, keyusage.GSSAPI_ACCEPTOR_SEAL, content, head)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(sum, rest[len(content):]) {
		return nil, fmt.Errorf("%w: its checksum is wrong", errToken)
	}
	return content, nil
}
