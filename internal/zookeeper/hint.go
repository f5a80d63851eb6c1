// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"strings"
	"time"
)

// alertHandshakeFailure says that server and client have no cipher suite in common.
const alertHandshakeFailure tls.AlertError = 40

// Alerts (RFC 8446, section 6.2) by which a server says that it wants a client
// certificate, or another one.
var certificateAlerts = []tls.AlertError{
	42,  // bad certificate; Java sends it if there is none
	43,  // unsupported
	44,  // revoked
	45,  // expired
	46,  // unknown; Java sends it if no known CA has signed it
	48,  // unknown certificate authority
	49,  // access denied
	116, // required
}

// refusal is why a server closes the connection of a client that did nothing wrong.
const refusal = "its ensemble has no majority, or it accepts no more connections from this machine (maxClientCnxns)."

// hint says in a sentence or two what the cause of a failed connection usually means, and
// what to do. config is the TLS configuration, nil for plain text.
func hint(err error, config *TLS) string {
	var (
		dns   *net.DNSError
		part  *TLSError
		known interface {
			error
			Remedy() string
		}
	)
	switch {
	case errors.As(err, &known) && known.Remedy() != "":
		return known.Remedy()
	case errors.As(err, &dns):
		return "The host's name cannot be resolved."
	case errors.Is(err, ErrAuthFailed):
		return "The servers refuse authentication with username and password: the digest scheme is off (DigestAuthenticationProvider.enabled), as with servers that use SASL or certificates instead. " +
			"Leave out username and password, and set a client certificate in tls, the kerberos block or the digest_md5 block, whichever the servers require."
	case errors.As(err, &part) && !errors.Is(err, errTLS):
		return "The file or text given as " + part.Part + "_file cannot be used."
	case config == nil && errors.Is(err, errHungUp):
		return "The server closed the connection without an answer. That port may require TLS: then set tls. Or " + refusal
	case config == nil && errors.Is(err, errHandshake):
		return "The server may be stopped or too busy. Or that port may require TLS: then set tls."
	case config == nil && errors.Is(err, errNotZooKeeper):
		return "Something other than ZooKeeper listens there, or that port requires TLS: then set tls."
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
	inHandshake := errors.Is(err, errTLS)
	switch {
	case errors.As(err, &unknown):
		return "The server's certificate is not signed by a trusted CA: set ca_file to the certificate of the CA that signed it."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "The server's certificate has expired, or is not valid yet: renew it, or set the clock of this machine."
	case errors.As(err, &hostname) && len(hostname.Certificate.DNSNames)+len(hostname.Certificate.IPAddresses) == 0:
		return "The server's certificate has its name in the Common Name only, which TLS clients no longer accept: " +
			"have it issued again with that name as a subject alternative name. Another server_name does not help."
	case errors.As(err, &hostname):
		return "The server's certificate is for another name: connect to a name that it has, or set server_name to such a name."
	case errors.As(err, &record), inHandshake && closed(err):
		return "That port does not speak TLS, or no version of it that is supported here: connect to the servers' secureClientPort, or leave out tls."
	case inHandshake && alerted(err, alertHandshakeFailure):
		return "The server and this client have no cipher suite in common: the server may allow only suites without forward secrecy (TLS_RSA_...). " +
			"Enable a TLS_ECDHE_... suite, or TLS 1.3, in ssl.ciphersuites of the servers."
	case alerted(err, certificateAlerts...) && !config.HasCertificate():
		return "The server requires a client certificate: set cert_file and key_file."
	case alerted(err, certificateAlerts...):
		return "The server does not accept the client certificate: " + certificateFault(config.certificate(), time.Now())
	case inHandshake && strings.Contains(err.Error(), "protocol version"):
		return "The server speaks no safe version of TLS: it has to speak 1.2 or later."
	case errors.Is(err, errHungUp) && !config.HasCertificate():
		return "The server closed the connection after the TLS handshake: it may require a client certificate: then set cert_file and key_file. Or " + refusal
	case errors.Is(err, errHungUp):
		return "The server closed the connection after the TLS handshake: it may not accept the client certificate as a user. Or " + refusal
	}
	return ""
}

// certificateFault says why a server does not accept our certificate. cert is nil if it
// cannot be read.
func certificateFault(cert *x509.Certificate, now time.Time) string {
	const dates = time.DateOnly
	switch {
	case cert != nil && now.After(cert.NotAfter):
		return "the one in cert_file expired on " + cert.NotAfter.Format(dates) + ": renew it."
	case cert != nil && now.Before(cert.NotBefore):
		return "the one in cert_file is not valid before " + cert.NotBefore.Format(dates) + ": set the clock of this machine, or use another one."
	case cert != nil && len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) > 0 &&
		!slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageClientAuth) && !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny):
		return "the one in cert_file is not made for clients, since its extended key usage lacks clientAuth: have it issued again with clientAuth."
	default:
		return "cert_file has to be signed by a CA that is in the servers' trust store (ssl.trustStore.location), and not revoked."
	}
}

// alerted returns whether err is one of these alerts of the other side. crypto/tls does
// not export their type, so their texts are compared: tls.AlertError has the same.
func alerted(err error, alerts ...tls.AlertError) bool {
	var network *net.OpError
	return errors.As(err, &network) && network.Op == "remote error" &&
		slices.ContainsFunc(alerts, func(alert tls.AlertError) bool { return network.Err.Error() == alert.Error() })
}
