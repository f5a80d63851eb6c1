// SPDX-License-Identifier: MPL-2.0

//go:build unix

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/testkit"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// Bad input is an error on the attribute at fault, before anything is written.
func TestBadInputIsAnErrorOnItsAttribute(t *testing.T) {
	t.Parallel()
	const (
		inLock     = `resource "clocker_lock" "a"`
		inProvider = `provider "clocker"`
		inData     = `data "clocker_lock" "a"`
	)
	for name, tc := range map[string]struct {
		provider, lock, data, env, work string

		late    bool // not seen by validate
		summary string
		context string // the block at fault
		code    string // the line at fault, the block's first where the attribute is absent
		detail  string
	}{
		"no zookeeper": {
			lock: `lockid = "e2e"`,
			late: true, summary: "No ZooKeeper Named", context: inLock, code: inLock, detail: "CLOCKER_ZOOKEEPER",
		},
		"no zookeeper for a data source": {
			data: `lockid = "e2e"`,
			late: true, summary: "No ZooKeeper Named", context: inData, code: inData,
		},
		"malformed connect string": {
			provider: `zookeeper = "zk1:port"`, lock: `lockid = "e2e"`,
			summary: "Invalid Connect String", context: inProvider, code: "zookeeper", detail: `"port"`,
		},
		"malformed connect string of a lock": {
			lock:    `lockid = "e2e"` + "\n" + `zookeeper = "http://zk1"`,
			summary: "Invalid Connect String", context: inLock, code: "zookeeper", detail: "http://",
		},
		"malformed connect string of a data source": {
			data:    `lockid = "e2e"` + "\n" + `zookeeper = "zk1//chroot"`,
			summary: "Invalid Connect String", context: inData, code: "zookeeper",
		},
		"malformed connect string in the environment": {
			env: "CLOCKER_ZOOKEEPER=zk1:0", lock: `lockid = "e2e"`,
			late: true, summary: "Invalid Connect String", context: inProvider, code: inProvider, detail: "CLOCKER_ZOOKEEPER",
		},
		"session_timeout": {
			provider: "SPACE\nsession_timeout = 0", lock: `lockid = "e2e"`,
			summary: "Invalid Attribute Value", context: inProvider, code: "session_timeout",
		},
		"connect_timeout in the environment": {
			provider: "SPACE", env: "CLOCKER_CONNECT_TIMEOUT=soon", lock: `lockid = "e2e"`,
			late: true, summary: "Invalid Environment Variable", context: inProvider, code: inProvider, detail: `"soon"`,
		},
		"lock_root": {
			provider: "SPACE\n" + `lock_root = "relative"`, lock: `lockid = "e2e"`,
			summary: "Invalid Path", context: inProvider, code: "lock_root",
		},
		"username without password": {
			provider: "SPACE\n" + `username = "alice"`, lock: `lockid = "e2e"`,
			late: true, summary: "Incomplete Credentials", context: inProvider, code: inProvider, detail: "CLOCKER_PASSWORD",
		},
		"password without username": {
			provider: "SPACE", env: "CLOCKER_PASSWORD=wonderland", lock: `lockid = "e2e"`,
			late: true, summary: "Incomplete Credentials", context: inProvider, code: inProvider, detail: "CLOCKER_USERNAME",
		},
		"acl without a user": {
			provider: "SPACE\n" + `acl = "creator"`, lock: `lockid = "e2e"`,
			late: true, summary: "ACL Needs A User", context: inProvider, code: "acl",
		},
		"empty lockid": {
			provider: "SPACE", lock: `lockid = ""`,
			summary: "Invalid Lock ID", context: inLock, code: "lockid", detail: "empty",
		},
		"lockid .": {
			provider: "SPACE", lock: `lockid = "."`,
			summary: "Invalid Lock ID", context: inLock, code: "lockid",
		},
		"lockid ..": {
			provider: "SPACE", lock: `lockid = ".."`,
			summary: "Invalid Lock ID", context: inLock, code: "lockid",
		},
		"lockid with a control character": {
			provider: "SPACE", lock: `lockid = "a\u0007b"`,
			summary: "Invalid Lock ID", context: inLock, code: "lockid", detail: "U+0007",
		},
		"lockid of a data source": {
			provider: "SPACE", data: `lockid = ".."`,
			summary: "Invalid Lock ID", context: inData, code: "lockid",
		},
		"lockid that becomes known at apply": {
			provider: "SPACE", lock: `lockid = terraform_data.id.output`,
			work: `resource "terraform_data" "id" { input = ".." }`,
			late: true, summary: "Invalid Lock ID", context: inLock, code: "lockid",
		},
		"lockwait": {
			provider: "SPACE", lock: `lockid = "e2e"` + "\nlockwait = -2",
			summary: "Invalid Attribute Value", context: inLock, code: "lockwait", detail: "-1",
		},
		"hold_until": {
			provider: "SPACE", lock: `lockid = "e2e"` + "\n" + `hold_until = "tomorrow"`,
			summary: "Invalid Attribute Value Match", context: inLock, code: "hold_until", detail: "run_ends",
		},
		"unreachable": {
			provider: `zookeeper = "127.0.0.1:1"` + "\nconnect_timeout = 1", lock: `lockid = "e2e"`,
			late: true, summary: "ZooKeeper Cannot Be Reached", context: inLock, code: inLock, detail: "127.0.0.1:1",
		},
		"unreachable for a lock": {
			provider: "connect_timeout = 1", lock: `lockid = "e2e"` + "\n" + `zookeeper = "127.0.0.1:1"`,
			late: true, summary: "ZooKeeper Cannot Be Reached", context: inLock, code: "zookeeper", detail: "refused",
		},
		"unreachable for a data source": {
			provider: "connect_timeout = 1", data: `lockid = "e2e"` + "\n" + `zookeeper = "127.0.0.1:1"`,
			late: true, summary: "ZooKeeper Cannot Be Reached", context: inData, code: "zookeeper", detail: "refused",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := zktest.NewSpace(t)
			config := []string{tc.work, block(inProvider, strings.ReplaceAll(tc.provider, "SPACE", fmt.Sprintf("zookeeper = %q", space.ConnectString())))}
			if tc.lock != "" {
				config = append(config, block(inLock, tc.lock))
			}
			if tc.data != "" {
				config = append(config, block(inData, tc.data))
			}
			w := newQuickWorkspace(t, config...)
			if name, value, ok := strings.Cut(tc.env, "="); ok {
				w.Setenv(name, value)
			}
			commands := []*testkit.Command{w.Apply()}
			commands[0].Fail()
			if !tc.late {
				validate := w.Start("validate", "-json")
				validate.Fail()
				commands = append(commands, validate)
			}
			for _, c := range commands {
				d := c.Err()
				if d.Summary != tc.summary || d.Snippet.Context != tc.context || !strings.HasPrefix(strings.TrimSpace(d.Snippet.Code), tc.code) {
					t.Errorf("the error is not %q on %q in %s: %v", tc.summary, tc.code, tc.context, d)
				}
				if !strings.Contains(unwrapped(d.Detail), tc.detail) {
					t.Errorf("the error does not say %q: %v", tc.detail, d)
				}
			}
			if tree := space.Tree(); len(tree) > 0 {
				t.Errorf("there are znodes: %q", tree)
			}
		})
	}
}

func block(head, body string) string {
	return head + " {\n" + body + "\n}\n"
}

func unwrapped(s string) string { return strings.Join(strings.Fields(s), " ") }
