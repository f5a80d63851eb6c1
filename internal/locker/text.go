// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"fmt"
	"strings"
	"time"
)

// Who is the owner in words.
func (e Entry) Who() string {
	switch {
	case e.Unreadable:
		return "a client whose znode this user may not read"
	case e.Data.Owner == "":
		return "an unnamed client"
	default:
		return e.Data.Owner
	}
}

// String tells a person who this is.
func (e Entry) String() string {
	who := e.Who()
	details := []string{}
	if e.Data.Host != "" && !strings.HasSuffix(who, "@"+e.Data.Host) {
		details = append(details, "on host "+e.Data.Host)
	}
	if e.Data.PID != 0 {
		details = append(details, fmt.Sprintf("process %d", e.Data.PID))
	}
	if e.Data.Durable {
		details = append(details, "durable")
	}
	if e.Data.HeldSince.IsZero() {
		details = append(details, "in the queue since "+e.Joined().UTC().Format(time.RFC3339))
	} else {
		details = append(details, "holds it since "+e.Data.HeldSince.UTC().Format(time.RFC3339))
	}
	if until := e.Until(); !until.IsZero() {
		details = append(details, "until "+until.UTC().Format(time.RFC3339)+" at the latest")
	}
	if e.Data.Info != "" {
		details = append(details, fmt.Sprintf("info %q", e.Data.Info))
	}
	details = append(details, "znode "+shown(e.Znode))
	return who + " (" + strings.Join(details, ", ") + ")"
}

// ShownZnode is Znode for people: in quotes and with escapes where it would garble a
// terminal.
func (e Entry) ShownZnode() string { return shown(e.Znode) }

// Broken is what [Break] has done.
type Broken struct {
	Entry Entry // of the holder that was removed
	// Told says that the run that held the lock has read who broke it and why. Only
	// ephemeral holders of this provider are told.
	Told bool
	// Unsure says that the znode is gone, but that the reply was lost that says whether
	// this break removed it.
	Unsure bool
}

// String tells a person what was done.
func (b Broken) String() string {
	text := "Removed " + b.Entry.String() + "."
	switch {
	case b.Unsure:
		return fmt.Sprintf("The znode of %s is gone. The connection was lost before ZooKeeper said whether this break removed it, or somebody else.", b.Entry)
	case b.Told:
		return text + " The run that held the lock was told who did it and why."
	case b.Entry.Session == 0:
		return text + " No run watches a durable lock: the next plan of its configuration shows it as to be created again."
	case b.Entry.Data.Run == "":
		return text + " It is another client's, which is not told why."
	default:
		return text + " It is not known that the run that held the lock has read who did it and why: it may be stopped, cut off, or have ended."
	}
}
