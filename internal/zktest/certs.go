// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs the certificates of one test's servers and clients.
type Authority struct {
	// CA is its own certificate, as PEM.
	CA string

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Identity is a certificate and its key, each as PEM.
type Identity struct{ Cert, Key string }

// NewAuthority makes an authority that nobody trusts yet.
func NewAuthority(tb testing.TB) *Authority {
	tb.Helper()
	a := &Authority{key: newKey(tb), cert: &x509.Certificate{
		Subject:               pkix.Name{CommonName: "CA of " + tb.Name()},
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}}
	var identity Identity
	identity, a.cert = a.sign(tb, a.cert, a.key)
	a.CA = identity.Cert
	return a
}

// Server makes the identity of a server that is reached by names, which can be
// addresses.
func (a *Authority) Server(tb testing.TB, names ...string) Identity {
	tb.Helper()
	return a.Expiring(tb, time.Now().Add(time.Hour), names...)
}

// Expiring is Server with the end of its validity.
func (a *Authority) Expiring(tb testing.TB, notAfter time.Time, names ...string) Identity {
	tb.Helper()
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "server of " + tb.Name()},
		NotAfter:    notAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	identity, _ := a.sign(tb, template, newKey(tb))
	return identity
}

// Client makes the identity of a client. ZooKeeper calls it "CN=" and its name.
func (a *Authority) Client(tb testing.TB, name string) Identity {
	tb.Helper()
	identity, _ := a.sign(tb, &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		NotAfter:    time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, newKey(tb))
	return identity
}

// Sign makes the identity that template describes; its validity ends in an hour if the
// template does not say when.
func (a *Authority) Sign(tb testing.TB, template *x509.Certificate) Identity {
	tb.Helper()
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	identity, _ := a.sign(tb, template, newKey(tb))
	return identity
}

// sign completes template, and signs it for key.
func (a *Authority) sign(tb testing.TB, template *x509.Certificate, key *ecdsa.PrivateKey) (Identity, *x509.Certificate) {
	tb.Helper()
	const serialBits = 120
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		tb.Fatal(err)
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-24 * time.Hour)
	template.KeyUsage |= x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return Identity{Cert: armor("CERTIFICATE", der), Key: armor("PRIVATE KEY", secret)}, cert
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func armor(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// WriteSecret writes a file of a test's that only its user can read, and returns
// its path.
func WriteSecret(tb testing.TB, name, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
