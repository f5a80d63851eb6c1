// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
)

// Ports below the range from which Linux (32768) and macOS (49152) take the local
// ports of outgoing connections: there a restarted server could find its port
// taken by somebody's client. They are taken in blocks.
const (
	firstPort  = 15000
	portBlocks = 170
	blockSize  = 100
)

// ports are those of this process.
var ports struct {
	sync.Mutex
	next, end int
	guards    []net.Listener // on the first port of each of our blocks, to the end of the process
}

// FreePort returns a loopback TCP port on which nobody listens now. It never
// returns the same port twice, neither in one process nor in processes that run
// side by side, as the test binaries of several packages do.
func FreePort(ctx context.Context) (int, error) {
	ports.Lock()
	defer ports.Unlock()
	for ctx.Err() == nil {
		if ports.next == ports.end {
			if err := reserveBlock(ctx); err != nil {
				return 0, err
			}
		}
		port := ports.next
		ports.next++
		if l, err := listen(ctx, port); err == nil {
			return port, l.Close()
		}
	}
	return 0, context.Cause(ctx)
}

// reserveBlock takes a block for this process by listening on its first port.
func reserveBlock(ctx context.Context) error {
	for i := range portBlocks {
		first := firstPort + (os.Getpid()+i)%portBlocks*blockSize
		if guard, err := listen(ctx, first); err == nil {
			ports.guards = append(ports.guards, guard)
			ports.next, ports.end = first+1, first+blockSize
			return nil
		}
	}
	return fmt.Errorf("no free ports between %d and %d", firstPort, firstPort+portBlocks*blockSize)
}

// isFree fails where somebody listens on a loopback port.
func isFree(ctx context.Context, port int) error {
	l, err := listen(ctx, port)
	if err != nil {
		return err
	}
	return l.Close()
}

func listen(ctx context.Context, port int) (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
}
