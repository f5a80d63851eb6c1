// Package holder keeps the locks of a run for as long as the run lasts.
//
// A provider process ends while the work it guards still goes on, so it holds
// nothing itself: it starts a holder process, a copy of its own executable that
// is detached from it and watches Terraform ([Process] on the provider's side,
// [Hold] on the other). Where the provider is served inside a test or a
// debugger, the same holder runs in that process ([Local]).
//
// The package knows processes, the pipe between them and which locks are held.
// It must not know Terraform's plugin protocol or how a lock is taken.
package holder
