package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// Recovery is how long a lock stayed taken after something was killed.
type Recovery struct {
	Name  string    `json:"name"`
	Times []float64 `json:"times_ms"`
	Bound float64   `json:"bound_ms,omitempty"` // what it may take
}

const (
	recoveryTimeout = 4 * time.Second // the session's
	recoveryTick    = 200 * time.Millisecond
	guardedLock     = "recovery"
	workFile        = "work.pid"
)

// guarded holds a lock for as long as its Terraform lives. The work gives itself up
// when nobody is interested any more.
const guarded = `
provider "clocker" {
  session_timeout = SECONDS
}
resource "clocker_lock" "a" {
  lockid  = "` + guardedLock + `"
  on_lost = "continue"
}
resource "terraform_data" "work" {
  depends_on = [clocker_lock.a]
  provisioner "local-exec" {
    command = "echo $$ >` + workFile + `; exec sleep 20"
  }
}
`

// measureRecovery kills Terraform, and then the holder, and looks when the next
// one who waits holds the lock.
func (b *bench) measureRecovery(ctx context.Context) error {
	t, err := newTerraform(ctx, b.server.Addr())
	if err != nil {
		return err
	}
	defer t.close()
	b.data.CLI = t.version
	session, err := zookeeper.Open(ctx, config(b.server.Addr()))
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	kills := []struct {
		name  string
		times int
		bound time.Duration
		kill  func(*victim) error
	}{
		{"kill -9 of Terraform", b.pick(50, 2), 0, func(v *victim) error { return v.cmd.Process.Kill() }},
		{"kill -9 of the holder", b.pick(10, 1), recoveryTimeout + recoveryTick, (*victim).killHolder},
	}
	b.data.Recovery = nil
	for _, k := range kills {
		r := Recovery{Name: k.name, Bound: float64(k.bound) / float64(time.Millisecond)}
		for range k.times {
			took, err := b.recover(ctx, t, session, k.kill)
			if err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
			r.Times = append(r.Times, took)
		}
		b.data.Recovery = append(b.data.Recovery, r)
	}
	return nil
}

// recover applies the guarded work, waits for its lock, kills something and gives
// the milliseconds until the lock was ours.
func (b *bench) recover(ctx context.Context, t *terraform, session *zookeeper.Session, kill func(*victim) error) (float64, error) {
	w, err := t.workspace(strings.ReplaceAll(guarded, "SECONDS", fmt.Sprint(int(recoveryTimeout.Seconds()))))
	if err != nil {
		return 0, err
	}
	defer w.remove()
	v := &victim{workspace: w, cmd: w.command(ctx, "apply")}
	if err := v.cmd.Start(); err != nil {
		return 0, err
	}
	defer v.end()
	o, err := newObserver(ctx, b.server.Addr())
	if err != nil {
		return 0, err
	}
	defer o.close()
	dir := locker.Directory("/bench", locker.DefaultRoot, guardedLock)
	if err := o.awaitQueue(ctx, dir, 1, settleTime); err != nil {
		return 0, err
	}

	queued := make(chan struct{}, 1)
	req := locker.Request{LockID: guardedLock, Dir: dir, Wait: locker.NoLimit, Waiting: func(locker.Waiting) {
		select {
		case queued <- struct{}{}:
		default:
		}
	}}
	type result struct {
		lock *locker.Lock
		at   time.Time
		err  error
	}
	got := make(chan result, 1)
	go func() {
		lock, err := locker.Acquire(ctx, func(context.Context) (*zookeeper.Session, error) { return session, nil }, req)
		got <- result{lock, time.Now(), err}
	}()
	select {
	case <-queued:
	case r := <-got:
		return 0, fmt.Errorf("the lock was free: %w", r.err)
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	begin := time.Now()
	if err := kill(v); err != nil {
		return 0, err
	}
	r := <-got
	if r.err != nil {
		return 0, r.err
	}
	return float64(r.at.Sub(begin)) / float64(time.Millisecond), r.lock.Release(ctx)
}
