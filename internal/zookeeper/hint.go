package zookeeper

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
)

// Alerts (RFC 8446, section 6.2) by which a server says that it wants a client
// certificate, or another one.
var certificateAlerts = []tls.AlertError{
	42,  // bad certificate, which is Java's word for none
	43,  // unsupported
	44,  // revoked
	45,  // expired
	46,  // unknown, which is Java's word for one that nobody known has signed
	48,  // unknown certificate authority
	49,  // access denied
	116, // required
}

// refusal is why a server hangs up on a client that has done nothing wrong.
const refusal = "its ensemble has no majority, or it has no room for another connection (maxClientCnxns)."

// hint says what the cause of a failed connection usually means, in a sentence
// or two, and what to do. config is how the connection was to be encrypted.
func hint(err error, config *TLS) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return "The host's name cannot be resolved."
	case errors.Is(err, ErrAuthFailed):
		return "The servers do not take this client's username and password."
	case config == nil && closed(err):
		return "The server hung up without an answer. That port may want TLS: then set tls. Or " + refusal
	case config == nil && errors.Is(err, errHandshake):
		return "The server may be stopped or too busy. Or that port may want TLS: then set tls."
	case config == nil && errors.Is(err, errNotZooKeeper):
		return "Something else than ZooKeeper listens there, or that port wants TLS: then set tls."
	case config != nil:
		return tlsHint(err, config)
	}
	return ""
}

func tlsHint(err error, config *TLS) string {
	var (
		unknown  x509.UnknownAuthorityError
		invalid  x509.CertificateInvalidError
		hostname x509.HostnameError
		record   tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &unknown):
		return "The server's certificate is signed by nobody whom we trust: set ca_file to who signed it."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "The server's certificate has expired, or is not valid yet: renew it, or set the clock of this machine."
	case errors.As(err, &hostname):
		return "The server's certificate is for another name: connect to a name that it has, or set server_name to one."
	case errors.As(err, &record), errors.Is(err, errTLS) && closed(err):
		return "That port does not speak TLS, or none that we do: connect to the servers' secureClientPort, or leave out tls."
	case refusesCertificate(err) && config.Cert == "":
		return "The server wants a client certificate: set cert_file and key_file."
	case refusesCertificate(err):
		return "The server does not take our client certificate: cert_file must be valid now, and signed by one whom the server's trust store has."
	case errors.Is(err, errTLS) && strings.Contains(err.Error(), "protocol version"):
		return "The server speaks no version of TLS that is safe: it has to speak 1.2 or later."
	case closed(err) && config.Cert == "":
		return "The server hung up after the TLS handshake: it may want a client certificate: then set cert_file and key_file. Or " + refusal
	case closed(err):
		return "The server hung up after the TLS handshake: it may not take our client certificate for a user. Or " + refusal
	}
	return ""
}

// closed tells whether the other side ended the connection without a word.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// refusesCertificate tells whether err is such an alert. The type that crypto/tls
// has for alerts of the other side cannot be named; its texts are those of the
// type that can.
func refusesCertificate(err error) bool {
	var network *net.OpError
	return errors.As(err, &network) && network.Op == "remote error" &&
		slices.ContainsFunc(certificateAlerts, func(alert tls.AlertError) bool { return network.Err.Error() == alert.Error() })
}
