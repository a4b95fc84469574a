package app

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/ledger"
	"github.com/hutong-gov/hutong/gateway/store"
)

// coming is a projection in which a transaction appears with a block.
type coming struct {
	Store
	height uint64
	at     uint64        // the block that has the transaction
	blocks chan struct{} // one for each block
}

func (c *coming) Height(context.Context) (uint64, error) { return c.height, nil }

func (c *coming) WaitBlock(ctx context.Context, _ uint64) error {
	select {
	case <-c.blocks:
		c.height++
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *coming) Transaction(_ context.Context, id string) (store.Transaction, bool, error) {
	return store.Transaction{ID: id, Block: c.at, Code: "MVCC_READ_CONFLICT"}, c.height >= c.at, nil
}

// idle is a way to the ledger on which nothing is under way.
type idle struct{ Ledger }

func (idle) Awaited(string) bool { return false }

func TestATransactionIsFollowedUntilItIsFinal(t *testing.T) {
	ledgerOf := func(height, at uint64, blocks int) *App {
		s := &coming{height: height, at: at, blocks: make(chan struct{}, blocks)}
		for range blocks {
			s.blocks <- struct{}{}
		}
		return &App{Dependencies: Dependencies{Store: s, Ledger: idle{}, MaxWait: time.Second}}
	}
	citizen := Actor{Role: Citizen, Subject: "s"}
	follow := func(ctx context.Context, a *App) (said []Transaction) {
		messages, err := a.FollowTransaction(ctx, citizen, TransactionByID{ID: "t"})
		require.NoError(t, err)
		for batch, err := range messages {
			require.NoError(t, err)
			for _, m := range batch {
				said = append(said, m.Data.(Transaction))
			}
		}
		return said
	}
	final := Transaction{Tx: "t", State: ledger.Rejected, Block: 7, Code: "MVCC_READ_CONFLICT", Reason: ledger.ReasonContention, AsOf: 7}
	require.Equal(t, []Transaction{final}, follow(t.Context(), ledgerOf(7, 7, 0)))
	require.Equal(t, []Transaction{{Tx: "t", State: ledger.Unknown, AsOf: 4}, final}, follow(t.Context(), ledgerOf(4, 7, 3)), "blocks without it say nothing")

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.Len(t, follow(ctx, ledgerOf(4, 7, 1)), 1, "it ends when nobody waits any more")

	_, err := ledgerOf(7, 7, 0).FollowTransaction(t.Context(), Actor{Role: Public}, TransactionByID{ID: "t"})
	require.Error(t, err)
}
