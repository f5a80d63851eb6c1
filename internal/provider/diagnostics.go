// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// What could not be done with a lock.
const (
	taking     = "take"
	reading    = "read"
	describing = "describe"
	releasing  = "release"
	importing  = "import"
	breaking   = "break"
)

// explain turns an error about a lock into a diagnostic that says what failed,
// what to do, and the original error. Nothing in it can garble a terminal.
func explain(what string, req holder.Request, err error) diag.Diagnostic {
	return clean(explanation(what, req, err))
}

// clean removes what garbles a terminal from an error.
func clean(d diag.Diagnostic) diag.Diagnostic {
	detail := zookeeper.Clean(d.Detail())
	if at, ok := d.(diag.DiagnosticWithPath); ok {
		return diag.NewAttributeErrorDiagnostic(at.Path(), d.Summary(), detail)
	}
	return diag.NewErrorDiagnostic(d.Summary(), detail)
}

func explanation(what string, req holder.Request, err error) diag.Diagnostic {
	var (
		busy        *locker.BusyError
		deadlock    *locker.DeadlockError
		differ      *locker.DisagreeError
		connect     *zookeeper.ConnectError
		lost        *holder.LostError
		conflict    *holder.ConflictError
		interrupted *holder.InterruptedError
		silent      *holder.SilentError
		elsewhere   *elsewhereError
		noRun       *runError
		lock, dir   = req.Lock.LockID, req.Lock.Dir
		could       = fmt.Sprintf("Could not %s lock %q", what, lock)
		origin      = fmt.Sprintf("\n\nError: %v", err)
	)
	// problem is an error with the reason after what could not be done.
	problem := func(summary, format string, args ...any) diag.Diagnostic {
		return diag.NewErrorDiagnostic(summary, could+fmt.Sprintf(format, args...))
	}
	problemOf := func(attribute, summary, format string, args ...any) diag.Diagnostic {
		return diag.NewAttributeErrorDiagnostic(path.Root(attribute), summary, could+fmt.Sprintf(format, args...))
	}
	zk := settingZooKeeper.attribute
	switch {
	case errors.As(err, &busy):
		return diag.NewAttributeErrorDiagnostic(path.Root("lockid"), "Lock Is Held", busyDetail(busy)+leftDetail(err))
	case errors.As(err, &deadlock):
		return diag.NewAttributeErrorDiagnostic(path.Root("lockid"), "Deadlock", deadlockDetail(lock, deadlock)+leftDetail(err))
	case errors.As(err, &conflict):
		return problemOf("lockid", "Lock Held In Another Way By This Run", ": another block of this run holds it, or waits for it, as %s. This block asks for %s.\n\n"+
			"A run takes a lock once, and its blocks share it. An exclusive lock includes a shared one; a durable lock is not shared with another durable one. "+
			"Let the first block that takes the lock ask for what all of them need.", conflict.Held, conflict.Asked)
	case errors.As(err, &interrupted):
		why := interrupted.Cause
		if interrupted.LockID != "" {
			why = fmt.Sprintf("lock %q (%s) was lost at %s: %s", interrupted.LockID, interrupted.Znode, interrupted.At.Format(time.RFC3339), interrupted.Cause)
		}
		return problem("Run Gets No More Locks", ": this run gets no more locks, because %s.\n\nCheck what this run's locks guard, then run again.", why)
	case errors.As(err, &silent):
		return problem("Lock Holder Does Not Answer", ": the process that holds this run's locks, with process id %d, does not answer. "+
			"It may be stopped. Continue it with kill -CONT %[1]d. Or end this run and then that process; the run's locks end with it.", silent.PID)
	case errors.As(err, &noRun):
		return problem("Run Not Found", ". %s", runNotFound(noRun.err))
	case errors.As(err, &differ):
		return diag.NewAttributeErrorDiagnostic(path.Root("slots"), "Contenders Disagree About Slots",
			fmt.Sprintf("%v\n\nAll who share a lock must ask for the same number of slots, or for none.", err))
	case errors.As(err, &connect):
		return problemOf(zk, "ZooKeeper Cannot Be Reached", ": could not connect to %s.\n\n%s%s\n\nCause: %v",
			strings.Join(connect.Servers, ", "), cmp.Or(connect.Hint, checkConnection), goneForGood(req), connect.Cause)
	case errors.Is(err, holder.ErrUnconfirmed):
		return problemOf(zk, "ZooKeeper Does Not Answer", ": none of %s confirmed it within %v, so it may have been done or not. Check that a quorum of the servers is up, then run again.%s",
			strings.Join(req.Ensemble.Servers, ", "), req.Ensemble.ConnectTimeout, goneForGood(req))
	case errors.As(err, &elsewhere):
		return problemOf(zk, "Lock Is In Another Ensemble", ". It was taken from the ZooKeeper at %s, as %s. The configuration now names %s, where there is no such znode. Unless somebody has freed it, the lock is still held.\n\n"+
			"  - If all of these are servers of one ensemble, and the lock is gone: name one of the former servers too, and run again.\n"+
			"  - To move the lock, or to free it: name the former servers, destroy this resource (terraform destroy -target=ADDRESS, or remove its block and apply), and then name the new servers.\n"+
			"  - If the former ensemble is gone for good: terraform state rm ADDRESS. The next apply takes the lock from the ensemble that is named now.\n\n"+
			"ADDRESS is the address of this resource, such as clocker_lock.NAME.", strings.Join(elsewhere.then, ", "), elsewhere.znode, strings.Join(elsewhere.now, ", "))
	case errors.As(err, &lost):
		return diag.NewErrorDiagnostic("Lock Was Lost",
			fmt.Sprintf("Lock %q was lost at %s, while this run should have held it: %s\n\n"+
				"Since then another run may have worked at the same time. Check what the lock guards before you run again.", lock, lost.At.Format(time.RFC3339), lost.Cause))
	case errors.Is(err, zookeeper.ErrNoAuth):
		return problemOf("lockid", "No Permission For Lock", ": ZooKeeper does not let this client read or change %s. %s\n\n"+
			"Only its own user can take, release or break a lock that was taken with acl = %q. The data source shows everyone who holds it. "+
			"Connect as that user, or ask the owner of the znode to widen its ACL.%s", dir, whoWeAre(req.Ensemble), aclCreator, origin)
	case errors.Is(err, zookeeper.ErrAuthRequired):
		return problem("Authentication Required", ": %s%s", howToAuthenticate(req.Ensemble), origin)
	case errors.Is(err, zookeeper.ErrLocalSession):
		return problemOf(zk, "Servers Keep Sessions Local", ": each server keeps the sessions of its clients to itself (localSessionsEnabled), and such a session cannot hold a lock. "+
			"Set localSessionsUpgradingEnabled = true in the servers' zoo.cfg, or leave out localSessionsEnabled there.%s", origin)
	case errors.Is(err, locker.ErrNotReserved):
		return problemOf("lockid", "Lock Is Open To Others", ": acl is %q, but others may change %s, which was there before, so they could take or break the lock. "+
			"All who share a lock need the same acl and the same user. Once nobody holds the lock, delete its directory or restrict its ACL.%s", aclCreator, dir, origin)
	case errors.Is(err, zookeeper.ErrEphemeralParent):
		return problemOf("lockid", "Lock Below An Ephemeral Znode", ": %s, or a znode above it, is an ephemeral znode of another program, which can have no children. "+
			"Choose another lockid, or another lock_root of the provider.%s", dir, origin)
	case errors.Is(err, zookeeper.ErrQuotaExceeded):
		return problemOf("lockid", "Quota Exceeded", ": a quota on %s, or on a znode above it, allows no further znode. "+
			"Everyone who may write below /zookeeper/quota can set quotas: that is everyone, unless an operator has restricted that znode. "+
			"Raise the quota with setquota of zkCli, or remove it with delquota, or choose another lock_root of the provider.%s", dir, origin)
	case errors.Is(err, zookeeper.ErrInvalidACL):
		return problem("User Not Known To ZooKeeper", ": acl is %q, but for the servers this client has no user, so they cannot reserve the lock. "+
			"Check username and password, kerberos or digest_md5, or that the servers take client certificates for users.%s", aclCreator, origin)
	case errors.Is(err, context.Canceled) && what == releasing:
		return problem("Interrupted", ": this was interrupted before ZooKeeper confirmed it. A durable lock may still be held: then destroy it again.%s", origin)
	case errors.Is(err, context.Canceled):
		return problem("Interrupted", ": this was interrupted. The lock is not held.%s", origin)
	case errors.Is(err, holder.ErrEnded):
		return problem("Lock Holder Ended", ": the process that holds this run's locks has ended, and its locks with it. Run Terraform again.%s", origin)
	default:
		return problem("Lock Failed", " in %s.%s", dir, origin)
	}
}

// runError says why the run is not known.
type runError struct{ err error }

func (e *runError) Error() string { return e.err.Error() }
func (e *runError) Unwrap() error { return e.err }

// runNotFound says what is wrong, and what to do.
func runNotFound(err error) string {
	return fmt.Sprintf("A lock is held until this run of Terraform ends, but the process of Terraform cannot be found (%v). "+
		"The provider must run on the same machine and in the same pid namespace as Terraform, and be able to read that namespace's /proc. "+
		"If a wrapper starts the provider, let it use exec.", err)
}

// leftDetail says that a znode of this run could not be removed, and what to do about it.
func leftDetail(err error) string {
	var left *locker.LeftError
	if !errors.As(err, &left) {
		return ""
	}
	return fmt.Sprintf("\n\nBesides, %v. Delete it, or others will wait for it.", left)
}

// goneForGood says what to do about a durable lock if the servers will not come back.
// Without them it can be neither read nor destroyed.
func goneForGood(req holder.Request) string {
	if !req.Lock.Durable {
		return ""
	}
	return "\n\nIf this ZooKeeper is gone for good, so is the lock. Then remove the resource from the state, which asks no server: " +
		"terraform state rm ADDRESS, where ADDRESS is the address of this resource, such as clocker_lock.NAME."
}

func busyDetail(busy *locker.BusyError) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Lock %q is held by:\n", busy.LockID)
	var durable []locker.Entry
	for _, h := range busy.Holders {
		fmt.Fprintf(&b, "  - %s\n", h)
		if isDurable(h) {
			durable = append(durable, h)
		}
	}
	if busy.More > 0 {
		fmt.Fprintf(&b, "  - and %d more\n", busy.More)
	}
	if busy.Waited > 0 {
		fmt.Fprintf(&b, "\nIt did not become free within lockwait = %d seconds. This run was at place %d of the queue.", int64(busy.Waited.Seconds()), busy.Place)
	} else {
		fmt.Fprintf(&b, "\nlockwait is 0, so this run tried only once. It would have been at place %d of the queue.", busy.Place)
	}
	if len(durable) > 0 {
		b.WriteString(durableDetail(busy.LockID, durable[0]))
		return b.String()
	}
	b.WriteString(" Run again later, or set lockwait to the number of seconds to wait (-1: without limit).")
	b.WriteString("\n\nIf that run was the main process of a container and has ended, nothing was left to release its lock: it is free when its session times out. " +
		"The ephemeral block releases its lock before the run ends.")
	return b.String()
}

func deadlockDetail(lockID string, deadlock *locker.DeadlockError) string {
	var b strings.Builder
	it := "it"
	if deadlock.LockID != lockID { // this run gave up all that it waited for
		it = fmt.Sprintf("lock %q", deadlock.LockID)
	}
	fmt.Fprintf(&b, "Lock %q was not taken, because waiting for %s would never end:\n", lockID, it)
	for _, line := range deadlock.Tell() {
		fmt.Fprintf(&b, "  - %s\n", line)
	}
	b.WriteString("\nThis run was the last one to queue. It gave up all that it waited for, so that the others can go on when it has ended. Run it again then.\n\n" +
		"To prevent this, let all configurations take these locks in the same order: let each lock's block depend on the one before it (depends_on).")
	return b.String()
}

// durableDetail says how to free a durable lock. Waiting does not free it.
func durableDetail(lockID string, e locker.Entry) string {
	by := cmp.Or(e.Data.Owner, "an unnamed client")
	if e.Data.Host != "" {
		by += " on host " + e.Data.Host
	}
	if e.Data.Info != "" {
		by += fmt.Sprintf(" (%q)", e.Data.Info)
	}
	return fmt.Sprintf(" Waiting may not help: the lock is durable (hold_until = %q). It stays until it is destroyed, even if the run that took it has ended.\n\n"+
		"It was taken by the configuration of %s. To free it:\n"+
		"  - There, run terraform destroy, or remove the block of the lock and apply.\n"+
		"  - If that configuration has lost its state: import the lock by its id %q into a configuration, and destroy it with that.\n"+
		"  - If it is this resource's own lock, and the resource is tainted: terraform untaint.\n"+
		"  - Or, with the provider's settings in the environment: terraform-provider-clocker break %s --znode %s --reason 'WHY'",
		destroyed, by, lockID, shellWord(lockID), shellWord(e.Znode))
}

// shellWord is s as one word of a shell's command line.
func shellWord(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-./:@", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// checkConnection is the advice if there is no better one.
const checkConnection = "Check the connect string, that a server of the ensemble is up, and that this machine may connect to it."

// howToAuthenticate says what to do if the servers require authentication.
func howToAuthenticate(cfg zookeeper.Config) string {
	const (
		require = "the servers require authentication, and "
		sasl    = "They may require SASL (sessionRequireClientSASLAuth, or enforce.auth.schemes=sasl): then set the kerberos block, or digest_md5"
	)
	switch {
	case cfg.Kerberos != nil || cfg.SASL != zookeeper.SASLUser{}:
		return require + "SASL is not enough for them. They may require a client certificate: then set cert_file and key_file in tls. Or a user of the digest scheme: then set username and password instead of SASL."
	case cfg.Auth.Username != "":
		return require + "a username and a password are not enough for them. " + sasl + ", or a client certificate: then set cert_file and key_file in tls."
	case cfg.TLS != nil && cfg.TLS.HasCertificate():
		return require + "a client certificate is not enough for them. " + sasl + ", or a user: then set username and password."
	default:
		return require + "this client has none. Set username and password, if they accept the digest scheme, or cert_file and key_file in tls, if they accept certificates. " + sasl + "."
	}
}

// whoWeAre says which user the servers take this client for.
func whoWeAre(cfg zookeeper.Config) string {
	switch {
	case cfg.Kerberos != nil:
		return "It is the user that the kerberos block names: the whole principal, with its host if it has one. To have the servers leave the host out, set kerberos.removeHostFromPrincipal = true there."
	case cfg.SASL != zookeeper.SASLUser{}:
		return fmt.Sprintf("It is the user %q of digest_md5.", cfg.SASL.Username)
	case cfg.Auth.Username != "":
		return fmt.Sprintf("It is the user %q. ZooKeeper does not check passwords: the same name with another password is another user.", cfg.Auth.Username)
	case cfg.TLS != nil && cfg.TLS.HasCertificate():
		return "It has no username. It is the user of its client certificate, if the servers take certificates for users."
	default:
		return "This client has no user: set username and password, kerberos, digest_md5, or a client certificate in tls."
	}
}
