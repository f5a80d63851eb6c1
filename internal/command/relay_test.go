// SPDX-License-Identifier: MPL-2.0

//go:build unix

package command

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Each step is an event: a signal to this process, a message of the listener, or time that
// passes. The test compares which signals are passed on or left out.
func TestRelay(t *testing.T) {
	const (
		INT  = syscall.SIGINT
		TERM = syscall.SIGTERM
		HUP  = syscall.SIGHUP
		USR1 = syscall.SIGUSR1
	)
	signals := map[string]os.Signal{"INT": INT, "TERM": TERM, "HUP": HUP, "USR1": USR1}
	for name, tc := range map[string]struct {
		steps       string
		pass, leave []os.Signal
	}{
		"to this process alone":              {"listen got:INT wait", []os.Signal{INT}, nil},
		"without a listener":                 {"got:TERM now", []os.Signal{TERM}, nil},
		"to both":                            {"listen got:INT heard:INT wait", nil, nil},
		"to both, the listener first":        {"listen heard:INT got:INT wait", nil, nil},
		"to both, twice":                     {"listen got:INT heard:INT wait got:INT heard:INT wait", nil, nil},
		"to both, then alone":                {"listen got:INT heard:INT wait got:INT wait", []os.Signal{INT}, nil},
		"to both, then another one alone":    {"listen got:INT heard:INT wait got:TERM wait", nil, []os.Signal{TERM}},
		"another kind after the first":       {"listen got:INT wait got:TERM wait", []os.Signal{INT}, []os.Signal{TERM}},
		"the same again":                     {"listen got:TERM wait got:TERM wait", []os.Signal{TERM, TERM}, nil},
		"the listener alone, long before":    {"listen heard:TERM wait got:TERM wait", []os.Signal{TERM}, nil},
		"after the end of the listener":      {"listen deaf got:TERM now", []os.Signal{TERM}, nil},
		"the listener answers late":          {"listen got:INT silence heard:INT wait", nil, nil},
		"the listener never answers":         {"listen got:INT silence long", []os.Signal{INT}, nil},
		"too soon to decide":                 {"listen got:INT now", nil, nil},
		"two kinds to all":                   {"listen got:TERM heard:HUP heard:TERM got:HUP wait", nil, nil},
		"what does not stop":                 {"listen got:USR1 wait got:USR1 wait got:INT wait", []os.Signal{USR1, USR1, INT}, nil},
		"what does not stop after what does": {"listen got:HUP wait got:USR1 wait", []os.Signal{HUP, USR1}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r, now := newRelay(), time.Now()
			var pass, leave []os.Signal
			for step := range strings.FieldsSeq(tc.steps) {
				kind, s, _ := strings.Cut(step, ":")
				switch kind {
				case "listen":
					r.listening = true
				case "deaf":
					r.listening = false
				case "got":
					r.got(signals[s], now)
				case "heard":
					r.heard(signals[s], now)
				case "silence":
					now = now.Add(lookTime)
					if p, l, ask := r.due(now); len(p)+len(l) > 0 || !ask {
						t.Errorf("passed on %v and left out %v without asking", p, l)
					}
				case "long":
					now = now.Add(answerTime)
					p, _, _ := r.due(now)
					pass = append(pass, p...)
				case "wait":
					now = now.Add(lookTime)
					if _, _, ask := r.due(now); ask {
						r.answered(now)
					}
					fallthrough
				case "now":
					p, l, _ := r.due(now)
					pass, leave = append(pass, p...), append(leave, l...)
					if !r.next().IsZero() && !r.next().After(now) {
						t.Error("something is due still")
					}
					for _, s := range p { // what the caller does
						r.reached(s)
					}
				}
			}
			if !slices.Equal(pass, tc.pass) || !slices.Equal(leave, tc.leave) {
				t.Errorf("passed on %v and left out %v, want %v and %v", pass, leave, tc.pass, tc.leave)
			}
		})
	}
}
