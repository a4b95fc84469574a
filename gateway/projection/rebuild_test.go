package projection_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/database/databasetest"
	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/projection"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/network/block/blocktest"
)

// grow adds blocks to a chain that change a few records again and again.
func grow(chain *blocktest.Chain, blocks int) {
	for i := range blocks {
		id := fmt.Sprint(i % 5)
		chain.Add(blocktest.Tx{Chaincode: "exchange", Event: event("exchange", kernel.Change{Type: "t.v1", ID: id}), Namespaces: []blocktest.Namespace{
			{Name: "exchange", Writes: writes(blocktest.Put(state.Key("use", id), record("x", i+1, "s")))}}})
	}
}

func quiet(uint64, uint64) {}

// TestRebuildGivesIdenticalTables: digest before = digest after = digest on the other database.
func TestRebuildGivesIdenticalTables(t *testing.T) {
	var chain blocktest.Chain
	grow(&chain, 60)
	reference := openOn(t, databasetest.SQLite(t))
	defer reference.Close()
	require.NoError(t, reference.Apply(ctx, decoded(t, &chain)))
	want := digests(t, reference)

	databasetest.Each(t, func(t *testing.T, settings database.Settings) {
		p := openOn(t, settings)
		require.NoError(t, p.Apply(ctx, decoded(t, &chain)[:40])) // this gateway is behind
		if !settings.Shared() {
			_, err := projection.Rebuild(ctx, settings, house, &chain, 7, quiet)
			require.ErrorIs(t, err, database.ErrInUse)
			require.NoError(t, p.Close())
		}
		// Interrupted in the middle, before the block at which the tables are compared, and taken up again.
		interrupted, cancel := context.WithCancel(ctx)
		var told []uint64
		_, err := projection.Rebuild(interrupted, settings, house, &chain, 7, func(done, of uint64) {
			require.EqualValues(t, 60, of)
			if told = append(told, done); done >= 20 {
				cancel()
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, []uint64{7, 14, 21}, told)
		told = nil
		r, err := projection.Rebuild(ctx, settings, house, &chain, 7, func(done, _ uint64) { told = append(told, done) })
		require.NoError(t, err)
		require.Equal(t, []uint64{28, 35, 40, 47, 54, 60}, told, "it went on where it was, and stopped where the tables were")
		require.True(t, r.Compared)
		require.EqualValues(t, 39, r.At.Number)
		require.True(t, r.Identical(), "%v\n%v", r.Before, r.After)

		if !settings.Shared() {
			p = openOn(t, settings)
		}
		defer p.Close()
		require.NoError(t, p.Store().WaitBlock(ctx, 59))
		require.Equal(t, want, digests(t, p))
		_, ok, err := p.Store().Get(ctx, "use", "3")
		require.NoError(t, err)
		require.True(t, ok)
		require.NoError(t, p.Apply(ctx, decoded(t, &chain)[40:]), "blocks that are there now")
	})
}

// TestRebuildUnderRunningGateways: two gateways on PostgreSQL apply and read blocks while their tables are built anew and
// replaced. Nothing is lost and no read fails.
func TestRebuildUnderRunningGateways(t *testing.T) {
	settings := databasetest.PostgreSQL(t)
	var chain blocktest.Chain
	grow(&chain, 200)
	blocks := decoded(t, &chain)
	var running sync.WaitGroup
	var gateways []*projection.Projection
	for range 2 {
		p := openOn(t, settings)
		defer p.Close()
		gateways = append(gateways, p)
		require.NoError(t, p.Apply(ctx, blocks[:20]))
		running.Go(func() {
			for n := 20; n < len(blocks); n++ {
				if err := p.Apply(ctx, blocks[n:n+1]); err != nil {
					t.Error(err)
					return
				}
				if _, ok, err := p.Store().Get(ctx, "use", "3"); err != nil || !ok {
					t.Error("a read while tables are replaced", ok, err)
				}
			}
		})
	}
	for range 3 {
		r, err := projection.Rebuild(ctx, settings, house, &chain, 50, quiet)
		require.NoError(t, err)
		require.True(t, r.Compared && r.Identical())
	}
	running.Wait()
	reference := openOn(t, databasetest.SQLite(t))
	defer reference.Close()
	require.NoError(t, reference.Apply(ctx, blocks))
	for _, p := range gateways {
		require.Equal(t, digests(t, reference), digests(t, p))
	}
}

// TestRebuildRepairs: tables that somebody changed differ, and are right again.
func TestRebuildRepairs(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, settings database.Settings) {
		var chain, another blocktest.Chain
		grow(&chain, 10)
		p := openOn(t, settings)
		require.NoError(t, p.Apply(ctx, decoded(t, &chain)))
		want := digests(t, p)
		require.NoError(t, p.Close())
		migrations := os.DirFS("../store")
		db, err := database.Open(ctx, settings, database.Part{Name: store.Part, Migrations: migrations})
		require.NoError(t, err)
		require.NoError(t, db.Atomically(ctx, func(tx *database.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE records SET status = 'forged' WHERE id = '3'`)
			return err
		}))
		require.NoError(t, db.Close())
		r, err := projection.Rebuild(ctx, settings, house, &chain, 100, quiet)
		require.NoError(t, err)
		require.True(t, r.Compared)
		require.False(t, r.Identical())
		for i, d := range r.Before {
			require.Equal(t, d.Table != "records", d == r.After[i], d.Table)
		}
		p = openOn(t, settings)
		require.Equal(t, want, digests(t, p))
		require.NoError(t, p.Close())

		grow(&another, 20)
		_, err = projection.Rebuild(ctx, settings, house, &another, 5, quiet)
		require.ErrorIs(t, err, follow.ErrOtherLedger, "the tables in use are of another ledger")
		require.NoError(t, projection.Discard(ctx, settings))
		p = openOn(t, settings)
		defer p.Close()
		require.Equal(t, want, digests(t, p), "nothing changed")
	})
}
