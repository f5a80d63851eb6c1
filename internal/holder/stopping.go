package holder

// Stopping says that the run has been interrupted, by whomever, and is about to end: a
// lock that is lost from now on is reported, and the run not interrupted again, which
// would end Terraform at once, its state unwritten. It does not wait.
func (p *Process) Stopping() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client != nil {
		p.client.Go(rpcStopping, Nothing{}, &Nothing{}, nil)
	}
}

// Stopping takes note that the run has been interrupted.
func (s *service) Stopping(_ Nothing, _ *Nothing) error {
	local, err := s.serving()
	if err == nil && local.onStop != nil {
		local.onStop()
	}
	return err
}
