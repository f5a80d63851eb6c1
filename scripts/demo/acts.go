// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	workTime  = 2500 * time.Millisecond
	killAfter = workTime / 2
)

// play plays the acts.
func play(ctx context.Context, s *stage) ([]Act, error) {
	first, err := s.act(ctx, "Act 1: two applies at once share a lock", []string{"alice", "bob"}, nil)
	if err != nil {
		return nil, err
	}
	second, err := s.act(ctx, "Act 2: of three, the Terraform that holds the lock is killed", []string{"carol", "dave", "erin"}, s.killHolder)
	if err != nil {
		return nil, err
	}
	return []Act{first, second}, nil
}

// act starts runs at once, lets disturb do something to them, and waits for their
// end and that of their znodes. All but those that disturb killed must succeed.
func (s *stage) act(ctx context.Context, title string, names []string, disturb func(context.Context, []*apply) error) (Act, error) {
	fmt.Printf("%s\n\n", title)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var applies []*apply
	failed := make(chan error, len(names))
	for _, name := range names {
		a, err := s.cli.start(ctx, name, workTime, s.server+s.root, s.ear.address())
		if err != nil {
			cancel()
			return Act{}, errors.Join(err, drain(failed, len(applies)))
		}
		applies = append(applies, a)
		s.record.add(Event{At: time.Now(), Run: name, Kind: started})
		go func() {
			err := a.cmd.Wait()
			s.record.add(Event{At: time.Now(), Run: name, Kind: exited})
			if err != nil && !a.killed.Load() {
				err = fmt.Errorf("the apply of %s failed: %w", name, err)
				cancel()
			} else {
				err = nil
			}
			failed <- err
		}()
	}
	var err error
	if disturb != nil {
		err = disturb(ctx, applies)
	}
	if err != nil {
		cancel()
	}
	if err := errors.Join(drain(failed, len(applies)), err); err != nil {
		return Act{}, err
	}
	if err := s.record.await(ctx, gone, names...); err != nil {
		return Act{}, err
	}
	fmt.Println()
	return Act{Title: title, Runs: names, Events: s.record.take()}, nil
}

// drain waits for n runs and returns why they failed.
func drain(failed <-chan error, n int) error {
	var errs []error
	for range n {
		errs = append(errs, <-failed)
	}
	return errors.Join(errs...)
}

// killHolder kills the Terraform that holds the lock while it works and the others
// wait.
func (s *stage) killHolder(ctx context.Context, applies []*apply) error {
	work, err := s.record.awaitAny(ctx, begun)
	if err != nil {
		return err
	}
	var others []string
	for _, a := range applies {
		if a.name != work.Run {
			others = append(others, a.name)
		}
	}
	if err := s.record.await(ctx, queued, others...); err != nil {
		return err
	}
	select {
	case <-time.After(time.Until(work.At.Add(killAfter))):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	victim := applies[slices.IndexFunc(applies, func(a *apply) bool { return a.name == work.Run })]
	s.record.add(Event{At: time.Now(), Run: victim.name, Kind: killed})
	return victim.kill()
}
