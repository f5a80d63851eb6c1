// The provider plugin, which Terraform and OpenTofu start, and the holder
// process, which the plugin starts.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/provider"
	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// address is where both registries list the provider.
const address = "registry.terraform.io/clocker/clocker"

// version is set when a release is built.
var version = "dev"

func main() {
	if err := start(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "terraform-provider-clocker:", err)
		os.Exit(1)
	}
}

func start(args []string) error {
	if len(args) == 1 && args[0] == holder.Command {
		holder.Hold()
		return nil
	}
	flags := flag.NewFlagSet("terraform-provider-clocker", flag.ExitOnError)
	debug := flags.Bool("debug", false, "serve a debugger: print what to set in TF_REATTACH_PROVIDERS and run until interrupted")
	if err := flags.Parse(args); err != nil {
		return err
	}
	rt, closeRuntime, err := newRuntime(*debug)
	if err != nil {
		return err
	}
	defer closeRuntime()
	return providerserver.Serve(context.Background(), provider.New(version, rt), providerserver.ServeOpts{
		Address: address,
		Debug:   *debug,
	})
}

// newRuntime makes what the provider works with: with a debugger, a holder in
// this process, which then is the run; else a process of its own that works for
// the Terraform which started us.
func newRuntime(debug bool) (provider.Runtime, func(), error) {
	sessions := &zookeeper.Pool{}
	if debug {
		self, err := run.Self()
		if err != nil {
			return provider.Runtime{}, nil, err
		}
		local := holder.NewLocal(self, nil)
		return provider.Runtime{Run: self, Holder: local, Sessions: sessions}, func() {
			_ = local.Close()
			sessions.Close()
		}, nil
	}
	parent, err := run.Parent()
	if err != nil {
		return provider.Runtime{}, nil, err
	}
	process := holder.NewProcess(parent)
	closeRuntime := func() {
		_ = process.Close()
		sessions.Close()
	}
	// A Terraform that is killed leaves its plugins behind, waiting for requests
	// that never come.
	go func() {
		if parent.Wait(context.Background()) == nil {
			closeRuntime()
			os.Exit(1)
		}
	}()
	return provider.Runtime{Run: parent, Holder: process, Sessions: sessions}, closeRuntime, nil
}
