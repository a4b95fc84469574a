package app

import (
	"context"
	"time"

	"github.com/hutong-gov/hutong/gateway/ledger"
)

// Transaction is what is known of a write's outcome.
type Transaction struct {
	Tx     string       `json:"tx_id"`
	State  ledger.State `json:"state" enum:"pending,committed,rejected,unknown" doc:"pending while this gateway expects its block, unknown while no block has it and this gateway does not know more: ask again, or repeat the request with the same idempotency key."`
	Block  uint64       `json:"block,omitempty"`
	Code   string       `json:"code,omitempty" doc:"What the peers found: VALID, or why the transaction does not count."`
	Reason string       `json:"reason,omitempty" doc:"Of a rejected one: what a caller who had waited would have been answered. After transaction.contention, repeat the request with the same idempotency key."`
	AsOf   uint64       `json:"as_of_block" doc:"Blocks up to this one have been looked at."`
}

// TransactionByID is GET /v1/transactions/{id}.
type TransactionByID struct {
	After
	ID string `path:"id" json:"-" pattern:"^[0-9a-f]{64}$"`
}

// Transaction says what became of a write whose outcome was not known when it was answered. A caller who wants an answer
// by a time (ledger.Async) waits for the outcome until then.
func (a *App) Transaction(ctx context.Context, who Actor, req TransactionByID) (t Transaction, err error) {
	if err := who.is(Citizen, Officer, AgencyAdmin, Portal, Auditor); err != nil {
		return t, err
	}
	if t.AsOf, err = a.wait(ctx, req.After); err != nil {
		return t, err
	}
	by, waits := ledger.AnswerBy(ctx)
	for {
		if t, err = a.outcome(ctx, req.ID, t.AsOf); err != nil || t.final() || !waits || !time.Now().Before(by) {
			return t, err
		}
		if err := a.nextBlock(ctx, t.AsOf, time.Until(by)); err != nil {
			return t, err
		}
		if t.AsOf, err = a.Store.Height(ctx); err != nil {
			return t, err
		}
	}
}

// outcome is what is known of a transaction now.
func (a *App) outcome(ctx context.Context, id string, asOf uint64) (Transaction, error) {
	t := Transaction{Tx: id, State: ledger.Unknown, AsOf: asOf}
	if a.Ledger.Awaited(id) { // asked first: its block may come while the projection is read
		t.State = ledger.Pending
	}
	found, exists, err := a.Store.Transaction(ctx, id)
	if err == nil && exists {
		t.Block, t.Code = found.Block, found.Code
		t.State, t.Reason = ledger.StateOf(found.Code)
	}
	return t, err
}
