// SPDX-License-Identifier: MPL-2.0

package main

import (
	"cmp"
	"runtime/debug"
	"strings"
)

// Set when a release is built: see .goreleaser.yml.
var version, commit string

// commitDigits are how many digits of a commit are shown, as many as Go shows in
// a pseudo-version.
const commitDigits = 12

// buildVersion is which build this is, in one word: of a release 0.1.0+5f18627bd2a9,
// the number and the commit; of another build what Go knows of it, which is the number
// with `go install ...@v0.1.0`, and the number or the time of the last commit in a
// checkout; else dev.
func buildVersion(version, commit string, info *debug.BuildInfo) string {
	if info == nil {
		info = &debug.BuildInfo{}
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			commit = cmp.Or(commit, setting.Value)
		}
	}
	built := strings.TrimPrefix(info.Main.Version, "v")
	if built == "(devel)" {
		built = ""
	}
	version = cmp.Or(version, built, "dev")
	commit = commit[:min(commitDigits, len(commit))]
	switch {
	case strings.Contains(version, commit):
		return version
	case strings.Contains(version, "+"):
		return version + "." + commit
	default:
		return version + "+" + commit
	}
}
