// SPDX-License-Identifier: MPL-2.0

package examples_test

import (
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// TestConnectingByKerberos applies the guide's example with a KDC and a server of the guide's settings.
func TestConnectingByKerberos(t *testing.T) {
	t.Parallel()
	kdc, server := zktest.SharedKerberos(t)
	space := zktest.NewSpaceOn(t, server)
	w := newWorkspace(t, testkit.Versions{})
	w.write("clocker.keytab", read(t, kdc.Keytab(t, "clocker")))
	w.Setenv("KRB5_CONFIG", kdc.Config())
	w.applyThere(server, space, "guides/connecting-securely/kerberos.tf", "sasl:clocker@"+zktest.Realm)
}

// TestConnectingByDigestMD5 does so with a server that has users of DIGEST-MD5.
func TestConnectingByDigestMD5(t *testing.T) {
	t.Parallel()
	server := zktest.OwnJAAS(t, `org.apache.zookeeper.server.auth.DigestLoginModule required user_clocker="wonderland";`, "-Dzookeeper.fips-mode=false")
	w := newWorkspace(t, testkit.EphemeralBlocks)
	w.Setenv("TF_VAR_zookeeper_password", "wonderland")
	w.applyThere(server, zktest.NewSpaceOn(t, server), "guides/connecting-securely/digest-md5.tf", "sasl:clocker")
}

// applyThere applies and destroys an example with the server in the place of those that it names. What it
// creates is the user's.
func (w *workspace) applyThere(server *zktest.Server, space *zktest.Space, example, user string) {
	w.T.Helper()
	text := strings.NewReplacer("zk1.example.com:2181,zk2.example.com:2181,zk3.example.com:2181", server.Localhost()+space.Chroot(), "EXAMPLE.COM", zktest.Realm).Replace(read(w.T, example))
	w.write("main.tf", text)
	w.apply("rolled out")
	if acl := space.ACL("/team-a"); acl[user] != "cdrwa" || len(acl) != 2 {
		w.T.Errorf("the ACL of the chroot is %v, want it to be of %s", acl, user)
	}
	w.destroy()
	space.Delete("/team-a/_zklocking", "/team-a")
}
