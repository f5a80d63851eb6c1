// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"strconv"
	"strings"
)

// way is a way to let one run of Terraform work at a time.
type way struct {
	name  string
	setup string // for the page, in a line
	kind  string // who can say how many wait, see queued
	// block is what the work depends on, at this address. LOCK and COUNT are replaced.
	block, address string
	// arguments are further ones of terraform apply.
	arguments []string
	// wrap is what is put before the command.
	wrap func(*bench, order) []string
	// shared says that the runs share a directory.
	shared bool
	// trigger says that the address is that of an action.
	trigger bool
}

const required = `
terraform {
  required_providers {
    clocker = { source = "clocker/clocker" }
  }
}
`

// The ways that are compared.
var (
	ephemeralBlock = way{
		name: "Clocker: ephemeral block", kind: "clocker", setup: "the work depends on `ephemeral \"clocker_lock\"`",
		address: "ephemeral.clocker_lock.a", block: required + `
ephemeral "clocker_lock" "a" {
  count    = COUNT
  lockid   = "LOCK-${count.index}"
  lockwait = -1
  hold     = terraform.applying
}
`,
	}
	resourceBlock = way{
		name: "Clocker: resource", kind: "clocker", setup: "the work depends on `resource \"clocker_lock\"`, held until the run ends",
		address: "clocker_lock.a", block: required + `
resource "clocker_lock" "a" {
  count    = COUNT
  lockid   = "LOCK-${count.index}"
  lockwait = -1
}
`,
	}
	action = way{
		name: "Clocker: action", kind: "clocker", setup: "the work triggers `action \"clocker_lock\"` before it is created",
		address: "action.clocker_lock.a", trigger: true, block: required + `
action "clocker_lock" "a" {
  config {
    lockid   = "LOCK-0"
    lockwait = -1
  }
}
`,
	}
	runCommand = way{
		name: "Clocker: `run --`", kind: "clocker", setup: "`terraform-provider-clocker run --lockid LOCK -- COMMAND`",
		wrap: func(b *bench, o order) []string {
			return []string{b.provider, "run", "--lockid", o.lock + "-0", "--lockwait", "-1", "--"}
		},
	}
	etcdctlLock = way{
		name: "`etcdctl lock`", kind: "etcd", setup: "`etcdctl lock LOCK -- COMMAND`",
		wrap: func(b *bench, o order) []string {
			return []string{b.etcdctl, "lock", "--ttl", strconv.Itoa(o.timeout), o.lock, "--"}
		},
	}
	kazooScript = way{
		name: "Kazoo script", kind: "kazoo", setup: "a Python script with the command inside `with client.Lock(LOCK):`",
		wrap: func(b *bench, o order) []string {
			return []string{b.python, "-c", kazooProgram, "run", o.lock}
		},
	}
	flock = way{
		name: "`flock`", kind: "flock", setup: "`flock FILE COMMAND`, which works on one machine only",
		wrap: func(b *bench, o order) []string { return []string{"flock", b.dir + "/" + o.lock} },
	}
	stateLock = way{
		name: "Terraform's state lock", kind: "state", shared: true, arguments: []string{"-lock-timeout=1h"},
		setup: "two runs on one local state with `-lock-timeout`: it looks after 1, 2, 4, ... seconds, so the work lasts a random time of up to 7 seconds",
	}
	timeStatic = way{
		name: "`time_static`, no lock", setup: "the work depends on a `time_static` of hashicorp/time: the price of any provider",
		address: "time_static.a", block: `
resource "time_static" "a" {
  count = COUNT
}
`,
	}
	noLock = way{name: "no lock", setup: "the work alone"}
)

// configuration is what Terraform applies, without the work.
func (w way) configuration(lock string, count int) string {
	return strings.NewReplacer("LOCK", lock, "COUNT", strconv.Itoa(count)).Replace(w.block)
}

// work is the guarded work as Terraform has it. Each apply does it anew.
func (w way) work() string {
	depends := ""
	switch {
	case w.trigger:
		depends = fmt.Sprintf("  lifecycle {\n    action_trigger {\n      events  = [before_create]\n      actions = [%s]\n    }\n  }\n", w.address)
	case w.address != "":
		depends = fmt.Sprintf("  depends_on = [%s]\n", w.address)
	}
	return fmt.Sprintf(`
resource "terraform_data" "work" {
%s  triggers_replace = timestamp()
  provisioner "local-exec" {
    command = %q
  }
}
`, depends, work)
}

// environment is what a run finds there: where the locks are, and nobody's settings.
func (b *bench) environment(o order) []string {
	timeout, servers := strconv.Itoa(o.timeout), strings.Join(o.at.zookeeper, ",")
	return append(b.env[:len(b.env):len(b.env)],
		"CLOCKER_ZOOKEEPER="+servers+benchRoot, "CLOCKER_SESSION_TIMEOUT="+timeout,
		"KAZOO_SERVERS="+servers, "KAZOO_TIMEOUT="+timeout,
		"ETCDCTL_API=3", "ETCDCTL_ENDPOINTS="+strings.Join(o.at.etcd, ","))
}
