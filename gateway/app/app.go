// Package app is what the gateway can do, without HTTP and without Fabric: every function takes who asks and what for,
// decides whether it may be, and turns it into commands on the ledger or reads of the projection.
//
//	rest ─▶ app ─▶ ledger (writes)
//	         ├──▶ store (reads)
//	         ├──▶ vault, peers, connector (sealed payloads, other gateways, departments' databases)
//
// Every function has the shape
//
//	func (a *App) Verb(ctx context.Context, who Actor, req VerbRequest) (Answer, error)
//
// and answers *fault.Fault where a rule says no, Unknown where a write's outcome is not known. Authorisation is decided here
// for a clear answer, and again by the contracts, which trust no gateway.
//
// Invariants: no personal data leaves a payload (it is in no error, log, ledger argument or index); a payload is kept and
// sent only sealed; a citizen reaches only what is theirs, an officer only what is the agency's.
package app
