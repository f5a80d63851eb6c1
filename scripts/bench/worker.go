package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A worker is a process that measures one kind of client, so that none has
// another's memory or goroutines beside its own. A line of its standard input
// says what to do, and a line of JSON on its standard output is what that gave.
// Kazoo's worker, kazoo.py, does the same.
const workCommand = "work"

// works are what a worker can do.
var works = map[string]func(w *worker, ctx context.Context, arguments []string) (any, error){
	"pair":    (*worker).pair,
	"storm":   (*worker).storm,
	"settled": (*worker).settled,
	"distant": (*worker).distant,
	"locks":   (*worker).locks,
	"waiters": (*worker).waiters,
}

// worker is this process as one.
type worker struct {
	kind    kind
	server  string // to look from, past all proxies
	clients map[string]client
}

// serveWork does what standard input says, until that ends.
func serveWork(ctx context.Context, name, server string) error {
	at := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if at < 0 {
		return fmt.Errorf("no kind %q", name)
	}
	w := &worker{kind: kinds[at], server: server, clients: map[string]client{}}
	defer w.closeClients()
	out := json.NewEncoder(os.Stdout)
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		fields := strings.Fields(line)
		if len(fields) == 0 || works[fields[0]] == nil {
			return fmt.Errorf("no such work: %q", line)
		}
		answer, err := works[fields[0]](w, ctx, fields[1:])
		if err != nil {
			return fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
}

// client is the one with that number for a server. Sessions are kept.
func (w *worker) client(ctx context.Context, server string, number int) (client, error) {
	key := fmt.Sprintf("%s %d", server, number)
	if c, ok := w.clients[key]; ok {
		return c, nil
	}
	c, err := w.kind.open(ctx, server)
	if err != nil {
		return nil, err
	}
	w.clients[key] = c
	return c, nil
}

func (w *worker) closeClients() {
	for _, c := range w.clients {
		c.close()
	}
	clear(w.clients)
}

// numbers reads the arguments behind the server and the lock's name.
func numbers(arguments []string, n int) ([]int, error) {
	if len(arguments) != 2+n {
		return nil, fmt.Errorf("%d arguments, want %d", len(arguments), 2+n)
	}
	var values []int
	for _, text := range arguments[2:] {
		value, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}
