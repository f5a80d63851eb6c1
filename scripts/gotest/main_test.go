// SPDX-License-Identifier: MPL-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// elapsed are the parts of an output that differ from run to run.
var elapsed = regexp.MustCompile(`\(?\d+\.\d\ds\)?|\t\d+\.\d+s`)

func TestRun(t *testing.T) {
	for name, test := range map[string]struct {
		code string
		exit int
		want string
	}{
		"pass": {
			code: `func TestA(t *testing.T) { t.Log("said and forgotten") }`,
			want: "ok  \texample.test\n",
		},
		"skip": {
			code: `func TestA(t *testing.T) { t.Skip("too\nwarm") }
func TestB(t *testing.T) { t.Parallel(); t.Run("sub", func(t *testing.T) { t.Skip("too cold") }) }`,
			want: "skip\tTestA: a_test.go:3: too warm\nskip\tTestB/sub: a_test.go:4: too cold\nok  \texample.test\n",
		},
		"one reason": {
			code: `func TestA(t *testing.T) { skip(t) }
func TestB(t *testing.T) { skip(t) }
func skip(t *testing.T) { t.Skip("too warm") }`,
			want: "skip\tTestA, TestB: a_test.go:5: too warm\nok  \texample.test\n",
		},
		"fail": {
			code: `func TestA(t *testing.T) { t.Error("wrong") }
func TestB(t *testing.T) { t.Log("said and forgotten") }`,
			exit: 1,
			want: "    a_test.go:3: wrong\n--- FAIL: TestA \nFAIL\nFAIL\texample.test\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			write(t, "go.mod", "module example.test\n\ngo 1.26.0\n")
			write(t, "a_test.go", "package a\nimport \"testing\"\n"+test.code+"\n")
			var out strings.Builder
			exit, err := run([]string{"."}, &out)
			if err != nil {
				t.Fatal(err)
			}
			if got := elapsed.ReplaceAllString(out.String(), ""); exit != test.exit || got != test.want {
				t.Errorf("exit code %d, output:\n%s\nwant %d:\n%s", exit, got, test.exit, test.want)
			}
		})
	}
}

func TestRunOfCodeThatDoesNotCompile(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "go.mod", "module example.test\n\ngo 1.26.0\n")
	write(t, "a_test.go", "package a\nvar a = b\n")
	var out strings.Builder
	exit, err := run([]string{"."}, &out)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String(); exit == 0 || !strings.Contains(got, "undefined: b") || !strings.Contains(got, "FAIL\texample.test [build failed]") {
		t.Errorf("exit code %d, output:\n%s", exit, got)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(".", name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
