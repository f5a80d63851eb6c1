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
package holder
