// Package follow reads the blocks of the organisation's own peer, in order and without a gap, and hands each to those who
// wait for one of its transactions and then to the projection.
//
//	peer ──blocks──▶ outline ──▶ Commits (who waits for a transaction)
//	                    │
//	                    └──queue──▶ decode ──▶ Projection.Apply ──▶ checkpoint
//
// Catching up after a start and following live are the same code: the stream starts at the projection's checkpoint, and
// what is queued is applied together. A lost stream is taken up again with growing pauses.
//
// Invariants: a block is applied only if it is the next one and states the hash of the one before it; the first block of
// a stream is the checkpoint itself and must have the hash that was kept. A ledger that differs is another ledger, and
// following ends with ErrOtherLedger: nothing is ever folded over it.
package follow
