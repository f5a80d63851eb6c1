// SPDX-License-Identifier: MPL-2.0

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
//
// For readers of etcd's concurrency package: [Acquire] is Mutex.Lock, [Lock] is the locked
// Mutex, a node is its key, and a [zookeeper.Session] is the Session. Beyond that package
// there are shared locks and semaphores, locks that are durable, the names of other
// clients, and answers to lost replies and lost sessions.
//
// Each file uses only the files below it in this list, as TestLayers checks:
//
//	break.go          ends the hold of another run, and tells that run why
//	follow.go         all locks, again after each change
//	list.go           all locks
//	acquire.go        Acquire: joins the queue, waits, promotes; starts again with a new session
//	lock.go           a held lock: its loss and its release
//	durable.go        makes our node durable; changes and releases durable locks
//	inspect.go        one lock, or one contender, as it is now
//	wait.go           waits until our node holds the lock
//	deadlock_look.go  which run waits for which: the requests
//	deadlock.go       which run waits for which: the rules
//	watches.go        the watches over the contenders before us
//	join.go           creates our node, also where a reply or the session is lost
//	node.go           our node: create, find, remove
//	directory.go      the lock's directory: create, check, remove
//	request.go        what Acquire is asked for
//	errors.go         why there is no lock, in words
//	text.go           a contender, and what a break has done, in words
//	entry.go          a contender and what its znode says
//	data.go           what a znode says
//	path.go           paths of roots, directories and znodes
//	contender.go      names of contenders, and their order
package locker
