package ledger

import (
	"fmt"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// Signer picks the identity that signs: one of this organisation's.
type Signer struct {
	Agency string // full id
	Role   access.Role
}

// State of a write, as far as this gateway knows.
type State string

const (
	// Committed: the transaction is in a block and valid, or was so already when an earlier request did it.
	Committed State = "committed"
	// Rejected: the ledger did not take it, and nothing was written. Outcome.Fault says why.
	Rejected State = "rejected"
	// Pending: the contracts accepted it and an orderer has it; the caller did not want to wait for its block (Async). A
	// race with another write can still keep it from being committed, and only that should.
	Pending State = "pending"
	// Unknown: an orderer may have it, but no block with it has arrived in time. It may still be committed.
	Unknown State = "unknown"
)

// Outcome of a write.
type Outcome struct {
	State   State
	Tx      string         // the transaction; of a repeated request, the one that did it first; empty if none was sent
	Block   uint64         // who reads at this block or later sees what became of it; 0 if that is not known
	Receipt kernel.Receipt // Committed; of Pending, as it will be
	Fault   *fault.Fault   // Rejected
}

// Reasons of the faults that arise here, between the gateway and the ledger. Those of the contracts pass unchanged.
const (
	ReasonNotServed   = "gateway.not_served"      // the identity belongs to another gateway
	ReasonBusy        = "gateway.busy"            // too many writes under way
	ReasonStopping    = "gateway.stopping"        // the gateway is about to end
	ReasonContention  = "transaction.contention"  // lost every race with other writes of the same records
	ReasonDisagreed   = "transaction.disagreed"   // endorsers answered differently, every time
	ReasonInvalid     = "transaction.invalid"     // committed as invalid for another reason; the rule names it
	ReasonUnorderable = "transaction.unorderable" // the ordering service refused it
	ReasonUntrusted   = "offline.untrusted"       // the peers do not take the certificate of who signed elsewhere
	ReasonUnreadable  = "ledger.unreadable"       // a contract's answer could not be read
)

// UnreachableError says that a request did not get as far as the ledger: nothing was written, and nothing will be. The
// caller may repeat it.
type UnreachableError struct {
	Stage Stage
	Err   error
}

// Stage of a request.
type Stage string

const (
	Evaluating Stage = "evaluate"
	Endorsing  Stage = "endorse"
	Ordering   Stage = "order"
)

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("the ledger could not be reached (%s): %v", e.Stage, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }
