// SPDX-License-Identifier: MPL-2.0

//go:build unix

package chaos

import (
	"os"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func TestMain(m *testing.M) {
	if holder.Main(os.Args[1:]) {
		return
	}
	zktest.Main(m)
}
