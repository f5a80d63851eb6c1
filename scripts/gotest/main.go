// SPDX-License-Identifier: MPL-2.0

// Command gotest runs `go test` with the arguments given, and prints what that prints,
// and before the result of each package which of its tests were skipped and why: `go
// test` tells that only with all the rest, by -v.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func main() {
	code, err := run(os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		code = 1
	}
	os.Exit(code)
}

// run runs `go test` and returns its exit code.
func run(args []string, out io.Writer) (int, error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...) //nolint:gosec,noctx // The terminal interrupts it too.
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	printErr := printEvents(events, out)
	_, _ = io.Copy(io.Discard, events) // So that it can end.
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), printErr // It is -1 after a signal.
	}
	return 0, errors.Join(err, printErr)
}

// event is a line that `go test -json` prints: see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// printEvents prints the results of packages as they come.
func printEvents(events io.Reader, out io.Writer) error {
	packages := map[string]*results{}
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			if err := printEvent(line, packages, out); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func printEvent(line string, packages map[string]*results, out io.Writer) error {
	var e event
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &e) != nil {
		_, err := io.WriteString(out, line) // From the go command itself.
		return err
	}
	if e.Package == "" { // What the compiler says.
		_, err := io.WriteString(out, e.Output)
		return err
	}
	r := packages[e.Package]
	if r == nil {
		r = &results{outputs: map[string]*strings.Builder{}}
		packages[e.Package] = r
	}
	if !r.add(e) {
		return nil
	}
	delete(packages, e.Package)
	_, err := io.WriteString(out, r.text(e.Action == "fail"))
	return err
}

// results is what one package's tests have printed so far. The output of the package
// itself has no test's name.
type results struct {
	tests   []string // in the order in which they began to print
	outputs map[string]*strings.Builder
	skips   []skip
}

// skip is a reason, and the tests that were skipped for it.
type skip struct {
	reason string
	tests  []string
}

// add takes an event, and says whether it is the package's last.
func (r *results) add(e event) (last bool) {
	switch e.Action {
	case "output":
		r.print(e.Test, e.Output)
	case "skip":
		if e.Test == "" {
			return true
		}
		r.skip(e.Test)
	case "pass":
		if e.Test == "" {
			return true
		}
		r.forget(e.Test)
	case "fail":
		return e.Test == ""
	}
	return false
}

func (r *results) print(test, output string) {
	// These are of no use where the output of one test is together.
	for _, mark := range []string{"=== RUN", "=== PAUSE", "=== CONT", "=== NAME"} {
		if test != "" && strings.HasPrefix(output, mark) {
			return
		}
	}
	b := r.outputs[test]
	if b == nil {
		b = &strings.Builder{}
		r.outputs[test] = b
		r.tests = append(r.tests, test)
	}
	b.WriteString(output)
}

func (r *results) forget(test string) { delete(r.outputs, test) }

func (r *results) skip(test string) {
	var words []string
	if output := r.outputs[test]; output != nil {
		for line := range strings.Lines(output.String()) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "--- SKIP") {
				words = append(words, line)
			}
		}
	}
	r.forget(test)
	reason := strings.Join(words, " ")
	i := slices.IndexFunc(r.skips, func(s skip) bool { return s.reason == reason })
	if i < 0 {
		i = len(r.skips)
		r.skips = append(r.skips, skip{reason: reason})
	}
	r.skips[i].tests = append(r.skips[i].tests, test)
}

// text is what is to be printed of a package: all that is left if it has failed, else
// its result.
func (r *results) text(failed bool) string {
	var b strings.Builder
	for _, s := range r.skips {
		fmt.Fprintf(&b, "skip\t%s: %s\n", strings.Join(s.tests, ", "), s.reason)
	}
	for _, test := range r.tests {
		if output := r.outputs[test]; test != "" && failed && output != nil {
			b.WriteString(output.String())
		}
	}
	if output := r.outputs[""]; output != nil {
		for line := range strings.Lines(output.String()) {
			if failed || strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "?   \t") {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}
