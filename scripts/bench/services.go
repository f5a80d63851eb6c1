// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

const (
	// benchRoot is the znode below which all locks are.
	benchRoot = "/bench"
	lookEvery = 2 * time.Millisecond
	// settleTime is given to whoever has queued to watch the one before it.
	settleTime = 50 * time.Millisecond
	// stateLockWork is how long the work lasts at most where the next one looks with
	// growing pauses: it has looked after 0, 1, 3 and 7 seconds then.
	stateLockWork = 7 * time.Second
)

// services are where locks are kept.
type services struct {
	zookeeper []string // host:port
	etcd      []string
	observer  *zktest.Client // of that ZooKeeper
}

// servicesAt are those at some addresses, with all that is needed there.
func (b *bench) servicesAt(ctx context.Context, zookeeper, etcd []string) (services, error) {
	observer, err := zktest.Dial(zookeeper, "", sessionTimeout)
	if err != nil {
		return services{}, err
	}
	b.atEnd(observer.Close)
	for _, path := range []string{benchRoot, ourDir, peerDir, kazooDir} {
		if _, err := observer.Create(ctx, path, nil, zktest.Persistent); err != nil {
			return services{}, err
		}
	}
	return services{zookeeper, etcd, observer}, nil
}

// awaitQueued waits until the second run waits for the first.
func (b *bench) awaitQueued(ctx context.Context, o order, second *guarded) (err error) {
	settle := settleTime
	switch o.way.kind {
	case "clocker":
		err = o.at.observer.AwaitQueue(ctx, locker.Directory(benchRoot, locker.DefaultRoot, o.lock+"-0"), 2)
	case "kazoo":
		err = o.at.observer.AwaitQueue(ctx, kazooDir+o.lock, 2)
	case "etcd":
		err = await(ctx, func() (bool, error) { return o.waitsAtEtcd(ctx) })
	case "flock":
		err = await(ctx, second.waitsForFile)
	default:
		settle = time.Duration(rand.Int64N(int64(stateLockWork))) //nolint:gosec // not secret
		err = await(ctx, func() (bool, error) {
			return bytes.Contains(second.said(), []byte("Acquiring state lock")), nil
		})
	}
	if err != nil {
		return fmt.Errorf("%s does not wait: %w\n%s", o.way.name, err, second.said())
	}
	time.Sleep(settle)
	return nil
}

func (o order) waitsAtEtcd(ctx context.Context) (bool, error) {
	var answer struct{ Count string }
	err := askEtcd(ctx, o.at.etcd[0], "/v3/kv/range", map[string]any{
		"key": []byte(o.lock + "/"), "range_end": []byte(o.lock + "0"), "count_only": true,
	}, &answer)
	return answer.Count == "2", err
}

// waitsForFile says whether the run waits for a flock, as Linux tells.
func (g *guarded) waitsForFile() (bool, error) {
	locks, err := os.ReadFile("/proc/locks")
	for line := range strings.Lines(string(locks)) {
		if strings.Contains(line, "-> FLOCK") && strings.Contains(line, fmt.Sprintf(" %d ", g.cmd.Process.Pid)) {
			return true, nil
		}
	}
	return false, err
}

// await waits until something is so.
func await(ctx context.Context, is func() (bool, error)) error {
	for {
		if yes, err := is(); yes || err != nil {
			return err
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// etcd is a member of an ensemble of etcd.
type etcd struct {
	name, addr string
	arguments  []string
	cmd        *exec.Cmd
}

// startEtcd starts n servers that form an ensemble. Their data are where no disk is
// waited for, as ZooKeeper's are.
func (b *bench) startEtcd(ctx context.Context, n int) ([]*etcd, error) {
	data := b.dir
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		data = "/dev/shm"
	}
	data, err := os.MkdirTemp(data, "clocker-etcd-")
	if err != nil {
		return nil, err
	}
	b.atEnd(func() { _ = os.RemoveAll(data) })
	members := make([]*etcd, n)
	var cluster []string
	for i := range members {
		var addrs [2]string
		for j := range addrs {
			port, err := zktest.FreePort(ctx)
			if err != nil {
				return nil, err
			}
			addrs[j] = "127.0.0.1:" + strconv.Itoa(port)
		}
		name := "e" + strconv.Itoa(i)
		client, peer := "http://"+addrs[0], "http://"+addrs[1]
		cluster = append(cluster, name+"="+peer)
		members[i] = &etcd{name: name, addr: addrs[0], arguments: []string{
			"--name", name, "--data-dir", filepath.Join(data, name), "--log-level", "error",
			"--listen-client-urls", client, "--advertise-client-urls", client,
			"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
		}}
	}
	for _, m := range members {
		m.arguments = append(m.arguments, "--initial-cluster", strings.Join(cluster, ","))
		if err := b.startMember(m); err != nil {
			return nil, err
		}
		b.atEnd(m.kill)
	}
	for _, m := range members {
		if _, err := m.awaitLeader(ctx); err != nil {
			return nil, err
		}
	}
	return members, nil
}

// startMember starts a member for the first time, or again.
func (b *bench) startMember(m *etcd) error {
	m.cmd = exec.Command(b.etcd, m.arguments...) //nolint:gosec,noctx // what is measured; it ends by kill
	return m.cmd.Start()
}

func (m *etcd) kill() {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait()
}

// awaitLeader waits until the member knows a leader, and says whether it is the one.
func (m *etcd) awaitLeader(ctx context.Context) (leads bool, err error) {
	err = await(ctx, func() (bool, error) {
		var status struct {
			Header struct {
				Member string `json:"member_id"`
			}
			Leader string
		}
		// It may not serve yet.
		err := askEtcd(ctx, m.addr, "/v3/maintenance/status", map[string]any{}, &status)
		leads = status.Leader == status.Header.Member
		return err == nil && status.Leader != "" && status.Leader != "0", nil
	})
	return leads, err
}

// askEtcd asks a server by its JSON gateway, where keys are in base64 as Go has it.
func askEtcd(ctx context.Context, addr, path string, question map[string]any, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd: %s: %s", response.Status, text)
	}
	return json.Unmarshal(text, answer)
}
