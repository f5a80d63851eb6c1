//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

const providerFile = "terraform-provider-clocker"

// buildDir is where the provider is built, once.
var buildDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "clocker-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	buildDir = dir
	code := zktest.Run(m)
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// builtProvider is the provider's executable. It looks for data races if the
// tests do.
var builtProvider = sync.OnceValues(func() (string, error) {
	file := filepath.Join(buildDir, providerFile)
	build := exec.Command("go", "build", "-race="+fmt.Sprint(raceEnabled), "-o", file, ".")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%v: %w\n%s", build.Args, err, out)
	}
	return file, nil
})

// commandLine is the Terraform or OpenTofu to test with. Without one, the test
// is skipped.
func commandLine(t *testing.T) string {
	t.Helper()
	if named := os.Getenv("TF_ACC_TERRAFORM_PATH"); named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			t.Fatal("TF_ACC_TERRAFORM_PATH:", err)
		}
		return path
	}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("there is no terraform and no tofu on PATH, and TF_ACC_TERRAFORM_PATH is not set")
	return ""
}
