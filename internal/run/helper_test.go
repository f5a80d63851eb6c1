// SPDX-License-Identifier: MPL-2.0

package run

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"testing"

	"go.uber.org/goleak"
)

// helperEnv makes this test binary a helper process; its value names which.
const helperEnv = "CLOCKER_RUN_TEST_HELPER"

// pluginForAnother makes a helper start its child as a plugin of its own.
const pluginForAnother = "CLOCKER_RUN_TEST_PLUGIN"

// helpers are what a child process can be. Each prints one line per event and ends when its standard input does.
var helpers = map[string]func() error{
	"idle": func() error {
		fmt.Println("ready")
		return untilInputEnds()
	},
	"parent": func() error {
		r, err := Parent()
		fmt.Println(r.ID)
		return err
	},
	"interrupted": func() error {
		interrupts := make(chan os.Signal, 16)
		signal.Notify(interrupts, os.Interrupt)
		fmt.Println("ready")
		ended := make(chan error)
		go func() { ended <- untilInputEnds() }()
		total := 0
		for {
			select {
			case <-interrupts:
				total++
				fmt.Println("interrupt")
			case err := <-ended:
				fmt.Println("total", total+len(interrupts))
				return err
			}
		}
	},
	"parent-of-orphan":   func() error { return parentOfHelper("orphan") },
	"shell":              func() error { return parentOfHelper("interrupted") },
	"wrapper":            func() error { return parentOfHelper("plugin") },
	"wrapper-of-wrapper": func() error { return parentOfHelper("wrapper") },
	"plugin": func() error {
		r, err := Terraform()
		fmt.Println(r.PID, err)
		return untilInputEnds()
	},
	"orphan": func() error {
		in := bufio.NewReader(os.Stdin)
		for {
			r, err := Parent()
			fmt.Println(r.PID == os.Getppid(), errors.Is(err, ErrEnded))
			if _, err := in.ReadString('\n'); err != nil {
				return ignoreEOF(err)
			}
		}
	},
}

// parentOfHelper passes on what it is told and what it hears.
func parentOfHelper(name string) error {
	child := helper(name)
	if os.Getenv(pluginForAnother) != "" {
		child.Env = append(child.Env, pluginCertificate+"=another")
	}
	child.Stdin, child.Stdout = os.Stdin, os.Stdout
	return child.Run()
}

func TestMain(m *testing.M) {
	name := os.Getenv(helperEnv)
	if name == "" {
		goleak.VerifyTestMain(m)
		return
	}
	if err := helpers[name](); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}

func untilInputEnds() error {
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
