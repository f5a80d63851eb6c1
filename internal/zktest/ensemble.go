// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Ensemble is a group of servers that replicate to each other, each its own child
// process.
type Ensemble struct {
	servers []*Server
	network *network // nil without Options.Links
}

// StartEnsemble starts n servers that form an ensemble and returns once all of
// them serve. ctx bounds the start. Nothing is left running on an error.
func StartEnsemble(ctx context.Context, n int, options Options) (_ *Ensemble, err error) {
	if n < 2 {
		return nil, fmt.Errorf("start ensemble: %d servers are none", n)
	}
	e := &Ensemble{}
	defer func() {
		if err != nil {
			e.Stop()
			err = fmt.Errorf("start ensemble of %d: %w", n, err)
		}
	}()

	members, err := e.members(ctx, n, options.Links)
	if err != nil {
		return nil, err
	}
	for i, quorum := range members {
		port, err := FreePort(ctx)
		if err != nil {
			return nil, err
		}
		s, err := newServer(options, port, quorum)
		if err != nil {
			return nil, err
		}
		e.servers = append(e.servers, s)
		if err := writeID(s.dir, i+1); err != nil {
			return nil, err
		}
		if err := s.launch(); err != nil {
			return nil, err
		}
	}
	for _, s := range e.servers {
		if err := s.awaitServing(ctx); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// member is where the others find a member of an ensemble.
type member struct{ peer, election int }

// members are the lines of zoo.cfg that make each server one. With links, each finds
// the others where its link to them begins.
func (e *Ensemble) members(ctx context.Context, n int, links bool) ([]map[string]string, error) {
	seen := make([][]member, n) // of the second by the first
	for range n {
		peer, err := FreePort(ctx)
		if err != nil {
			return nil, err
		}
		election, err := FreePort(ctx)
		if err != nil {
			return nil, err
		}
		for from := range n {
			seen[from] = append(seen[from], member{peer, election})
		}
	}
	if links {
		e.network = newNetwork(n)
		if err := e.network.insert(seen); err != nil {
			return nil, err
		}
	}
	members := make([]map[string]string, n)
	for from := range members {
		members[from] = map[string]string{
			// In ticks: long enough for a loaded machine, as ticks are short here.
			"initLimit": "100",
			"syncLimit": "50",
		}
		for to, at := range seen[from] {
			members[from][fmt.Sprintf("server.%d", to+1)] = fmt.Sprintf("%s:%d:%d", loopback, at.peer, at.election)
		}
	}
	return members, nil
}

// writeID tells the server with its files in dir which one of the ensemble it is.
func writeID(dir string, id int) error {
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(data, "myid"), []byte(strconv.Itoa(id)), 0o600)
}

// Servers are the members, those that were killed included.
func (e *Ensemble) Servers() []*Server { return e.servers }

// Addrs are the members' host:port.
func (e *Ensemble) Addrs() []string { return addrs(e.servers) }

// ConnectString names all members, without a chroot.
func (e *Ensemble) ConnectString() string { return strings.Join(e.Addrs(), ",") }

// Link is the direction from one member to another of an ensemble with [Options.Links].
func (e *Ensemble) Link(from, to *Server) *Link {
	return e.network.link(slices.Index(e.servers, from), slices.Index(e.servers, to))
}

// Restart kills all members, deletes the data of some, and starts all again. It returns
// once all serve. ctx bounds that.
//
// The others serve before an emptied one starts. It does not know any more what it has
// confirmed: together with a member that was behind, it could lose a write that a
// quorum had answered.
func (e *Ensemble) Restart(ctx context.Context, emptied ...*Server) error {
	for _, s := range e.servers {
		if err := s.Kill(); err != nil {
			return err
		}
	}
	var kept []*Server
	for _, s := range e.servers {
		if !slices.Contains(emptied, s) {
			kept = append(kept, s)
		}
	}
	for _, s := range emptied {
		if err := s.deleteData(); err != nil {
			return err
		}
	}
	for _, servers := range [][]*Server{kept, emptied} {
		if err := startAll(ctx, servers); err != nil {
			return err
		}
	}
	return nil
}

// startAll starts servers that need each other, and returns once all of them serve.
func startAll(ctx context.Context, servers []*Server) error {
	for _, s := range servers {
		if err := s.launch(); err != nil {
			return err
		}
	}
	for _, s := range servers {
		if err := s.awaitServing(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Leader waits until a member leads and serves, and returns it. One that is paused does
// not count. ctx bounds that; without a majority there is none.
func (e *Ensemble) Leader(ctx context.Context) (*Server, error) {
	var leader *Server
	err := poll(ctx, func() error {
		var errs []error
		for _, s := range e.servers {
			if !s.Running() || s.paused.Load() {
				continue
			}
			stats, err := s.Stats(ctx)
			if err == nil && stats["zk_server_state"] == "leader" {
				leader = s
				return nil
			}
			errs = append(errs, err)
		}
		return fmt.Errorf("no server leads: %w", errors.Join(errs...))
	})
	if err != nil {
		return nil, err
	}
	return leader, nil
}

// Stop ends all members at once, reaps them and deletes their data.
func (e *Ensemble) Stop() {
	for _, s := range e.servers {
		s.Stop()
	}
	if e.network != nil {
		e.network.close()
		e.network = nil
	}
}

func addrs(servers []*Server) []string {
	list := make([]string, 0, len(servers))
	for _, s := range servers {
		list = append(list, s.Addr())
	}
	return list
}
