package provider

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// Defaults, limits, enumerations and texts of the arguments that the lock
// resource and the ephemeral block share. Each is said here once, for the
// validators, the schemas and the documentation.

const (
	defaultLockwait = 0 // seconds
	maxLockwait     = int64(locker.MaxWait / time.Second)
	defaultRequired = true
)

// holdUntil is when a resource lets its lock go.
type holdUntil string

const (
	// runEnds is the cookbook's promise: the lock ends with the run that took it.
	runEnds holdUntil = "run_ends"
	// destroyed makes the lock durable.
	destroyed holdUntil = "destroyed"

	defaultHoldUntil = runEnds
)

var holdUntils = []holdUntil{runEnds, destroyed}

// onLost is what happens when a lock is lost while it should be held.
type onLost string

const (
	interrupt   onLost = "interrupt"
	carryOn     onLost = "continue"
	defaultLoss        = interrupt
)

var onLosts = []onLost{interrupt, carryOn}

// modes are what mode can be; a semaphore is asked for by its slots.
var modes = []locker.Mode{locker.Exclusive, locker.Shared}

const (
	defaultMode = locker.Exclusive
	maxSlots    = locker.MaxSlots
)

var layouts = []locker.Layout{locker.Standard, locker.Curator}

const defaultLayout = locker.Standard

// oneOf is the validator of an enumeration.
func oneOf[T ~string](values []T) []validator.String {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	return []validator.String{stringvalidator.OneOf(names...)}
}

// Validators of the shared arguments.
func lockIDValidators() []validator.String { return []validator.String{lockIDValidator{}} }

func connectStringValidators() []validator.String {
	return []validator.String{connectStringValidator{}}
}

func lockwaitValidators() []validator.Int64 {
	return []validator.Int64{int64validator.Between(-1, maxLockwait)}
}

func maxHoldValidators() []validator.Int64 {
	return []validator.Int64{int64validator.Between(1, maxLockwait)}
}

func infoValidators() []validator.String {
	return []validator.String{stringvalidator.LengthAtMost(locker.MaxInfo)}
}

func modeValidators() []validator.String {
	return append(oneOf(modes), stringvalidator.ConflictsWith(path.MatchRoot("slots")))
}

func slotsValidators() []validator.Int64 {
	return []validator.Int64{int64validator.Between(1, maxSlots)}
}

// Texts of the shared arguments.
var (
	lockIDText    = "The lock's name. `/` becomes `__` in the znode's name, as in the Ruby `zk` gem."
	lockwaitText  = fmt.Sprintf("Seconds to queue for the lock: 0 tries once, -1 waits without limit. Default %d.", defaultLockwait)
	zookeeperText = "This lock's own connect string, in place of the provider's."
	requiredText  = fmt.Sprintf("Whether it is an error if someone else holds the lock when `lockwait` is over. `false` makes it a warning, "+
		"and `held` is `false`: guard on that. Default `%t`.", defaultRequired)
	onLostText = strings.Join([]string{
		fmt.Sprintf("What to do if the lock is lost before it is let go, because the session expired, no server answered for a session timeout, or the znode was deleted. "+
			"`%s` interrupts Terraform as Ctrl-C does, so that it starts nothing new;", interrupt),
		fmt.Sprintf("`%s` only says so. Default `%s`.", carryOn, defaultLoss),
		"On Windows no process can be interrupted: the run goes on, and each plan warns of that.",
	}, " ")
	modeText = fmt.Sprintf("`%s`, the default: nobody else holds the lock. `%s`: others with that mode may hold it at the same time. "+
		"Whoever comes after a waiting `%[1]s` one waits for it.", defaultMode, locker.Shared)
	slotsText  = fmt.Sprintf("Makes the lock a semaphore: at most this many (1 to %d) hold it at once. All who share it must say the same number. Not with `mode`.", maxSlots)
	layoutText = fmt.Sprintf("How the lock's znode is named. `%s`, the default, is what the Ruby `zk` gem, Kazoo and go-zookeeper read; "+
		"`%s` is for directories shared with Curator's `InterProcessMutex`, for exclusive locks only. All who share a lock must recognize each other's names.", locker.Standard, locker.Curator)
	maxHoldText = "Seconds after which the run is interrupted, as Ctrl-C does, if it holds the lock still: a run that hangs does not keep others out for good. " +
		"Whoever waits sees until when. The lock is held until the run has ended. Without it there is no limit. On Windows no process can be interrupted."
	infoText  = "Free text, shown to whoever waits for the lock. Not for secrets: everyone who can read ZooKeeper can read it."
	heldText  = "Whether this run holds the lock."
	znodeText = "Absolute path of the lock's znode. Null while it is not held."
	tokenText = "A number that grows with every hold of the lock. Give it to what is guarded, so that it can reject a writer that is late. Null while the lock is not held."
)
