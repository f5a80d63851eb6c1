// SPDX-License-Identifier: MPL-2.0

package zookeeper

import "sync"

// Use counts a user of the session until done is called: see [Session.Retire].
func (s *Session) Use() (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		s.users--
		idle := s.isRetired() && s.users == 0
		s.mu.Unlock()
		if idle {
			_ = s.Close()
		}
	})
}

// Retire closes the session when nobody uses it any more, because it has a znode that
// cannot be deleted, and ends only with the session. A [Pool] does not return it again.
func (s *Session) Retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isRetired() {
		close(s.retired)
	}
}

// Retired is closed when [Session.Retire] was called. A user that can use another session
// should leave this one then.
func (s *Session) Retired() <-chan struct{} { return s.retired }

func (s *Session) isRetired() bool {
	select {
	case <-s.retired:
		return true
	default:
		return false
	}
}
