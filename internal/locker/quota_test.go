// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// Where quotas are enforced, anybody can stall a lock by a quota on what is its owner's
// alone. The error says where it is, and everyone may see and remove it.
func TestStrangersQuotaIsNamed(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpaceOn(t, zktest.Own(t, zktest.Options{Config: map[string]string{"enforceQuota": "true"}}))
	alice := owner(t, space.Addr())
	chroot := space.Path("/team")
	reserve(t, alice, chroot, chroot+DefaultRoot)
	dir := Directory(chroot, DefaultRoot, "test")
	release(t, alice.lock(dir))

	stranger := strangers(t, space)["nobody"]
	everyone := zk.WorldACL(zk.PermAll)
	made := []string{}
	for path := "/zookeeper/quota"; path != "/zookeeper/quota"+chroot; {
		rest := strings.TrimPrefix("/zookeeper/quota"+chroot, path+"/")
		name, _, _ := strings.Cut(rest, "/")
		path += "/" + name
		if _, err := stranger.Create(path, nil, 0, everyone); err != nil {
			t.Fatal(err)
		}
		made = append(made, path)
	}
	limits := made[len(made)-1] + "/zookeeper_limits"
	for path, text := range map[string]string{limits: "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=1", made[len(made)-1] + "/zookeeper_stats": "count=2,bytes=0"} {
		if _, err := stranger.Create(path, []byte(text), 0, everyone); err != nil {
			t.Fatal(err)
		}
		made = append(made, path)
	}
	l, err := Acquire(bounded(t), alice.sessions, alice.request(dir))
	if l != nil || !errors.Is(err, zookeeper.ErrQuotaExceeded) || !strings.Contains(err.Error(), "it is the quota of "+chroot+", which is kept in "+limits) {
		t.Errorf("want a quota that is named, got %v, %v", l, err)
	}
	for i := range made {
		if err := alice.session().Delete(bounded(t), made[len(made)-1-i]); err != nil {
			t.Error(err)
		}
	}
	release(t, alice.lock(dir))
	for _, path := range []string{chroot + DefaultRoot, chroot} {
		if err := alice.session().Delete(bounded(t), path); err != nil {
			t.Error(err)
		}
	}
}
