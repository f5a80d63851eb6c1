// SPDX-License-Identifier: MPL-2.0

package run

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestRunNames(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if self.PID != os.Getpid() || self.Host != host || !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(self.ID) {
		t.Errorf("Self() = %+v", self)
	}

	if asked := start(t, helper("parent")).line(); asked != self.ID {
		t.Errorf("a child calls its parent %s, which calls itself %s", asked, self.ID)
	}

	one, two := start(t, helper("idle")).run(), start(t, helper("idle")).run()
	if one.ID == two.ID || one.ID == self.ID || two.ID == self.ID {
		t.Errorf("processes share an id: %+v, %+v, %+v", self, one, two)
	}
}

func TestParent(t *testing.T) {
	parent, err := Parent()
	if err != nil {
		t.Fatal(err)
	}
	if parent.PID != os.Getppid() {
		t.Errorf("Parent() = %+v, want pid %d", parent, os.Getppid())
	}
	requireAlive(t, parent, true)
}

// testParentGone asks an orphan, before and after its parent has ended. The test decides who inherits it.
func testParentGone(t *testing.T) {
	c := start(t, helper("parent-of-orphan"))
	c.expect("true false")
	c.kill()
	c.reap()
	if _, err := c.in.WriteString("again\n"); err != nil {
		t.Fatal(err)
	}
	c.expect("false true")
}

func TestParentGone(t *testing.T) {
	testParentGone(t)
}

// A plugin finds Terraform above the wrappers that were started in its place.
func TestTerraform(t *testing.T) {
	const cookie, certificate = pluginCookie + "=cookie", pluginCertificate + "=ours"
	for name, test := range map[string]struct {
		helper string
		env    []string
		want   func(c *child) int
	}{
		"started by itself":          {"plugin", []string{cookie, certificate}, (*child).tester},
		"started by a wrapper":       {"wrapper", []string{cookie, certificate}, (*child).tester},
		"started by two wrappers":    {"wrapper-of-wrapper", []string{cookie, certificate}, (*child).tester},
		"without a certificate":      {"wrapper", []string{cookie}, (*child).tester},
		"without a plugin's cookie":  {"wrapper", nil, (*child).itself},
		"a Terraform below a plugin": {"wrapper", []string{cookie, certificate, pluginForAnother + "=yes"}, (*child).itself},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := helper(test.helper)
			cmd.Env = append(cmd.Env, test.env...)
			c := start(t, cmd)
			c.expect(fmt.Sprint(test.want(c), " <nil>"))
		})
	}
}

func TestPidOfParentTakenByAnother(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the parent's pid is told from its heirs by their start there")
	}
	was := bornTo
	t.Cleanup(func() { bornTo = was })
	bornTo = start(t, helper("idle")).Process.Pid
	_, err := Parent()
	requireErrEnded(t, err)
}

func TestUnknownPid(t *testing.T) {
	c := start(t, helper("idle"))
	c.kill()
	c.reap()
	for _, pid := range []int{c.Process.Pid, math.MaxInt32, 0, -1} {
		r, err := Of(pid)
		requireErrEnded(t, err)
		if !strings.HasPrefix(err.Error(), "run: ") || !strings.Contains(err.Error(), strconv.Itoa(pid)) {
			t.Errorf("the error does not name pid %d: %v", pid, err)
		}
		if r != (Run{}) {
			t.Errorf("Of(%d) = %+v with an error", pid, r)
		}
	}
}

func TestRunIsPlainData(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}

	var viaGob, viaJSON Run
	var sent bytes.Buffer
	if err := errors.Join(gob.NewEncoder(&sent).Encode(self), gob.NewDecoder(&sent).Decode(&viaGob)); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(self)
	if err := errors.Join(err, json.Unmarshal(data, &viaJSON)); err != nil {
		t.Fatal(err)
	}
	if viaGob != self || viaJSON != self {
		t.Errorf("%+v arrives as %+v by gob, as %+v by JSON", self, viaGob, viaJSON)
	}
}

func TestRunLivesAndEnds(t *testing.T) {
	eachWait(t, func(t *testing.T) {
		c := start(t, helper("idle"))
		r := c.run()
		requireAlive(t, r, true)
		ended := waiting(t, r)

		c.kill()
		c.reap()
		if err := ended(); err != nil {
			t.Error("Wait:", err)
		}
		requireAlive(t, r, false)
		requireErrEnded(t, ignoreUnsupported(r.Interrupt()))
		if err := waiting(t, r)(); err != nil {
			t.Error("Wait on an ended run:", err)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	eachWait(t, func(t *testing.T) {
		r := start(t, helper("idle")).run()

		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Wait(canceled); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait: %v, want Canceled", err)
		}
		short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := r.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v, want DeadlineExceeded", err)
		}
		requireAlive(t, r, true)
	})
}

func TestPidOfAnotherProcess(t *testing.T) {
	eachWait(t, func(t *testing.T) {
		c := start(t, helper("interrupted"))
		c.expect("ready")
		before := c.run()
		before.Start--

		requireAlive(t, before, false)
		if err := waiting(t, before)(); err != nil {
			t.Error("Wait:", err)
		}
		requireErrEnded(t, ignoreUnsupported(before.Interrupt()))

		requireAlive(t, c.run(), true)
		_ = c.in.Close()
		c.expect("total 0")
	})
}

func TestInterrupt(t *testing.T) {
	c := start(t, helper("interrupted"))
	c.expect("ready")
	err := c.run().Interrupt()
	if runtime.GOOS == "windows" {
		if !errors.Is(err, ErrUnsupported) {
			t.Fatalf("Interrupt: %v, want ErrUnsupported", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	c.expect("interrupt")
	_ = c.in.Close()
	c.expect("total 1")
}

// ignoreUnsupported turns what Interrupt says to everything on Windows into what it says elsewhere of an ended run.
func ignoreUnsupported(err error) error {
	if runtime.GOOS == "windows" && errors.Is(err, ErrUnsupported) {
		return ErrEnded
	}
	return err
}
