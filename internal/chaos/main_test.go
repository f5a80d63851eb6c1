//go:build unix

package chaos

import (
	"os"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/holder"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == holder.Command {
		holder.Hold(holder.AnyRun)
		return
	}
	zktest.Main(m)
}
