// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// The provider learns of an interrupt even if no request is under way that it would cancel.
func TestStopProviderIsHeard(t *testing.T) {
	t.Parallel()
	heard := 0
	for _, rt := range []Runtime{{}, {Stopping: func() { heard++ }}} {
		resp, err := NewServer("test", rt)().StopProvider(t.Context(), &tfprotov6.StopProviderRequest{})
		if err != nil || resp.Error != "" {
			t.Errorf("StopProvider: %v, %v", resp, err)
		}
	}
	if heard != 1 {
		t.Errorf("it was heard %d times", heard)
	}
}
