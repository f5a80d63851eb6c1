package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

var errNoHolder = errors.New("there is no holder process")

// victim is an apply that something of is killed.
type victim struct {
	*workspace
	cmd *exec.Cmd
}

func (v *victim) killHolder() error {
	_, holders, err := v.processes()
	if err != nil {
		return err
	}
	if len(holders) == 0 {
		return errNoHolder
	}
	for _, p := range holders {
		if err := p.Kill(); err != nil {
			return err
		}
	}
	return nil
}

// end ends what is left of it: only processes that were started for it.
func (v *victim) end() {
	_ = v.cmd.Process.Kill()
	_ = v.cmd.Wait()
	v.endWork()
	plugins, holders, err := v.processes()
	if err != nil {
		return
	}
	for _, p := range append(plugins, holders...) {
		_ = p.Kill()
	}
}

// endWork ends the guarded work, which outlives a Terraform that was killed.
func (v *victim) endWork() {
	text, err := os.ReadFile(filepath.Join(v.dir, workFile))
	if err != nil {
		return // It has not begun.
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return
	}
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}
