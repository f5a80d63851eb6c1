// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindDistributionInHome(t *testing.T) {
	for _, lib := range []string{"lib", "libexec/lib"} {
		t.Run(lib, func(t *testing.T) {
			home := t.TempDir()
			jars := filepath.Join(home, filepath.FromSlash(lib))
			if err := os.MkdirAll(jars, 0o700); err != nil {
				t.Fatal(err)
			}
			t.Setenv("ZOOKEEPER_HOME", home)

			// The protocol alone is no server.
			touch(t, filepath.Join(jars, "zookeeper-jute-3.8.4.jar"))
			if _, err := FindDistribution(); !errors.Is(err, ErrNoDistribution) || !strings.Contains(err.Error(), home) {
				t.Errorf("want ErrNoDistribution that names %s, got %v", home, err)
			}

			touch(t, filepath.Join(jars, "zookeeper-3.8.4.jar"))
			found, err := FindDistribution()
			if err != nil {
				t.Fatal(err)
			}
			entries := filepath.SplitList(found.Classpath)
			want := []string{filepath.Join(filepath.Dir(jars), "conf"), filepath.Join(jars, "*")}
			if strings.Join(entries, " ") != strings.Join(want, " ") {
				t.Errorf("the class path is %q, want %q", entries, want)
			}
			if !strings.Contains(found.Origin, home) {
				t.Errorf("the origin %q does not say where", found.Origin)
			}
		})
	}
}

func TestFindDistributionWithoutJava(t *testing.T) {
	t.Setenv("JAVA_HOME", t.TempDir())
	if _, err := FindDistribution(); !errors.Is(err, ErrNoDistribution) || !strings.Contains(err.Error(), "JAVA_HOME") {
		t.Errorf("a JAVA_HOME without java: %v", err)
	}
	t.Setenv("JAVA_HOME", "")
	t.Setenv("PATH", t.TempDir())
	if _, err := FindDistribution(); !errors.Is(err, ErrNoDistribution) || !strings.Contains(err.Error(), "install Java") {
		t.Errorf("no java on PATH: %v", err)
	}
}

func TestFreePortIsGivenOnce(t *testing.T) {
	t.Parallel()
	given := map[int]bool{}
	for range 100 {
		port, err := FreePort(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if given[port] {
			t.Fatalf("port %d was given twice", port)
		}
		given[port] = true
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
