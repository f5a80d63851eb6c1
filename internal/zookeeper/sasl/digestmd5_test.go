// SPDX-License-Identifier: MPL-2.0

package sasl

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

// The example of RFC 2831, section 4, with "imap" for another service.
const (
	exampleChallenge = `realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8`
	exampleResponse  = "d388dad90d4bbd760a152321f2143af7"
	exampleProof     = "rspauth=ea40f60335c427b5527b84dbabcdfffd"
)

func example() *digestMD5 {
	return &digestMD5{uri: "imap/elwood.innosoft.com", username: "chris", password: "secret", cnonce: "OA6MHXh6VqTrRk"}
}

func TestDigestMD5(t *testing.T) {
	t.Parallel()
	client := example()
	if answer, done, err := client.Next(nil); len(answer) > 0 || done || err != nil {
		t.Errorf("it begins with %q, %t, %v", answer, done, err)
	}
	answer, done, err := client.Next([]byte(exampleChallenge))
	if err != nil || done {
		t.Fatal(done, err)
	}
	values, err := directives(string(answer))
	want := map[string][]string{
		"charset": {"utf-8"}, "username": {"chris"}, "realm": {"elwood.innosoft.com"}, "nonce": {"OA6MG9tEQGm2hh"}, "nc": {"00000001"},
		"cnonce": {"OA6MHXh6VqTrRk"}, "digest-uri": {"imap/elwood.innosoft.com"}, "response": {exampleResponse}, "qop": {"auth"}, "maxbuf": {"65536"},
	}
	if err != nil || !maps.EqualFunc(values, want, slices.Equal) {
		t.Errorf("the response is %s, %v", answer, err)
	}
	if strings.Contains(string(answer), "secret") {
		t.Error("the response shows the password")
	}
	if _, done, err := client.Next([]byte(exampleProof)); err != nil || !done {
		t.Errorf("the server's proof: done %t, %v", done, err)
	}
	if _, _, err := client.Next(nil); err == nil {
		t.Error("it goes on after the end")
	}
}

func TestDigestMD5WithAnotherServer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		challenge string
		want      error
	}{
		"nothing":           {"", ErrNoSASL},
		"nonsense":          {"nonsense", ErrMechanism},
		"no nonce":          {`realm="a",algorithm=md5-sess`, errChallenge},
		"two nonces":        {`nonce="a",nonce="b",algorithm=md5-sess`, errChallenge},
		"plain md5":         {`nonce="a",algorithm=md5`, errChallenge},
		"encryption":        {`nonce="a",qop="auth-conf,auth-int",algorithm=md5-sess`, ErrLayer},
		"a quote":           {`nonce="a`, ErrMechanism},
		"one of several":    {`nonce="a" , qop="auth-int, auth", algorithm=md5-sess`, nil},
		"no realm, no qop":  {`,, nonce="a",algorithm=md5-sess,`, nil},
		"quotes in a quote": {`nonce="a\"b\\",algorithm=md5-sess`, nil},
	} {
		client := example()
		_, _, _ = client.Next(nil)
		if _, done, err := client.Next([]byte(test.challenge)); done || !errors.Is(err, test.want) {
			t.Errorf("%s: done %t, %v", name, done, err)
		}
		if test.want != nil {
			continue
		}
		for _, proof := range []string{"", "rspauth=", exampleProof, "rspauth=\"" + client.proof + "x\""} {
			again := *client
			if _, done, err := again.Next([]byte(proof)); done || !errors.Is(err, ErrUnproved) {
				t.Errorf("%s: the proof %q is taken: %v", name, proof, err)
			}
		}
	}
}

// RFC 2831 has texts hashed as ISO 8859-1 where that can be.
func TestDigestMD5OfOtherLetters(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "a": "a", "zoë": "zo\xeb", "żółw": "żółw"} {
		if got := latin1(text); got != want {
			t.Errorf("%q is hashed as %q", text, got)
		}
	}
}

func FuzzDigestMD5(f *testing.F) {
	f.Add(exampleChallenge, exampleProof)
	f.Add(`realm=a nonce="\\",algorithm=md5-sess`, "rspauth=x")
	f.Fuzz(func(t *testing.T, challenge, proof string) {
		client := DigestMD5("zookeeper", "zk-sasl-md5", `al"ice\`, "wonderland")
		_, _, _ = client.Next(nil)
		answer, done, err := client.Next([]byte(challenge))
		if done {
			t.Fatal("a stranger is taken for the server")
		}
		if err != nil {
			return
		}
		values, err := directives(string(answer))
		if err != nil || !slices.Equal(values["username"], []string{`al"ice\`}) || len(values["response"]) != 1 {
			t.Errorf("the response to %q is %q, %v", challenge, answer, err)
		}
		if _, done, _ := client.Next([]byte(proof)); done {
			t.Fatal("a stranger is taken for the server")
		}
	})
}
