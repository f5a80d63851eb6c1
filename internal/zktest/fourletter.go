// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// FourLetter sends a four letter word such as "srvr" or "cons" and returns the
// answer. It fails rather than waits where the server is paused or down.
func (s *Server) FourLetter(ctx context.Context, word string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, fourLetterTimeout)
	defer cancel()
	answer, err := ask(ctx, s.addr, word)
	if err != nil {
		return "", fmt.Errorf("%s: %s: %w", s.addr, word, err)
	}
	s.asked.Add(1)
	return answer, nil
}

func ask(ctx context.Context, addr, word string) (string, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// Stats returns what the server's "mntr" tells: zk_server_state,
// zk_num_alive_connections, zk_ephemerals_count and many more.
func (s *Server) Stats(ctx context.Context) (map[string]string, error) {
	answer, err := s.FourLetter(ctx, "mntr")
	if err != nil {
		return nil, err
	}
	stats := map[string]string{}
	for line := range strings.Lines(answer) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			stats[name] = value
		}
	}
	if len(stats) == 0 {
		return nil, fmt.Errorf("%s: mntr: %s", s.addr, strings.TrimSpace(answer))
	}
	return stats, nil
}

// PacketsReceived counts what clients have sent to the server since it started:
// requests, pings and the opening of sessions, but not the questions asked through
// this Server. Only the difference of two calls has a meaning; a quiet server
// gives a difference of zero.
func (s *Server) PacketsReceived(ctx context.Context) (int64, error) {
	// Its own question is among the packets by the time the server answers.
	asked := s.asked.Load() + 1
	stats, err := s.Stats(ctx)
	if err != nil {
		return 0, err
	}
	received, err := strconv.ParseInt(stats["zk_packets_received"], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: mntr: zk_packets_received: %w", s.addr, err)
	}
	return received - asked, nil
}
