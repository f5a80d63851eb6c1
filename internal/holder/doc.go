// Package holder keeps the locks of a run for as long as the run lasts.
//
// A provider process ends while the work it guards still goes on, so it holds
// nothing itself. Each run has one holder process ([Main]), a detached copy of the
// provider's executable that watches Terraform. It is found by a local socket that
// is named by the run: whoever listens there is the run's holder, and every
// provider process of the run connects to it ([Process]), or starts it. The holder
// has a sentinel, which interrupts the run if the holder is killed. In a test or a
// debugger the same holder works inside the provider's process ([Local]).
//
// The package knows processes, the socket between them and which locks are held.
// It must not know Terraform's plugin protocol or how a lock is taken.
package holder
