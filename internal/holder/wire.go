// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"bufio"
	"encoding/gob"
	"io"
	"net"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// protocol is the version of the messages. It is in the address of the socket, so that
// holder processes and providers of different versions do not meet. It changes with the
// messages below, and with everything that is in them.
const protocol = "3"

// addressOf is the address of the holder process of a run.
func addressOf(runID string) string { return "clocker-" + protocol + "-" + runID }

// op is what a message asks for.
type op byte

const (
	opHello    op = iota + 1 // the first message: for which run
	opAcquire                // several answers: how the queue stands, and how it ended
	opTaken                  // the answer to an acquire was read; has no answer
	opCancel                 // ends an acquire
	opRelease                //
	opDescribe               //
	opStopping               // the run was interrupted; has no answer
	opFirst                  // may this process interrupt the run?
	opPing                   // is the holder process alive?
	opOwn                    // which nodes hold the lock for this run?
)

// message is what a provider process sends to the holder of its run.
type message struct {
	ID      uint64 // of the call; opTaken and opCancel have that of the acquire
	Op      op
	Run     string // of opHello: the id
	Passive bool   // of opHello: the holder process need not stay for this one
	Tell    bool   // of opHello: this process shows notes to the user
	// Process is, of opStopping and opFirst, the process that is interrupted, if that is
	// not the run.
	Process *run.Run
	Request *Request
	Znode   *Znode
	Info    string
	Dir     string // of opOwn: the lock's directory
}

// answer is what the holder sends back.
type answer struct {
	ID       uint64
	PID      int             // of the holder process, in the answer to opHello
	Waiting  *locker.Waiting // the acquire has not ended
	Grant    Grant
	Own      []locker.Identity // the answer to opOwn
	Failure  *Failure
	First    bool     // nobody has interrupted the run before
	Listener bool     // there is no listener: the provider is to start one
	Notes    []string // messages that could not reach the user in another way
}

const (
	// maxMessage is the most bytes of a message. A valid one has at most three PEM texts,
	// a keytab, and little else.
	maxMessage = 5 * zookeeper.MaxPEM
	// sendTime is how long to wait for a process that does not read: at least this, and
	// at most twice.
	sendTime = 5 * time.Second
)

// link is one end of a connection for messages.
type link struct {
	conn    net.Conn
	input   *io.LimitedReader
	decoder *gob.Decoder

	mu       sync.Mutex
	buffer   *bufio.Writer
	encoder  *gob.Encoder
	deadline time.Time // of the next write
}

func newLink(conn net.Conn) *link {
	input, buffer := &io.LimitedReader{R: conn}, bufio.NewWriter(conn)
	return &link{conn: conn, input: input, decoder: gob.NewDecoder(input), buffer: buffer, encoder: gob.NewEncoder(buffer)}
}

// receive reads the next message. One that is too long ends the connection.
func (l *link) receive(message any) error {
	l.input.N = maxMessage
	return l.decoder.Decode(message)
}

// send writes a message. After an error it closes the connection.
func (l *link) send(message any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.deadline.Before(now.Add(sendTime)) {
		l.deadline = now.Add(2 * sendTime) // also for the next writes
		_ = l.conn.SetWriteDeadline(l.deadline)
	}
	err := l.encoder.Encode(message)
	if err == nil {
		err = l.buffer.Flush()
	}
	if err != nil {
		_ = l.conn.Close()
	}
	return err
}
