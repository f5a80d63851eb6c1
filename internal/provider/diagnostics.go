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

// What is done with a lock.
const (
	taking     = "Taking"
	reading    = "Reading"
	describing = "Describing"
	releasing  = "Releasing"
	importing  = "Importing"
	breaking   = "Breaking"
)

// explain turns an error about a lock into a diagnostic that says what failed,
// what to do, and the original error. Nothing in it can garble a terminal.
func explain(what string, t target, err error) diag.Diagnostic {
	return clean(explanation(what, t, err))
}

// clean is an error without what garbles a terminal.
func clean(d diag.Diagnostic) diag.Diagnostic {
	detail := zookeeper.Clean(d.Detail())
	if at, ok := d.(diag.DiagnosticWithPath); ok {
		return diag.NewAttributeErrorDiagnostic(at.Path(), d.Summary(), detail)
	}
	return diag.NewErrorDiagnostic(d.Summary(), detail)
}

func explanation(what string, t target, err error) diag.Diagnostic {
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
		lockID      = path.Root("lockid")
		origin      = fmt.Sprintf("\n\nError: %v", err)
	)
	switch {
	case errors.As(err, &busy):
		return diag.NewAttributeErrorDiagnostic(lockID, "Lock Is Held", busyDetail(busy)+leftDetail(err))
	case errors.As(err, &deadlock):
		return diag.NewAttributeErrorDiagnostic(lockID, "Deadlock", deadlockDetail(t.lockID, deadlock)+leftDetail(err))
	case errors.As(err, &conflict):
		return diag.NewAttributeErrorDiagnostic(lockID, "Lock Held In Another Way By This Run",
			fmt.Sprintf("Another block of this run has lock %q, or waits for it, as %s. It cannot be had as %s at the same time.\n\n"+
				"A run takes a lock once, and its blocks share it. An exclusive lock includes a shared one; a durable lock is not shared with another durable one. "+
				"Let the first block that takes the lock ask for what all of them need.", t.lockID, conflict.Held, conflict.Asked))
	case errors.As(err, &interrupted):
		why := interrupted.Cause
		if interrupted.LockID != "" {
			why = fmt.Sprintf("lock %q (%s) was lost at %s: %s", interrupted.LockID, interrupted.Znode, interrupted.At.Format(time.RFC3339), interrupted.Cause)
		}
		return diag.NewErrorDiagnostic("Run Gets No More Locks",
			fmt.Sprintf("Could not take lock %q: this run gets no more locks, because %s.\n\nCheck what this run's locks guard, then run again.", t.lockID, why))
	case errors.As(err, &silent):
		return diag.NewErrorDiagnostic("Lock Holder Does Not Answer",
			fmt.Sprintf("%s of lock %q failed: the process that holds this run's locks, with process id %d, does not answer. "+
				"It may be stopped. Continue it with kill -CONT %[3]d; or end this run, and then that process, with which the run's locks go.", what, t.lockID, silent.PID))
	case errors.As(err, &noRun):
		return diag.NewErrorDiagnostic("Run Not Found", fmt.Sprintf("%s of lock %q failed. %s", what, t.lockID, runNotFound(noRun.err)))
	case errors.As(err, &differ):
		return diag.NewAttributeErrorDiagnostic(path.Root("slots"), "Contenders Disagree About Slots",
			fmt.Sprintf("%v\n\nAll who share a lock must ask for the same number of slots, or for none.", err))
	case errors.As(err, &connect):
		return diag.NewAttributeErrorDiagnostic(path.Root(settingZooKeeper.attribute), "ZooKeeper Cannot Be Reached",
			fmt.Sprintf("%s of lock %q failed: no session could be had with %s.\n\n%s%s\n\nCause: %v",
				what, t.lockID, strings.Join(connect.Servers, ", "), cmp.Or(connect.Hint, checkConnection), goneForGood(t), connect.Cause))
	case errors.Is(err, holder.ErrUnconfirmed):
		return diag.NewAttributeErrorDiagnostic(path.Root(settingZooKeeper.attribute), "ZooKeeper Does Not Answer",
			fmt.Sprintf("%s of lock %q failed: none of %s has confirmed it within %v, and it may have been done or not. Check that a quorum of the servers is up, then run again.%s",
				what, t.lockID, strings.Join(t.ensemble.Servers, ", "), t.ensemble.ConnectTimeout, goneForGood(t)))
	case errors.As(err, &elsewhere):
		return diag.NewAttributeErrorDiagnostic(path.Root(settingZooKeeper.attribute), "Lock Is In Another Ensemble",
			fmt.Sprintf("%s of lock %q failed. It was taken from the ZooKeeper at %s, as %s. The configuration now names %s, and there is no such znode there. Unless somebody has freed it, the lock is still held.\n\n"+
				"  - If all of these are servers of one ensemble, and the lock is gone: name one of the former servers as well, and run again.\n"+
				"  - To move the lock, or to free it: name the former servers, destroy this resource (terraform destroy -target=ADDRESS, or remove its block and apply), and then name the new servers.\n"+
				"  - If the former ensemble is gone for good: terraform state rm ADDRESS. The next apply takes the lock from the ensemble that is named now.\n\n"+
				"ADDRESS is the address of this resource, such as clocker_lock.NAME.",
				what, t.lockID, strings.Join(elsewhere.then, ", "), elsewhere.znode, strings.Join(elsewhere.now, ", ")))
	case errors.As(err, &lost):
		return diag.NewErrorDiagnostic("Lock Was Lost",
			fmt.Sprintf("Lock %q was lost at %s, while this run should have held it: %s\n\n"+
				"Since then another run may have worked at the same time. Check what it guards before running again.",
				t.lockID, lost.At.Format(time.RFC3339), lost.Cause))
	case errors.Is(err, zookeeper.ErrNoAuth):
		return diag.NewAttributeErrorDiagnostic(lockID, "No Permission For Lock",
			fmt.Sprintf("%s of lock %q failed: ZooKeeper does not let this client read or change %s. %s\n\n"+
				"A lock that was taken with acl = %q is its user's alone: nobody else can take, release or break it, but the data source shows everyone who holds it. "+
				"Connect as that user, or ask whoever owns the znode to widen its ACL.%s", what, t.lockID, t.dir, whoWeAre(t.ensemble), aclCreator, origin))
	case errors.Is(err, zookeeper.ErrAuthRequired):
		return diag.NewErrorDiagnostic("Authentication Required",
			fmt.Sprintf("%s of lock %q failed: the servers serve only clients that authenticate, and do not accept how this one did. %s%s", what, t.lockID, howToAuthenticate(t.ensemble), origin))
	case errors.Is(err, zookeeper.ErrLocalSession):
		return diag.NewAttributeErrorDiagnostic(path.Root(settingZooKeeper.attribute), "Servers Keep Sessions Local",
			fmt.Sprintf("%s of lock %q failed: each server keeps the sessions of its clients to itself (localSessionsEnabled), and such a session cannot hold a lock. "+
				"Set localSessionsUpgradingEnabled = true in the servers' zoo.cfg, or leave out localSessionsEnabled there.%s", what, t.lockID, origin))
	case errors.Is(err, locker.ErrNotReserved):
		return diag.NewAttributeErrorDiagnostic(lockID, "Lock Is Open To Others",
			fmt.Sprintf("%s of lock %q failed: acl is %q, but %s was there already and others may change it, so they could take or break the lock. "+
				"All who share a lock have to use the same acl and the same user. Once nobody holds the lock, delete its directory, or restrict its ACL.%s", what, t.lockID, aclCreator, t.dir, origin))
	case errors.Is(err, zookeeper.ErrEphemeralParent):
		return diag.NewAttributeErrorDiagnostic(lockID, "Lock Below An Ephemeral Znode",
			fmt.Sprintf("%s of lock %q failed: %s, or a znode above it, is an ephemeral one of another program, which can have no children. "+
				"Choose another lockid, or another lock_root of the provider.%s", what, t.lockID, t.dir, origin))
	case errors.Is(err, zookeeper.ErrQuotaExceeded):
		return diag.NewAttributeErrorDiagnostic(lockID, "Quota Exceeded",
			fmt.Sprintf("%s of lock %q failed: a quota on %s, or on a znode above it, does not admit another znode. "+
				"Whoever may write below /zookeeper/quota has set it and can change it: everyone, unless an operator has restricted that znode. "+
				"Raise the quota with setquota of zkCli, or remove it with delquota, or choose another lock_root of the provider.%s", what, t.lockID, t.dir, origin))
	case errors.Is(err, zookeeper.ErrInvalidACL):
		return diag.NewErrorDiagnostic("User Not Known To ZooKeeper",
			fmt.Sprintf("%s of lock %q failed: acl is %q, but the servers take this client for nobody, so that there is nobody to reserve the lock for. "+
				"Check username and password, kerberos or digest_md5, or that the servers take client certificates for users.%s", what, t.lockID, aclCreator, origin))
	case errors.Is(err, context.Canceled) && what == releasing:
		return diag.NewErrorDiagnostic("Interrupted",
			fmt.Sprintf("%s of lock %q was interrupted, and ZooKeeper has not confirmed it yet: a durable lock may be held still. Destroy it again then.%s", what, t.lockID, origin))
	case errors.Is(err, context.Canceled):
		return diag.NewErrorDiagnostic("Interrupted",
			fmt.Sprintf("%s of lock %q was interrupted; the lock is not held.%s", what, t.lockID, origin))
	case errors.Is(err, holder.ErrEnded):
		return diag.NewErrorDiagnostic("Lock Holder Ended",
			fmt.Sprintf("%s of lock %q failed: the process that holds this run's locks has ended, and its locks with it. Run Terraform again.%s", what, t.lockID, origin))
	default:
		return diag.NewErrorDiagnostic("Lock Failed", fmt.Sprintf("%s of lock %q in %s failed.%s", what, t.lockID, t.dir, origin))
	}
}

// runError says why the run is not known.
type runError struct{ err error }

func (e *runError) Error() string { return e.err.Error() }
func (e *runError) Unwrap() error { return e.err }

// runNotFound says what is wrong, and what to do.
func runNotFound(err error) string {
	return fmt.Sprintf("A lock is held until this run of Terraform ends, but its process cannot be found (%v). "+
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

// goneForGood says what to do about a durable lock of servers that will not come back:
// without them it can be neither read nor destroyed.
func goneForGood(t target) string {
	if !t.durable {
		return ""
	}
	return "\n\nIf this ZooKeeper is gone for good, so is the lock. Then remove the block from the state, which asks no server: " +
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
		fmt.Fprintf(&b, "\nIt did not become free within lockwait = %d seconds, and we were at place %d of the queue.", int64(busy.Waited.Seconds()), busy.Place)
	} else {
		fmt.Fprintf(&b, "\nlockwait is 0, so this was the only try; we would have been at place %d of the queue.", busy.Place)
	}
	if len(durable) > 0 {
		b.WriteString(durableDetail(busy.LockID, durable[0]))
		return b.String()
	}
	b.WriteString(" Run again later, or set lockwait to the number of seconds to queue (-1: without limit).")
	b.WriteString("\n\nIf that run has ended and was the main process of a container, nothing was left to release its lock: it is free when its session times out. " +
		"The ephemeral block releases its lock before the run ends.")
	return b.String()
}

func deadlockDetail(lockID string, deadlock *locker.DeadlockError) string {
	var b strings.Builder
	it := "it"
	if deadlock.LockID != lockID { // this run has given up all that it waited for
		it = fmt.Sprintf("lock %q", deadlock.LockID)
	}
	fmt.Fprintf(&b, "Lock %q was not taken, because waiting for %s would never end:\n", lockID, it)
	for _, line := range deadlock.Tell() {
		fmt.Fprintf(&b, "  - %s\n", line)
	}
	b.WriteString("\nThis run was the last one to queue. It gave up all that it waited for, so that the others can go on when it has ended. Run it again then.\n\n" +
		"To keep this from happening, have all configurations take these locks in the same order: let each lock's block depend on the one before it (depends_on).")
	return b.String()
}

// durableDetail says how a durable lock becomes free. It does not by waiting.
func durableDetail(lockID string, e locker.Entry) string {
	by := cmp.Or(e.Data.Owner, "an unnamed client")
	if e.Data.Host != "" {
		by += " on host " + e.Data.Host
	}
	if e.Data.Info != "" {
		by += fmt.Sprintf(" (%q)", e.Data.Info)
	}
	return fmt.Sprintf(" Waiting may not help: the lock is durable (hold_until = %q), so it stays until it is destroyed, though the run that took it has ended.\n\n"+
		"It was taken by the configuration of %s. To free it:\n"+
		"  - There, run terraform destroy, or remove the block of the lock and apply.\n"+
		"  - If that configuration has no state any more: import the lock by its id %q into a configuration, and destroy it with that.\n"+
		"  - If it is this resource's own, and marked as tainted: terraform untaint.\n"+
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

// checkConnection is the advice where the cause asks for no other.
const checkConnection = "Check the connect string, that a server of the ensemble is up, and that this machine may connect to it."

// howToAuthenticate is the advice where the servers require authentication.
func howToAuthenticate(cfg zookeeper.Config) string {
	const sasl = "They may require SASL (sessionRequireClientSASLAuth, or enforce.auth.schemes=sasl): then set the kerberos block, or digest_md5"
	switch {
	case cfg.Kerberos != nil || cfg.SASL != zookeeper.SASLUser{}:
		return "Authentication by SASL is not enough for them. They may require a client certificate: then set cert_file and key_file in tls. Or a user of the digest scheme: then set username and password in the place of SASL."
	case cfg.Auth.Username != "":
		return "A username and a password are not enough for them. " + sasl + ", or a client certificate: then set cert_file and key_file in tls."
	case cfg.TLS != nil && cfg.TLS.HasCertificate():
		return "A client certificate is not enough for them. " + sasl + ", or a user: then set username and password."
	default:
		return "Set username and password, if they accept the digest scheme, or cert_file and key_file in tls, if they accept certificates. " + sasl + "."
	}
}

// whoWeAre says for whom the servers take a client.
func whoWeAre(cfg zookeeper.Config) string {
	switch {
	case cfg.Kerberos != nil:
		return "It is the user whom the kerberos block names, by the whole principal, with the host in it if it has one. To have the servers leave the host out, set kerberos.removeHostFromPrincipal = true there."
	case cfg.SASL != zookeeper.SASLUser{}:
		return fmt.Sprintf("It is the user %q of digest_md5.", cfg.SASL.Username)
	case cfg.Auth.Username != "":
		return fmt.Sprintf("It is the user %q. ZooKeeper does not check passwords: with another one that is another user.", cfg.Auth.Username)
	case cfg.TLS != nil && cfg.TLS.HasCertificate():
		return "It is whom the servers take the client certificate for, if they do; it has no username."
	default:
		return "It is nobody: set username and password, kerberos, digest_md5, or a client certificate in tls."
	}
}
