// SPDX-License-Identifier: MPL-2.0

// Package holder keeps the locks of a run for as long as the run lasts.
//
// A provider process ends while the work that it guards still goes on, so it holds no
// locks itself. Each run has one holder process ([Main]), a detached copy of the
// provider's executable, which watches Terraform. It listens at a local socket whose name
// has the id of the run. Every provider process of the run connects to that socket
// ([Remote]), or starts the holder process. A sentinel interrupts the run if the holder
// process is killed. In a test or a debugger the provider's own process keeps the locks
// ([Local]).
//
// The package knows processes, the socket between them, and which locks are held. It
// must not know Terraform's plugin protocol, or how a lock is taken.
//
// Each file uses only the files below it in this list, as TestLayers checks:
//
//	hold.go             the holder process, and which process this one is
//	watch.go            the sentinel process, once the holder process has ended
//	local.go            Local: the calls of Holder in this process
//	session.go          one connection, in the holder process
//	acquire.go          takes a lock, or gives another grant of it
//	release.go          releases grants, and the lock with the last one
//	loss.go             reports a lost lock
//	remote.go           Remote: the calls of Holder by the holder process
//	reentrant.go        which lock of the run a request shares
//	progress.go         the lines about a wait
//	limit.go            max_hold
//	deadlock.go         gives up waits that would last for ever
//	lock.go             what Local knows of each lock
//	listener.go         the listener process
//	server.go           all connections, in the holder process or the sentinel
//	sentinel.go         the notes for the sentinel
//	connection.go       one connection, in the provider process
//	wire.go             the messages, and their version
//	spawn.go            starts the other processes
//	log.go              the log
//	interrupt.go        interrupts the run, at most once
//	spawn_unix.go       what a system needs for such a start
//	spawn_windows.go
//	peer_linux.go       who is at the other end of a connection
//	peer_bsd.go
//	failure.go          errors in messages
//	refusing.go         the answers of a sentinel
//	address_unix.go     the socket of a run
//	address_windows.go
//	teller.go           tells the user
//	spawn_linux.go      the path of this program, and its descriptors
//	spawn_other.go
//	pace.go             how often somebody is told of a wait
//	order.go            what another process reads first
//	holder.go           Holder, and its errors
package holder
