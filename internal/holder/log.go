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

// EnvLogPath names the file that holder processes append their log to, several
// of them to the same one if need be. Without it they keep none.
const EnvLogPath = "CLOCKER_LOG_PATH"

// LogPath is the absolute path of the holder's log, "" for none. A relative one
// counts from the working directory, which the holder does not share. The error
// says that the file cannot be written; the holder goes without a log then.
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

// openLog opens a file that only its owner can read, and that each line is added
// to by a write of its own, so that others can add theirs. Nothing but a regular
// file will do: opening a FIFO, or writing to one, can take for ever. In a directory
// that others may write to, one of them can have put something else there than we think:
// a link, by either kind of which we would write to another file of ours, or a file of
// theirs.
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

// silent is the log of those who keep none.
func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// startLog begins a log whose lines say which process wrote them, and for which
// run. stop ends it.
func startLog(r run.Run, path string) (log *slog.Logger, stop func()) {
	if path == "" {
		return silent(), func() {}
	}
	file, err := openLog(path)
	if err != nil { // which the provider has found and said
		return silent(), func() {}
	}
	log = slog.New(slog.NewTextHandler(file, nil)).With("holder", os.Getpid(), "run", r.ID)
	return log, func() { _ = file.Close() }
}

// logLoss comes after all that has to be done about the loss.
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

// Waiting is what a log says of a lock that has been waited for since start: a
// message and its fields. again says that it is not the first line about that
// wait.
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

// Waited is the time since start as logs say it.
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
