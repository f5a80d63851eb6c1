// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"
)

func TestOwnSecure(t *testing.T) {
	t.Parallel()
	servers, clients := NewAuthority(t), NewAuthority(t)
	_, addr := OwnSecure(t, Options{}, servers.Server(t, loopback), clients)
	client := clients.Client(t, "team")
	pair, err := tls.X509KeyPair([]byte(client.Cert), []byte(client.Key))
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	config.RootCAs.AppendCertsFromPEM([]byte(servers.CA))
	conn, err := tls.Dial("tcp", addr, config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(conn); err != nil || !strings.Contains(string(answer), "Mode:") {
		t.Errorf("the answer is %q, %v", answer, err)
	}
}

func TestSpaceDeletesWhatIsReserved(t *testing.T) {
	t.Parallel()
	recorder := &recorder{TB: t}
	server := Own(t, Options{})
	s := NewSpaceOn(recorder, server)
	owner := NewSpaceOn(t, server).NewSession(sessionTimeout)
	if err := owner.AddAuth("digest", []byte("owner:password")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/_zklocking", "/_zklocking/a"} {
		if _, err := owner.Create(s.Path(path), nil, 0, zk.AuthACL(zk.PermAll)); err != nil {
			t.Fatal(err)
		}
	}
	if acl := s.ACL("/_zklocking/a"); len(acl) != 1 || acl["digest:owner:"+digest("owner", "password")] != "cdrwa" {
		t.Errorf("the ACL is %v", acl)
	}
	s.Delete("/_zklocking/a")
	recorder.finish()
	if len(recorder.errors) != 0 {
		t.Errorf("reported %q, want nothing", recorder.errors)
	}
}
