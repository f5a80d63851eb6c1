package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

const (
	lockRoot = "/_zklocking"
	lockID   = "demo"

	// leaveTime is given to a holder process to end after its Terraform.
	leaveTime = 5 * time.Second
	logTail   = 2000 // bytes
)

// stage is all that the acts need: a ZooKeeper, the CLI with the provider, someone
// who watches the lock and someone who listens to the guarded work.
type stage struct {
	dir      string // temporary
	server   string // host:port
	root     string // znode that all is below
	cli      *cli
	record   *recorder
	observer *observer
	ear      *ear
	own      *zktest.Server // nil if the server is not ours
	deleted  bool           // root
}

// newStage leaves nothing behind where it fails.
func newStage(ctx context.Context) (_ *stage, err error) {
	s := &stage{record: newRecorder(), server: os.Getenv(zktest.EnvServer)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "clocker-demo-"); err != nil {
		return nil, err
	}
	if s.cli, err = newCLI(ctx, s.dir); err != nil {
		return nil, err
	}
	if s.server == "" {
		if s.own, err = zktest.StartServer(ctx, zktest.Options{}); err != nil {
			return nil, err
		}
		s.server = s.own.Addr()
	}
	root := "/clocker-demo-" + strings.ToLower(rand.Text())
	if err := makeRoot(ctx, s.server, root); err != nil {
		return nil, err
	}
	s.root = root
	if s.observer, err = observe(s.server, s.root+lockRoot+"/"+lockID, s.record); err != nil {
		return nil, err
	}
	if s.ear, err = listen(s.record); err != nil {
		return nil, err
	}
	return s, nil
}

// leftover is what the runs should not have left.
type leftover struct {
	znodes, processes []string
	failed            error // to look
}

func (l leftover) String() string {
	if l.err() == nil {
		return "no znode, no process"
	}
	return l.err().Error()
}

func (l leftover) err() error {
	err := l.failed
	if len(l.znodes) > 0 {
		err = errors.Join(err, fmt.Errorf("znodes %v", l.znodes))
	}
	if len(l.processes) > 0 {
		err = errors.Join(err, fmt.Errorf("processes %v", l.processes))
	}
	return err
}

// leftovers looks for what is left once all runs have ended, time to leave granted
// to processes, and deletes the znodes.
func (s *stage) leftovers(ctx context.Context) leftover {
	processes, err := s.awaitNoProcesses(ctx)
	left, errDelete := s.deleteRoot()
	return leftover{znodes: left, processes: processes, failed: errors.Join(err, errDelete)}
}

func (s *stage) deleteRoot() ([]string, error) {
	if s.root == "" || s.deleted {
		return nil, nil
	}
	s.deleted = true
	return deleteRoot(s.server, s.root)
}

// awaitNoProcesses returns those that are still there after a while. A process is
// one of the demo's if it runs the provider that was built for it, or this program.
func (s *stage) awaitNoProcesses(ctx context.Context) (left []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	for {
		if left, err = s.processes(); err != nil || len(left) == 0 {
			return left, err
		}
		select {
		case <-ctx.Done():
			return left, nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *stage) processes() ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	all, err := process.Processes()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var ours []string
	for _, p := range all {
		exe := zktest.Executable(p.Pid)
		if int(p.Pid) != os.Getpid() && (exe == self || strings.HasPrefix(exe, s.dir+string(filepath.Separator))) {
			ours = append(ours, fmt.Sprintf("%d %s", p.Pid, filepath.Base(exe)))
		}
	}
	return ours, nil
}

// logs is an error that tells what the runs printed, for when one failed.
func (s *stage) logs() error {
	names, err := filepath.Glob(filepath.Join(s.dir, "*", logName))
	for _, name := range names {
		text, _ := os.ReadFile(name) //nolint:gosec // written by a run in our own directory
		err = errors.Join(err, fmt.Errorf("%s printed:\n%s", filepath.Base(filepath.Dir(name)), text[max(0, len(text)-logTail):]))
	}
	return err
}

// close ends and removes all, also where only a part of it came about. Runs have
// ended by then.
func (s *stage) close() error {
	var errs []error
	if s.observer != nil {
		errs = append(errs, s.observer.close())
	}
	if s.ear != nil {
		errs = append(errs, s.ear.close())
	}
	if s.own != nil {
		s.own.Stop() // And all data with it.
	} else {
		_, err := s.deleteRoot()
		errs = append(errs, err)
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}
