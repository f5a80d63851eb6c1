// SPDX-License-Identifier: MPL-2.0

package sasl

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/go-krb5/krb5/crypto"
	"github.com/go-krb5/krb5/iana/etypeID"
	"github.com/go-krb5/krb5/iana/keyusage"
	"github.com/go-krb5/krb5/types"
)

func newKey(t testing.TB, etype int32) types.EncryptionKey {
	t.Helper()
	kind, err := crypto.GetEtype(etype)
	if err != nil {
		t.Fatal(err)
	}
	key := types.EncryptionKey{KeyType: etype, KeyValue: make([]byte, kind.GetKeyByteSize())}
	_, _ = rand.Read(key.KeyValue)
	return key
}

// serverWrap is what a server sends: wrap from the other side, rotated.
func serverWrap(t testing.TB, key types.EncryptionKey, serverKey bool, number uint64, rotate int, content []byte) []byte {
	t.Helper()
	head := wrapHead(flagFromServer, serverKey, number)
	sum, err := checksum(key, keyusage.GSSAPI_ACCEPTOR_SEAL, content, head)
	if err != nil {
		t.Fatal(err)
	}
	rest := append(bytes.Clone(content), sum...)
	by := len(rest) - rotate%len(rest)
	rest = append(bytes.Clone(rest[by:]), rest[:by]...)
	binary.BigEndian.PutUint16(head[atExtra:], uint16(len(sum)))  //nolint:gosec // at most 24
	binary.BigEndian.PutUint16(head[atRotation:], uint16(rotate)) //nolint:gosec // as the tests have it
	return append(head, rest...)
}

func TestWrapTokens(t *testing.T) {
	t.Parallel()
	offer := []byte{7, 0, 1, 0}
	for _, etype := range []int32{
		etypeID.AES128_CTS_HMAC_SHA1_96, etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA256_128, etypeID.AES256_CTS_HMAC_SHA384_192,
	} {
		key := newKey(t, etype)
		for _, serverKey := range []bool{false, true} {
			for _, rotate := range []int{0, 1, 12, 16, 28, 40, 1000} {
				token := serverWrap(t, key, serverKey, 42, rotate, offer)
				got, err := unwrap(key, serverKey, 42, token)
				if err != nil || !bytes.Equal(got, offer) {
					t.Errorf("type %d, rotated by %d: %x, %v", etype, rotate, got, err)
				}
				for name, err := range map[string]error{
					"another number": second(unwrap(key, serverKey, 43, token)),
					"another key":    second(unwrap(newKey(t, etype), serverKey, 42, token)),
					"whose key":      second(unwrap(key, !serverKey, 42, token)),
					"cut off":        second(unwrap(key, serverKey, 42, token[:len(token)-1])),
				} {
					if !errors.Is(err, errToken) {
						t.Errorf("%s: %v", name, err)
					}
				}
				for i := range token {
					changed := bytes.Clone(token)
					changed[i] ^= 0x40
					// Rotated by another number that comes to the same is the same.
					if again, err := unwrap(key, serverKey, 42, changed); err == nil && !bytes.Equal(again, offer) {
						t.Errorf("byte %d can be changed", i)
					}
				}
			}
		}
		own, err := wrap(key, true, 7, []byte{noLayer, 0, 0, 0})
		if err != nil || own[atFlags] != flagServerKey || binary.BigEndian.Uint64(own[atNumber:]) != 7 {
			t.Errorf("our token is %x, %v", own, err)
		}
		if _, err := unwrap(key, true, 7, own); !errors.Is(err, errToken) {
			t.Errorf("our own token is taken for the server's: %v", err)
		}
	}
	sealed := wrapHead(flagFromServer|flagSealed, false, 1)
	if _, err := unwrap(newKey(t, etypeID.AES128_CTS_HMAC_SHA1_96), false, 1, sealed); !errors.Is(err, ErrLayer) {
		t.Errorf("an encrypted token: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestFrames(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 100, 113, 114, 115, 127, 128, 255, 256, 1000, 70000} {
		body := bytes.Repeat([]byte{7}, size)
		kind, got, err := unframe(frame(tokenReply, body))
		if err != nil || kind != tokenReply || !bytes.Equal(got, body) {
			t.Errorf("%d bytes have become %d, %v", size, len(got), err)
		}
	}
	// As the JDK's client writes it.
	if got := frame(tokenRequest, []byte{0x6e}); !bytes.Equal(got, []byte("\x60\x0e\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00\x6e")) {
		t.Errorf("a frame is %x", got)
	}
	for name, token := range map[string]string{
		"nothing": "", "a byte": "\x60", "another tag": "\x61\x00", "too long": "\x60\x10\x06", "endless length": "\x60\x84", "no length": "\x60\x80",
		"length of eight": "\x60\x88\x00\x00\x00\x00\x00\x00\x00\x01\x06", "another mechanism": "\x60\x0d\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x03\x01\x00",
		"no kind": "\x60\x0b\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02",
	} {
		if _, _, err := unframe([]byte(token)); !errors.Is(err, errToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzUnframe(f *testing.F) {
	f.Add(frame(tokenReply, []byte("body")))
	f.Fuzz(func(t *testing.T, token []byte) {
		kind, body, err := unframe(token)
		if err != nil {
			return
		}
		if again, same, err := unframe(frame(kind, body)); err != nil || again != kind || !bytes.Equal(same, body) {
			t.Errorf("%x is another after it was written again: %v", token, err)
		}
	})
}

func FuzzUnwrap(f *testing.F) {
	key := newKey(f, etypeID.AES256_CTS_HMAC_SHA1_96)
	f.Add(serverWrap(f, key, false, 1, 0, []byte{1, 0, 0, 0}))
	f.Add(serverWrap(f, key, false, 1, 28, []byte{1, 0, 0, 0}))
	f.Fuzz(func(t *testing.T, token []byte) {
		content, err := unwrap(key, false, 1, token)
		if err == nil && !bytes.Equal(content, []byte{1, 0, 0, 0}) {
			t.Errorf("%x was not signed by the server, but %x is taken", token, content)
		}
	})
}
