// SPDX-License-Identifier: MPL-2.0

package sasl

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-krb5/krb5/asn1tools"
	"github.com/go-krb5/krb5/crypto"
	"github.com/go-krb5/krb5/iana/asn1apptag"
	"github.com/go-krb5/krb5/iana/etypeID"
	"github.com/go-krb5/krb5/iana/flags"
	"github.com/go-krb5/krb5/iana/keyusage"
	"github.com/go-krb5/krb5/messages"
	"github.com/go-krb5/krb5/types"
	"github.com/go-krb5/x/encoding/asn1"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper/kerberos"
)

// acceptor is the server's side, as far as our side can tell.
type acceptor struct {
	t      testing.TB
	key    types.EncryptionKey // of the session
	subkey types.EncryptionKey // of its own choice; empty for none
	skew   time.Duration       // it does not give our time back
	auth   types.Authenticator
}

func newTicket(t testing.TB) kerberos.Ticket {
	t.Helper()
	return kerberos.Ticket{
		Client: types.NewPrincipalName(1, "clocker/host"), Realm: "EXAMPLE.COM", Server: "zookeeper/zk1@EXAMPLE.COM", Key: newKey(t, etypeID.AES256_CTS_HMAC_SHA1_96),
		Ticket: messages.Ticket{TktVNO: 5, Realm: "EXAMPLE.COM", SName: types.NewPrincipalName(3, "zookeeper/zk1"), EncPart: types.EncryptedData{EType: 18, Cipher: []byte("sealed")}},
	}
}

// accept reads our first token, and makes the reply.
func (a *acceptor) accept(token []byte) []byte {
	a.t.Helper()
	kind, body, err := unframe(token)
	if err != nil || kind != tokenRequest {
		a.t.Fatalf("the first token is of kind %x, %v", kind, err)
	}
	var request messages.APReq
	if err := request.Unmarshal(body); err != nil {
		a.t.Fatal(err)
	}
	if err := request.DecryptAuthenticator(a.key); err != nil {
		a.t.Fatal(err)
	}
	a.auth = request.Authenticator
	sum := a.auth.Cksum
	if !types.IsFlagSet(&request.APOptions, flags.APOptionMutualRequired) || sum.CksumType != 0x8003 || len(sum.Checksum) != 24 || sum.Checksum[0] != 16 || sum.Checksum[20]&flagMutual == 0 {
		a.t.Errorf("the request does not ask for a proof: %x", sum.Checksum)
	}
	part, err := asn1.Marshal(messages.EncAPRepPart{CTime: a.auth.CTime.Add(a.skew), Cusec: a.auth.Cusec, Subkey: a.subkey, SequenceNumber: 1<<32 - 1},
		asn1.WithMarshalSlicePreserveTypes(true), asn1.WithMarshalSliceAllowStrings(true))
	if err != nil {
		a.t.Fatal(err)
	}
	sealed, err := crypto.GetEncryptedData(asn1tools.AddASNAppTag(part, asn1apptag.EncAPRepPart), a.key, keyusage.AP_REP_ENCPART, 0)
	if err != nil {
		a.t.Fatal(err)
	}
	reply, err := asn1.Marshal(messages.APRep{PVNO: 5, MsgType: 15, EncPart: sealed}, asn1.WithMarshalSlicePreserveTypes(true), asn1.WithMarshalSliceAllowStrings(true))
	if err != nil {
		a.t.Fatal(err)
	}
	return frame(tokenReply, asn1tools.AddASNAppTag(reply, asn1apptag.APREP))
}

// next is the key of what follows.
func (a *acceptor) next() (key types.EncryptionKey, own bool) {
	if len(a.subkey.KeyValue) > 0 {
		return a.subkey, true
	}
	return a.auth.SubKey, false
}

func TestGSSAPI(t *testing.T) {
	t.Parallel()
	for name, subkey := range map[string]types.EncryptionKey{"our key": {}, "the server's key": newKey(t, etypeID.AES128_CTS_HMAC_SHA1_96)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ticket := newTicket(t)
			server := acceptor{t: t, key: ticket.Key, subkey: subkey}
			client := GSSAPI(ticket)
			say := func(challenge []byte) []byte {
				t.Helper()
				answer, done, err := client.Next(challenge)
				if err != nil || done {
					t.Fatalf("done %t, %v", done, err)
				}
				return answer
			}
			if answer := say(server.accept(say(nil))); len(answer) > 0 {
				t.Errorf("the reply is answered by %x", answer)
			}
			key, own := server.next()
			answer := say(serverWrap(t, key, own, 1<<32-1, 0, []byte{7, 0, 1, 0}))
			head := wrapHead(0, own, uint64(server.auth.SeqNumber)) //nolint:gosec // not negative
			sum, err := checksum(key, keyusage.GSSAPI_INITIATOR_SEAL, []byte{noLayer, 0, 0, 0}, head)
			if err != nil || string(answer[wrapHeader:]) != string([]byte{noLayer, 0, 0, 0})+string(sum) {
				t.Errorf("the layer is chosen by %x, %v", answer, err)
			}
			if _, done, err := client.Next(nil); err != nil || !done {
				t.Errorf("the end: done %t, %v", done, err)
			}
			if _, _, err := client.Next(nil); err == nil {
				t.Error("it goes on after the end")
			}
		})
	}
}

func TestGSSAPIWithAnotherServer(t *testing.T) {
	t.Parallel()
	ticket := newTicket(t)
	refused := messages.NewKRBError(types.NewPrincipalName(3, "zookeeper/zk1"), "EXAMPLE.COM", 37, "")
	refusal, err := refused.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		reply func(token []byte) []byte
		want  error
	}{
		"nothing":       {func([]byte) []byte { return nil }, ErrNoSASL},
		"our own words": {func(token []byte) []byte { return token }, ErrUnproved},
		"a refusal":     {func([]byte) []byte { return frame(tokenError, refusal) }, ErrUnproved},
		"nonsense":      {func([]byte) []byte { return frame(tokenReply, []byte("nonsense")) }, ErrUnproved},
		"another key": {func(token []byte) []byte {
			a := acceptor{t: t, key: ticket.Key}
			a.accept(token)
			a.key = newKey(t, etypeID.AES256_CTS_HMAC_SHA1_96)
			forged := acceptor{t: t, key: a.key, auth: a.auth}
			return forged.forge()
		}, ErrUnproved},
		"another time": {func(token []byte) []byte {
			a := acceptor{t: t, key: ticket.Key, skew: time.Second}
			return a.accept(token)
		}, ErrUnproved},
	} {
		client := GSSAPI(ticket)
		first, _, err := client.Next(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, done, err := client.Next(test.reply(first)); done || !errors.Is(err, test.want) {
			t.Errorf("%s: done %t, %v", name, done, err)
		}
	}
}

// forge is a reply by one who does not know the session's key.
func (a *acceptor) forge() []byte {
	part, _ := asn1.Marshal(messages.EncAPRepPart{CTime: a.auth.CTime, Cusec: a.auth.Cusec}, asn1.WithMarshalSlicePreserveTypes(true), asn1.WithMarshalSliceAllowStrings(true))
	sealed, _ := crypto.GetEncryptedData(asn1tools.AddASNAppTag(part, asn1apptag.EncAPRepPart), a.key, keyusage.AP_REP_ENCPART, 0)
	reply, _ := asn1.Marshal(messages.APRep{PVNO: 5, MsgType: 15, EncPart: sealed}, asn1.WithMarshalSlicePreserveTypes(true), asn1.WithMarshalSliceAllowStrings(true))
	return frame(tokenReply, asn1tools.AddASNAppTag(reply, asn1apptag.APREP))
}

func TestGSSAPIOffers(t *testing.T) {
	t.Parallel()
	for offer, want := range map[string]error{"\x01\x00\x00\x00": nil, "\x06\x00\x10\x00": ErrLayer, "\x01": errToken, "": errToken} {
		ticket := newTicket(t)
		server := acceptor{t: t, key: ticket.Key}
		client := GSSAPI(ticket)
		first, _, _ := client.Next(nil)
		if _, _, err := client.Next(server.accept(first)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := client.Next(serverWrap(t, server.auth.SubKey, false, 1<<32-1, 0, []byte(offer))); !errors.Is(err, want) {
			t.Errorf("the offer %x: %v, want %v", offer, err, want)
		}
	}
}

// No words of a server make us panic, or believe that it is the right one.
func FuzzGSSAPI(f *testing.F) {
	ticket := newTicket(f)
	f.Add([]byte{}, []byte{})
	f.Add(frame(tokenReply, []byte("\x6f\x03\x30\x01\x00")), []byte{5, 4, 1, 255})
	f.Fuzz(func(t *testing.T, one, two []byte) {
		client := GSSAPI(ticket)
		var err error
		for _, challenge := range [][]byte{nil, one, two, nil} {
			var done bool
			if _, done, err = client.Next(challenge); done {
				t.Fatal("a stranger is taken for the server")
			}
			if err != nil {
				break
			}
		}
		if err == nil {
			t.Fatal("a stranger is taken for the server")
		}
		_ = fmt.Sprint(err)
	})
}
