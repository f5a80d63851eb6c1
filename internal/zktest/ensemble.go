package zktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Ensemble is a group of servers that replicate to each other, each its own child
// process.
type Ensemble struct {
	servers []*Server
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

	quorum := map[string]string{
		// In ticks: long enough for a loaded machine, as ticks are short here.
		"initLimit": "100",
		"syncLimit": "50",
	}
	for id := 1; id <= n; id++ {
		peer, err := FreePort(ctx)
		if err != nil {
			return nil, err
		}
		election, err := FreePort(ctx)
		if err != nil {
			return nil, err
		}
		quorum[fmt.Sprintf("server.%d", id)] = fmt.Sprintf("%s:%d:%d", loopback, peer, election)
	}
	for id := 1; id <= n; id++ {
		port, err := FreePort(ctx)
		if err != nil {
			return nil, err
		}
		s, err := newServer(options, port, quorum)
		if err != nil {
			return nil, err
		}
		e.servers = append(e.servers, s)
		if err := writeID(s.dir, id); err != nil {
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

// Leader waits until a member leads and serves, and returns it. ctx bounds that;
// without a majority there is none.
func (e *Ensemble) Leader(ctx context.Context) (*Server, error) {
	var leader *Server
	err := poll(ctx, func() error {
		var errs []error
		for _, s := range e.servers {
			if !s.Running() {
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
}

func addrs(servers []*Server) []string {
	list := make([]string, 0, len(servers))
	for _, s := range servers {
		list = append(list, s.Addr())
	}
	return list
}
