// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// OwnKerberos is Own for a server that wants SASL by Kerberos, as zookeeper/localhost. It is reached
// at localhost, with the port of its address: see [Server.Localhost].
func OwnKerberos(tb testing.TB, k *KDC, options Options) *Server {
	tb.Helper()
	keytab := filepath.Join(tb.TempDir(), "zookeeper.keytab")
	options, err := k.options(tb.Context(), options, keytab)
	if err != nil {
		tb.Fatal(err)
	}
	server := Own(tb, options)
	server.Keytab = keytab
	return server
}

// OwnSecureKerberos is OwnSecure for such a server.
func OwnSecureKerberos(tb testing.TB, k *KDC, identity Identity) (server *Server, addr string) {
	tb.Helper()
	options, err := k.options(tb.Context(), Options{}, filepath.Join(tb.TempDir(), "zookeeper.keytab"))
	if err != nil {
		tb.Fatal(err)
	}
	return OwnSecure(tb, options, identity, nil)
}

// SharedKerberos is the one server of the kind of [OwnKerberos] that the tests of this binary share, with
// the shared KDC. Neither is to be stopped.
func SharedKerberos(tb testing.TB) (*KDC, *Server) {
	tb.Helper()
	k := SharedKDC(tb)
	skipWithoutDistribution(tb)
	sharedKerberos.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		options, err := k.options(ctx, Options{}, k.Path("zookeeper.keytab"))
		if err == nil {
			sharedKerberos.server, err = StartServer(ctx, options)
		}
		sharedKerberos.err = err
	})
	if sharedKerberos.err != nil {
		tb.Fatal(sharedKerberos.err)
	}
	return k, sharedKerberos.server
}

var sharedKerberos struct {
	sync.Once
	server *Server
	err    error
}

// stopSharedKerberos ends what the tests of this binary have shared.
func stopSharedKerberos() {
	if sharedKerberos.server != nil {
		sharedKerberos.server.Stop()
	}
	if sharedKDC.kdc != nil {
		sharedKDC.kdc.remove()
	}
}

// options are those of a server that logs in to the KDC with a keytab, which is made.
func (k *KDC) options(ctx context.Context, options Options, keytab string) (Options, error) {
	const name = "zookeeper/localhost"
	if err := k.keytab(ctx, keytab, name); err != nil {
		return options, err
	}
	return jaas(options, filepath.Join(filepath.Dir(keytab), "jaas.conf"), fmt.Sprintf(
		"com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true keyTab=%q storeKey=true useTicketCache=false principal=%q;", keytab, name+"@"+Realm),
		"-Djava.security.krb5.conf="+k.Config())
}

// OwnJAAS is Own for a server that has a login module of JAAS, and serves only who logs in with SASL, or as a digest
// user.
func OwnJAAS(tb testing.TB, module string, java ...string) *Server {
	tb.Helper()
	options, err := jaas(Options{}, filepath.Join(tb.TempDir(), "jaas.conf"), module, java...)
	if err != nil {
		tb.Fatal(err)
	}
	return Own(tb, options)
}

func jaas(options Options, file, module string, java ...string) (Options, error) {
	config := map[string]string{
		"authProvider.1":       "org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
		"enforce.auth.enabled": "true",
		"enforce.auth.schemes": "sasl,digest",
	}
	maps.Copy(config, options.Config)
	options.Config = config
	options.Java = append(java, "-Djava.security.auth.login.config="+filepath.ToSlash(file))
	return options, os.WriteFile(file, []byte("Server {\n  "+module+"\n};\n"), 0o600)
}

// Localhost is the server's address by the name of localhost.
func (s *Server) Localhost() string {
	return "localhost" + strings.TrimPrefix(s.Addr(), loopback)
}
