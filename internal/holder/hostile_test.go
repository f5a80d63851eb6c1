//go:build unix

package holder

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

const (
	// strictCommand makes the test binary a holder process as it is for users, and
	// hostileCommand a provider process that tells it to work for others.
	strictCommand  = "strict"
	hostileCommand = "hostile"
)

func init() {
	commands[strictCommand] = func() { Hold(OwnRun) }
	commands[hostileCommand] = hostile
}

// hostile asks a holder process of its own to work for each run that it reads, one
// after the other, then for itself, and writes each answer; nil if it is taken.
func hostile() {
	var runs []run.Run
	self, err := run.Self()
	if err == nil {
		err = gob.NewDecoder(os.Stdin).Decode(&runs)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
	answers := gob.NewEncoder(os.Stdout)
	cmd, pipe, err := startProcess([]string{strictCommand})
	if err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
	client := rpc.NewClient(pipe)
	for _, r := range append(runs, self) {
		var outcome Outcome
		if err := client.Call(rpcServe, ServeArgs{Run: r}, &outcome); err != nil {
			outcome.Failure = &Failure{Message: err.Error()}
		}
		_ = answers.Encode(outcome)
	}
	_ = client.Close()
	_ = cmd.Wait()
}

// Whoever writes to a holder's pipe can make it work for, and so interrupt, the
// process that started the one at the other end, and nobody else.
func TestHoldWorksForItsOwnRunAlone(t *testing.T) {
	ours := self(t)
	sibling, init, late := startTerraform(t).Run, run.Run{PID: 1}, ours
	if other, err := run.Of(1); err == nil {
		init = other
	}
	late.Start++
	forged := ours
	forged.ID = "../../forged" // would be part of a file's name
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(runs ...run.Run) (answers []error) {
		t.Helper()
		var input bytes.Buffer
		if err := gob.NewEncoder(&input).Encode(runs); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), exe, hostileCommand)
		cmd.Stdin, cmd.Stderr = &input, os.Stderr
		output, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for decoder := gob.NewDecoder(bytes.NewReader(output)); ; {
			var outcome Outcome
			if err := decoder.Decode(&outcome); errors.Is(err, io.EOF) {
				return answers
			} else if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, outcome.Failure.err())
		}
	}
	// The last answer is about the process that asks.
	answers := ask(sibling, init, late)
	for i, want := range []error{ErrStranger, nil, ErrEnded, ErrStranger} {
		switch {
		case i == 1:
			// A container's pid 1 can be this test.
			if answers[i] == nil && init.PID != ours.PID {
				t.Error("it works for process 1")
			}
		case !errors.Is(answers[i], want):
			t.Errorf("for run %d of a stranger's it answers %v, want %v", i, answers[i], want)
		}
	}
	answers = ask(forged, ours, sibling)
	if answers[1] != nil {
		t.Errorf("it does not work for its own run: %v", answers[1])
	}
	if !errors.Is(answers[0], ErrStranger) {
		t.Errorf("for a forged id it answers %v", answers[0])
	}
	for _, i := range []int{0, 2, 3} {
		if answers[i] == nil {
			t.Errorf("it works for a stranger, asked as number %d", i)
		}
	}
}

// Nothing beyond a limit is begun, and what is asked within them afterwards is.
func TestServiceRefusesWhatIsBeyondLimits(t *testing.T) {
	space := zktest.NewSpace(t)
	p := overPipe(t, newLocal(t, self(t)))
	good := request(t, space, "a", 0)
	long := strings.Repeat("x", 5000)
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, locker.ErrRequest) {
			t.Errorf("%s: want %v, got %v", what, locker.ErrRequest, err)
		}
	}
	for what, spoil := range map[string]func(*zookeeper.Config){
		"no servers":             func(c *zookeeper.Config) { c.Servers = nil },
		"too many servers":       func(c *zookeeper.Config) { c.Servers = make([]string, zookeeper.MaxServers+1) },
		"a server without port":  func(c *zookeeper.Config) { c.Servers = []string{"127.0.0.1"} },
		"a server of port 0":     func(c *zookeeper.Config) { c.Servers = []string{"127.0.0.1:0"} },
		"a file for a server":    func(c *zookeeper.Config) { c.Servers = []string{"/run/docker.sock"} },
		"a URL for a server":     func(c *zookeeper.Config) { c.Servers = []string{"http://127.0.0.1:80"} },
		"two servers in one":     func(c *zookeeper.Config) { c.Servers = []string{"127.0.0.1:1,127.0.0.1:2"} },
		"no session timeout":     func(c *zookeeper.Config) { c.SessionTimeout = 0 },
		"a long session timeout": func(c *zookeeper.Config) { c.SessionTimeout = zookeeper.MaxTimeout + 1 },
		"no connect timeout":     func(c *zookeeper.Config) { c.ConnectTimeout = -1 },
		"a long connect timeout": func(c *zookeeper.Config) { c.ConnectTimeout = zookeeper.MaxTimeout + 1 },
		"a long CA":              func(c *zookeeper.Config) { c.TLS = &zookeeper.TLS{CA: strings.Repeat("x", zookeeper.MaxPEM+1)} },
		"a long key": func(c *zookeeper.Config) {
			c.TLS = &zookeeper.TLS{Key: zookeeper.NewSecret(strings.Repeat("x", zookeeper.MaxPEM+1))}
		},
	} {
		bad := good
		spoil(&bad.Ensemble)
		_, err := p.Acquire(t.Context(), bad)
		refused(what, err)
		znode := Znode{Ensemble: bad.Ensemble, Path: good.Lock.Dir + "/ex-1__lock__0000000000", Durable: true}
		refused(what+" to release from", p.Release(t.Context(), znode))
		refused(what+" to describe at", p.Describe(t.Context(), znode, "info"))
	}
	for what, spoil := range map[string]func(*locker.Request){
		"no lockid":          func(r *locker.Request) { r.LockID = "" },
		"a long lockid":      func(r *locker.Request) { r.LockID = long },
		"no directory":       func(r *locker.Request) { r.Dir = "" },
		"the root":           func(r *locker.Request) { r.Dir = "/" },
		"a relative path":    func(r *locker.Request) { r.Dir = "a/b" },
		"a path upwards":     func(r *locker.Request) { r.Dir += "/../b" },
		"a NUL in a path":    func(r *locker.Request) { r.Dir += "/\x00" },
		"a wait before now":  func(r *locker.Request) { r.Wait = -time.Second },
		"a wait of years":    func(r *locker.Request) { r.Wait = locker.MaxWait + 1 },
		"slots below none":   func(r *locker.Request) { r.Slots = -1 },
		"too many slots":     func(r *locker.Request) { r.Slots = locker.MaxSlots + 1 },
		"an unknown mode":    func(r *locker.Request) { r.Mode = "mine" },
		"an unknown layout":  func(r *locker.Request) { r.Layout = "mine" },
		"a layout with mode": func(r *locker.Request) { r.Layout, r.Mode = locker.Curator, locker.Shared },
	} {
		bad := good
		spoil(&bad.Lock)
		_, err := p.Acquire(t.Context(), bad)
		refused(what, err)
	}
	for _, path := range []string{"", "/", "/zookeeper/config", good.Lock.Dir, good.Lock.Dir + "/readme", "/a/../ex-1__lock__0000000000"} {
		znode := Znode{Ensemble: good.Ensemble, Path: path, Durable: true}
		refused("releasing "+path, p.Release(t.Context(), znode))
		refused("describing "+path, p.Describe(t.Context(), znode, "info"))
	}
	if tree := space.Tree(); len(tree) > 0 {
		t.Errorf("there is %q", tree)
	}
	take(t, p, good)
}

// A request without an end is not read to it. It ends the pipe, and no lock.
func TestServiceHangsUpOnARequestThatIsTooLong(t *testing.T) {
	space := zktest.NewSpace(t)
	local := newLocal(t, self(t))
	p, _, ended := overOpenPipe(t, local)
	take(t, p, request(t, space, "held", 0))
	long := request(t, space, "long", 0)
	long.Ensemble.TLS = &zookeeper.TLS{CA: strings.Repeat("x", maxRequest)}
	if _, err := p.Acquire(t.Context(), long); err == nil || !strings.Contains(err.Error(), errTooLong.Error()) {
		t.Errorf("the acquire: %v, want %v", err, errTooLong)
	}
	await(t, "the end of serve", ended)
	if local.Held() != 1 || len(space.Children(dir("held"))) != 1 {
		t.Errorf("%d held", local.Held())
	}
}
