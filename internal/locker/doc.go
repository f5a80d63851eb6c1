// Package locker is the lock recipe: contenders queue as ephemeral sequential
// znodes in the lock's directory, the lowest holds, and each of the others
// watches the one before it (the "Locks" section of the ZooKeeper Recipes).
//
// It knows names, order, waiting and letting go. It must not know Terraform,
// processes, or how a session is opened.
//
// A lock here guards as long as its session lives. It does not stop the holder
// from working on after it has lost the lock: watch [Lock.Lost], and give
// [Lock.Token] to what is guarded so that it can reject a late writer.
package locker
