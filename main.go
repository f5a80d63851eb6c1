// SPDX-License-Identifier: MPL-2.0

// The provider plugin, which Terraform and OpenTofu start, the holder process, which
// the plugin starts, and the commands for people and pipelines.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/clocker/terraform-provider-clocker/internal/command"
	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/provider"
	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

const (
	name = "terraform-provider-clocker"
	// address is where both registries list the provider.
	address = "registry.terraform.io/clocker/clocker"
	// envCookie is what Terraform and OpenTofu set for the plugins that they start.
	envCookie = "TF_PLUGIN_MAGIC_COOKIE"

	usage = `The clocker provider takes and releases distributed locks kept in Apache ZooKeeper.

It is a plugin: Terraform and OpenTofu start it themselves. Ask for it in a configuration,

  terraform {
    required_providers {
      clocker = { source = "clocker/clocker" }
    }
  }

and run terraform init. By hand:

%s  terraform-provider-clocker version   say which version this is
  terraform-provider-clocker -debug    run in a debugger: print what to set in TF_REATTACH_PROVIDERS,
                                       and serve until interrupted

Documentation: https://github.com/clocker/terraform-provider-clocker`
)

func main() {
	args := os.Args[1:]
	if holder.Main(args) {
		return
	}
	p := command.Program{Version: thisVersion(), In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	if code, ok := command.Main(context.Background(), p, args); ok {
		os.Exit(code)
	}
	if err := start(args); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func start(args []string) error {
	usage := fmt.Sprintf(usage, command.Usage())
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // What it would say is in the error.
	debugging := flags.Bool("debug", false, "")
	asked := flags.Bool("version", false, "") // A common spelling of the command.
	err := flags.Parse(args)
	given := strings.Join(flags.Args(), " ")
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err := fmt.Println(usage)
		return err
	case err != nil:
		return fmt.Errorf("%w\n\n%s", err, usage)
	case *asked, given == "version":
		_, err := fmt.Printf("%s %s (%s %s/%s)\n", name, thisVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return err
	case given != "":
		return fmt.Errorf("unknown command %q\n\n%s", given, usage)
	case !*debugging && os.Getenv(envCookie) == "":
		return errors.New("this is to be started by Terraform or OpenTofu\n\n" + usage)
	default:
		return serve(*debugging)
	}
}

func serve(debugging bool) error {
	rt, closeRuntime, err := newRuntime(debugging)
	if err != nil {
		return err
	}
	defer closeRuntime()
	if !debugging {
		silence(os.LookupEnv, os.Setenv)
	}
	var options []tf6server.ServeOpt
	if debugging {
		options = append(options, tf6server.WithManagedDebug())
	}
	return tf6server.Serve(address, provider.NewServer(thisVersion(), rt), options...)
}

func thisVersion() string {
	info, _ := debug.ReadBuildInfo()
	return buildVersion(version, commit, info)
}

// newRuntime makes what the provider works with: with a debugger, a holder in
// this process, which then is the run; else the holder process of the Terraform
// that started us. Where that cannot be found, the provider still works, but takes
// no lock.
func newRuntime(debugging bool) (provider.Runtime, func(), error) {
	sessions := &zookeeper.Pool{}
	if debugging {
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
	rt := provider.Runtime{Sessions: sessions, NoInterrupt: !run.CanInterrupt()}
	closeRuntime, ended := sessions.Close, run.WaitOrphaned
	terraform, err := run.Terraform()
	if err != nil {
		rt.RunError = err
	} else {
		process := holder.NewRemote(terraform)
		rt.Run = terraform
		if enclosing, command, ok := holder.Enclosing(&terraform, nil); ok {
			process, rt.Run = enclosing, command
		}
		rt.Holder, rt.Stopping, rt.Notes = process, process.Stopping, process.Notes
		ended = terraform.Wait
		closeRuntime = func() {
			_ = process.Close()
			sessions.Close()
		}
	}
	// A Terraform that is killed leaves its plugins behind, waiting for requests
	// that never come.
	go func() {
		if ended(context.Background()) == nil {
			closeRuntime()
			os.Exit(1)
		}
	}()
	return rt, closeRuntime, nil
}
