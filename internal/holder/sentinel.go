// SPDX-License-Identifier: MPL-2.0

package holder

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/clocker/terraform-provider-clocker/internal/early"
)

// noteTime bounds how long the holder process waits for its sentinel: for it to take
// notes, and to end.
const noteTime = time.Second

// sentinel is the holder process's side of the sentinel. A holder process that is killed
// can tell nobody, and the server gives its locks away. So it leaves notes of what it
// holds in a pipe. The sentinel reads them when another pipe ends with the holder
// process: see [watch]. The methods watch and forget do nothing for a nil sentinel.
type sentinel struct {
	order  order
	socket net.Listener // the sentinel answers there when the holder process was killed

	mu     sync.Mutex
	locks  map[uint64]guarded
	last   uint64 // the number of a lock
	stops  bool
	cmd    *exec.Cmd // nil if there is no process
	life   *os.File  // a pipe that ends with this process, and wakes the sentinel
	pipe   *os.File  // for the notes
	notes  *gob.Encoder
	page   bytes.Buffer // notes that are not in the pipe yet
	unread int          // bytes of notes

	dismissed bool
}

// maxUnread is how many bytes of notes stay in the pipe before the sentinel is woken to
// read them: the pipes of every system have room for as many. To wake it for each note
// would take a processor from the locks.
const maxUnread = 2 << 10

// guarded is a lock whose loss the sentinel tells of.
type guarded struct {
	Number        uint64
	LockID, Znode string
	Interrupt     bool
}

// note is what a holder process tells its sentinel.
type note struct {
	Order *order   // the first one
	Held  *guarded // from now on, or told before with another Interrupt
	Gone  uint64   // the number of a lock that is not held any more
	Stops bool     // the run has been interrupted
	Pause bool     // that is all for now
}

func sentinelFor(o order, socket net.Listener) *sentinel {
	return &sentinel{order: o, socket: socket, locks: make(map[uint64]guarded)}
}

// begin starts the process. If that fails, the next note tries it again.
func (s *sentinel) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil && !s.dismissed {
		_ = s.start()
	}
}

// start starts the process and tells it all there is to know.
func (s *sentinel) start() error {
	cmd, err := ourselves(early.SentinelCommand)
	if err != nil {
		return err
	}
	alive, life, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = alive.Close() }()
	notes, pipe, err := os.Pipe()
	if err != nil {
		_ = life.Close()
		return err
	}
	defer func() { _ = notes.Close() }()
	cmd.Stdin, cmd.Stdout = alive, notes // it reads both
	closeSocket, err := passSocket(cmd, s.socket)
	if err == nil {
		err = cmd.Start()
		closeSocket()
	}
	if err != nil {
		_ = life.Close()
		_ = pipe.Close()
		return err
	}
	s.cmd, s.life, s.pipe = cmd, life, pipe
	s.page.Reset()
	s.notes, s.unread = gob.NewEncoder(&s.page), 0
	err = s.write(note{Order: &s.order})
	if err == nil && s.stops {
		err = s.write(note{Stops: true})
	}
	for _, lock := range s.locks {
		if err == nil {
			err = s.write(note{Held: &lock})
		}
	}
	if err != nil {
		s.kill()
		s.stop()
	}
	return err
}

// watch has the sentinel watch over a lock. When it returns, the end of this process
// cannot pass unnoticed any more. The number is for forget, and for watch to change what
// the sentinel knows of the lock.
func (s *sentinel) watch(lock guarded) (number uint64, err error) {
	if s == nil {
		return 0, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if lock.Number == 0 {
		s.last++
		lock.Number = s.last
	}
	s.locks[lock.Number] = lock
	if err := s.tell(note{Held: &lock}); err != nil {
		delete(s.locks, lock.Number)
		return 0, err
	}
	return lock.Number, nil
}

// forget ends the watch over a lock.
func (s *sentinel) forget(number uint64) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.locks, number)
	_ = s.tell(note{Gone: number}) // the next watch meets the error again
}

// runStops says that the run has been interrupted, and must not be interrupted again.
func (s *sentinel) runStops() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stops = true
	_ = s.tell(note{Stops: true})
}

// dismiss ends the sentinel, because this process ends in good order.
func (s *sentinel) dismiss() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dismissed = true
	if s.cmd == nil {
		return
	}
	if s.wake(early.Leave) != nil {
		s.kill()
	}
	s.stop()
}

// tell writes a note. If somebody has ended the sentinel, or it does not read, another
// one takes its place.
func (s *sentinel) tell(n note) error {
	if s.dismissed {
		return ErrEnded
	}
	if s.cmd != nil {
		if s.write(n) == nil {
			return nil
		}
		s.kill()
		s.stop()
	}
	if err := s.start(); err != nil {
		return fmt.Errorf("holder: start the sentinel: %w", err)
	}
	return nil
}

// write puts a note into the pipe, and wakes the sentinel if there are many.
func (s *sentinel) write(n note) error {
	if err := s.notes.Encode(n); err != nil {
		return err
	}
	if s.unread += s.page.Len(); s.unread > maxUnread {
		s.unread = 0
		if err := s.notes.Encode(note{Pause: true}); err != nil {
			return err
		}
		if err := s.wake(early.Read); err != nil {
			return err
		}
	}
	_ = s.pipe.SetWriteDeadline(time.Now().Add(noteTime))
	_, err := s.page.WriteTo(s.pipe)
	return err
}

// wake tells the sentinel what to do.
func (s *sentinel) wake(word byte) error {
	_ = s.life.SetWriteDeadline(time.Now().Add(noteTime))
	_, err := s.life.Write([]byte{word})
	return err
}

func (s *sentinel) hangUp() {
	_ = s.pipe.Close() // first, because no notes come after the end of life
	_ = s.life.Close()
}

// kill ends a sentinel that could take the end of its pipe for that of this process.
func (s *sentinel) kill() { _ = s.cmd.Process.Kill() }

// stop waits for the end of a sentinel that was told to leave, or was killed.
func (s *sentinel) stop() {
	s.hangUp()
	late := time.AfterFunc(noteTime, s.kill)
	defer late.Stop()
	_ = s.cmd.Wait()
	s.cmd = nil
}
