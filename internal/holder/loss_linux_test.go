// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// Nobody reads the run's standard error, which is full: it is interrupted all the
// same.
func TestLossOfARunThatCannotBeTold(t *testing.T) {
	space := zktest.NewSpace(t)
	terraform := startListening(t)
	size, err := unix.FcntlInt(terraform.toldSide.Fd(), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := terraform.toldSide.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	p := newProcess(t, terraform.Run)
	req := request(t, space, "a", 0)
	req.Interrupt = true
	req.Ensemble.SessionTimeout = 2 * time.Second
	grant := take(t, p, req)
	space.Delete(strings.TrimPrefix(grant.Znode, space.Chroot()))
	terraform.hears(t, "interrupted")
	terraform.ends(t)
	awaitNoHolder(t)
	deleteEmpty(space, dir("a"))
}
