// SPDX-License-Identifier: MPL-2.0

package examples_test

import (
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// aSetting is one of zoo.cfg, on a line of its own.
var aSetting = regexp.MustCompile(`(?m)^ +([A-Za-z0-9.]+)=(\S+)$`)

// TestConnectingSecurely applies the guide's example on a server that is set up as the
// one in docker-compose.yml, with the certificates that the script there makes.
func TestConnectingSecurely(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t, testkit.EphemeralBlocks)
	certs := filepath.Join(w.Dir, "certs")
	if output, code := w.Run("bash", absolute(t, "../scripts/certificates.sh"), certs); code != 0 {
		t.Fatal(output)
	}
	_, service, found := strings.Cut(read(t, "../docker-compose.yml"), "  zookeeper-secure:\n")
	if !found {
		t.Fatal("docker-compose.yml has no zookeeper-secure")
	}
	settings := map[string]string{}
	for _, match := range aSetting.FindAllStringSubmatch(service, -1) {
		settings[match[1]] = match[2]
	}
	for _, elsewhere := range []string{"secureClientPort", "ssl.keyStore.location", "ssl.trustStore.location"} {
		if settings[elsewhere] == "" {
			t.Errorf("docker-compose.yml does not set %s", elsewhere)
		}
		delete(settings, elsewhere)
	}
	ca, server := read(t, filepath.Join(certs, "ca.pem")), read(t, filepath.Join(certs, "server.pem"))
	zookeeper, addr := zktest.OwnSecure(t, zktest.Options{Config: settings}, zktest.Identity{Cert: server}, &zktest.Authority{CA: ca})
	space := zktest.NewSpaceOn(t, zookeeper)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}

	const password = "wonderland"
	example := read(t, "guides/connecting-securely/main.tf")
	connect := net.JoinHostPort("localhost", port) + space.Chroot() + "/team-a"
	w.write("main.tf", strings.Replace(example, "localhost:2281/team-a", connect, 1))
	w.Setenv("TF_VAR_zookeeper_password", password)
	w.apply("rolled out")
	if strings.Contains(read(t, filepath.Join(w.Dir, "terraform.tfstate")), password) {
		t.Error("the password is in the state")
	}
	for who, rights := range space.ACL("/team-a") {
		if who != "x509:CN=team-a" && !strings.HasPrefix(who, "digest:team-a:") && rights != "r" {
			t.Errorf("%s has the rights %s in the chroot", who, rights)
		}
	}
	w.destroy()
	space.Delete("/team-a/_zklocking", "/team-a")
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
