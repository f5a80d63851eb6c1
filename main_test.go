// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

const (
	builtVersion = "1.2.3"
	builtCommit  = "5f18627bd2a936179a5eb9dee7aa57a940d34099"
	wantVersion  = "1.2.3+5f18627bd2a9"

	// patience bounds what is broken only.
	patience = time.Minute
	logTail  = 4000 // bytes
)

// binary is the provider, built as for a release.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "clocker-main-")
	if err == nil {
		binary = filepath.Join(dir, name)
		err = build()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := zktest.Run(m)
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func build() error {
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	cmd := exec.Command("go", "build", "-ldflags", "-X main.version="+builtVersion+" -X main.commit="+builtCommit, "-o", binary, ".")
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("build the provider: %w\n%s", err, output)
	}
	return nil
}

func TestByHand(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args           []string
		code           int
		stdout, stderr string // contained; "": nothing is printed
	}{
		{args: []string{"version"}, stdout: name + " " + wantVersion + " (" + runtime.Version()},
		{args: []string{"--version"}, stdout: name + " " + wantVersion},
		{args: []string{"-help"}, stdout: "version   say which"},
		{args: nil, code: 1, stderr: "to be started by Terraform or OpenTofu"},
		{args: []string{"apply"}, code: 1, stderr: `unknown command "apply"`},
		{args: []string{"hold", "on"}, code: 1, stderr: `unknown command "hold on"`},
		{args: []string{"-quiet"}, code: 1, stderr: "not defined: -quiet"},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), binary, tc.args...)
			cmd.Env = environment()
			var stdout, stderr strings.Builder
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			for printed, want := range map[string]string{stdout.String(): tc.stdout, stderr.String(): tc.stderr} {
				if !strings.Contains(printed, want) || (want == "") != (printed == "") {
					t.Errorf("printed %q, want %q", printed, want)
				}
			}
			if tc.code != 0 && !strings.Contains(stderr.String(), "required_providers") {
				t.Errorf("does not say how it is used: %q", stderr.String())
			}
		})
	}
}

const configuration = `
terraform {
  required_providers {
    # In full, so that OpenTofu looks for it there too.
    clocker = { source = "registry.terraform.io/clocker/clocker" }
  }
}

resource "clocker_lock" "test" {
  lockid = "test"
}
`

// TestDebug serves a provider as a debugger would have it, and applies with it. Its
// version and commit reach the lock's znode. The lock is held until it ends.
func TestDebug(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no process can be interrupted there")
	}
	t.Parallel()
	cli := commandLine(t)
	space := zktest.NewSpace(t)
	mark := zktest.MarkProcesses(t)

	server := exec.CommandContext(t.Context(), binary, "-debug")
	server.Env = append(environment(), mark, "TF_LOG=ERROR", "CLOCKER_ZOOKEEPER="+space.ConnectString())
	var log strings.Builder // of all levels
	server.Stderr = &log
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	defer func() {
		if err := server.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		_, _ = io.Copy(io.Discard, lines)
		if err := server.Wait(); err != nil {
			t.Error("after an interrupt:", err)
		}
		if space.Exists("/_zklocking/test") {
			t.Error("the lock is held on")
		}
		if t.Failed() {
			t.Logf("the log ends:\n%s", log.String()[max(0, log.Len()-logTail):])
		}
	}()
	reattach := awaitReattach(t, lines)

	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	apply := exec.CommandContext(ctx, cli, "apply", "-auto-approve", "-input=false", "-no-color")
	apply.Dir = dir
	apply.Env = append(environment(), mark, "TF_REATTACH_PROVIDERS="+reattach, "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+os.DevNull)
	if output, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", apply.Args, err, output)
	}
	contenders := space.Children("/_zklocking/test")
	if len(contenders) != 1 {
		t.Fatalf("contenders %v, want one", contenders)
	}
	if data, _ := space.Get("/_zklocking/test/" + contenders[0]); !strings.Contains(string(data), `"client":"`+name+"/"+wantVersion+`"`) {
		t.Errorf("the client of %s is not version %s", data, wantVersion)
	}
}

// awaitReattach reads what is to be set in TF_REATTACH_PROVIDERS.
func awaitReattach(t *testing.T, lines *bufio.Reader) string {
	t.Helper()
	assignment := regexp.MustCompile(`TF_REATTACH_PROVIDERS='(.*)'`)
	var printed strings.Builder
	for {
		line, err := lines.ReadString('\n')
		printed.WriteString(line)
		if match := assignment.FindStringSubmatch(line); match != nil {
			return match[1]
		}
		if err != nil {
			t.Fatalf("%v after %q", err, printed.String())
		}
	}
}

// commandLine is the Terraform or OpenTofu to test with.
func commandLine(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CLOCKER_CLI"), "terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("neither terraform nor tofu on PATH, and no CLOCKER_CLI")
	return ""
}

// environment is ours without what Terraform, a test run or a developer set for
// the provider.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(assignment string) bool {
		return strings.HasPrefix(assignment, "TF_") || strings.HasPrefix(assignment, "CLOCKER_") && !strings.HasPrefix(assignment, "CLOCKER_TEST_") ||
			strings.HasPrefix(assignment, "ZOOKEEPER_SERVERS=")
	})
}
