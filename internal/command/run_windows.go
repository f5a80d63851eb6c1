package command

import (
	"context"
	"errors"
)

// run refuses: no process can take another's place on this system, nor be interrupted.
func (r *running) run(context.Context) int {
	return r.fail(exitCannotRun, errors.New("run is not supported on Windows. Use a clocker_lock block, or run it in WSL"))
}
