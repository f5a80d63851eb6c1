// SPDX-License-Identifier: MPL-2.0

package main

import (
	"maps"
	"testing"
)

func TestSilence(t *testing.T) {
	t.Parallel()
	off := map[string]string{
		"TF_LOG_PROVIDER_CLOCKER": "off", "TF_LOG_SDK": "off", "TF_LOG_SDK_FRAMEWORK": "off", "TF_LOG_SDK_PROTO": "off",
	}
	for name, tc := range map[string]struct{ env, set map[string]string }{
		"nobody reads":           {nil, off},
		"nobody reads, said so":  {map[string]string{"TF_LOG": "OFF", "TF_LOG_CORE": "trace"}, off},
		"Terraform's log":        {map[string]string{"TF_LOG": "info"}, nil},
		"the providers' log":     {map[string]string{"TF_LOG_PROVIDER": "DEBUG"}, nil},
		"this provider's log":    {map[string]string{"TF_LOG_PROVIDER_CLOCKER": "warn"}, nil},
		"the SDK's log":          {map[string]string{"TF_LOG_SDK": "error"}, nil},
		"the framework's log":    {map[string]string{"TF_LOG_SDK_FRAMEWORK": "trace"}, nil},
		"the protocol's log":     {map[string]string{"TF_LOG_SDK_PROTO": "JSON"}, nil},
		"a file, and no level":   {map[string]string{"TF_LOG_PATH": "log"}, off},
		"empty is as if not set": {map[string]string{"TF_LOG": ""}, off},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := map[string]string{}
			silence(func(name string) (string, bool) {
				value, ok := tc.env[name]
				return value, ok
			}, func(name, value string) error {
				set[name] = value
				return nil
			})
			if !maps.Equal(set, tc.set) {
				t.Errorf("set %v, want %v", set, tc.set)
			}
		})
	}
}
