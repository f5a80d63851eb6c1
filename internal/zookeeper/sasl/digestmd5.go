// SPDX-License-Identifier: MPL-2.0

package sasl

import (
	"crypto/md5" //nolint:gosec // as RFC 2831 has it
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// errChallenge says that the server's words are not those of RFC 2831.
var errChallenge = fmt.Errorf("%w: it sent an invalid DIGEST-MD5 challenge", ErrUnproved)

// DigestMD5 returns the client of an exchange by username and password with a service, such as
// "zookeeper", of a host.
func DigestMD5(service, host, username, password string) Client {
	return &digestMD5{uri: service + "/" + host, username: username, password: password, cnonce: rand.Text()}
}

type digestMD5 struct {
	uri, username, password, cnonce string
	step                            int
	proof                           string // what the server has to answer
}

// Next implements [Client].
func (d *digestMD5) Next(challenge []byte) (answer []byte, done bool, err error) {
	d.step++
	switch d.step {
	case 1:
		return []byte{}, false, nil // the server begins
	case 2:
		if len(challenge) == 0 {
			return nil, false, ErrNoSASL
		}
		answer, err = d.respond(string(challenge))
		return answer, false, err
	case 3:
		values, err := directives(string(challenge))
		if err != nil {
			return nil, false, err
		}
		if subtle.ConstantTimeCompare([]byte(first(values["rspauth"])), []byte(d.proof)) != 1 {
			return nil, false, fmt.Errorf("%w: it does not know the password", ErrUnproved)
		}
		return nil, true, nil
	default:
		return nil, false, errOver
	}
}

// respond proves that we know the password, with the server's nonce and ours (RFC 2831, section 2.1.2).
func (d *digestMD5) respond(challenge string) ([]byte, error) {
	const qop, count = "auth", "00000001"
	values, err := directives(challenge)
	if err != nil {
		return nil, ErrMechanism
	}
	nonce, realm := first(values["nonce"]), first(values["realm"])
	switch offered := first(values["qop"]); {
	case len(values["nonce"]) != 1 || nonce == "":
		return nil, fmt.Errorf("%w: it has no nonce", errChallenge)
	case first(values["algorithm"]) != "md5-sess":
		return nil, fmt.Errorf("%w: it asks for another algorithm", errChallenge)
	case offered != "" && !slices.ContainsFunc(strings.Split(offered, ","), func(s string) bool { return strings.TrimSpace(s) == qop }):
		return nil, ErrLayer
	}
	secret := hash(strings.Join([]string{latin1(d.username), latin1(realm), latin1(d.password)}, ":"))
	key := hexHash(string(secret) + ":" + nonce + ":" + d.cnonce)
	proof := func(method string) string {
		return hexHash(strings.Join([]string{key, nonce, count, d.cnonce, qop, hexHash(method + ":" + d.uri)}, ":"))
	}
	d.proof = proof("")
	return fmt.Appendf(nil, "charset=utf-8,username=%s,realm=%s,nonce=%s,nc=%s,cnonce=%s,digest-uri=%s,maxbuf=65536,response=%s,qop=%s",
		quoted(d.username), quoted(realm), quoted(nonce), count, quoted(d.cnonce), quoted(d.uri), proof("AUTHENTICATE"), qop), nil
}

func hash(text string) []byte {
	sum := md5.Sum([]byte(text)) //nolint:gosec // as RFC 2831 has it
	return sum[:]
}

func hexHash(text string) string { return hex.EncodeToString(hash(text)) }

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// latin1 is text in ISO 8859-1 if it can be, which is how RFC 2831 wants it hashed, and else in UTF-8.
func latin1(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r > 0xff {
			return text
		}
		b.WriteByte(byte(r)) //nolint:gosec // at most 0xff
	}
	return b.String()
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func quoted(text string) string { return `"` + escape.Replace(text) + `"` }

// directives reads names and values, some of which stand in quotes (RFC 2831, section 7.1).
func directives(text string) (map[string][]string, error) {
	const space = " \t\r\n"
	values := map[string][]string{}
	for text = strings.Trim(text, space+","); text != ""; text = strings.TrimLeft(text, space+",") {
		name, rest, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("%w: it has no value", errChallenge)
		}
		name, rest = strings.ToLower(strings.Trim(name, space)), strings.TrimLeft(rest, space)
		var value string
		if strings.HasPrefix(rest, `"`) {
			if value, rest, ok = unquote(rest[1:]); !ok {
				return nil, fmt.Errorf("%w: a quote does not end", errChallenge)
			}
		} else {
			end := strings.IndexAny(rest, space+",")
			if end < 0 {
				end = len(rest)
			}
			value, rest = rest[:end], rest[end:]
		}
		values[name] = append(values[name], value)
		text = rest
	}
	return values, nil
}

// unquote reads up to the quote that ends a value.
func unquote(text string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return b.String(), text[i+1:], true
		case text[i] == '\\' && i+1 < len(text):
			i++
		}
		b.WriteByte(text[i])
	}
	return "", "", false
}
