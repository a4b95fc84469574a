package apptest

import (
	"context"
	"errors"

	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/ledger"
)

// elsewhere is the peer's side of writes that are signed elsewhere. Endorsement and ordering are Fabric's, and are tested on
// a real network; here there is no peer that could be reached.
type elsewhere struct{}

var errNoPeer = errors.New("no Fabric runs in this city")

// EndorseSigned implements app.Offline.
func (elsewhere) EndorseSigned(context.Context, []byte, []byte) (ledger.Endorsed, error) {
	return ledger.Endorsed{}, &ledger.UnreachableError{Stage: ledger.Endorsing, Err: errNoPeer}
}

// OrderSigned implements app.Offline.
func (elsewhere) OrderSigned(context.Context, []byte, []byte) (ledger.Outcome, error) {
	return ledger.Outcome{}, &ledger.UnreachableError{Stage: ledger.Ordering, Err: errNoPeer}
}

// StatusSigned implements app.Offline.
func (elsewhere) StatusSigned(context.Context, []byte, []byte) (follow.Commit, bool, error) {
	return follow.Commit{}, false, &ledger.UnreachableError{Stage: ledger.Evaluating, Err: errNoPeer}
}
