// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// secretsFile is where a run has its secrets from, if not from its environment.
const secretsFile = "secrets.auto.tfvars"

// A password, a key and a certificate as PEM texts are in nothing that a run
// leaves, says or shows of itself: with variables that Terraform does not keep,
// in no process's arguments or environment either.
func TestSecretsOfVariables(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	client, password := s.clients.Client(t, "team"), "hunter2-"+rand.Text()
	workspaceAt := func(addr string, blocks ...string) *workspace {
		w := newQuickWorkspace(t, append(blocks, secretVariables, block(`provider "clocker"`, fmt.Sprintf(`
  zookeeper       = %q
  connect_timeout = %d
  session_timeout = %d
  username        = "alice"
  password        = var.password
  acl             = "creator"
  tls {
    ca_file   = %q
    cert_file = var.cert
    key_file  = var.key
  }`, addr+s.Chroot(), s.patience(addr), sessionTimeout, s.servers.CA)))...)
		write(t, filepath.Join(w.Dir, secretsFile), fmt.Sprintf("password = %q\ncert = %q\nkey = %q\n", password, client.Cert, client.Key))
		return w
	}
	if w := workspaceAt(s.addr); !w.CLI.Knows(testkit.EphemeralBlocks) {
		t.Skip("this command line keeps all variables in its plans")
	}
	found := tellAll(t, s, []string{password, pemLine(client.Key), pemLine(client.Cert)}, workspaceAt)
	for _, p := range found.processes {
		found.search(t, p.name, p.shows)
	}
}

// Terraform's own environment, and what it passes on, is the user's doing. The
// holder has none of it, nor what is in the files that are named there.
func TestSecretsOfTheEnvironment(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	client, password := s.clients.Client(t, "team"), "hunter2-"+rand.Text()
	found := tellAll(t, s, []string{password, pemLine(client.Key), pemLine(client.Cert)}, func(addr string, blocks ...string) *workspace {
		w := newQuickWorkspace(t, append(blocks, block(`provider "clocker"`, fmt.Sprintf("zookeeper = %q\nconnect_timeout = %d\nsession_timeout = %d", addr+s.Chroot(), s.patience(addr), sessionTimeout)))...)
		for name, value := range map[string]string{
			"CLOCKER_USERNAME": "alice", "CLOCKER_PASSWORD": password, "CLOCKER_ACL": "creator",
			"CLOCKER_TLS_CA_FILE": s.servers.CA, "CLOCKER_TLS_CERT_FILE": client.Cert, "CLOCKER_TLS_KEY_FILE": zktest.WriteSecret(t, "key.pem", client.Key),
		} {
			w.Setenv(name, value)
		}
		return w
	})
	holders := 0
	for _, p := range found.processes {
		if strings.Contains(p.name, " hold") {
			found.search(t, p.name, p.shows)
			holders++
		}
	}
	if holders == 0 {
		t.Error("no holder was looked at")
	}
}

// testkit.Patience is the connect timeout, in seconds, of a run that is to connect, and of
// one that cannot.
func (s *secure) patience(addr string) int {
	if addr == s.addr {
		return 30
	}
	return 5
}

const secretVariables = `
variable "password" {
  type      = string
  ephemeral = true
}
variable "cert" {
  type      = string
  ephemeral = true
}
variable "key" {
  type      = string
  ephemeral = true
}
`

// found is what is to be seen of a run by anybody.
type found struct {
	secrets   []string
	processes []shown
}

// shown are the arguments and the environment of a process.
type shown struct{ name, shows string }

func (f *found) search(t *testing.T, where, text string) {
	t.Helper()
	for i, secret := range f.secrets {
		if strings.Contains(text, secret) {
			t.Errorf("secret %d of password, key and certificate is in %s", i+1, where)
		}
	}
}

// tellAll plans, applies, fails and destroys with all logs on, and searches what
// that says and leaves. It returns the processes of the run for the test to judge.
func tellAll(t *testing.T, s *secure, secrets []string, workspace func(addr string, blocks ...string) *workspace) *found {
	t.Helper()
	f := &found{secrets: secrets}
	gate := testkit.NewGate(t)
	blocks := []string{
		lock("a", `info = "a test"`), lock("durable", `lockid = "durable"`, `hold_until = "destroyed"`),
		`data "clocker_lock" "a" { lockid = "other" }`,
	}
	w := workspace(s.addr, append(blocks, guarded("work", "a", `"1"`, gate.Work()))...)
	temp := t.TempDir()
	end := func(c *testkit.Command, good bool) {
		t.Helper()
		if code := c.Wait(); (code == 0) != good {
			t.Fatalf("%v: exit code %d", c.Cmd.Args, code)
		}
		f.search(t, fmt.Sprint("the output of ", c.Cmd.Args), c.Stdout()+c.Stderr())
	}
	w.Setenv("TMPDIR", temp)
	w.Setenv("CLOCKER_DEBUG_HOLDER", "true") // else only root sees the holder's environment
	w.Setenv("TF_LOG", "trace")
	holderLog := filepath.Join(filepath.Dir(w.Dir), "holder.log")
	w.Setenv("CLOCKER_LOG_PATH", holderLog)

	end(w.Start("plan", "-input=false", "-out="+testkit.PlanFile), true)
	end(w.Start("show", "-json", testkit.PlanFile), true)
	apply := w.Apply()
	gate.AwaitBegun()
	f.lookAtProcesses(t)
	for _, path := range s.Tree() {
		data, _ := s.Get(path)
		f.search(t, "the data of "+path, string(data))
	}
	for _, addr := range []string{s.addr, s.Addr()} { // where the lock is held, and where nobody speaks TLS
		other := workspace(addr, blocks...)
		other.Setenv("TF_LOG", "trace")
		end(other.Apply(), false)
		f.searchFiles(t, filepath.Dir(other.Dir))
	}
	gate.End()
	end(apply, true)
	switch info, err := os.Stat(holderLog); {
	case err != nil:
		t.Error(err)
	case info.Size() == 0 || info.Mode() != 0o600:
		t.Errorf("the holder's log has the mode %v and %d bytes", info.Mode(), info.Size())
	}
	if !strings.Contains(apply.Stderr(), "[TRACE]") {
		t.Error("nothing was logged")
	}
	end(w.Start("show", "-json"), true)
	f.searchFiles(t, filepath.Dir(w.Dir))
	end(w.Start("destroy", "-auto-approve", "-input=false"), true)
	f.searchFiles(t, filepath.Dir(w.Dir))
	s.WaitGone("/_zklocking/durable")
	w.AwaitNoProcess()
	if entries, err := os.ReadDir(temp); err != nil || len(entries) > 0 {
		t.Errorf("the directory for temporary files has %v, %v", entries, err)
	}
	return f
}

// lookAtProcesses keeps what this machine's processes show.
func (f *found) lookAtProcesses(t *testing.T) {
	t.Helper()
	all, err := process.Processes()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		// An error says that it has ended meanwhile, or is not ours to look at.
		line, _ := p.Cmdline()
		environ, _ := p.Environ()
		f.processes = append(f.processes, shown{fmt.Sprintf("process %d %s", p.Pid, line), line + "\n" + strings.Join(environ, "\n")})
	}
}

// searchFiles searches all files in a directory but that with the secrets, and in
// archives, as plans are, what they contain.
func (f *found) searchFiles(t *testing.T, dir string) {
	t.Helper()
	files := os.DirFS(dir)
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || entry.Name() == secretsFile || entry.Name() == "terraform-provider-clocker" {
			return err
		}
		content, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		f.search(t, path, string(content))
		archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			return nil //nolint:nilerr // no archive
		}
		for _, member := range archive.File {
			r, err := member.Open()
			if err != nil {
				return err
			}
			text, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			f.search(t, path+" in "+member.Name, string(text))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// pemLine is a line of a PEM text that no other has: the one before the last of
// its content, where a key or a signature stands.
func pemLine(pem string) string {
	lines := strings.Split(strings.TrimSpace(pem), "\n")
	return lines[len(lines)-3]
}
