package locker

import (
	"errors"
	"testing"

	"github.com/clocker/terraform-provider-clocker/internal/zktest"
)

const testRun = "0123456789abcdef"

// Whatever is asked when the connection breaks, the answer is the one that would
// have come without.
func TestTheConnectionBreaksDuringALook(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		slots   int
		durable bool
		look    func(*stage, *Lock) error
	}{
		"at who holds a lock that is tried once": {look: func(s *stage, held *Lock) error {
			req := s.ours.request(dirOf(s.Space))
			req.Wait = 0
			_, err := Acquire(bounded(s.t), s.ours.sessions, req)
			busy := (*BusyError)(nil)
			if !errors.As(err, &busy) || len(busy.Holders) != 1 || busy.Holders[0].Znode != held.Znode() {
				return errors.Join(errors.New("not told who holds the lock"), err)
			}
			return nil
		}},
		"at the slots of others": {slots: 2, look: func(s *stage, _ *Lock) error {
			req := s.ours.request(dirOf(s.Space))
			req.Slots = 3
			_, err := Acquire(bounded(s.t), s.ours.sessions, req)
			if !errors.Is(err, ErrDisagree) {
				return errors.Join(errors.New("not told of the other number"), err)
			}
			return nil
		}},
		"at the queue": {look: func(s *stage, held *Lock) error {
			queue, err := Inspect(bounded(s.t), s.ours.session(), dirOf(s.Space), 0)
			if err != nil || len(queue.Holders) != 1 || queue.Holders[0].Znode != held.Znode() {
				return errors.Join(errors.New("the holder was not seen"), err)
			}
			return nil
		}},
		"at a durable lock to describe": {durable: true, look: func(s *stage, held *Lock) error {
			return DescribeDurable(bounded(s.t), s.ours.session(), held.Znode(), "described")
		}},
		"at a durable lock to remove": {durable: true, look: func(s *stage, held *Lock) error {
			if err := RemoveDurable(bounded(s.t), s.ours.sessions, held.Znode()); err != nil {
				return err
			}
			if s.Exists(testDir) {
				return errors.New("the lock is there")
			}
			return nil
		}},
	} {
		for side, lost := range map[string]zktest.Side{"request": zktest.Request, "reply": zktest.Reply} {
			t.Run(name+", "+side+" lost", func(t *testing.T) {
				t.Parallel()
				s := newStage(t)
				s.ours.session()
				for n, broken := 1, true; broken; n++ {
					req := s.other.request(dirOf(s.Space))
					req.Durable, req.Slots, req.Data.Run = test.durable, test.slots, testRun
					held := s.other.acquire(req)
					caught, callOff := catchNth(s.proxy, lost, n)
					caught.Lose()
					if err := test.look(s, held); err != nil {
						t.Errorf("broken at %d: %v", n, err)
					}
					callOff()
					release(t, held)
					if s.Exists(testDir) {
						t.Fatalf("broken at %d: there is %q", n, s.Tree())
					}
					select {
					case <-caught.Hit():
					default:
						broken = false // there are not so many
					}
				}
			})
		}
	}
}
