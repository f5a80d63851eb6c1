// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// Of many holders an error names the first few and counts the others; where they cannot be
// read it says so once. Their names are quoted.
func TestCrowdIsCounted(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	space.Create(DefaultRoot, nil, zktest.Persistent)
	space.Create(testDir, nil, zktest.Persistent)
	crowd := space.NewSession(time.Minute)
	const many = 300
	var paths []string
	for i := range many {
		path, err := crowd.Create(space.Path(testDir)+fmt.Sprintf("/sh-\u202e%d__rlock__", i), nil, int32(zktest.EphemeralSequential), worldACL)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, strings.TrimPrefix(path, space.Chroot()))
	}
	c := newClient(t, space.Addr())
	req := c.request(dirOf(space))
	req.Wait = 0
	l, err := Acquire(bounded(t), c.sessions, req)
	var busy *BusyError
	if l != nil || !errors.As(err, &busy) || len(busy.Holders) != 3 || busy.More != many-3 || !strings.Contains(err.Error(), "and 297 more") || len(err.Error()) > 2000 {
		t.Errorf("got %v, %v", l, err)
	}
	checkText(t, err.Error())

	queue, _ := Contenders(space.Children(testDir))
	proxy := zktest.NewProxy(t, space.Server())
	cut := newClient(t, proxy.Addr())
	session := cut.session()
	cut.pool.Close()
	if _, err := readAll(bounded(t), session, dirOf(space), queue); err == nil || len(err.Error()) > 500 || !strings.Contains(err.Error(), "one of 300 contenders") {
		t.Errorf("the error is %.1000v", err)
	} else {
		checkText(t, err.Error())
	}
	for _, path := range paths {
		space.Delete(path)
	}
	space.Delete(testDir)
}
