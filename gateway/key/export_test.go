//go:build cgo

package key

// What a test does to a token behind the gateway's back.

// LoseSessions closes all sessions, as a token that was pulled and put back does; between calls, for SoftHSM crashes when a
// session is closed under a call.
func LoseSessions(h *HSM) error {
	t := h.token
	t.module.calls.Lock()
	defer t.module.calls.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.module.ctx.CloseAllSessions(t.slot)
}

// EndModule finalizes the library, as one does that has lost its device.
func EndModule(h *HSM) error {
	h.token.module.calls.Lock()
	defer h.token.module.calls.Unlock()
	return h.token.module.ctx.Finalize()
}

// OpenSessions counts the idle ones.
func OpenSessions(h *HSM) int {
	h.token.mu.Lock()
	defer h.token.mu.Unlock()
	return len(h.token.idle)
}

// Trial signs something.
func (h *HSM) Trial() error {
	_, err := h.Sign(nil, make([]byte, 32), nil)
	return err
}
