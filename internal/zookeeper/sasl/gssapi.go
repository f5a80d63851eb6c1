// SPDX-License-Identifier: MPL-2.0

package sasl

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-krb5/krb5/crypto"
	"github.com/go-krb5/krb5/iana/flags"
	"github.com/go-krb5/krb5/iana/keyusage"
	"github.com/go-krb5/krb5/messages"
	"github.com/go-krb5/krb5/types"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper/kerberos"
)

// Flags of a context (RFC 4121, section 4.1.1.1) that we ask for. With the first, the server proves
// who it is.
const (
	flagMutual    = 2
	flagReplay    = 4
	flagSequence  = 8
	flagIntegrity = 32
)

// noLayer is the quality of protection "auth" (RFC 4752, section 3.3).
const noLayer = 1

// GSSAPI returns the client of an exchange with the server that the ticket is for.
func GSSAPI(ticket kerberos.Ticket) Client { return &gssapi{ticket: ticket} }

type gssapi struct {
	ticket kerberos.Ticket
	step   int
	auth   types.Authenticator

	key        types.EncryptionKey // of what follows the context's tokens
	fromServer bool                // the server has chosen the key
	serverSeq  uint64
}

// Next implements [Client].
func (g *gssapi) Next(challenge []byte) (answer []byte, done bool, err error) {
	defer caught(&err)
	g.step++
	switch g.step {
	case 1:
		answer, err = g.request()
		return answer, false, err
	case 2:
		return []byte{}, false, g.reply(challenge)
	case 3:
		answer, err = g.layer(challenge)
		return answer, false, err
	case 4:
		if len(challenge) > 0 {
			return nil, false, errOver
		}
		return nil, true, nil
	default:
		return nil, false, errOver
	}
}

// request is the first token: the ticket, and a proof that it is ours (RFC 4121, section 4.1).
func (g *gssapi) request() ([]byte, error) {
	etype, err := crypto.GetEtype(g.ticket.Key.KeyType)
	if err != nil {
		return nil, errors.New("the ticket's key has an unknown encryption type")
	}
	g.auth, err = types.NewAuthenticator(g.ticket.Realm, g.ticket.Client)
	if err != nil {
		return nil, err
	}
	subkey := make([]byte, etype.GetKeyByteSize())
	if _, err := rand.Read(subkey); err != nil {
		return nil, err
	}
	g.key = types.EncryptionKey{KeyType: g.ticket.Key.KeyType, KeyValue: subkey}
	g.auth.SubKey = g.key
	const checksumType, bindings = 0x8003, 16 // no channel bindings
	checksum := binary.LittleEndian.AppendUint32(nil, bindings)
	checksum = append(checksum, make([]byte, bindings)...)
	checksum = binary.LittleEndian.AppendUint32(checksum, flagMutual|flagReplay|flagSequence|flagIntegrity)
	g.auth.Cksum = types.Checksum{CksumType: checksumType, Checksum: checksum}
	request, err := messages.NewAPReq(g.ticket.Ticket, g.ticket.Key, g.auth)
	if err != nil {
		return nil, errors.New("the Kerberos library could not make the request of a context")
	}
	types.SetFlag(&request.APOptions, flags.APOptionMutualRequired)
	body, err := request.Marshal()
	if err != nil {
		return nil, err
	}
	return frame(tokenRequest, body), nil
}

// reply takes the server's token, which proves that it has the key of its name.
func (g *gssapi) reply(token []byte) error {
	if len(token) == 0 {
		return ErrNoSASL
	}
	kind, body, err := unframe(token)
	if err != nil {
		return ErrMechanism
	}
	if kind != tokenReply {
		var refused messages.KRBError
		if kind == tokenError && refused.Unmarshal(body) == nil {
			return fmt.Errorf("%w: it answers with Kerberos error %d", ErrUnproved, refused.ErrorCode)
		}
		return fmt.Errorf("%w: it answers with another token", ErrUnproved)
	}
	var (
		reply messages.APRep
		part  messages.EncAPRepPart
	)
	if err := reply.Unmarshal(body); err != nil {
		return fmt.Errorf("%w: its token cannot be read", ErrUnproved)
	}
	plain, err := crypto.DecryptEncPart(reply.EncPart, g.ticket.Key, keyusage.AP_REP_ENCPART)
	if err == nil {
		err = part.Unmarshal(plain)
	}
	if err != nil || !part.CTime.Equal(g.auth.CTime.Truncate(1e9)) || part.Cusec != g.auth.Cusec {
		return fmt.Errorf("%w: its token is not made with the key of the session", ErrUnproved)
	}
	if len(part.Subkey.KeyValue) > 0 {
		g.key, g.fromServer = part.Subkey, true
	}
	g.serverSeq = uint64(uint32(part.SequenceNumber)) //nolint:gosec // RFC 4120: an unsigned number of 32 bits
	return nil
}

// layer answers the server's offer of security layers with: none (RFC 4752, section 3.1).
func (g *gssapi) layer(token []byte) ([]byte, error) {
	const size = 4 // the layers, and the most bytes of a message
	offer, err := unwrap(g.key, g.fromServer, g.serverSeq, token)
	switch {
	case err != nil:
		return nil, err
	case len(offer) != size:
		return nil, fmt.Errorf("%w: its offer of security layers has %d bytes", errToken, len(offer))
	case offer[0]&noLayer == 0:
		return nil, ErrLayer
	}
	return wrap(g.key, g.fromServer, uint64(g.auth.SeqNumber), []byte{noLayer, 0, 0, 0}) //nolint:gosec // not negative
}
