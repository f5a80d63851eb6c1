// SPDX-License-Identifier: MPL-2.0

package main

import (
	"runtime/debug"
	"testing"
)

func TestBuildVersion(t *testing.T) {
	t.Parallel()
	const revision = "5f18627bd2a936179a5eb9dee7aa57a940d34099"
	built := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	at := debug.BuildSetting{Key: "vcs.revision", Value: revision}
	for name, tc := range map[string]struct {
		version, commit string
		info            *debug.BuildInfo
		want            string
	}{
		"release":                 {version: "0.1.0", commit: revision, info: built("v0.1.0", at), want: "0.1.0+5f18627bd2a9"},
		"release candidate":       {version: "0.1.0-rc.1", commit: revision, info: built("(devel)"), want: "0.1.0-rc.1+5f18627bd2a9"},
		"snapshot":                {version: "0.1.1-SNAPSHOT-5f18627", commit: revision, info: nil, want: "0.1.1-SNAPSHOT-5f18627+5f18627bd2a9"},
		"go install":              {info: built("v0.1.0"), want: "0.1.0"},
		"go build at a tag":       {info: built("v0.1.0", at), want: "0.1.0+5f18627bd2a9"},
		"go build of changes":     {info: built("v0.1.0+dirty", at), want: "0.1.0+dirty.5f18627bd2a9"},
		"go build after a tag":    {info: built("v0.1.1-0.20261123020000-5f18627bd2a9", at), want: "0.1.1-0.20261123020000-5f18627bd2a9"},
		"go build outside of git": {info: built("(devel)"), want: "dev"},
		"go test":                 {info: built(""), want: "dev"},
		"nothing known":           {want: "dev"},
		"a short commit":          {version: "0.1.0", commit: "5f18627", want: "0.1.0+5f18627"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := buildVersion(tc.version, tc.commit, tc.info); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
