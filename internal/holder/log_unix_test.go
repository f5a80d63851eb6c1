// SPDX-License-Identifier: MPL-2.0

//go:build unix

package holder

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The log is a regular file of this user's own, or none: nothing waits for a reader of a
// FIFO, and nobody who may write to the directory makes us write to another file.
func TestLogThatIsNotAFile(t *testing.T) {
	directory := t.TempDir()
	at := func(name string) string { return filepath.Join(directory, name) }
	theirs, ours := at("theirs"), at("ours")
	err := errors.Join(
		os.WriteFile(theirs, nil, 0o666), //nolint:gosec // so that only its owner is wrong
		os.WriteFile(ours, []byte("ours"), 0o600),
		syscall.Mkfifo(at("fifo"), 0o600), syscall.Mkfifo(at("read"), 0o600),
		os.Symlink(ours, at("link")), os.Symlink(at("new"), at("dangling")), os.Link(ours, at("hard link")),
		os.Mkdir(at("directory"), 0o700),
	)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Open(at("read"), syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(fd) }()
	bad := map[string]string{
		at("fifo"): "", at("read"): "not a regular file", at("link"): "is a symbolic link", at("dangling"): "is a symbolic link",
		at("hard link"): "another name", at("directory"): "", "/dev/null": "not a regular file", "/dev/stderr": "",
	}
	if os.Geteuid() == 0 { // else it cannot be another's
		if err := os.Chown(theirs, nobodysID, nobodysID); err != nil {
			t.Fatal(err)
		}
		bad[theirs] = "belongs to another user"
	}
	for path, why := range bad {
		t.Setenv(EnvLogPath, path)
		if got, err := LogPath(); err == nil || got != "" || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %q, %v; want %q", path, got, err, why)
		}
	}
	for _, path := range []string{at("regular"), theirs} {
		t.Setenv(EnvLogPath, path)
		if got, err := LogPath(); bad[path] == "" && (err != nil || got != path) {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if text, err := os.ReadFile(ours); err != nil || string(text) != "ours" {
		t.Errorf("our file has become %q, %v", text, err)
	}
	if _, err := os.Lstat(at("new")); err == nil {
		t.Error("a file was made behind a link")
	}
}

// nobodysID is that of a user who is not this one.
const nobodysID = 65534
