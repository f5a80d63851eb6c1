// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// Each default, limit, enumeration and text of an argument is declared once in this file,
// for the validators, the schemas and the documentation.

const (
	defaultLockwait = 0 // seconds
	maxLockwait     = int64(locker.MaxWait / time.Second)
	defaultRequired = true
	defaultHold     = true
	defaultMode     = locker.Exclusive
	maxSlots        = locker.MaxSlots
	defaultLayout   = locker.Standard
)

// holdUntil says when a resource releases its lock.
type holdUntil string

const (
	runEnds   holdUntil = "run_ends"
	destroyed holdUntil = "destroyed" // such a lock is durable

	defaultHoldUntil = runEnds
)

// onLost says what happens when a lock is lost.
type onLost string

const (
	interrupt   onLost = "interrupt"
	carryOn     onLost = "continue"
	defaultLoss        = interrupt
)

var (
	holdUntils = []holdUntil{runEnds, destroyed}
	onLosts    = []onLost{interrupt, carryOn}
	modes      = []locker.Mode{locker.Exclusive, locker.Shared} // slots ask for a semaphore
	layouts    = []locker.Layout{locker.Standard, locker.Curator}
)

// oneOf is the validator of an enumeration.
func oneOf[T ~string](values []T) validator.String {
	return stringvalidator.OneOf(names(values)...)
}

// names are the values of an enumeration.
func names[T ~string](values []T) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = string(v)
	}
	return all
}

// argument declares an argument for the schemas of all blocks that have it.
type argument struct {
	text     string
	required bool
	value    any                // the default: a string, an int64 or a bool; nil for none
	strings  []validator.String // of a string
	numbers  []validator.Int64  // of a number, which has at least one
}

// isNumber tells whether the argument is a number. It is a string if it is neither that nor a bool.
func (a argument) isNumber() bool { return len(a.numbers) > 0 }

func (a argument) isBool() bool { _, ok := a.value.(bool); return ok }

// says is the argument with more text.
func (a argument) says(more string) argument {
	a.text += " " + more
	return a
}

// The arguments that several blocks have.
var (
	argLockID = argument{
		text:     "The lock's name. `/` becomes `__` in the znode's name, as in the Ruby `zk` gem.",
		required: true,
		strings:  []validator.String{lockName},
	}
	argLockwait = argument{
		text:    fmt.Sprintf("Seconds to wait for the lock: 0 tries once, -1 waits without limit. Default %d.", defaultLockwait),
		value:   int64(defaultLockwait),
		numbers: []validator.Int64{int64validator.Between(-1, maxLockwait)},
	}
	argZooKeeper = argument{
		text:    "A connect string for this block, instead of the provider's.",
		strings: []validator.String{connectString},
	}
	argMode = argument{
		text: fmt.Sprintf("`%s`, the default: nobody else holds the lock. `%s`: others with that mode may hold it at the same time. "+
			"They wait behind an `%[1]s` waiter that came before them.", defaultMode, locker.Shared),
		strings: []validator.String{oneOf(modes), stringvalidator.ConflictsWith(path.MatchRoot("slots"))},
	}
	argSlots = argument{
		text:    fmt.Sprintf("Makes the lock a semaphore: at most this many (1 to %d) hold it at once. All who share it must name the same number. Not with `mode`.", maxSlots),
		numbers: []validator.Int64{int64validator.Between(1, maxSlots)},
	}
	argLayout = argument{
		text: fmt.Sprintf("How the lock's znode is named. `%s`, the default: so that the Ruby `zk` gem, Kazoo and go-zookeeper recognize it. "+
			"`%s`: for directories shared with Curator's `InterProcessMutex`, and for exclusive locks only. All who share a lock must recognize each other's names.", locker.Standard, locker.Curator),
		strings: []validator.String{oneOf(layouts)},
	}
	argOnLost = argument{
		text: fmt.Sprintf("What to do if the lock is lost: because its session ended, because no server answered for too long, or because somebody deleted its znode. "+
			"`%s` interrupts Terraform as Ctrl-C does, so that it starts nothing new. `%s` only says so. Default `%s`. ", interrupt, carryOn, defaultLoss) +
			"On Windows no process can be interrupted: the run goes on, and each plan warns of that.",
		value:   string(defaultLoss),
		strings: []validator.String{oneOf(onLosts)},
	}
	argMaxHold = argument{
		text: "Seconds after which the run is interrupted, as Ctrl-C does, if it still holds the lock. So a run that hangs does not keep others waiting without end. " +
			"Those who wait see until when. The lock is held until the run has ended. Default: no limit. On Windows no process can be interrupted.",
		numbers: []validator.Int64{int64validator.Between(1, maxLockwait)},
	}
	argInfo = argument{
		text:    "Free text, shown to those who wait for the lock. Not for secrets: everyone who can read ZooKeeper can read it.",
		strings: []validator.String{stringvalidator.LengthAtMost(locker.MaxInfo)},
	}
	argRequired = argument{
		text: fmt.Sprintf("Whether it is an error if somebody else still holds the lock when `lockwait` is over. With `false` it is a warning, "+
			"and `held` is `false`: let what the lock guards look at that. Default `%t`.", defaultRequired),
		value: defaultRequired,
	}
	argPrefix = argument{
		text: "Only locks whose names begin with this. `/` is the same as `__`, as in `lockid`. Default: all locks.",
	}
)

// takeArguments are the arguments of every block that takes a lock.
func takeArguments() map[string]argument {
	return map[string]argument{
		"lockid":    argLockID,
		"lockwait":  argLockwait,
		"zookeeper": argZooKeeper,
		"mode":      argMode,
		"slots":     argSlots,
		"layout":    argLayout.says("Default: the provider's."),
		"on_lost":   argOnLost,
		"max_hold":  argMaxHold,
		"info":      argInfo,
	}
}

// listArguments are the arguments of every block that lists locks.
func listArguments() map[string]argument {
	return map[string]argument{"prefix": argPrefix, "zookeeper": argZooKeeper}
}

// Texts of the attributes that the blocks compute.
const (
	heldText  = "Whether this run holds the lock."
	znodeText = "Absolute path of the lock's znode. Null while the lock is not held."
	tokenText = "A number that grows with each hold of the lock. Give it to what the lock guards, so that it can reject a late writer. Null while the lock is not held."
)
