// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"encoding/gob"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// provideCommand makes the test binary the provider process of a test.
const provideCommand = "provide"

// provided is what a test's provider process is told to do.
type provided struct {
	Run      run.Run
	Requests []Request
}

// provide acquires what it reads from standard input, all at the same time, and
// writes each lock that was granted to standard output. It ends with its input.
func provide() {
	var p provided
	input := gob.NewDecoder(os.Stdin)
	if err := input.Decode(&p); err != nil {
		fmt.Fprintln(os.Stderr, "provide:", err)
		os.Exit(1)
	}
	process := NewRemote(p.Run)
	grants := make(chan Grant)
	for _, req := range p.Requests {
		go func() {
			if grant, err := process.Acquire(context.Background(), req); err == nil {
				grants <- grant
			}
		}()
	}
	go func() {
		output := gob.NewEncoder(os.Stdout)
		for grant := range grants {
			_ = output.Encode(grant)
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = process.Close()
}

// provider is a provider process that works for a test.
type provider struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	grants chan Grant
}

func startProvider(t *testing.T, r run.Run, requests ...Request) *provider {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{t: t, cmd: exec.Command(exe, provideCommand), grants: make(chan Grant)}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.grants)
		for output := gob.NewDecoder(out); ; {
			var grant Grant
			if output.Decode(&grant) != nil {
				return
			}
			p.grants <- grant
		}
	}()
	t.Cleanup(p.kill)
	if err := gob.NewEncoder(p.in).Encode(provided{r, requests}); err != nil {
		t.Fatal(err)
	}
	return p
}

// granted is the next lock that it was granted.
func (p *provider) granted() Grant {
	p.t.Helper()
	return await(p.t, "a grant", p.grants)
}

// kill ends it by SIGKILL, and end as Terraform does.
func (p *provider) kill() {
	_ = p.cmd.Process.Kill()
	p.reap()
}

func (p *provider) end() {
	_ = p.in.Close()
	p.reap()
}

func (p *provider) reap() {
	for range p.grants {
		// to the end of its output, before Wait closes that
	}
	_ = p.cmd.Wait()
}
