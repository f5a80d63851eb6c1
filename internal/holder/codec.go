package holder

import (
	"bufio"
	"encoding/gob"
	"errors"
	"io"
	"net/rpc"

	"github.com/clocker/terraform-provider-clocker/internal/zookeeper"
)

// codec is net/rpc's own, but tells of each request in the order in which they come,
// and at once when no further one can be read: the server itself waits first for the
// calls it has taken, which may wait for long, and for nobody.
type codec struct {
	io.Closer
	input     *limited
	requests  *gob.Decoder
	buffer    *bufio.Writer
	responses *gob.Encoder
	read      func(request any)
	ended     func()
}

var _ rpc.ServerCodec = (*codec)(nil)

func newCodec(pipe io.ReadWriteCloser, read func(request any), ended func()) *codec {
	buffer := bufio.NewWriter(pipe)
	input := &limited{Reader: pipe}
	return &codec{pipe, input, gob.NewDecoder(input), buffer, gob.NewEncoder(buffer), read, ended}
}

// maxRequest is the most bytes of a request. A valid one has three PEM texts at most
// and little else.
const maxRequest = 4 * zookeeper.MaxPEM

var errTooLong = errors.New("holder: a request is too long")

// limited is a reader from which no more is to be had than is left.
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

// ReadRequestHeader implements [rpc.ServerCodec]. The server reads no further
// after an error.
func (c *codec) ReadRequestHeader(r *rpc.Request) error {
	c.input.left = maxRequest
	err := c.requests.Decode(r)
	if err != nil {
		c.ended()
	}
	return err
}

// ReadRequestBody implements [rpc.ServerCodec].
func (c *codec) ReadRequestBody(body any) error {
	err := c.requests.Decode(body)
	if err == nil {
		c.read(body)
	}
	return err
}

// WriteResponse implements [rpc.ServerCodec].
func (c *codec) WriteResponse(r *rpc.Response, body any) error {
	err := c.responses.Encode(r)
	if err == nil {
		err = c.responses.Encode(body)
	}
	if err == nil {
		err = c.buffer.Flush()
	}
	if err != nil {
		// Whoever waits for the answer is to learn that none comes.
		_ = c.Close()
	}
	return err
}
