// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// BenchmarkPair takes a free lock and releases it, ours and go-zookeeper's on the
// same server.
func BenchmarkPair(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		space := zktest.NewSpace(b)
		c := newClient(b, space.Addr())
		release(b, c.lock(dirOf(space)))
		b.ReportAllocs()
		for b.Loop() {
			l, err := Acquire(b.Context(), c.sessions, Request{LockID: "test", Dir: dirOf(space), Data: c.data})
			if err != nil {
				b.Fatal(err)
			}
			if err := l.Release(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("gozookeeper", func(b *testing.B) {
		space := zktest.NewSpace(b)
		conn := space.NewSession(patience)
		l := zk.NewLock(conn, dirOf(space), worldACL)
		b.ReportAllocs()
		for b.Loop() {
			if err := l.Lock(); err != nil {
				b.Fatal(err)
			}
			if err := l.Unlock(); err != nil {
				b.Fatal(err)
			}
		}
		conn.Close()
		space.Delete(testDir)
	})
}

// BenchmarkHandOver is from the release of one to the lock of the next.
func BenchmarkHandOver(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		space := zktest.NewSpace(b)
		here, there := newClient(b, space.Addr()), newClient(b, space.Addr())
		l := here.lock(dirOf(space))
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			w := there.queue(there.request(dirOf(space)))
			b.StartTimer()
			released := make(chan error, 1)
			go func() { released <- l.Release(b.Context()) }()
			next := w.get()
			b.StopTimer()
			if err := <-released; err != nil {
				b.Fatal(err)
			}
			l, here, there = next, there, here
			b.StartTimer()
		}
		release(b, l)
	})
	b.Run("gozookeeper", func(b *testing.B) {
		space := zktest.NewSpace(b)
		here, there := space.NewSession(patience), space.NewSession(patience)
		l := zk.NewLock(here, dirOf(space), worldACL)
		if err := l.Lock(); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			next := zk.NewLock(there, dirOf(space), worldACL)
			locked := make(chan error, 1)
			go func() { locked <- next.Lock() }()
			space.WaitChildren(testDir, 2)
			b.StartTimer()
			released := make(chan error, 1)
			go func() { released <- l.Unlock() }()
			if err := <-locked; err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := <-released; err != nil {
				b.Fatal(err)
			}
			l, here, there = next, there, here
			b.StartTimer()
		}
		if err := l.Unlock(); err != nil {
			b.Fatal(err)
		}
		space.Delete(testDir)
	})
}
