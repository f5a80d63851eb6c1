// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

var (
	// errTaken says that another process listens at the address.
	errTaken = errors.New("holder: another process listens there")
	// errNobody says that no process does.
	errNobody = errors.New("holder: no process listens there")
)

func pipeOf(address string) string { return `\\.\pipe\` + address }

// ourSID names this process's user.
func ourSID() (*windows.SID, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, fmt.Errorf("holder: %w", err)
	}
	return user.User.Sid, nil
}

// listen makes this process the one that listens at the address, or fails by
// errTaken. end is called when it listens no longer. Nobody but this user may
// connect.
func listen(address string) (listener net.Listener, end func(), err error) {
	sid, err := ourSID()
	if err != nil {
		return nil, nil, err
	}
	descriptor := fmt.Sprintf("O:%[1]sD:P(A;;GA;;;%[1]s)", sid)
	listener, err = winio.ListenPipe(pipeOf(address), &winio.PipeConfig{SecurityDescriptor: descriptor})
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return nil, nil, errTaken
	}
	if err != nil {
		return nil, nil, fmt.Errorf("holder: %w", err)
	}
	// Under Wine the first one who connects meets an instance of the pipe that go-winio
	// has given up, and gets no answer.
	limit := time.Second
	if conn, err := winio.DialPipe(pipeOf(address), &limit); err == nil {
		_ = conn.Close()
	}
	return listener, func() { _ = listener.Close() }, nil
}

// dial connects to the process that listens at the address, or fails by errNobody.
func dial(address string, limit time.Duration) (net.Conn, error) {
	conn, err := winio.DialPipe(pipeOf(address), &limit)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errNobody
	}
	if err != nil {
		return nil, fmt.Errorf("holder: %w", err)
	}
	return conn, nil
}

// peerOf is os.Geteuid, -1 here, if the pipe is this user's. Who connects needs this
// user's permission; who listens is told by the pipe's owner.
func peerOf(conn net.Conn) (uid int, err error) {
	pipe, ok := conn.(interface{ Fd() uintptr })
	if !ok {
		return os.Geteuid(), nil
	}
	descriptor, err := windows.GetSecurityInfo(windows.Handle(pipe.Fd()), windows.SE_KERNEL_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return 0, fmt.Errorf("holder: %w", err)
	}
	owner, _, err := descriptor.Owner()
	if err != nil {
		return 0, fmt.Errorf("holder: %w", err)
	}
	sid, err := ourSID()
	if err != nil {
		return 0, err
	}
	if !owner.Equals(sid) {
		return 0, fmt.Errorf("holder: the pipe of this run's holder belongs to another user, %s. No lock is taken through it: end what that user runs there", owner)
	}
	return os.Geteuid(), nil
}

// pidOf is 0: it is not asked for.
func pidOf(net.Conn) int { return 0 }
