package holder

import (
	"bufio"
	"encoding/gob"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/locker"
	"github.com/clocker/terraform-provider-clocker/internal/run"
	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// protocol is the version of what is said over the socket. It is part of the
// socket's address, so that holders and providers of different versions do not
// meet. It changes with the messages below, and with what is in them.
const protocol = "2"

// addressOf is where the holder of a run is found.
func addressOf(runID string) string { return "clocker-" + protocol + "-" + runID }

// op is what a message asks for.
type op byte

const (
	opHello    op = iota + 1 // the first message: for which run
	opAcquire                // the answers tell how the queue stands, and at last the end
	opTaken                  // the answer of an acquire was read
	opCancel                 // of an acquire
	opRelease                //
	opDescribe               //
	opStopping               // the run was interrupted; without an answer
	opFirst                  // may the run be interrupted by who asks?
	opPing                   // is the holder alive?
	opOwn                    // of which contenders was the lock granted?
)

// message is what a provider process sends to the holder of its run.
type message struct {
	ID      uint64 // of the call; opTaken and opCancel have that of the acquire
	Op      op
	Run     string // of opHello: the id
	Passive bool   // of opHello: the holder need not stay for this process
	Tell    bool   // of opHello: this process shows the user what answers have in their notes
	// Process is, of opStopping and opFirst, the one that is interrupted. Without it,
	// that is the run.
	Process *run.Run
	Request *Request
	Znode   *Znode
	Info    string
	Dir     string // of opOwn: the lock's directory
}

// answer is what the holder sends back.
type answer struct {
	ID       uint64
	PID      int             // the holder's, in the answer to opHello
	Waiting  *locker.Waiting // the acquire has not ended
	Grant    Grant
	Own      []locker.Identity // the answer to opOwn
	Failure  *Failure
	First    bool     // nobody has interrupted the run before
	Listener bool     // there is no listener yet: the provider is to start one
	Notes    []string // for the user, who could not be told otherwise
}

const (
	// maxMessage is the most bytes of a message. A valid one has three PEM texts, a keytab
	// and little else.
	maxMessage = 5 * zookeeper.MaxPEM
	// sendTime is how long a message waits at least, and twice that at most, for a
	// process that does not read.
	sendTime = 5 * time.Second
)

var errTooLong = errors.New("holder: a message is too long")

// link is one end of a connection, on which messages follow each other.
type link struct {
	conn    net.Conn
	input   *limited
	decoder *gob.Decoder

	mu       sync.Mutex
	buffer   *bufio.Writer
	encoder  *gob.Encoder
	deadline time.Time // of the next write
}

func newLink(conn net.Conn) *link {
	input, buffer := &limited{Reader: conn}, bufio.NewWriter(conn)
	return &link{conn: conn, input: input, decoder: gob.NewDecoder(input), buffer: buffer, encoder: gob.NewEncoder(buffer)}
}

// receive reads the next message.
func (l *link) receive(message any) error {
	l.input.left = maxMessage
	return l.decoder.Decode(message)
}

// send writes a message. After an error the connection is of no use, and closed.
func (l *link) send(message any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.deadline.Before(now.Add(sendTime)) {
		l.deadline = now.Add(2 * sendTime) // for the writes of the next seconds, too
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

// limited is a reader that gives no more bytes than are left.
type limited struct {
	io.Reader
	left int
}

// Read implements [io.Reader].
func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLong
	}
	n, err := l.Reader.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}
