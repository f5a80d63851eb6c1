// SPDX-License-Identifier: MPL-2.0

package kerberos

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-krb5/krb5/crypto"
	"github.com/go-krb5/krb5/iana/patype"
	"github.com/go-krb5/krb5/keytab"
	"github.com/go-krb5/krb5/types"
)

// secret is what a user proves who it is with.
type secret interface {
	// types are the encryption types for which there is a key, of those given.
	types(allowed []int32) []int32
	// key is for an encryption type, and a version of the key where it is known.
	key(etype int32, version int, data types.PADataSequence) (types.EncryptionKey, error)
	// wrong says what to do if the KDC does not accept it.
	wrong() string
}

// keys are those of one principal in a keytab.
type keys struct {
	who     principal
	entries []entry
}

type entry struct {
	version int
	key     types.EncryptionKey
}

const adviceKeytab = "Compare `klist -kte` of the keytab with the principal's key in the KDC (`kvno`, or `getprinc` in kadmin): when a key was made anew, older keytabs are of no use. Export the keytab again."

// CheckKeytab says what is wrong with the content of a keytab.
func CheckKeytab(content string) (err error) {
	defer caught(&err)
	var table keytab.Keytab
	if table.Unmarshal([]byte(content)) != nil || len(table.Entries) == 0 {
		return errors.New("it is not a keytab, or not a whole one") // the library's error shows the content
	}
	return nil
}

// readKeytab returns the keys of a principal, or of the only one if none is named.
func readKeytab(content, name, defaultRealm string) (_ *keys, err error) {
	defer caught(&err)
	var table keytab.Keytab
	if table.Unmarshal([]byte(content)) != nil {
		// The library's error shows the content.
		return nil, permanent("Set keytab_file to the path of a keytab, or to its content as base64.", "the keytab cannot be read: it is not one, or not a whole one")
	}
	var names []string
	for _, e := range table.Entries {
		who := principal{types.PrincipalName{NameType: e.Principal.NameType, NameString: e.Principal.Components}, e.Principal.Realm}.String()
		if !slices.Contains(names, who) {
			names = append(names, who)
		}
	}
	switch {
	case len(names) == 0:
		return nil, permanent("Export it again with ktadd of kadmin, or ktpass.", "the keytab holds no key")
	case name == "" && len(names) > 1:
		return nil, permanent("Set principal in the kerberos block to one of them.", "the keytab has keys of several principals: %s", strings.Join(names, ", "))
	case name == "":
		name = names[0]
	}
	who, err := resolve(name, defaultRealm)
	if err != nil {
		return nil, err
	}
	k := &keys{who: who}
	var others []string
	for _, e := range table.Entries {
		if e.Principal.Realm != who.realm || !slices.Equal(e.Principal.Components, who.name.NameString) {
			continue
		}
		if !slices.Contains(allowed, e.Key.KeyType) {
			others = append(others, fmt.Sprint(e.Key.KeyType))
			continue
		}
		k.entries = append(k.entries, entry{int(e.KVNO), e.Key})
	}
	switch {
	case len(k.entries) == 0 && len(others) > 0:
		return nil, permanent("Export it again with AES keys: RC4 and DES are not used.", "the keytab has keys of %s, but only of the encryption types %s, none of AES", who, strings.Join(others, ", "))
	case len(k.entries) == 0:
		return nil, permanent("Set principal in the kerberos block to one of those, or use another keytab.", "the keytab has no key of %s, but of %s", who, strings.Join(names, ", "))
	}
	slices.SortStableFunc(k.entries, func(a, b entry) int { return b.version - a.version })
	return k, nil
}

func (k *keys) types(allowed []int32) (types []int32) {
	for _, etype := range allowed {
		if slices.ContainsFunc(k.entries, func(e entry) bool { return e.key.KeyType == etype }) {
			types = append(types, etype)
		}
	}
	return types
}

func (k *keys) key(etype int32, version int, _ types.PADataSequence) (types.EncryptionKey, error) {
	for _, e := range k.entries { // the newest first
		if e.key.KeyType == etype && (version == 0 || e.version == version) {
			return e.key, nil
		}
	}
	return types.EncryptionKey{}, permanent(adviceKeytab, "the keytab has no key of %s with encryption type %d and version %d", k.who, etype, version)
}

func (k *keys) wrong() string { return adviceKeytab }

// password makes keys of a password.
type password struct {
	who  principal
	text string
}

func (p *password) types(allowed []int32) []int32 { return allowed }

func (p *password) key(etype int32, _ int, data types.PADataSequence) (types.EncryptionKey, error) {
	salt, parameters := p.who.name.GetSalt(p.who.realm), ""
	for _, hint := range hints(data) {
		if hint.EType == etype {
			if hint.Salt != "" {
				salt = hint.Salt
			}
			if len(hint.S2KParams) == 4 {
				const most = 1 << 22 // rounds: seconds of work, which a false KDC must not cause
				if rounds := binary.BigEndian.Uint32(hint.S2KParams); rounds == 0 || rounds > most {
					return types.EncryptionKey{}, errors.New("the KDC asks for too many rounds of hashing")
				}
				parameters = hex.EncodeToString(hint.S2KParams)
			}
		}
	}
	kind, err := crypto.GetEtype(etype)
	if err != nil {
		return types.EncryptionKey{}, err
	}
	if parameters == "" {
		parameters = kind.GetDefaultStringToKeyParams()
	}
	value, err := kind.StringToKey(p.text, salt, parameters)
	if err != nil {
		return types.EncryptionKey{}, errors.New("the KDC's parameters for the password cannot be used")
	}
	return types.EncryptionKey{KeyType: etype, KeyValue: value}, nil
}

func (p *password) wrong() string { return "Check principal and password in the kerberos block." }

// hints are the KDC's words on how to make keys (RFC 4120, section 5.2.7.5).
func hints(data types.PADataSequence) types.ETypeInfo2 {
	for _, d := range data {
		if d.PADataType == patype.PA_ETYPE_INFO2 {
			if info, err := d.GetETypeInfo2(); err == nil {
				return info
			}
		}
	}
	return nil
}

// resolve is a principal with its realm.
func resolve(text, defaultRealm string) (principal, error) {
	name, realm, err := splitPrincipal(text)
	if err != nil {
		return principal{}, permanent("Set principal in the kerberos block to name@REALM or name/host@REALM.", "the principal %q is not valid: %w", text, err)
	}
	if realm == "" {
		realm = defaultRealm
	}
	if realm == "" {
		return principal{}, permanent("Write principal with its realm, as name@REALM, or set default_realm in the file that config_file names.", "the realm of the principal %q is not known", text)
	}
	return principal{name, realm}, nil
}
