// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/run"
)

// EnvLogPath names the environment variable with the path of the log. Several holder
// processes can append to the same file. Without the variable there is no log.
const EnvLogPath = "CLOCKER_LOG_PATH"

// LogPath is the absolute path of the log, "" for none. A relative path counts from this
// process's working directory: the holder process has another. The error says that the
// file cannot be written. The holder process then works without a log.
func LogPath() (string, error) {
	path := os.Getenv(EnvLogPath)
	if path == "" {
		return "", nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("holder: log: %w", err)
	}
	file, err := openLog(path)
	if err != nil {
		return "", fmt.Errorf("holder: log: %w", err)
	}
	return path, file.Close()
}

// openLog opens a file to append to, which only its owner can read. Each line is one
// write, so that several processes can append. The file must be a regular one, because to
// open a FIFO, or to write to it, can take for ever. In a directory where others may write,
// somebody can have put a file of their own there, or a link to another file of ours:
// neither is opened.
func openLog(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|openLogFlags, 0o600) //nolint:gosec // the user names the file
	if err != nil {
		if info, failed := os.Lstat(path); failed == nil && info.Mode()&fs.ModeSymlink != 0 { //nolint:gosec // as above
			return nil, fmt.Errorf("%s is a symbolic link", path)
		}
		return nil, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is not a regular file", path)
	case !ownedByUs(info):
		err = fmt.Errorf("%s belongs to another user", path)
	case linked(info):
		err = fmt.Errorf("%s has another name as well, by a hard link", path)
	default:
		return file, nil
	}
	_ = file.Close()
	return nil, err
}

// silent is a log that drops everything.
func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// startLog opens the log. Its lines say which process wrote them, and for which run. stop
// closes it.
func startLog(r run.Run, path string) (log *slog.Logger, stop func()) {
	if path == "" {
		return silent(), func() {}
	}
	file, err := openLog(path)
	if err != nil { // the provider has told the user
		return silent(), func() {}
	}
	log = slog.New(slog.NewTextHandler(file, nil)).With("holder", os.Getpid(), "run", r.ID)
	return log, func() { _ = file.Close() }
}

// logLoss is called after everything else about the loss is done.
func logLoss(log *slog.Logger, loss Loss, interrupt bool) {
	log.Warn("lock lost", "lockid", loss.LockID, "znode", loss.Znode, "cause", loss.Cause, "interrupt", interrupt)
}

func logRelease(log *slog.Logger, znode string, err error) {
	if err != nil {
		log.Warn("lock not released", "znode", znode, "error", err)
		return
	}
	log.Info("lock released", "znode", znode)
}

// Waiting is what a log says of a wait that has begun at start: a message and its fields.
// again says that it is not the first line about the wait.
func Waiting(lockID string, w locker.Waiting, start time.Time, again bool) (message string, fields map[string]any) {
	fields = map[string]any{"lockid": lockID, "waited": Waited(start)}
	if w.Place == 0 {
		return "waiting for ZooKeeper", fields
	}
	fields["place"], fields["behind"] = w.Place, w.Next.String()
	if again {
		return "still waiting for lock", fields
	}
	return "queued for lock", fields
}

// Waited is the time since start in a log.
func Waited(start time.Time) string { return time.Since(start).Round(time.Millisecond).String() }

// logWaiting writes what Waiting says.
func logWaiting(log *slog.Logger, lockID string, w locker.Waiting, start time.Time, again bool) {
	message, fields := Waiting(lockID, w, start, again)
	attrs := make([]slog.Attr, 0, len(fields))
	for _, name := range []string{"lockid", "place", "behind", "waited"} {
		if value, ok := fields[name]; ok {
			attrs = append(attrs, slog.Any(name, value))
		}
	}
	log.LogAttrs(context.Background(), slog.LevelInfo, message, attrs...)
}

// LogBreak adds a line about a lock that was broken to the log that [EnvLogPath] names, if
// it names one.
func LogBreak(lockID string, broken locker.Broken, by, reason string) error {
	path, err := LogPath()
	if err != nil || path == "" {
		return err
	}
	file, err := openLog(path)
	if err != nil {
		return err
	}
	slog.New(slog.NewTextHandler(file, nil)).Warn("lock broken",
		"lockid", lockID, "znode", broken.Entry.Znode, "held_by", broken.Entry.String(), "by", by, "reason", reason, "told", broken.Told)
	return file.Close()
}
