// SPDX-License-Identifier: MPL-2.0

package command

import (
	"context"
	"errors"
)

// run fails: on this system no process can become another, or be interrupted.
func (r *running) run(context.Context) int {
	return r.fail(exitCannotRun, errors.New("run does not work on Windows. Use a clocker_lock block, or WSL"))
}
