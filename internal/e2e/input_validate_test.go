// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

const (
	everywhere = "provider resource ephemeral data"
	looks      = "resource ephemeral data"
	takers     = "resource ephemeral"

	// Terraform's own, or the framework's.
	notThisType  = "Incorrect attribute value type"
	notInRange   = "Invalid Attribute Value"
	notThisLong  = "Invalid Attribute Value Length"
	noneOfThese  = "Invalid Attribute Value Match"
	notWhole     = "Not A Whole Number"
	notTogether  = "Invalid Attribute Combination"
	notSettable  = "Invalid Configuration for Read-Only Attribute"
	notAnyOf     = "Unsupported argument"
	noServers    = "Invalid Connect String"
	noLockID     = "Invalid Lock ID"
	noZnodePath  = "Invalid Path"
	howToConnect = "Write host[:port][,host[:port]...][/chroot]"
	howToName    = "must be 1 to 255 bytes of printable text"
	howToPath    = "must be an absolute znode path such as /_zklocking"
)

// terraforms are the errors that Terraform finds without asking the provider.
var terraforms = map[string]bool{notThisType: true, notAnyOf: true}

// What validate sees: every attribute, wrong in each way.
var wrongAtOnce = []wrong{
	{looks, `no_lockid = "e2e"`, "", notAnyOf, "no_lockid", ""},
	{looks, `lockid = null`, "", "Missing Configuration for Required Attribute", "lockid", ""},
	{looks, `lockid = ["e2e"]`, "", notThisType, `"lockid": string required`, ""},
	{looks, `lockid = ""`, "", noLockID, `""|it is empty|` + howToName, ""},
	{looks, `lockid = "."`, "", noLockID, `"."|` + howToName, ""},
	{looks, `lockid = ".."`, "", noLockID, `".."|` + howToName, ""},
	{looks, `lockid = "a\nb"`, "", noLockID, `"a\nb"|U+000A|` + howToName, ""},
	{looks, `lockid = "a\u0000b"`, "", noLockID, `"a\x00b"|U+0000|` + howToName, ""},
	{looks, `lockid = "\u001b[31mred"`, "", noLockID, `"\x1b[31mred"|U+001B|` + howToName, ""},
	{looks, `lockid = "a/\u007f"`, "", noLockID, `"a/\x7f"|U+007F|` + howToName, ""},
	{looks, `lockid = "\u0085"`, "", noLockID, `"\u0085"|U+0085|` + howToName, ""},
	{looks, `lockid = "\U0001f512"`, "", noLockID, `U+1F512|` + howToName, ""},
	{looks, `lockid = ` + long(256), "", noLockID, `"xxx|256 bytes|` + howToName, ""},
	{looks, `lockid = ` + huge, "", noLockID, `"0123|100000 bytes|` + howToName, ""},

	{takers, `lockwait = "soon"`, "", notThisType, `"lockwait": a number is required`, ""},
	{takers, `lockwait = [1]`, "", notThisType, `"lockwait": number required`, ""},
	{takers, `lockwait = -2`, "", notInRange, "lockwait|between -1 and 31536000|got: -2", ""},
	{takers, `lockwait = 31536001`, "", notInRange, "lockwait|between -1 and 31536000|got: 31536001", ""},
	{takers, `lockwait = 0.5`, "", notWhole, "0.5 of lockwait|whole number", ""},
	{takers, `lockwait = 1e30`, "", notWhole, "1e+30 of lockwait|whole number", ""},

	{everywhere, `zookeeper = {}`, "", notThisType, `"zookeeper": string required`, ""},
	{everywhere, `zookeeper = ""`, "", noServers, `""|names no server|` + howToConnect, ""},
	{looks, `zookeeper = " \t"`, "", noServers, `" \t"|names no server|` + howToConnect, ""},
	{looks, `zookeeper = "zk1,,zk2"`, "", noServers, `"zk1,,zk2"|a server is empty|` + howToConnect, ""},
	{everywhere, `zookeeper = "zk1:port"`, "", noServers, `port "port" of server "zk1:port"|1 to 65535|` + howToConnect, ""},
	{looks, `zookeeper = "zk1:65536"`, "", noServers, `port "65536"|1 to 65535|` + howToConnect, ""},
	{everywhere, `zookeeper = "http://zk1"`, "", noServers, `leave out "http://"|` + howToConnect, ""},
	{looks, `zookeeper = "user@zk1"`, "", noServers, `"…@zk1"|the part before "@" is not shown|` + howToConnect, "user@"},
	{looks, `zookeeper = "fe80::1"`, "", noServers, `"fe80::1"|in brackets|` + howToConnect, ""},
	{everywhere, `zookeeper = "zk1\u0000"`, "", noServers, `"zk1\x00"|` + howToConnect, ""},
	{looks, `zookeeper = "zk\u202e1"`, "", noServers, `"zk\u202e1"|` + howToConnect, ""},
	{everywhere, `zookeeper = "zk1/a/../zookeeper"`, "", noServers, `".." is relative|` + howToConnect, ""},
	{looks, `zookeeper = "zk1//a"`, "", noServers, `"zk1//a"|a component is empty|` + howToConnect, ""},
	{looks, `zookeeper = "zk1/a\nb"`, "", noServers, `"zk1/a\nb"|U+000A|` + howToConnect, ""},
	{everywhere, `zookeeper = ` + huge, "", noServers, `"0123|100000 bytes|` + howToConnect, ""},
	{everywhere, `zookeeper = "zk1/${` + huge + `}"`, "", noServers, `"zk1/0123|more than 4096|` + howToConnect, ""},

	{takers, `mode = "mine"`, "", noneOfThese, `mode|["exclusive" "shared"]|got: "mine"`, ""},
	{takers, `mode = ""`, "", noneOfThese, `mode|["exclusive" "shared"]|got: ""`, ""},
	{takers, `mode = "semaphore"`, "", noneOfThese, `["exclusive" "shared"]|got: "semaphore"`, ""},
	{takers, `mode = []`, "", notThisType, `"mode": string required`, ""},
	{takers, "mode = \"shared\"\nslots = 2", "", notTogether, `"slots" cannot be specified when "mode" is specified`, ""},

	{looks, `slots = "many"`, "", notThisType, `"slots": a number is required`, ""},
	{looks, `slots = 0`, "", notInRange, "slots|between 1 and 1000|got: 0", ""},
	{looks, `slots = -1`, "", notInRange, "slots|between 1 and 1000|got: -1", ""},
	{looks, `slots = 1001`, "", notInRange, "slots|between 1 and 1000|got: 1001", ""},
	{looks, `slots = 2.5`, "", notWhole, "2.5 of slots|whole number", ""},
	{looks, `slots = -1e99`, "", notWhole, "-1e+99 of slots|whole number", ""},

	{"provider " + takers, `layout = "mine"`, "", noneOfThese, `layout|["standard" "curator"]|got: "mine"`, ""},
	{"provider " + takers, `layout = ""`, "", noneOfThese, `["standard" "curator"]|got: ""`, ""},
	{"resource", `hold_until = "tomorrow"`, "", noneOfThese, `hold_until|["run_ends" "destroyed"]|got: "tomorrow"`, ""},
	{"resource", `hold_until = ""`, "", noneOfThese, `["run_ends" "destroyed"]|got: ""`, ""},
	{"ephemeral", `hold = "maybe"`, "", notThisType, `"hold": a bool is required`, ""},
	{takers, `required = "maybe"`, "", notThisType, `"required": a bool is required`, ""},
	{takers, `on_lost = "ignore"`, "", noneOfThese, `on_lost|["interrupt" "continue"]|got: "ignore"`, ""},
	{takers, `on_lost = ""`, "", noneOfThese, `["interrupt" "continue"]|got: ""`, ""},
	{takers, `info = ["web"]`, "", notThisType, `"info": string required`, ""},
	{takers, `info = ` + long(257), "", notThisLong, "info|at most 256|got: 257", ""},
	{takers, `info = ` + huge, "", notThisLong, "info|at most 256|got: 100000", ""},
	{"resource data", `held = true`, "", notSettable, "Remove the configuration line", ""},
	{"resource", `znode = "/a/ex-0000000001"`, "", notSettable, "Remove the configuration line", ""},
	{"resource", `fencing_token = 7`, "", notSettable, "Remove the configuration line", ""},
	{"data", `lockwait = 5`, "", notAnyOf, "lockwait", ""},

	{"provider", `session_timeout = "soon"`, "", notThisType, `"session_timeout": a number is required`, ""},
	{"provider", `session_timeout = 0`, "", notInRange, "session_timeout|between 1 and 3600|got: 0", ""},
	{"provider", `session_timeout = 3601`, "", notInRange, "session_timeout|between 1 and 3600|got: 3601", ""},
	{"provider", `session_timeout = 1.5`, "", notWhole, "1.5 of session_timeout|whole number", ""},
	{"provider", `connect_timeout = true`, "", notThisType, `"connect_timeout": number required`, ""},
	{"provider", `connect_timeout = 3601`, "", notInRange, "connect_timeout|between 1 and 3600|got: 3601", ""},
	{"provider", `lock_root = ""`, "", noZnodePath, `""|` + howToPath, ""},
	{"provider", `lock_root = "relative"`, "", noZnodePath, `"relative"|` + howToPath, ""},
	{"provider", `lock_root = "/a/../zookeeper"`, "", noZnodePath, `"/a/../zookeeper"|` + howToPath, ""},
	{"provider", `lock_root = "/${` + huge + `}"`, "", noZnodePath, `"/0123|100001 bytes|` + howToPath, ""},
	{"provider", `owner = ""`, "", notThisLong, "owner|between 1 and 128|got: 0", ""},
	{"provider", `owner = ` + long(129), "", notThisLong, "owner|between 1 and 128|got: 129", ""},
	{"provider", `owner = {}`, "", notThisType, `"owner": string required`, ""},
	{"provider", `username = ""`, "", "Invalid Username", `""|1 to 1024 bytes, and no colon`, ""},
	{"provider", `username = "a:b"`, "", "Invalid Username", `"a:"|no colon`, ""},
	{"provider", `username = ` + huge, "", "Invalid Username", `"0123|1 to 1024 bytes`, ""},
	{"provider", `password = ""`, "", notThisLong, "password|between 1 and 1024|got: 0", ""},
	{"provider", `password = ` + huge, "", notThisLong, "password|between 1 and 1024|got: 100000", "0123"},
	{"provider", `password = ["hunter2"]`, "", notThisType, `"password": string required`, "hunter2"},
	{"provider", `acl = "mine"`, "", noneOfThese, `acl|["open" "creator"]|got: "mine"`, ""},
	{"provider", `acl = ""`, "", noneOfThese, `["open" "creator"]|got: ""`, ""},
	{"provider", `tls.ca_file = ""`, "", notThisLong, "tls.ca_file|at least 1|got: 0", ""},
	{"provider", `tls.cert_file = ""`, "", notThisLong, "tls.cert_file|at least 1|got: 0", ""},
	{"provider", `tls.key_file = ""`, "", notThisLong, "tls.key_file|at least 1|got: 0", ""},
	{"provider", `tls.key_file = ["hunter2"]`, "", notThisType, `"key_file": string required`, "hunter2"},
	{"provider", `tls.server_name = ""`, "", notThisLong, "tls.server_name|at least 1|got: 0", ""},
	{"provider", `tls.insecure_skip_verify = "maybe"`, "", notThisType, `"insecure_skip_verify": a bool is required`, ""},
}

// All at once, as Terraform reports them all, and without a server: validate has none.
func TestWrongArgumentsAreSeenByValidate(t *testing.T) {
	t.Parallel()
	space := zktest.NewSpace(t)
	w := newQuickWorkspace(t)
	kinds := []string{"provider", "resource", "data"}
	if w.CLI.Knows(testkit.EphemeralBlocks) {
		kinds = append(kinds, "ephemeral")
	}
	all := wrongBlocks(wrongAtOnce, kinds...)
	config := configuration(space, all)
	w.configure(config)
	checkWrong(t, w.Start("validate", "-json"), config, all)
	if tree := space.Tree(); len(tree) > 0 {
		t.Errorf("there are znodes: %q", tree)
	}
}
