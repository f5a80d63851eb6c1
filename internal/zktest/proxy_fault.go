package zktest

import "slices"

// Hold stops one direction, also of connections that are made later, until Release:
// requests do not reach the server, or its answers do not reach the client. What was held
// arrives then, unless either end has hung up.
func (p *Proxy) Hold(side Side) { p.gates[side].hold() }

// Release ends Hold for both directions.
func (p *Proxy) Release() {
	p.gates[Request].release()
	p.gates[Reply].release()
}

// InUse tells whether a client is connected.
func (p *Proxy) InUse() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.connections) > 0
}

// answer is given in place of the server's.
type answer struct {
	match func(Packet) bool
	code  int32
	given int
}

// Answer answers every request for which match is true by an error of the server's
// (KeeperException.Code), which does not see the request, until stop is called. stop
// returns how many there were.
func (p *Proxy) Answer(code int32, match func(Packet) bool) (stop func() int) {
	a := &answer{match: match, code: code}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers[a] = true
	return func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.answers, a)
		return a.given
	}
}

// answerTo is called with p.mu held; 0 is no answer.
func (p *Proxy) answerTo(request Packet) int32 {
	for a := range p.answers {
		if a.match(request) {
			a.given++
			return a.code
		}
	}
	return 0
}

// Disarm ends the waiting for something to catch, and tells whether it was caught before.
func (c *Caught) Disarm() (hit bool) {
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	i := slices.Index(c.proxy.traps, c)
	if i >= 0 {
		c.proxy.traps = slices.Delete(c.proxy.traps, i, i+1)
	}
	return i < 0
}
