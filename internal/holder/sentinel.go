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
)

// noteTime bounds how long a sentinel may keep its holder waiting, be it to take a
// note or to end.
const noteTime = time.Second

// sentinel is the holder's side of a process that raises the alarm in its place if
// the holder ends without a word, as one does that is killed: the server gives its
// locks away then, and the provider, which could notice too, has mostly gone by
// that time. To watch and forget, a nil sentinel does nothing.
type sentinel struct {
	order  order
	socket net.Listener // at which the sentinel is to answer in the end

	mu     sync.Mutex
	locks  map[uint64]guarded
	last   uint64 // number given to a lock
	stops  bool
	cmd    *exec.Cmd // nil while there is none
	life   *os.File  // a pipe whose end is that of this process, or a call to read
	pipe   *os.File  // for the notes
	notes  *gob.Encoder
	page   bytes.Buffer // of notes that have yet to be written
	unread int          // bytes of notes

	dismissed bool
}

// maxUnread is how many bytes of notes are left to be read when this process has
// ended: every system's pipes hold as much. A sentinel that read each one would take
// a processor from the locks twice for each of them.
const maxUnread = 2 << 10

// guarded is a lock that the sentinel is to raise the alarm for.
type guarded struct {
	Number        uint64
	LockID, Znode string
	Interrupt     bool
}

// note is what a holder tells its sentinel.
type note struct {
	Order *order   // the first one
	Held  *guarded // from now on, or told before with another Interrupt
	Gone  uint64   // the number of one that is not held any more
	Stops bool     // the run has been interrupted
	Leave bool     // the holder ends in good order
	Pause bool     // that is all for now
}

func startSentinel(o order, socket net.Listener) (*sentinel, error) {
	s := &sentinel{order: o, socket: socket, locks: make(map[uint64]guarded)}
	if err := s.start(); err != nil {
		return nil, fmt.Errorf("holder: start the sentinel: %w", err)
	}
	return s, nil
}

// start starts the process and tells it all there is to know.
func (s *sentinel) start() error {
	cmd, err := ourselves(SentinelCommand)
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
	cmd.Stdin, cmd.Stdout = alive, notes // which it reads both
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

// watch takes a lock under watch, and returns once no end of this process can
// pass unnoticed any more. The number is for forget, and for watch to replace what
// it was told.
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
	// An error is of no consequence: the next watch meets it, too.
	_ = s.tell(note{Gone: number})
}

// runStops says that the run has been interrupted, and nobody may do so again.
func (s *sentinel) runStops() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stops = true
	_ = s.tell(note{Stops: true})
}

// dismiss ends the process, because this one ends in good order.
func (s *sentinel) dismiss() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dismissed = true
	if s.cmd == nil {
		return
	}
	if s.write(note{Leave: true}) != nil {
		s.kill()
	}
	s.stop()
}

// tell passes a note on. Where the sentinel was ended by someone, or takes no
// notes, another one takes its place.
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
		return fmt.Errorf("holder: start another sentinel: %w", err)
	}
	return nil
}

// write leaves a note for the end of this process, or has all notes read.
func (s *sentinel) write(n note) error {
	if err := s.notes.Encode(n); err != nil {
		return err
	}
	deadline := time.Now().Add(noteTime)
	if s.unread += s.page.Len(); s.unread > maxUnread {
		s.unread = 0
		if err := s.notes.Encode(note{Pause: true}); err != nil {
			return err
		}
		_ = s.life.SetWriteDeadline(deadline)
		if _, err := s.life.Write([]byte{0}); err != nil {
			return err
		}
	}
	_ = s.pipe.SetWriteDeadline(deadline)
	_, err := s.page.WriteTo(s.pipe)
	return err
}

func (s *sentinel) hangUp() {
	_ = s.pipe.Close() // first, as no notes are to come when life ends
	_ = s.life.Close()
}

// kill ends a sentinel that could take the end of its pipe for the holder's.
func (s *sentinel) kill() { _ = s.cmd.Process.Kill() }

// stop waits for the end of a process that was told to leave or killed.
func (s *sentinel) stop() {
	s.hangUp()
	late := time.AfterFunc(noteTime, s.kill)
	defer late.Stop()
	_ = s.cmd.Wait()
	s.cmd = nil
}
