// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// TLS is how to encrypt connections. The CA, the certificate and its key are each
// given as a PEM text or as the absolute path of a PEM file, or not at all. Files are
// read again at each connection, so that a renewed certificate is used.
type TLS struct {
	CA, CAFile         string // the CAs of the servers' certificates; the system's CAs if neither is set
	Cert, CertFile     string // our certificate, for mutual TLS
	Key                Secret // and its key
	KeyFile            string
	ServerName         string // what the servers' certificates must name; empty for the host connected to
	InsecureSkipVerify bool
}

// HasCertificate returns whether the client has a certificate.
func (t TLS) HasCertificate() bool { return t.Cert != "" || t.CertFile != "" }

// TLSError says which part of a [TLS] is unusable: "ca", "cert" or "key".
type TLSError struct {
	Part string
	// File tells whether the part is in a file, whose content can change.
	File bool
	Err  error
}

// Error names the part.
func (e *TLSError) Error() string { return fmt.Sprintf("%s_file: %v", e.Part, e.Err) }

// Unwrap returns the cause.
func (e *TLSError) Unwrap() error { return e.Err }

// Config reads the files and makes the configuration of a TLS client, or returns
// a [*TLSError].
func (t TLS) Config() (*tls.Config, error) {
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         t.ServerName,
		InsecureSkipVerify: t.InsecureSkipVerify, //nolint:gosec // asked for, and warned of by the provider
	}
	ca, err := readPart("ca", t.CA, t.CAFile, certificates)
	if err != nil {
		return nil, err
	}
	if ca != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(ca)) {
			return nil, &TLSError{"ca", t.CAFile != "", errors.New("its certificate cannot be read")}
		}
	}
	cert, err := readPart("cert", t.Cert, t.CertFile, certificates)
	if err != nil {
		return nil, err
	}
	key, err := readPart("key", t.Key.reveal(), t.KeyFile, privateKeys)
	if err != nil {
		return nil, err
	}
	files := t.CertFile != "" || t.KeyFile != ""
	switch {
	case cert == "" && key == "":
		return config, nil
	case cert == "":
		return nil, &TLSError{"cert", files, errors.New("a key needs its certificate: set both, or neither")}
	case key == "":
		return nil, &TLSError{"key", files, errors.New("a certificate needs its key: set both, or neither")}
	}
	if _, err := leaf(cert); err != nil {
		return nil, &TLSError{"cert", t.CertFile != "", err}
	}
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		err = fmt.Errorf("%w: it has to be the key of the first certificate in cert_file, without a password", err)
		return nil, &TLSError{"key", files, err}
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// validate returns why t cannot come from a provider, or nil.
func (t TLS) validate() error {
	for _, part := range []struct{ text, file string }{{t.CA, t.CAFile}, {t.Cert, t.CertFile}, {t.Key.reveal(), t.KeyFile}} {
		switch {
		case len(part.text) > MaxPEM || len(part.file) > MaxPEM:
			return errors.New("zookeeper: a PEM text is too long")
		case part.text != "" && part.file != "":
			return errors.New("zookeeper: a part of the TLS settings is both a text and a file")
		case part.file != "" && !filepath.IsAbs(part.file):
			return errors.New("zookeeper: the path of a PEM file is not absolute")
		}
	}
	return nil
}

// certificate is our own certificate, as far as it can be read now.
func (t TLS) certificate() *x509.Certificate {
	text, err := readPart("cert", t.Cert, t.CertFile, certificates)
	if err != nil {
		return nil
	}
	cert, _ := leaf(text) // nil with an error
	return cert
}

// leaf is the first certificate of a PEM text.
func leaf(text string) (*x509.Certificate, error) {
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == certificates {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, errNoCertificate
}

// The types of PEM blocks, or the end of the type.
const (
	certificates = "CERTIFICATE"
	privateKeys  = "PRIVATE KEY"
)

var (
	errNoCertificate = errors.New("it holds no PEM certificate")
	errNoKey         = errors.New("it holds no PEM private key")
	errEncrypted     = errors.New("the key is encrypted: remove its password with `openssl pkey -in encrypted.pem -out key.pem`, and let only its owner read the file")
	errOneLine       = errors.New(`it has the two characters \n where its lines should end: turn them into line breaks, in Terraform with replace(..., "\\n", "\n")`)
)

// readPart returns the PEM text of a part, which is given as a text or as a file. wanted is
// the type of its blocks.
func readPart(part, text, file, wanted string) (string, error) {
	var err error
	if file != "" {
		if info, failed := os.Stat(file); failed == nil && !info.Mode().IsRegular() {
			err = errors.New("it is not a regular file")
		} else {
			text, err = ReadPEM(file)
		}
		if err != nil {
			return "", &TLSError{part, true, fmt.Errorf("%s: %w", Quote(file), err)}
		}
	}
	if text != "" {
		err = holds(text, wanted)
	}
	if err != nil {
		return "", &TLSError{part, file != "", err}
	}
	return text, nil
}

// holds returns why a text has no block of the type wanted, or nil.
func holds(text, wanted string) error {
	if strings.Contains(text, `\n`) {
		return errOneLine
	}
	var other error
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		isKey := strings.HasSuffix(block.Type, privateKeys)
		switch {
		case wanted == privateKeys && isKey && (strings.HasPrefix(block.Type, "ENCRYPTED") || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED")):
			return errEncrypted
		case block.Type == wanted || wanted == privateKeys && isKey:
			return nil
		case isKey:
			other = fmt.Errorf("%w, but a private key: give it as key_file", errNoCertificate)
		case wanted == privateKeys && block.Type == certificates:
			other = fmt.Errorf("%w, but a certificate", errNoKey)
		case other == nil:
			other = fmt.Errorf("it holds a PEM block of the type %s, which is not used here", Quote(block.Type))
		}
	}
	switch {
	case other != nil:
		return other
	case wanted == privateKeys:
		return errNoKey
	default:
		return errNoCertificate
	}
}

// ReadPEM reads a file of at most [MaxPEM] bytes, which must not be empty. The error does
// not name the file.
func ReadPEM(path string) (string, error) {
	content, err := readAtMost(path, MaxPEM)
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
		err = failed.Err
	}
	if err == nil && len(content) == 0 {
		err = errors.New("it is empty")
	}
	return string(content), err
}

// readAtMost reads a file that must not be longer than limit: a device may have no end.
func readAtMost(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("it is longer than %d bytes", limit)
	}
	return content, err
}
