// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"fmt"
	"sync"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// atOnce is how many locks are asked for at a time, which is Terraform's
// -parallelism.
const atOnce = 10

// BenchmarkManyLocks takes many locks with one session, and releases them.
func BenchmarkManyLocks(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			space := zktest.NewSpace(b)
			c := newClient(b, space.Addr())
			release(b, c.lock(dirOf(space)))
			locks := make([]*Lock, n)
			b.ReportAllocs()
			for b.Loop() {
				sideBySide(n, func(i int) {
					var err error
					if locks[i], err = Acquire(b.Context(), c.sessions, Request{LockID: "test", Dir: fmt.Sprintf("%s-%d", dirOf(space), i), Data: c.data}); err != nil {
						b.Error(err)
					}
				})
				sideBySide(n, func(i int) {
					if err := locks[i].Release(b.Context()); err != nil {
						b.Error(err)
					}
				})
			}
		})
	}
}

func sideBySide(n int, do func(i int)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			do(i)
			<-slots
		})
	}
	wg.Wait()
}

// BenchmarkManyWaiters lets many wait for a lock, from 50 sessions, and hands it on
// from each to the next.
func BenchmarkManyWaiters(b *testing.B) {
	const sessions = 50
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			space := zktest.NewSpace(b)
			clients := make([]*client, sessions)
			for i := range clients {
				clients[i] = newClient(b, space.Addr())
				clients[i].session()
			}
			queue := make([]*pending, n)
			b.ReportAllocs()
			for b.Loop() {
				l := clients[0].lock(dirOf(space))
				sideBySide(n, func(i int) {
					c := clients[i%sessions]
					req := c.request(dirOf(space))
					req.Data.Run = newRunID()
					queue[i] = c.queue(req)
				})
				var wg sync.WaitGroup
				for _, w := range queue {
					wg.Go(func() { release(b, w.get()) })
				}
				release(b, l)
				wg.Wait()
			}
		})
	}
}
