package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-zookeeper/zk" //nolint:depguard // the observer is to share no code with what it observes
)

const (
	sessionTimeout = 10 * time.Second
	connectTimeout = 15 * time.Second
)

// observer watches one lock through a connection of its own, and records what
// becomes of the znodes that contend for it.
type observer struct {
	conn   *zk.Conn
	dir    string
	record *recorder
	done   chan struct{}
	err    error // why it stopped; valid once done is closed
}

// observe watches until close.
func observe(server, dir string, r *recorder) (*observer, error) {
	conn, err := connect(server)
	if err != nil {
		return nil, err
	}
	o := &observer{conn: conn, dir: dir, record: r, done: make(chan struct{})}
	go func() {
		defer close(o.done)
		o.err = o.watch()
	}()
	return o, nil
}

func connect(server string) (*zk.Conn, error) {
	conn, _, err := zk.Connect([]string{server}, sessionTimeout, zk.WithLogger(silent{}), zk.WithLogInfo(false))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", server, err)
	}
	return conn, nil
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// close returns why it stopped watching, if that was before.
func (o *observer) close() error {
	o.conn.Close()
	<-o.done
	if errors.Is(o.err, zk.ErrConnectionClosed) || errors.Is(o.err, zk.ErrClosing) {
		return nil
	}
	return fmt.Errorf("observe %s: %w", o.dir, o.err)
}

// watch looks at the queue each time that it changes.
func (o *observer) watch() error {
	var before []contender
	for {
		now, changed, err := o.look(before)
		if err != nil {
			return err
		}
		o.compare(before, now)
		before = now
		if event := <-changed; event.Err != nil {
			return event.Err
		}
	}
}

// contender is a znode in the lock's directory.
type contender struct{ znode, owner string }

// look returns the queue, the holder first, and a watch of its next change.
func (o *observer) look(known []contender) ([]contender, <-chan zk.Event, error) {
	names, _, changed, err := o.conn.ChildrenW(o.dir)
	if errors.Is(err, zk.ErrNoNode) {
		exists, _, created, err := o.conn.ExistsW(o.dir)
		if exists {
			return o.look(known) // Created in between.
		}
		return nil, created, err
	}
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(sequence(a), sequence(b)) })
	var queue []contender
	for _, name := range names {
		if i := slices.IndexFunc(known, func(c contender) bool { return c.znode == name }); i >= 0 {
			queue = append(queue, known[i])
			continue
		}
		data, _, err := o.conn.Get(o.dir + "/" + name)
		if errors.Is(err, zk.ErrNoNode) {
			continue // Gone already.
		}
		if err != nil {
			return nil, nil, err
		}
		var said struct{ Owner string }
		if err := json.Unmarshal(data, &said); err != nil {
			return nil, nil, fmt.Errorf("%s says %q: %w", name, data, err)
		}
		queue = append(queue, contender{name, said.Owner})
	}
	return queue, changed, nil
}

// compare records in what the queue differs from what it was.
func (o *observer) compare(before, now []contender) {
	at := time.Now()
	for _, c := range before {
		if !slices.Contains(now, c) {
			o.record.add(Event{At: at, Run: c.owner, Kind: gone, Znode: c.znode})
		}
	}
	for i, c := range now {
		switch {
		case i == 0 && (len(before) == 0 || before[0] != c):
			o.record.add(Event{At: at, Run: c.owner, Kind: holds, Znode: c.znode})
		case i > 0 && !slices.Contains(before, c):
			o.record.add(Event{At: at, Run: c.owner, Kind: queued, Znode: c.znode, Behind: now[0].owner})
		}
	}
}

// sequence is the number that the server gave a znode: the last ten characters of
// its name.
func sequence(name string) string { return name[max(0, len(name)-10):] }

// tree lists the znodes below a path, parents first.
func tree(conn *zk.Conn, path string) ([]string, error) {
	names, _, err := conn.Children(path)
	if err != nil {
		if errors.Is(err, zk.ErrNoNode) {
			err = nil
		}
		return nil, err
	}
	slices.Sort(names)
	var paths []string
	for _, name := range names {
		below, err := tree(conn, path+"/"+name)
		if err != nil {
			return nil, err
		}
		paths = append(append(paths, path+"/"+name), below...)
	}
	return paths, nil
}

// makeRoot creates the znode below which the demo works.
func makeRoot(ctx context.Context, server, path string) error {
	conn, err := connect(server)
	if err != nil {
		return err
	}
	defer conn.Close()
	// The client retries for as long as it is open: where no server answers, end that.
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, conn.Close)()
	if _, err := conn.Create(path, nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
		return fmt.Errorf("create %s on %s: %w", path, server, cmp.Or(context.Cause(ctx), err))
	}
	return nil
}

// deleteRoot deletes it and what is below it, and returns what that was, other than
// the empty root of all locks.
func deleteRoot(server, path string) (left []string, err error) {
	conn, err := connect(server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	paths, err := tree(conn, path)
	if err != nil {
		return nil, err
	}
	for _, p := range slices.Backward(append([]string{path}, paths...)) {
		if err := conn.Delete(p, -1); err != nil {
			return nil, fmt.Errorf("delete %s: %w", p, err)
		}
	}
	return slices.DeleteFunc(paths, func(p string) bool { return p == strings.TrimSuffix(path, "/")+lockRoot }), nil
}
