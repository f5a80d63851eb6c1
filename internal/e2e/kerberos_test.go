// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// A run on a server that serves only who logs in by Kerberos: the lock is its principal's, the holder
// finds the files though it has another working directory and no environment, and the lock is kept when a
// connection breaks while no KDC answers.
func TestKerberosLockOutlivesItsKDC(t *testing.T) {
	t.Parallel()
	kdc := zktest.NewKDC(t)
	server := zktest.OwnKerberos(t, kdc, zktest.Options{})
	space := zktest.NewSpaceOn(t, server)
	proxy := zktest.NewProxy(t, server)
	_, port, _ := strings.Cut(proxy.Addr(), ":")
	keytab, err := os.ReadFile(kdc.Keytab(t, "clocker/one.example.com", "clocker/two.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	as := func(host string, blocks ...string) *workspace {
		w := newQuickWorkspace(t, append(blocks, block(`provider "clocker"`, fmt.Sprintf(`
  zookeeper       = "localhost:%s%s"
  session_timeout = 12
  connect_timeout = 30
  acl             = "creator"
  kerberos {
    principal   = "clocker/%s"
    keytab_file = "clocker.keytab"
  }`, port, space.Chroot(), host)))...)
		write(t, filepath.Join(w.Dir, "clocker.keytab"), string(keytab))
		config, err := filepath.Rel(w.Dir, kdc.Config())
		if err != nil {
			t.Fatal(err)
		}
		w.Setenv("KRB5_CONFIG", config)
		w.Setenv("CLOCKER_DEBUG_HOLDER", "true") // else only root sees the holder's environment
		return w
	}
	gate := testkit.NewGate(t)
	w := as("one.example.com", lock("a"), guarded("work", "a", `"1"`, gate.Work()))
	apply := w.Apply()
	gate.AwaitBegun()
	znode := lockDir + "/" + space.WaitChildren(lockDir, 1)[0]
	if acl := space.ACL(znode); len(acl) != 2 || rights(acl, "sasl:clocker/one.example.com@"+zktest.Realm) != all || rights(acl, "world:anyone") != "r" {
		t.Errorf("the ACL of the lock is %v", acl)
	}
	environ, err := w.Holder().Environ()
	if text := strings.ReplaceAll(strings.Join(environ, "\n"), "CLOCKER_DEBUG_HOLDER", ""); err != nil || strings.Contains(text, "KRB5") || strings.Contains(text, "CLOCKER_") {
		t.Errorf("the holder has the environment %s, %v", text, err)
	}

	// Another host's principal is another user.
	other := as("two.example.com", lock("a", "lockwait = -1")).Apply()
	other.Fail()
	if d := other.Err(); d.Summary != "No Permission For Lock" || !strings.Contains(unwrapped(d.Detail), "kerberos.removeHostFromPrincipal") {
		t.Errorf("the error is %v", d)
	}

	kdc.Stop()
	checked := proxy.Catch(zktest.Request, func(zktest.Packet) bool { return true })
	proxy.Cut()
	checked.Wait() // from the holder, on its new connection
	checked.Pass()
	if now := space.Children(lockDir); len(now) != 1 || lockDir+"/"+now[0] != znode {
		t.Errorf("the lock's contender was %s, and there is %q", znode, now)
	}
	gate.End()
	apply.Succeed()
	space.WaitGone(lockDir)
}

// Neither a keytab nor a password is in anything that a run leaves, says or shows.
func TestSecretsOfKerberos(t *testing.T) {
	t.Parallel()
	kdc, server := zktest.SharedKerberos(t)
	password := "hunter2-" + rand.Text()
	kdc.User(t, "walter", password)
	content, err := os.ReadFile(kdc.Keytab(t, "keytab-user"))
	if err != nil {
		t.Fatal(err)
	}
	keytab := base64.StdEncoding.EncodeToString(content)
	for name, test := range map[string]struct {
		secrets   []string
		block     string // of Kerberos
		variables map[string]string
		processes string // those to look at
	}{
		"keytab": {
			secrets:   []string{keytab[20:60], string(content[len(content)-20:])},
			block:     "keytab_file = var.keytab\n config_file = " + fmt.Sprintf("%q", kdc.Config()),
			variables: map[string]string{},
		},
		"password of the environment": {
			secrets:   []string{password},
			variables: map[string]string{"CLOCKER_KERBEROS_PRINCIPAL": "walter", "CLOCKER_KERBEROS_PASSWORD": password, "KRB5_CONFIG": kdc.Config()},
			processes: " hold", // what Terraform's environment shows is the user's doing
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &secure{Space: zktest.NewSpaceOn(t, server), server: server, addr: server.Localhost()}
			at := func(addr string, blocks ...string) *workspace {
				w := newQuickWorkspace(t, append(blocks, "variable \"keytab\" {\n  type = string\n  ephemeral = true\n}", block(`provider "clocker"`,
					fmt.Sprintf("zookeeper = %q\nconnect_timeout = %d\nsession_timeout = %d\nacl = \"creator\"\nkerberos {\n%s\n}", addr+s.Chroot(), s.patience(addr), sessionTimeout, test.block)))...)
				write(t, filepath.Join(w.Dir, secretsFile), fmt.Sprintf("keytab = %q\n", keytab))
				for variable, value := range test.variables {
					w.Setenv(variable, value)
				}
				return w
			}
			if !at(s.addr).CLI.Knows(testkit.EphemeralBlocks) {
				t.Skip("this command line keeps all variables in its plans")
			}
			found := tellAll(t, s, test.secrets, at)
			looked := 0
			for _, p := range found.processes {
				if strings.Contains(p.name, test.processes) {
					found.search(t, p.name, p.shows)
					looked++
				}
			}
			if looked == 0 {
				t.Error("no process was looked at")
			}
		})
	}
}
