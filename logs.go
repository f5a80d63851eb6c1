// SPDX-License-Identifier: MPL-2.0

package main

import "strings"

// silence turns the SDK's logs off when Terraform keeps none: it would read and parse
// dozens of lines for each resource, only to drop them. See
// https://developer.hashicorp.com/terraform/plugin/log/managing.
func silence(lookup func(string) (string, bool), set func(name, value string) error) {
	for _, name := range []string{"TF_LOG", "TF_LOG_PROVIDER", "TF_LOG_PROVIDER_CLOCKER", "TF_LOG_SDK", "TF_LOG_SDK_FRAMEWORK", "TF_LOG_SDK_PROTO"} {
		if value, _ := lookup(name); value != "" && !strings.EqualFold(value, "off") {
			return
		}
	}
	for _, name := range []string{"TF_LOG_PROVIDER_CLOCKER", "TF_LOG_SDK", "TF_LOG_SDK_FRAMEWORK", "TF_LOG_SDK_PROTO"} {
		_ = set(name, "off") // Else they are written, which does no harm.
	}
}
