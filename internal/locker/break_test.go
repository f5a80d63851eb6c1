// SPDX-License-Identifier: MPL-2.0

package locker

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

// breaking is a break of a znode of the stage.
func (s *stage) breaking(znode string) Breaking {
	return Breaking{Dirs: []string{dirOf(s.Space)}, Znode: znode, By: "carol@ops", Reason: "incident 4711"}
}

// breaks removes a holder.
func (c *client) breaks(req Breaking) Broken {
	c.tb.Helper()
	done, err := Break(bounded(c.tb), c.sessions, req)
	if err != nil {
		c.tb.Fatal(err)
	}
	return done
}

// noted is the holder's part: it waits for its loss and reads the note.
func noted(t *testing.T, l *Lock) <-chan string {
	t.Helper()
	told := make(chan string, 1)
	go func() {
		select {
		case <-l.Lost():
		case <-bounded(t).Done():
		}
		by, reason, ok := l.Note(bounded(t))
		if !ok {
			by = "nobody"
		}
		told <- strings.TrimSpace(by + " " + reason)
	}()
	return told
}

// newHolder is a client with a run's id, as runs have it.
func (s *stage) newHolder() *client {
	c := newClient(s.t, s.Addr())
	c.cfg.Servers = s.other.cfg.Servers
	c.data.Run = newRunID()
	return c
}

// A holder is removed, the next one gets the lock, and the run that loses it is told.
func TestBreak(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	l := s.newHolder().lock(dirOf(s.Space))
	next := s.other.queue(s.plain())
	told := noted(t, l)
	done := s.ours.breaks(s.breaking(l.Znode()))
	if done.Entry.Znode != l.Znode() || !done.Told || done.Unsure {
		t.Errorf("it was %+v", done)
	}
	if got := <-told; got != "carol@ops incident 4711" || !errors.Is(l.Err(), ErrNodeGone) {
		t.Errorf("the holder is told %q: %v", got, l.Err())
	}
	release(t, next.get())
	release(t, l)
}

// The last one leaves nothing: neither the note nor the directory.
func TestBreakLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	req := s.newHolder().request(dirOf(s.Space))
	req.Durable = true
	l := newClient(t, s.Addr()).acquire(req)
	if done := s.ours.breaks(s.breaking(l.Znode())); done.Told || !done.Entry.Data.Durable {
		t.Errorf("it was %+v", done)
	}
	if tree := s.Tree(); !slices.Equal(tree, []string{DefaultRoot}) {
		t.Errorf("there is %q", tree)
	}
}

// Holders of other clients are removed and told nothing.
func TestBreakOfForeignHolders(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"ex", "sem", "lock-", "_c_0123456789abcdef0123456789abcdef-lock-", "0123456789abcdef0123456789abcdef__lock__", "mutex-"} {
		t.Run(prefix, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			mkdirs(s.Space, testDir)
			znode := s.Create(testDir+"/"+prefix, []byte("web1 4711"), zktest.EphemeralSequential)
			if done := s.ours.breaks(s.breaking(s.Path(znode))); done.Told || done.Entry.Data.Owner != "web1 4711" {
				t.Errorf("it was %+v", done)
			}
			if s.Exists(testDir) {
				t.Error("the directory is there")
			}
		})
	}
}

// Nothing but a holder is removed.
func TestBreakRefuses(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	l := s.other.lock(dirOf(s.Space))
	s.queue("ex")
	waiting := s.Children(testDir)[0]
	if s.Path(testDir+"/"+waiting) == l.Znode() {
		waiting = s.Children(testDir)[1]
	}
	before := s.Tree()
	for znode, want := range map[string]error{
		s.Path(testDir + "/" + waiting):          ErrNotHolder,
		s.Path(testDir + "/ex-0000000077"):       ErrNotThere,
		s.Path("/other/ex-0000000077"):           ErrRequest,
		s.Path(testDir + "/readme"):              ErrRequest,
		s.Path(testDir):                          ErrRequest,
		"ex-0000000001":                          ErrRequest,
		"/zookeeper/quota/ex-0000000001":         ErrRequest,
		"/ex-0000000001":                         ErrRequest,
		l.Znode() + "/":                          ErrRequest,
		strings.TrimPrefix(l.Znode(), "/"):       ErrRequest,
		strings.Replace(l.Znode(), "/", "//", 1): ErrRequest,
	} {
		if done, err := Break(bounded(t), s.ours.sessions, s.breaking(znode)); !errors.Is(err, want) {
			t.Errorf("%s: %+v, %v; want %v", znode, done, err, want)
		}
	}
	if after := s.Tree(); !slices.Equal(after, before) || l.Err() != nil {
		t.Errorf("there was %q and is %q", before, after)
	}
	s.leave(waiting)
	release(t, l)
}

// What changes between the look at a holder and its removal keeps it, whatever it is.
func TestBreakRefusesWhatHasChanged(t *testing.T) {
	t.Parallel()
	const random = "/0123456789abcdef0123456789abcdef__lock__0000000000"
	replace := func(s *stage, znode string) {
		s.Delete(znode)
		s.Create(znode, []byte("another"), zktest.Ephemeral)
	}
	for name, test := range map[string]struct {
		znode  string
		change func(*stage, string)
		want   error
		stays  bool
	}{
		"released":                          {random, func(s *stage, z string) { s.Delete(z) }, ErrNotThere, false},
		"described":                         {random, func(s *stage, z string) { s.Set(z, []byte("another")) }, ErrChanged, true},
		"replaced, by one of the same name": {"/ex0000000000", replace, ErrChanged, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			mkdirs(s.Space, testDir)
			znode := s.Create(testDir+test.znode, []byte("first"), zktest.Ephemeral)
			s.ours.session()
			looked := s.proxy.Catch(zktest.Reply, ofKind(zktest.OpGetData))
			ended := make(chan error, 1)
			go func() {
				_, err := Break(bounded(t), s.ours.sessions, s.breaking(s.Path(znode)))
				ended <- err
			}()
			looked.Wait()
			test.change(s, znode)
			looked.Pass()
			if err := <-ended; !errors.Is(err, test.want) {
				t.Errorf("it ends with %v, want %v", err, test.want)
			}
			if s.Exists(znode) != test.stays {
				t.Errorf("the znode is there: %t", !test.stays)
			}
			clearAll(s.Space)
		})
	}
}

// Whoever can break a lock can write what they like into the note.
func TestNotesAreShownSafely(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	l := s.newHolder().lock(dirOf(s.Space))
	for note, want := range map[string]bool{
		"": false, "mallory": false, `{"v":1,"owner":"\u001b[2J","info":"\u202e\u0007why"}`: true, strings.Repeat("x", 1<<19): false,
	} {
		path := notePath(l.Znode())[len(s.Chroot()):]
		s.Create(path, []byte(note), zktest.Persistent)
		by, reason, ok := l.Note(bounded(t))
		if ok != want || s.Exists(path) {
			t.Errorf("of %.50q the note is %q, %q, %t", note, by, reason, ok)
		}
		checkText(t, by)
		checkText(t, reason)
	}
	release(t, l)
}

// A holder that does not read the note is removed all the same, and the note is.
func TestBreakOfAHolderThatDoesNotListen(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	l := s.newHolder().lock(dirOf(s.Space))
	done := s.ours.breaks(s.breaking(l.Znode()))
	if done.Told {
		t.Error("it is said to have been told")
	}
	if names := s.Children(DefaultRoot); len(names) > 0 {
		t.Errorf("there is %q", names)
	}
	if _, _, ok := l.Note(bounded(t)); ok {
		t.Error("there is a note")
	}
	release(t, l)
}

// What was done is told in full sentences, whoever the holder was.
func TestBrokenString(t *testing.T) {
	t.Parallel()
	ours := Entry{Data: Data{Owner: "alice", Run: "0123456789abcdef"}, Session: 1, Znode: "/l/ex-1"}
	durable, foreign := ours, ours
	durable.Session, foreign.Data.Run = 0, ""
	for want, done := range map[string]Broken{
		"was told who did it and why":         {Entry: ours, Told: true},
		"It is not known that the run":        {Entry: ours},
		"No run watches a durable lock":       {Entry: durable},
		"another client's, which is not told": {Entry: foreign},
		"or somebody else":                    {Entry: ours, Unsure: true},
	} {
		if got := done.String(); !strings.Contains(got, want) || !strings.Contains(got, "alice") || !strings.Contains(got, "/l/ex-1") {
			t.Errorf("%q does not say %q of the holder", got, want)
		}
	}
}
