package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/shirou/gopsutil/v4/load"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// bench is what the sections share.
type bench struct {
	server  *zktest.Server
	program string // this one
	against string // another build of it, or nothing
	python  string // one that has Kazoo, or nothing
	quick   bool
	data    *Data
}

func newBench(ctx context.Context, against string, quick bool) (_ *bench, err error) {
	b := &bench{against: against, quick: quick, data: &Data{}}
	if b.program, err = os.Executable(); err != nil {
		return nil, err
	}
	if b.server, err = zktest.StartServer(ctx, zktest.Options{}); err != nil {
		return nil, err
	}
	o, err := newObserver(ctx, b.server.Addr())
	if err == nil {
		err = o.makeRoots()
		o.close()
	}
	if err != nil {
		b.close()
		return nil, err
	}
	version := ""
	b.python, version = findKazoo(ctx)
	b.data.Go, b.data.CPUs, b.data.Kazoo = runtime.Version(), runtime.NumCPU(), version
	return b, nil
}

func (b *bench) close() { b.server.Stop() }

// pick is full, or little where only little is to be measured.
func (b *bench) pick(full, little int) int {
	if b.quick {
		return little
	}
	return full
}

// load says how busy the machine is, for people.
func loadOf() (float64, error) {
	average, err := load.Avg()
	if err != nil {
		return 0, err
	}
	return average.Load1, nil
}

func loadText() string {
	l, err := loadOf()
	if err != nil {
		return "unknown"
	}
	return fmt.Sprintf("%.1f", l)
}

// contestants starts a worker of each of the kinds, of the other build too where
// there is one, and Kazoo's where it is asked for and installed.
func (b *bench) contestants(ctx context.Context, withKazoo bool, kinds ...string) (all []*contestant, stop func(), err error) {
	stop = func() {
		for _, c := range all {
			c.close()
		}
	}
	add := func(name string, cmd *exec.Cmd) {
		if err != nil {
			return
		}
		var c *contestant
		if c, err = startContestant(cmd, name); err == nil {
			all = append(all, c)
		}
	}
	for _, kind := range kinds {
		add(labels[kind], exec.CommandContext(ctx, b.program, workCommand, kind, b.server.Addr())) //nolint:gosec // this program
		if b.against != "" && strings.HasPrefix(labels[kind], "ours") {
			add(labels[kind]+", before", exec.CommandContext(ctx, b.against, workCommand, kind, b.server.Addr())) //nolint:gosec // chosen by who runs this
		}
	}
	if withKazoo && b.python != "" {
		add("Kazoo Lock", exec.CommandContext(ctx, b.python, "-c", kazooProgram)) //nolint:gosec // our own program
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return all, stop, nil
}

// labels are the kinds' names for people.
var labels = map[string]string{
	"go-zookeeper": "go-zookeeper Lock",
	"multis":       "two bare multis",
	"process":      "ours: holder process",
	"holder":       "ours: holder alone",
	"locker":       "ours: locker alone",
}
