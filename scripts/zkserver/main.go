// SPDX-License-Identifier: MPL-2.0

// Command zkserver runs a ZooKeeper server on loopback, for development on a
// machine without a Docker engine: see scripts/zookeeper.sh.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

const startTimeout = time.Minute

func main() {
	port := flag.Int("port", 0, "serve on this `port`, until SIGINT or SIGTERM")
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(), "Usage: zkserver [-port port]\n\nSays which ZooKeeper is installed; with -port, runs it.")
		flag.PrintDefaults()
	}
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *port); err != nil {
		fmt.Fprintln(os.Stderr, "zkserver:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, port int) error {
	if port == 0 {
		distribution, err := zktest.FindDistribution()
		if err != nil {
			return err
		}
		fmt.Println(distribution.Origin)
		return nil
	}
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	server, err := zktest.StartServer(starting, zktest.Options{Port: port})
	if err != nil {
		return err
	}
	defer server.Stop()
	fmt.Println(server.Addr())
	<-ctx.Done()
	return nil
}
