// SPDX-License-Identifier: MPL-2.0

//go:build unix

package holder

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var (
	// errTaken says that another process listens at the address.
	errTaken = errors.New("holder: another process listens there")
	// errNobody says that no process does.
	errNobody = errors.New("holder: no process listens there")
)

// abstract says that the names of sockets are not files, and end with their process.
const abstract = runtime.GOOS == "linux"

// socketOf is the name of the socket for an address. If it is a file, it is in a directory
// of this user, with mode 0700.
func socketOf(address string) (string, error) {
	if abstract {
		return "@" + address, nil
	}
	return socketFile(address)
}

func socketFile(address string) (string, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("clocker-%d", os.Geteuid()))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("holder: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("holder: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || info.Mode().Perm() != 0o700 || int(stat.Uid) != os.Geteuid() {
		return "", fmt.Errorf("holder: %s must be a directory of this user (id %d) with mode 0700; remove it", dir, os.Geteuid())
	}
	return filepath.Join(dir, address), nil
}

// listen listens at an address, or returns errTaken. end ends that.
func listen(address string) (listener *net.UnixListener, end func(), err error) {
	name, err := socketOf(address)
	if err != nil {
		return nil, nil, err
	}
	if !abstract {
		unlock, err := lockDir(filepath.Dir(name))
		if err != nil {
			return nil, nil, err
		}
		defer unlock()
		if conn, err := net.DialTimeout("unix", name, helloTime); err == nil {
			_ = conn.Close()
			return nil, nil, errTaken
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			_ = os.Remove(name) // of a process that was killed
		}
	}
	listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, nil, errTaken
	}
	if err != nil {
		return nil, nil, fmt.Errorf("holder: %w", err)
	}
	listener.SetUnlinkOnClose(false) // the sentinel may go on to listen
	return listener, func() { hangUp(listener, name) }, nil
}

// hangUp ends a listener. It removes the file first, which can belong to another process
// afterwards.
func hangUp(listener net.Listener, name string) {
	if !abstract {
		_ = os.Remove(name)
	}
	_ = listener.Close()
}

// lockDir keeps other processes of ours from listen, until unlock is called.
func lockDir(dir string) (unlock func(), err error) {
	d, err := os.Open(dir) //nolint:gosec // our own
	if err == nil {
		err = unix.Flock(int(d.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		return nil, fmt.Errorf("holder: %w", err)
	}
	return func() { _ = d.Close() }, nil
}

// dial connects to the process that listens at an address, or returns errNobody.
func dial(address string, limit time.Duration) (net.Conn, error) {
	name, err := socketOf(address)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout("unix", name, limit)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil, errNobody
	}
	if err != nil {
		return nil, fmt.Errorf("holder: %w", err)
	}
	return conn, nil
}

// control calls f with a socket's descriptor.
func control(socket syscall.Conn, f func(fd int) error) error {
	raw, err := socket.SyscallConn()
	if err == nil {
		var inner error
		if err = raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err == nil {
			err = inner
		}
	}
	return err
}
