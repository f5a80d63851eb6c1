//go:build unix

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// processes are the providers and holders of the workspace.
func (w *workspace) processes() (providers, holders []*process.Process) {
	w.t.Helper()
	found := w.copies()
	return found[""], found["hold"]
}

// copies are the processes that run the workspace's own provider executable, by
// their argument, "" where there is none. A holder has nothing in its environment by
// which it could be found instead.
func (w *workspace) copies() map[string][]*process.Process {
	w.t.Helper()
	found := make(map[string][]*process.Process)
	all, err := process.Pids()
	if err != nil {
		w.t.Fatal(err)
	}
	own := w.executable()
	for _, pid := range all {
		if zktest.Executable(pid) != own {
			continue
		}
		p, err := process.NewProcess(pid)
		if err != nil {
			continue
		}
		args, _ := p.CmdlineSlice()
		command := strings.Join(args[min(1, len(args)):], " ")
		found[command] = append(found[command], p)
	}
	return found
}

func (w *workspace) executable() string {
	path := filepath.Join(w.plugins, providerFile)
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

// awaitNoProvider waits until the provider processes have ended, as they do
// while the guarded work still goes on.
func (w *workspace) awaitNoProvider() {
	w.t.Helper()
	eventually(w.t, "the end of the provider processes", func() bool {
		providers, _ := w.processes()
		return len(providers) == 0
	})
}

// awaitNoProcess waits until the holders and sentinels have ended as well.
func (w *workspace) awaitNoProcess() {
	w.t.Helper()
	eventually(w.t, "the end of the provider, holder and sentinel processes", func() bool {
		return len(w.copies()) == 0
	})
}

// checkProcesses fails the test if any of them is left.
func (w *workspace) checkProcesses() {
	w.t.Helper()
	defer func() {
		for _, found := range w.copies() {
			for _, p := range found {
				_ = p.Kill()
			}
		}
	}()
	w.awaitNoProcess()
}

// provider is the provider process, of which there must be one.
func (w *workspace) provider() *process.Process {
	w.t.Helper()
	providers, _ := w.processes()
	return only(w.t, "provider", providers)
}

// holder is the holder process, of which there must be one.
func (w *workspace) holder() *process.Process {
	w.t.Helper()
	_, holders := w.processes()
	return only(w.t, "holder", holders)
}

func only(t *testing.T, kind string, found []*process.Process) *process.Process {
	t.Helper()
	if len(found) != 1 {
		t.Fatalf("%d %s processes, want one: %s", len(found), kind, fmt.Sprint(found))
	}
	return found[0]
}
