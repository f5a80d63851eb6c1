// SPDX-License-Identifier: MPL-2.0

package kerberos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-krb5/krb5/config"
	"github.com/go-krb5/krb5/crypto"
	"github.com/go-krb5/krb5/iana/errorcode"
	"github.com/go-krb5/krb5/iana/keyusage"
	"github.com/go-krb5/krb5/iana/nametype"
	"github.com/go-krb5/krb5/iana/patype"
	"github.com/go-krb5/krb5/messages"
	"github.com/go-krb5/krb5/types"
)

// errReply says that a KDC's answer is not one to our request.
var errReply = errors.New("the KDC's answer does not fit to the request")

// adviceClock is what to do about clocks.
const adviceClock = "Kerberos needs clocks that differ by less than five minutes: synchronize this machine's, the KDC's and the ZooKeeper servers' clock by NTP."

// libraryConfig is what the library makes requests by.
func (c *configuration) libraryConfig(etypes []int32, canonicalize bool) *config.Config {
	made := &config.Config{}
	made.LibDefaults.KDCDefaultOptions = types.NewKrbFlags()
	made.LibDefaults.TicketLifetime = c.ticketLifetime
	made.LibDefaults.NoAddresses = true
	made.LibDefaults.Canonicalize = canonicalize
	made.LibDefaults.DefaultTktEnctypeIDs, made.LibDefaults.DefaultTGSEnctypeIDs = etypes, etypes
	return made
}

func ticketService(realm string) types.PrincipalName {
	return types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{"krbtgt", realm}}
}

// login asks the KDC for the ticket that gets others (RFC 4120, section 3.1).
func login(ctx context.Context, c *configuration, who principal, s secret) (_ *grant, err error) {
	defer caught(&err)
	etypes := s.types(c.etypes)
	if len(etypes) == 0 {
		return nil, permanent("Export a keytab that has keys of the permitted encryption types, or change permitted_enctypes in krb5.conf. Of all types, only those of AES are used.",
			"no encryption type is left for %s that both permitted_enctypes and the keytab have", who)
	}
	request, err := messages.NewASReqForTGT(who.realm, c.libraryConfig(etypes, false), who.name)
	if err != nil {
		return nil, err
	}
	answer, err := ask(ctx, c, who.realm, &request)
	if refused := (messages.KRBError{}); errors.As(err, &refused) && refused.ErrorCode == errorcode.KDC_ERR_PREAUTH_REQUIRED {
		var methods types.PADataSequence
		if err := methods.Unmarshal(refused.EData); err != nil {
			return nil, errReply
		}
		if err := addTimestamp(&request, s, etypes, methods); err != nil {
			return nil, err
		}
		answer, err = ask(ctx, c, who.realm, &request)
	}
	if err != nil {
		return nil, explain(err, who, s)
	}
	var reply messages.ASRep
	if err := reply.Unmarshal(answer); err != nil {
		return nil, errReply
	}
	key, err := s.key(reply.EncPart.EType, reply.EncPart.KVNO, reply.PAData)
	if err != nil {
		return nil, err
	}
	plain, err := crypto.DecryptEncPart(reply.EncPart, key, keyusage.AS_REP_ENCPART)
	if err != nil {
		return nil, permanent(s.wrong(), "the KDC does not know %s by this keytab or password", who)
	}
	part := &reply.DecryptedEncPart
	if err := part.Unmarshal(plain); err != nil {
		return nil, errReply
	}
	if part.Nonce != request.ReqBody.Nonce || !part.SName.Equal(request.ReqBody.SName) || part.SRealm != who.realm ||
		!reply.CName.Equal(who.name) || reply.CRealm != who.realm {
		return nil, errReply
	}
	if skew := time.Since(part.AuthTime); max(skew, -skew) > c.clockSkew {
		return nil, skewed(part.AuthTime)
	}
	return newGrant(reply.Ticket, *part), nil
}

type request interface{ Marshal() ([]byte, error) }

func ask(ctx context.Context, c *configuration, realm string, r request) ([]byte, error) {
	message, err := r.Marshal()
	if err != nil {
		return nil, err
	}
	return c.send(ctx, realm, message)
}

// addTimestamp proves to the KDC that we have a key, of the first type that the KDC
// names and we have (RFC 4120, section 5.2.7.2).
func addTimestamp(request *messages.ASReq, s secret, etypes []int32, methods types.PADataSequence) error {
	etype := etypes[0]
search:
	for _, hint := range hints(methods) {
		for _, own := range etypes {
			if hint.EType == own {
				etype = own
				break search
			}
		}
	}
	key, err := s.key(etype, 0, methods)
	if err != nil {
		return err
	}
	now, err := types.GetPAEncTSEncAsnMarshalled()
	if err != nil {
		return err
	}
	proof, err := crypto.GetEncryptedData(now, key, keyusage.AS_REQ_PA_ENC_TIMESTAMP, 0)
	if err != nil {
		return err
	}
	value, err := proof.Marshal()
	if err != nil {
		return err
	}
	request.PAData = types.PADataSequence{{PADataType: patype.PA_ENC_TIMESTAMP, PADataValue: value}}
	return nil
}

// ticketFor asks the KDCs for a ticket for a server (RFC 4120, section 3.3). realm is the server's, or
// empty where nobody says so: then the KDCs may refer us to another.
func ticketFor(ctx context.Context, c *configuration, who principal, tgt *grant, server types.PrincipalName, realm string) (_ *grant, err error) {
	defer caught(&err)
	const maxReferrals = 8
	options := c.libraryConfig(c.etypes, realm == "" || realm != who.realm)
	at := who.realm // whose KDC is asked
	for range maxReferrals {
		wanted := server
		if realm != "" && realm != at {
			wanted = ticketService(realm)
		}
		request, err := messages.NewTGSReq(who.name, who.realm, at, options, tgt.ticket, tgt.key, wanted, false)
		if err != nil {
			return nil, errors.New("the ticket that gets others cannot be used: its key has an unknown encryption type")
		}
		answer, err := ask(ctx, c, at, &request)
		if err != nil {
			return nil, err
		}
		var reply messages.TGSRep
		if err := reply.Unmarshal(answer); err != nil {
			return nil, errReply
		}
		if err := reply.DecryptEncPart(tgt.key); err != nil {
			return nil, errReply
		}
		part := reply.DecryptedEncPart
		if part.Nonce != request.ReqBody.Nonce || !reply.CName.Equal(who.name) || reply.CRealm != who.realm || len(part.SName.NameString) == 0 {
			return nil, errReply
		}
		got := newGrant(reply.Ticket, part)
		if names := part.SName.NameString; names[0] == "krbtgt" && len(names) == 2 {
			tgt, at = got, names[1]
			continue
		}
		if !part.SName.Equal(server) && !options.LibDefaults.Canonicalize {
			return nil, errReply // else the KDC may know it by another name
		}
		return got, nil
	}
	return nil, fmt.Errorf("the KDCs refer to each other, at last to that of %s", at)
}

func newGrant(ticket messages.Ticket, part messages.EncKDCRepPart) *grant {
	g := &grant{ticket: ticket, key: part.Key, start: part.StartTime, end: part.EndTime}
	if g.start.IsZero() {
		g.start = part.AuthTime
	}
	return g
}

func skewed(kdc time.Time) *Error {
	return permanent(adviceClock, "the clocks differ: the KDC has %s, this machine %s", kdc.UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339))
}

// explain says what a KDC's refusal of a login means.
func explain(err error, who principal, s secret) error {
	var refused messages.KRBError
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.ErrorCode {
	case errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN:
		return permanent("Check principal in the kerberos block, its realm, and upper and lower case.", "the KDC does not know %s", who)
	case errorcode.KDC_ERR_PREAUTH_FAILED, errorcode.KRB_AP_ERR_BAD_INTEGRITY:
		return permanent(s.wrong(), "the KDC does not know %s by this keytab or password", who)
	case errorcode.KDC_ERR_CLIENT_REVOKED, errorcode.KDC_ERR_NAME_EXP, errorcode.KDC_ERR_KEY_EXPIRED, errorcode.KDC_ERR_CLIENT_NOTYET:
		return permanent("Have it unlocked, or its password changed.", "the KDC does not admit %s: %s", who, text(refused))
	case errorcode.KDC_ERR_ETYPE_NOSUPP:
		return permanent("Have the KDC make keys of an AES type for it, such as by a new password. RC4 and DES are not used.", "the KDC has no key of %s of the encryption types that are asked for", who)
	case errorcode.KRB_AP_ERR_SKEW, errorcode.KDC_ERR_NEVER_VALID:
		return skewed(refused.STime)
	}
	return &Error{Err: fmt.Errorf("the KDC refuses %s: %s", who, text(refused))}
}

// text is what a KDC says, in its own words.
func text(refused messages.KRBError) string {
	if refused.EText != "" {
		return fmt.Sprintf("%q (error %d)", refused.EText, refused.ErrorCode)
	}
	return errorcode.Lookup(refused.ErrorCode)
}
