// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

// The recipe: joining the queue, waiting, durable locks, breaking.
var lockerMutants = map[string]mutant{
	"a create without an answer is sent again": {
		file: "locker/join.go", from: "; found || err != nil {", to: "; found && err != nil {",
		test: "locker TestEachRequestIsStruck/take_a_free_lock_in_a_directory/reply_lost", finds: "the acquire ended with|lost its place",
	},
	"another's znode of the same name is taken for ours": {
		file: "locker/wait.go", from: "EphemeralOwner != owner || ", to: "EphemeralOwner != owner && owner == -1 || false && ",
		test: "locker TestAWaiterIsReplacedInTheQueue", finds: "was replaced",
	},
	"a waiter holds by a read": {
		file: "locker/wait.go", from: "return n.confirm(ctx)", to: "return nil",
		test: "locker TestAWaiterHoldsOnlyByTheWordOfAQuorum", finds: "without the word of a quorum|in vain for a request",
	},
	"an answer that comes after the session's end is believed": {
		file: "locker/acquire.go", from: "first && s.Alive() == nil && zookeeper.Now().Sub(begin) < s.Timeout()/4", to: "first && zookeeper.Now() >= begin",
		test: "locker TestALateAnswerIsNoLock", finds: "the lock is",
	},
	"a durable lock passes a gem that queued just before it": {
		file: "locker/durable.go", from: "maybeDurable && !gem {", to: "maybeDurable {",
		test: "locker TestPromotionGivesWayToGem", finds: "wait for the end of",
	},
	"a durable lock behind a gem keeps its old token": {
		file: "locker/durable.go", from: "n.token, n.data.HeldSince = 0, time.Time{}", to: "n.data.HeldSince = time.Time{}",
		test: "locker TestPromotionGivesWayToGem", finds: "with token",
	},
	"a promotion without an answer is forgotten with its session": {
		file: "locker/acquire.go", from: "durable, err := n.rejoin(ctx, s)", to: "if n.prefix != \"\" {\n\t\tw.node = nil\n\t\treturn nil\n\t}\n\tdurable, err := n.rejoin(ctx, s)",
		test: "locker TestEachRequestIsStruck/take_a_durable_lock/reply_lost_and_session_expired", finds: "the acquire ended with",
	},
	"a reader passes a writer": {
		file: "locker/contender.go", from: "|| queue[j].Mode != Shared {", to: "|| queue[j].Mode == Semaphore {",
		test: "locker TestReadersDoNotPassAWaitingWriter", finds: "has ended|neither waits nor ends",
	},
	"any znode can be released as a durable lock": {
		file: "locker/durable.go", from: "if entry.Session != 0 || !entry.Data.Durable {", to: "if entry.Session != 0 && entry.Data.Durable {",
		test: "locker TestRemoveDurableIsForDurableLocksOnly", finds: "an ephemeral lock",
	},
	"a new description overwrites what was written meanwhile": {
		file: "locker/durable.go", from: "s.Set(ctx, znode, data.encode(), node.Stat.Version)", to: "s.Overwrite(ctx, znode, data.encode())",
		test: "locker TestDescribeDurableAfterAnotherOne", finds: "bob|late|Owner",
	},
	"a break removes a znode that was changed": {
		file: "locker/break.go", from: "zookeeper.DeleteUnchanged(b.req.Znode, node.Stat.Version)", to: "zookeeper.Delete(b.req.Znode)",
		test: "locker TestBreakRefusesWhatHasChanged", finds: "changed|ends|was",
	},
}
