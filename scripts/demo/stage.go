// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

const (
	lockRoot       = "/_zklocking"
	lockID         = "demo"
	sessionTimeout = 10 * time.Second
	connectTimeout = 15 * time.Second

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
	client   *zktest.Client // below root
	observer *observer
	ear      *ear
	own      *zktest.Server // nil if the server is not ours
}

// newStage leaves nothing behind where it fails.
func newStage(ctx context.Context) (_ *stage, err error) {
	s := &stage{record: newRecorder(), server: os.Getenv(zktest.EnvServer)}
	defer func() { //nolint:contextcheck // it is closed when ctx has ended, too
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
	s.root = "/clocker-demo-" + strings.ToLower(rand.Text())
	if err := s.makeRoot(ctx); err != nil {
		return nil, err
	}
	s.observer = observe(s.client, lockRoot+"/"+lockID, s.record) //nolint:contextcheck // until it is closed
	if s.ear, err = listen(s.record); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *stage) makeRoot(ctx context.Context) error {
	client, err := zktest.Dial([]string{s.server}, s.root, sessionTimeout)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if _, err := client.Create(ctx, "", nil, zktest.Persistent); err != nil {
		client.Close()
		return err
	}
	s.client = client
	return nil
}

// leftover is what the runs should not have left.
type leftover struct {
	znodes []string
	failed error // to look, or to end
}

func (l leftover) String() string {
	if l.err() == nil {
		return "no znode, no process"
	}
	return l.err().Error()
}

func (l leftover) err() error {
	if len(l.znodes) == 0 {
		return l.failed
	}
	return errors.Join(l.failed, fmt.Errorf("znodes %v", l.znodes))
}

// leftovers looks for what is left once all runs have ended, time to leave granted
// to processes.
func (s *stage) leftovers(ctx context.Context) leftover {
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	processes := zktest.AwaitNoneRunning(ctx, s.dir)
	znodes, err := s.client.Tree(context.WithoutCancel(ctx))
	znodes = slices.DeleteFunc(znodes, func(path string) bool { return path == lockRoot })
	return leftover{znodes, errors.Join(processes, err)}
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
	if s.client != nil {
		ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
		defer cancel()
		errs = append(errs, s.client.DeleteAll(ctx))
		s.client.Close()
	}
	if s.own != nil {
		s.own.Stop()
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}
