package app

import (
	"context"

	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/network/block"
)

// Transaction is what is known of a write's outcome.
type Transaction struct {
	Tx    string       `json:"tx_id"`
	State ledger.State `json:"state" doc:"committed, rejected, or unknown while no block has it: ask again, or repeat the request with the same idempotency key."`
	Block uint64       `json:"block,omitempty"`
	Code  string       `json:"code,omitempty" doc:"What the peers found: VALID, or why the transaction does not count."`
	AsOf  uint64       `json:"as_of_block" doc:"Blocks up to this one have been looked at."`
}

// TransactionByID is GET /v1/transactions/{id}.
type TransactionByID struct {
	After
	ID string `path:"id" json:"-" pattern:"^[0-9a-f]{64}$"`
}

// Transaction says what became of a write whose outcome was not known when it was answered.
func (a *App) Transaction(ctx context.Context, who Actor, req TransactionByID) (t Transaction, err error) {
	if err := who.is(Citizen, Officer, AgencyAdmin, Portal, Auditor); err != nil {
		return t, err
	}
	t = Transaction{Tx: req.ID, State: ledger.Unknown}
	if t.AsOf, err = a.wait(ctx, req.After); err != nil {
		return t, err
	}
	found, exists, err := a.Store.Transaction(ctx, req.ID)
	if err != nil || !exists {
		return t, err
	}
	t.Block, t.Code, t.State = found.Block, found.Code, ledger.Rejected
	if found.Code == string(block.Valid) {
		t.State = ledger.Committed
	}
	return t, nil
}
