// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

const (
	terraformVersion = "1.16.4"
	timeProvider     = "github.com/hashicorp/terraform-provider-time@v0.14.2"
	// tick is ZooKeeper's own default: it ends sessions as late as it does for users.
	tick = 2 * time.Second

	cliConfig = `disable_checkpoint = true

provider_installation {
  dev_overrides {
    "clocker/clocker" = %[1]q
    "hashicorp/time"  = %[1]q
  }
  direct {}
}
`
)

// bench is what the sections share.
type bench struct {
	program string // this one
	against string // another build of it, or nothing
	rounds  int    // in place of each section's own, if not 0
	data    *Data
	ends    []func()

	dir                                        string // temporary
	terraform, provider, etcd, etcdctl, python string // programs
	env                                        []string
	server                                     *zktest.Server
	at                                         services
	count                                      int // of locks so far
}

func newBench(ctx context.Context) (_ *bench, err error) {
	b := &bench{data: &Data{Go: runtime.Version(), CPUs: runtime.NumCPU(), Minutes: map[string]float64{}}}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.program, err = os.Executable(); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", "clocker-bench-"); err != nil {
		return nil, err
	}
	b.atEnd(func() { _ = os.RemoveAll(b.dir) })
	if err := b.findPrograms(ctx); err != nil {
		return nil, err
	}
	if b.server, err = zktest.StartServer(ctx, zktest.Options{TickTime: tick}); err != nil {
		return nil, err
	}
	b.atEnd(b.server.Stop)
	members, err := b.startEtcd(ctx, 1)
	if err != nil {
		return nil, err
	}
	b.at, err = b.servicesAt(ctx, []string{b.server.Addr()}, []string{members[0].addr})
	return b, err
}

// findPrograms finds or builds what takes part.
func (b *bench) findPrograms(ctx context.Context) (err error) {
	if b.terraform, err = output(ctx, "scripts/cli.sh", "terraform", terraformVersion); err != nil {
		return err
	}
	tools, err := output(ctx, "scripts/fetch-etcd.sh")
	if err != nil {
		return err
	}
	b.etcd, b.etcdctl = filepath.Join(tools, "etcd"), filepath.Join(tools, "etcdctl")
	b.python = "/usr/bin/python3" // Debian's package of Kazoo is for Debian's own.
	kazoo, err := output(ctx, b.python, "-c", "import kazoo.version; print(kazoo.version.__version__)")
	if err != nil {
		return fmt.Errorf("no Kazoo, which is in Debian's package python3-kazoo: %w", err)
	}
	version, err := output(ctx, b.etcdctl, "version")
	if err != nil {
		return err
	}
	version, _, _ = strings.Cut(strings.TrimPrefix(version, "etcdctl version: "), "\n")
	b.data.With = fmt.Sprintf("Terraform %s, etcd %s, Kazoo %s", terraformVersion, version, kazoo)

	if b.provider, err = testkit.Build(ctx, b.dir); err != nil {
		return err
	}
	if _, err := output(ctx, "env", "GOBIN="+b.dir, "go", "install", timeProvider); err != nil {
		return err
	}
	config := filepath.Join(b.dir, "cli.tfrc")
	b.env = []string{"TF_CLI_CONFIG_FILE=" + config, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1"}
	for _, assignment := range os.Environ() {
		if name, _, _ := strings.Cut(assignment, "="); !strings.HasPrefix(name, "TF_") && !strings.HasPrefix(name, "CLOCKER_") && !strings.HasPrefix(name, "ZOOKEEPER_") {
			b.env = append(b.env, assignment)
		}
	}
	return write(config, fmt.Sprintf(cliConfig, b.dir))
}

// output runs a command, and returns what it writes, without the line's end.
func output(ctx context.Context, name string, arguments ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, arguments...) //nolint:gosec // our own words
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w", cmd, err)
	}
	return strings.TrimSpace(string(out)), err
}

// atEnd has something done when the bench is closed, the last first.
func (b *bench) atEnd(do func()) { b.ends = append(b.ends, do) }

func (b *bench) close() {
	for _, end := range slices.Backward(b.ends) {
		end()
	}
}

// times is how often a section does something by default, or as -rounds has it.
func (b *bench) times(usual int) int {
	if b.rounds > 0 {
		return b.rounds
	}
	return usual
}

// newLock is a name that no lock has had.
func (b *bench) newLock() string {
	b.count++
	return fmt.Sprintf("lock-%d", b.count)
}

// contestants starts a worker of each of the kinds, of the other build too where
// there is one, and Kazoo's where it is asked for.
func (b *bench) contestants(ctx context.Context, withKazoo bool, names ...string) (all []*contestant, stop func(), err error) {
	add := func(name, program string, arguments ...string) {
		c, failure := startContestant(exec.CommandContext(ctx, program, arguments...), name) //nolint:gosec // this program, or as chosen
		if failure == nil {
			all = append(all, c)
		}
		err = errors.Join(err, failure)
	}
	for _, name := range names {
		add(kinds[name].label, b.program, workCommand, name, b.server.Addr())
		if b.against != "" && kinds[name].dir == ourDir {
			add(kinds[name].label+", before", b.against, workCommand, name, b.server.Addr())
		}
	}
	if withKazoo {
		add("Kazoo", b.python, "-c", kazooProgram)
	}
	return all, func() {
		for _, c := range all {
			c.close()
		}
	}, err
}

// interleave lets all take turns, another one beginning each round. do gives the
// milliseconds of one turn. Of more than three rounds there is one more, at the
// beginning, which is to warm up and does not count.
func interleave(ctx context.Context, names []string, rounds int, do func(i int) (float64, error)) ([]Row, error) {
	rows := make([]Row, len(names))
	warm := 0
	if rounds > 3 {
		warm = 1
	}
	for round := range rounds + warm {
		for turn := range names {
			i := (turn + round) % len(names)
			took, err := do(i)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", names[i], err)
			}
			if err := ctx.Err(); err != nil {
				return nil, context.Cause(ctx)
			}
			rows[i].Name = names[i]
			if round >= warm {
				rows[i].MS = append(rows[i].MS, took)
			}
		}
	}
	return rows, nil
}

func namesOf(ways []way) []string {
	var names []string
	for _, w := range ways {
		names = append(names, w.name)
	}
	return names
}

func since(begin time.Time) float64 { return milliseconds(time.Since(begin)) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// isHolder says whether a command line is a holder's.
func isHolder(line []string) bool { return slices.Contains(line, holder.Command) }
