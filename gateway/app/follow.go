package app

import (
	"context"
	"errors"
	"time"

	"github.com/hutong-gov/hutong/gateway/ledger"
)

// Heartbeat is how often a stream says something where nothing happens, so that both sides know that the other is there.
const Heartbeat = 15 * time.Second

// FollowTransaction tells what is known of a transaction, and again when that changes, until it is final.
func (a *App) FollowTransaction(ctx context.Context, who Actor, req TransactionByID) (Messages, error) {
	known, err := a.Transaction(ctx, who, req)
	if err != nil {
		return nil, err
	}
	return func(yield func([]Message, error) bool) {
		for yield([]Message{{Data: known}}, nil) && !known.final() {
			last := known.State
			for spoken := time.Now(); known.State == last && time.Since(spoken) < Heartbeat; {
				if err := a.nextBlock(ctx, known.AsOf, Heartbeat); err != nil {
					return // nobody waits any more
				}
				if known, err = a.Transaction(ctx, who, TransactionByID{ID: req.ID}); err != nil {
					yield(nil, err)
					return
				}
			}
		}
	}, nil
}

// final says whether the ledger will never say anything else of the transaction.
func (t Transaction) final() bool { return t.State == ledger.Committed || t.State == ledger.Rejected }

// nextBlock waits for a block after the given one, as long as given at most. It fails only when ctx has ended.
func (a *App) nextBlock(ctx context.Context, after uint64, patience time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := a.Store.WaitBlock(waiting, after+1); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return ctx.Err()
}
