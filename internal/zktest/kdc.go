// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Realm is that of a KDC where a test does not say another.
const Realm = "CLOCKER.TEST"

// KDC is a Kerberos server, MIT's, with its database in a directory of its own. It listens on a loopback port
// and is a child process, as a [Server] is.
type KDC struct {
	realm string
	dir   string
	addr  string
	shift []string // variables that shift its clock
	child *child
}

// NewKDC starts a KDC for one test, which is skipped where none is installed.
func NewKDC(tb testing.TB) *KDC {
	tb.Helper()
	return NewKDCOf(tb, Realm)
}

// NewKDCOf is NewKDC for a realm of its own.
func NewKDCOf(tb testing.TB, realm string) *KDC {
	tb.Helper()
	skipInShort(tb)
	k, err := startKDC(tb.Context(), realm)
	skipWithoutKDC(tb, err)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(k.remove)
	return k
}

// SharedKDC is the one KDC of this test binary, which is not to be stopped. The test is skipped where none is
// installed.
func SharedKDC(tb testing.TB) *KDC {
	tb.Helper()
	skipInShort(tb)
	sharedKDC.Do(func() {
		sharedKDC.kdc, sharedKDC.err = startKDC(context.Background(), Realm)
	})
	skipWithoutKDC(tb, sharedKDC.err)
	if sharedKDC.err != nil {
		tb.Fatal(sharedKDC.err)
	}
	return sharedKDC.kdc
}

var sharedKDC struct {
	sync.Once
	kdc *KDC
	err error
}

// errNoKDC says that no KDC is installed.
type errNoKDC struct{ program string }

func (e errNoKDC) Error() string {
	return "no " + e.program + " is installed: install Debian's packages krb5-kdc and krb5-admin-server"
}

func skipWithoutKDC(tb testing.TB, err error) {
	tb.Helper()
	if missing, ok := err.(errNoKDC); ok { //nolint:errorlint // never wrapped
		tb.Skip(missing)
	}
}

// program is the path of one of Kerberos's programs.
func program(name string) (string, error) {
	for _, dir := range append([]string{"/usr/sbin", "/opt/homebrew/opt/krb5/sbin", "/usr/local/opt/krb5/sbin"}, filepath.SplitList(os.Getenv("PATH"))...) {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", errNoKDC{name}
}

func startKDC(ctx context.Context, realm string) (*KDC, error) {
	for _, name := range []string{"krb5kdc", "kdb5_util", "kadmin.local", "kinit"} {
		if _, err := program(name); err != nil {
			return nil, err
		}
	}
	port, err := FreePort(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "clocker-kdc-")
	if err != nil {
		return nil, err
	}
	k := &KDC{realm: realm, dir: dir, addr: net.JoinHostPort(loopback, strconv.Itoa(port))}
	if err := k.create(ctx); err != nil {
		k.remove()
		return nil, err
	}
	return k, nil
}

// create makes the database, and starts the server.
func (k *KDC) create(ctx context.Context) error {
	for name, text := range map[string]string{
		"krb5.conf": fmt.Sprintf("[libdefaults]\n  default_realm = %s\n  dns_lookup_kdc = false\n  dns_lookup_realm = false\n  rdns = false\n  udp_preference_limit = 1\n"+
			"[realms]\n  %[1]s = {\n    kdc = %s\n  }\n"+
			"[domain_realm]\n  .example.com = %s\n", k.realm, k.addr, Realm),
		"kdc.conf": fmt.Sprintf("[kdcdefaults]\n  kdc_listen = %s\n  kdc_tcp_listen = %[1]s\n[realms]\n  %s = {\n    database_name = %s\n    key_stash_file = %s\n"+
			"    supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal\n    default_principal_flags = +preauth\n  }\n"+
			"[logging]\n  kdc = FILE:%s\n", k.addr, k.realm, k.Path("principal"), k.Path("stash"), k.Path("kdc.log")),
	} {
		if err := os.WriteFile(k.Path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if err := k.run(ctx, "", "kdb5_util", "create", "-s", "-r", k.realm, "-P", "master"); err != nil {
		return err
	}
	return k.Start(ctx)
}

// Path is a file of the KDC's directory, which is deleted with it.
func (k *KDC) Path(name string) string { return filepath.Join(k.dir, name) }

// Config is the path of a krb5.conf for clients.
func (k *KDC) Config() string { return k.Path("krb5.conf") }

// Addr is host:port of the KDC.
func (k *KDC) Addr() string { return k.addr }

func (k *KDC) environment() []string {
	return []string{"KRB5_CONFIG=" + k.Path("krb5.conf"), "KRB5_KDC_PROFILE=" + k.Path("kdc.conf"), "KRB5CCNAME=FILE:" + k.Path("unused")}
}

// Start starts the server, and returns once it accepts connections.
func (k *KDC) Start(ctx context.Context) error {
	path, err := program("krb5kdc")
	if err != nil {
		return err
	}
	log, err := os.OpenFile(k.Path("output"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	args := append(k.environment(), k.shift...)
	if k.child, err = start(log, "env", append(args, path, "-n", "-r", k.realm)...); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = poll(ctx, func() error {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", k.addr)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		output, _ := os.ReadFile(k.Path("output"))
		return fmt.Errorf("the KDC does not serve: %w\n%s", err, output)
	}
	return nil
}

// Stop ends the server; its data stay.
func (k *KDC) Stop() {
	if k.child != nil {
		k.child.kill()
	}
}

func (k *KDC) remove() {
	k.Stop()
	_ = os.RemoveAll(k.dir) // what is left is in the system's temporary directory
}

// Shift starts the server again with its clock shifted, such as by +1h. The test is skipped without faketime.
func (k *KDC) Shift(tb testing.TB, by string) {
	tb.Helper()
	if _, err := exec.LookPath("faketime"); err != nil {
		tb.Skip("no faketime is installed, which shifts the KDC's clock: install Debian's package faketime")
	}
	// It would stay between us and the KDC, so its environment has to do.
	output, err := exec.CommandContext(tb.Context(), "faketime", "-f", by, "env").Output() //nolint:gosec // Runs what it is asked to.
	if err != nil {
		tb.Fatal(err)
	}
	k.shift = nil
	for _, variable := range strings.Fields(string(output)) {
		if name, _, _ := strings.Cut(variable, "="); name == "LD_PRELOAD" || name == "FAKETIME" {
			k.shift = append(k.shift, variable)
		}
	}
	k.Stop()
	if err := k.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// run runs a program of Kerberos.
func (k *KDC) run(ctx context.Context, input, name string, args ...string) error {
	path, err := program(name)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // Runs what it is asked to.
	cmd.Env = append(os.Environ(), k.environment()...)
	cmd.Stdin = strings.NewReader(input)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, output.Bytes())
	}
	return nil
}

// Admin gives commands to kadmin.
func (k *KDC) Admin(tb testing.TB, commands ...string) {
	tb.Helper()
	if err := k.run(tb.Context(), strings.Join(commands, "\n")+"\n", "kadmin.local", "-r", k.realm); err != nil {
		tb.Fatal(err)
	}
}

// Keytab makes principals that are not there yet, and returns the path of a keytab with their keys.
func (k *KDC) Keytab(tb testing.TB, names ...string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "keytab")
	if err := k.keytab(tb.Context(), path, names...); err != nil {
		tb.Fatal(err)
	}
	return path
}

func (k *KDC) keytab(ctx context.Context, path string, names ...string) error {
	var commands strings.Builder
	for _, name := range names {
		fmt.Fprintf(&commands, "addprinc -randkey %s\nktadd -norandkey -k %s %[1]s\n", name, path)
	}
	if err := k.run(ctx, commands.String(), "kadmin.local", "-r", k.realm); err != nil {
		return err
	}
	_, err := os.Stat(path) // kadmin succeeds in any case
	return err
}

// User makes a principal with a password.
func (k *KDC) User(tb testing.TB, name, password string) {
	tb.Helper()
	k.Admin(tb, "addprinc -pw "+password+" "+name)
}

// Login runs kinit for a credential cache.
func (k *KDC) Login(tb testing.TB, cache, name, password string, options ...string) {
	tb.Helper()
	if err := k.run(tb.Context(), password+"\n", "kinit", append(options, "-c", cache, name)...); err != nil {
		tb.Fatal(err)
	}
}
