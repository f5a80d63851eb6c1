package holder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
)

// whyTime bounds how long a loss waits for the answer to who broke the lock. The interrupt
// of the run waits, too.
const whyTime = time.Second

// whyLost is the cause of a loss.
func whyLost(ctx context.Context, lock *locker.Lock) string {
	if err := lock.Err(); !errors.Is(err, locker.ErrNodeGone) {
		return err.Error()
	}
	return whyGone(ctx, lock)
}

// whyGone is the cause of a loss whose znode is gone: who broke the lock and why, if there
// is a note that says so.
func whyGone(ctx context.Context, lock *locker.Lock) string {
	ctx, cancel := context.WithTimeout(ctx, whyTime)
	defer cancel()
	by, reason, ok := lock.Note(ctx)
	if !ok {
		return locker.ErrNodeGone.Error()
	}
	return fmt.Sprintf("%s broke it: %q", cmp.Or(by, "somebody"), reason)
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
