// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// What a plan sees, as it takes the provider's settings, or a look at what is there.
var wrongAtPlan = []wrong{
	{"provider", `password = "hunter2"`, "-", "Incomplete Credentials", "password is set, but username is not|CLOCKER_USERNAME", "hunter2"},
	{"provider", `acl = "creator"`, "", "ACL Needs A User", `acl is "creator"|Set username and password`, ""},
	{"provider", `tls.ca_file = "/no\u202efile"`, "", "Unreadable File", `ca_file|"/no\u202efile" cannot be read|path of a PEM file`, ""},
	{"provider", `tls.key_file = "hunter2"`, "", "Unreadable File", `key_file|cannot be read|path of a PEM file`, "hunter2"},
	{"resource", `layout = "curator"` + "\nmode = \"shared\"", "", "Layout For Exclusive Locks Only", `"curator"|Leave out mode and slots, or set layout = "standard"`, ""},
	{"resource", `layout = "curator"` + "\nslots = 2", "", "Layout For Exclusive Locks Only", `"curator"|Leave out mode and slots`, ""},
	{"resource data", `lockid = "zookeeper"` + "\nprovider = clocker.root", "", "No Place For A Lock", `"/zookeeper" is ZooKeeper's own|Choose another lockid`, ""},
	{"resource data", `lockid = "e2e"` + "\nprovider = clocker.long", "", "No Place For A Lock", `more than 4096|Choose another`, ""},
	{"resource data", `lockid = var.bytes`, "", noLockID, howToName, ""},
	{"resource data", `zookeeper = var.bytes`, "", noServers, howToConnect, ""},
}

func TestWrongArgumentsAreSeenByPlan(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	all := wrongBlocks(wrongAtPlan, "provider", "resource", "data")
	config := configuration(space, all)
	for alias, args := range map[string]string{
		"root": fmt.Sprintf("zookeeper = %q\nlock_root = \"/\"", space.Addr()),
		"long": fmt.Sprintf("zookeeper = \"%s/%s\"\nlock_root = \"/%[2]s\"", space.Addr(), strings.Repeat("x", 4000)),
	} {
		config += block(`provider "clocker"`, fmt.Sprintf("alias = %q\n%s", alias, args))
	}
	w := newQuickWorkspace(t, config, `variable "bytes" { type = string }`)
	w.Setenv("TF_VAR_bytes", "a\xff\x1b[31mb")
	checkWrong(t, w.Start("plan", "-json", "-input=false"), config, all)
	if tree := space.Tree(); len(tree) > 0 {
		t.Errorf("there are znodes: %q", tree)
	}
}

// What is not known before apply is looked at when it is. (So it is in an ephemeral block,
// but there Terraform does not say which argument is meant.)
var wrongAtApply = []wrong{
	{"resource", `lockid = terraform_data.up.output`, "", noLockID, `".."|` + howToName, ""},
	{"resource", `lockid = "a${terraform_data.bell.output}"`, "", noLockID, `"a\a"|U+0007|` + howToName, ""},
	{"resource", `lockwait = terraform_data.less.output`, "", notInRange, "between -1 and 31536000|got: -2", ""},
	{"resource", `zookeeper = terraform_data.url.output`, "", noServers, `leave out "http://"|` + howToConnect, ""},
	{"resource", `mode = terraform_data.word.output`, "", noneOfThese, `["exclusive" "shared"]|got: "word"`, ""},
	{"resource", `mode = terraform_data.shared.output` + "\nslots = terraform_data.two.output", "", notTogether, `"slots" cannot be specified`, ""},
	{"resource", `slots = terraform_data.less.output`, "", notInRange, "between 1 and 1000|got: -2", ""},
	{"resource", `slots = terraform_data.half.output`, "", notWhole, "0.5 of slots|whole number", ""},
	{"resource", `layout = terraform_data.word.output`, "", noneOfThese, `["standard" "curator"]|got: "word"`, ""},
	{"resource", `layout = terraform_data.curator.output` + "\nslots = 2", "", "Layout For Exclusive Locks Only", `Leave out mode and slots`, ""},
	{"resource", `hold_until = terraform_data.word.output`, "", noneOfThese, `["run_ends" "destroyed"]|got: "word"`, ""},
	{"resource", `on_lost = terraform_data.word.output`, "", noneOfThese, `["interrupt" "continue"]|got: "word"`, ""},
	{"resource", `info = terraform_data.long.output`, "", notThisLong, "at most 256|got: 300", ""},
}

func TestWrongArgumentsAreSeenByApply(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	all := wrongBlocks(wrongAtApply, "resource")
	config := configuration(space, all)
	for name, value := range map[string]string{
		"up": `".."`, "bell": `"\u0007"`, "less": "-2", "url": `"http://zk1"`, "word": `"word"`, "shared": `"shared"`, "two": "2", "half": "0.5",
		"curator": `"curator"`, "long": long(300),
	} {
		config += fmt.Sprintf("resource \"terraform_data\" %q {\n  input = %s\n}\n", name, value)
	}
	checkWrong(t, newQuickWorkspace(t, config).Apply(), config, all)
	if tree := space.Tree(); len(tree) > 0 {
		t.Errorf("there are znodes: %q", tree)
	}
}

// A variable of the environment that is wrong, in some ways, and what is said of it: the
// variable, on the argument that it stands in for, the value and the remedy.
var wrongEnvironment = map[string]struct {
	summary string
	ways    []string
	says    string // %q is the value
	hides   bool   // the value must not be shown
}{
	"CLOCKER_ZOOKEEPER":       {noServers, []string{"zk1:port", ",", "zk1/\x1b", "zk\xff"}, "%q|" + howToConnect, false},
	"CLOCKER_SESSION_TIMEOUT": {badVariable, []string{"abc", "0", "99999999999999999999", "１５"}, "%q|whole number of seconds from 1 to 3600", false},
	"CLOCKER_CONNECT_TIMEOUT": {badVariable, []string{"3601", "1.5", "\xff", "\x1b[31m"}, "%q|whole number of seconds from 1 to 3600", false},
	"CLOCKER_LOCK_ROOT":       {noZnodePath, []string{"relative", "/a//b", "/..", "/\xff"}, "%q|" + howToPath, false},
	"CLOCKER_LAYOUT":          {noneOfThese, []string{"mine", "Standard", "\xff", "standard "}, `got: %q|["standard" "curator"]`, false},
	"CLOCKER_OWNER":           {notThisLong, []string{strings.Repeat("o", 129), strings.Repeat("\xff", 200)}, "at most 128", false},
	"CLOCKER_USERNAME":        {"Invalid Username", []string{"a:hunter2", ":hunter2", "\xff:hunter2", "\x1b:"}, "may be a password|1 to 1024 bytes, and no colon", true},
	"CLOCKER_PASSWORD":        {notThisLong, []string{strings.Repeat("hunter2", 200)}, "between 1 and 1024|got: 1400", true},
	"CLOCKER_ACL":             {noneOfThese, []string{"mine", "Open", "\xff"}, `got: %q|["open" "creator"]`, false},
	"CLOCKER_TLS_CA_FILE":     {"Unreadable File", []string{"/nowhere", "/", "/\xff", "/\x1b[31m"}, "%q cannot be read|path of a PEM file", false},
	"CLOCKER_TLS_CERT_FILE":   {"Unreadable File", []string{"/nowhere", "/\x7f", "/\xfe"}, "%q cannot be read|path of a PEM file", false},
	"CLOCKER_TLS_KEY_FILE":    {"Unreadable File", []string{"hunter2", "hunter2\xff", "hunter2\nhunter3"}, "key_file", true},
	"CLOCKER_TLS_INSECURE_SKIP_VERIFY": {
		badVariable, []string{"maybe", "2", "\xff", "yes"}, "%q|true or false", false,
	},
}

const badVariable = "Invalid Environment Variable"

func TestWrongEnvironment(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	for way := range 4 {
		t.Run(fmt.Sprint(way), func(t *testing.T) {
			w := newQuickWorkspace(t, `provider "clocker" {}`, lock("a"), block(`data "clocker_lock" "b"`, `lockid = "b"`))
			want := map[string]string{}
			// Two of which each needs the other.
			w.Setenv("CLOCKER_USERNAME", "alice")
			w.Setenv("CLOCKER_PASSWORD", "wonderland")
			for name, wrong := range wrongEnvironment {
				if way < len(wrong.ways) {
					w.Setenv(name, wrong.ways[way])
					want[name] = wrong.ways[way]
				}
			}
			plan := w.Start("plan", "-json", "-input=false")
			plan.Fail()
			for _, d := range plan.Diagnostics() {
				if d.Severity != "error" {
					continue
				}
				checkReadable(t, d)
				name := ""
				for variable := range want {
					if strings.Contains(d.Detail, variable) {
						name = variable
					}
				}
				wrong, value := wrongEnvironment[name], want[name]
				delete(want, name)
				if d.Summary != wrong.summary || !strings.HasPrefix(d.Snippet.Context, `provider "clocker"`) {
					t.Errorf("of %s there is said: %v", name, d)
				}
				for _, part := range strings.Split(wrong.says, "|") {
					if part = strings.ReplaceAll(part, "%q", fmt.Sprintf("%q", value)); !strings.Contains(unwrapped(d.Detail), part) {
						t.Errorf("of %s there is not said %q: %v", name, part, d)
					}
				}
				if wrong.hides && strings.Contains(d.Detail, "hunter") {
					t.Errorf("%s is shown: %v", name, d)
				}
			}
			if len(want) > 0 {
				t.Errorf("nothing is said of %q", want)
			}
		})
	}
	if tree := space.Tree(); len(tree) > 0 {
		t.Errorf("there are znodes: %q", tree)
	}
}
