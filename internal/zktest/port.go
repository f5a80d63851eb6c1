package zktest

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"
)

// Ports below the range from which Linux (32768) and macOS (49152) take the local
// ports of outgoing connections: there a restarted server could find its port
// taken by somebody's client.
const (
	firstPort = 15000
	portCount = 17000
)

var portsGiven atomic.Int64

// FreePort returns a loopback TCP port on which nobody listens now. It never
// returns the same port twice in one process, and processes that run side by side,
// as the test binaries of several packages do, look in different places.
func FreePort(ctx context.Context) (int, error) {
	const perProcess = 16
	for range portCount {
		n := os.Getpid()*perProcess + int(portsGiven.Add(1))
		port := firstPort + n%portCount
		if isFree(ctx, port) == nil {
			return port, nil
		}
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d", firstPort, firstPort+portCount)
}

// isFree fails where somebody listens on a loopback port.
func isFree(ctx context.Context, port int) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return listener.Close()
}
