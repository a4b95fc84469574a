package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/database/databasetest"
	"github.com/hutong-gov/hutong/gateway/store"
)

var ctx = context.Background()

func open(t *testing.T, settings database.Settings, fingerprint string) *store.Store {
	t.Helper()
	s, err := store.Open(ctx, settings, 2, fingerprint)
	require.NoError(t, err)
	return s
}

// onBoth runs a test on a new store on each database.
func onBoth(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	databasetest.Each(t, func(t *testing.T, settings database.Settings) {
		s := open(t, settings, "one")
		defer func() { require.NoError(t, s.Close()) }()
		test(t, s)
	})
}

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func at(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }

// block makes the rows of an otherwise empty block.
func block(number uint64, writes ...store.Write) store.Rows {
	rows := store.Rows{
		Block:        store.Block{Number: number, Hash: fmt.Sprintf("%064x", number+1), Previous: fmt.Sprintf("%064x", number), DataHash: "00", Transactions: 1, Valid: 1, At: at(int(number))},
		Transactions: []store.Transaction{{ID: fmt.Sprintf("tx%d", number), Block: number, Kind: "endorsed", Code: "VALID", At: at(int(number)), MSP: "MarketMSP", Endorsers: []string{"MarketMSP", "PlanningMSP"}}},
	}
	for _, w := range writes {
		w.Block, w.Tx, w.At = number, fmt.Sprintf("tx%d", number), at(int(number))
		rows.Writes = append(rows.Writes, w)
	}
	return rows
}

func record(noun, id string, created int, index state.Index) store.Write {
	return store.Write{Record: store.Record{Contract: "exchange", Noun: noun, ID: id, Status: "open", Version: 1, Index: index,
		Body: json.RawMessage(`{"id":"` + id + `"}`), Created: at(created), Changed: at(created)}}
}

func apply(t *testing.T, s *store.Store, rows ...store.Rows) {
	t.Helper()
	require.NoError(t, s.Apply(ctx, rows))
}

func TestCheckpointSurvives(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, settings database.Settings) {
		s := open(t, settings, "one")
		_, ok, err := s.Checkpoint(ctx)
		require.NoError(t, err)
		require.False(t, ok)
		apply(t, s, block(0), block(1, record("use", "u1", 1, state.Index{Subject: "s1"})))
		require.NoError(t, s.Close())

		s = open(t, settings, "one")
		defer s.Close()
		ref, ok, err := s.Checkpoint(ctx)
		require.NoError(t, err)
		require.True(t, ok)
		require.EqualValues(t, 1, ref.Number)
		require.Equal(t, fmt.Sprintf("%064x", 2), fmt.Sprintf("%x", ref.Hash))
		height, err := s.Height(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, height)
		got, ok, err := s.Get(ctx, "use", "u1")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, store.Record{Contract: "exchange", Noun: "use", ID: "u1", Status: "open", Version: 1, Index: state.Index{Subject: "s1"},
			Body: json.RawMessage(`{"id":"u1"}`), Block: 1, Tx: "tx1", Created: at(1), Changed: at(1)}, got)
		hash, ok, err := s.HashAt(ctx, 0)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, fmt.Sprintf("%064x", 1), fmt.Sprintf("%x", hash))
	})
}

func TestOtherFingerprintStartsAnew(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, settings database.Settings) {
		s := open(t, settings, "one")
		apply(t, s, block(0, record("use", "u1", 0, state.Index{})))
		require.NoError(t, s.Close())

		s = open(t, settings, "two")
		defer s.Close()
		_, ok, err := s.Checkpoint(ctx)
		require.NoError(t, err)
		require.False(t, ok)
		_, ok, err = s.Get(ctx, "use", "u1")
		require.NoError(t, err)
		require.False(t, ok)
		apply(t, s, block(0))
	})
}

func TestApplyIsInOrderAndWhole(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		require.ErrorContains(t, s.Apply(ctx, []store.Rows{block(1)}), "does not follow")
		apply(t, s, block(0), block(1))
		require.ErrorContains(t, s.Apply(ctx, []store.Rows{block(3)}), "does not follow")
		other := block(1)
		other.Block.Hash = strings.Repeat("0b", 32)
		require.ErrorIs(t, s.Apply(ctx, []store.Rows{other}), store.ErrOtherLedger)
		other = block(2)
		other.Block.Previous = strings.Repeat("0b", 32)
		require.ErrorIs(t, s.Apply(ctx, []store.Rows{other}), store.ErrOtherLedger)
		apply(t, s, block(0))
		apply(t, s, block(0), block(1)) // those are there already
		twice := block(2, record("use", "u1", 2, state.Index{}))
		twice.Transactions = append(twice.Transactions, twice.Transactions[0]) // breaks a key: nothing of it may stay
		require.Error(t, s.Apply(ctx, []store.Rows{twice}))
		_, ok, err := s.Get(ctx, "use", "u1")
		require.NoError(t, err)
		require.False(t, ok)
		height, _ := s.Height(ctx)
		require.EqualValues(t, 1, height)
		apply(t, s, block(2, record("use", "u1", 2, state.Index{})))
	})
}

func TestFindSelectsAndPages(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		var writes []store.Write
		for i := range 25 {
			index := state.Index{Subject: fmt.Sprintf("s%d", i%2), Agency: "market.tax", Case: "c1"}
			writes = append(writes, record("use", fmt.Sprintf("u%02d", i), i/3, index)) // three of an age
		}
		closed := record("use", "closed", 30, state.Index{Peer: "market.tax", Kind: "k"})
		closed.Status = "closed"
		apply(t, s, block(0, append(writes, closed, record("case", "c1", 0, state.Index{Subject: "s0"}))...))

		pages := func(q store.Query) (ids []string) {
			for {
				items, next, err := s.Find(ctx, q)
				require.NoError(t, err)
				for _, i := range items {
					ids = append(ids, i.ID)
				}
				if q.PageToken = next; next == "" {
					return ids
				}
				require.Len(t, items, q.PageSize)
			}
		}
		all := pages(store.Query{Noun: "use", PageSize: 4})
		require.Len(t, all, 26)
		require.Equal(t, "u00", all[0])
		require.Equal(t, "closed", all[25])
		down := pages(store.Query{Noun: "use", PageSize: 7, Descending: true})
		for i := range all {
			require.Equal(t, all[i], down[len(down)-1-i])
		}
		require.Len(t, pages(store.Query{Noun: "use", Subject: "s0", PageSize: 5}), 13)
		require.Len(t, pages(store.Query{Noun: "use", Agency: "market.tax", Case: "c1", Status: "open", PageSize: 200}), 25)
		require.Equal(t, []string{"closed"}, pages(store.Query{Noun: "use", Peer: "market.tax", PageSize: 5}))
		require.Equal(t, []string{"closed"}, pages(store.Query{Noun: "use", Kind: "k", PageSize: 5}))
		require.Equal(t, []string{"closed"}, pages(store.Query{Noun: "use", Status: "closed", PageSize: 5}))
		require.Empty(t, pages(store.Query{Noun: "nothing", PageSize: 5}))
	})
}

func TestSinceAndByChange(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		var writes []store.Write
		for i := range 6 { // created in one order, changed in the other
			w := record("use", fmt.Sprint(i), i, state.Index{Agency: "a"})
			w.Changed = at(20 - i)
			writes = append(writes, w)
		}
		apply(t, s, block(0, writes...))
		ids := func(q store.Query) (found string) {
			q.Noun, q.PageSize = "use", 2
			for {
				items, next, err := s.Find(ctx, q)
				require.NoError(t, err)
				bodies, same, err := s.Bodies(ctx, q)
				require.NoError(t, err)
				require.Equal(t, next, same)
				for i, item := range items {
					require.JSONEq(t, string(item.Body), string(bodies[i]))
					found += item.ID
				}
				if q.PageToken = next; next == "" {
					return found
				}
			}
		}
		require.Equal(t, "012345", ids(store.Query{}))
		require.Equal(t, "543210", ids(store.Query{ByChange: true}))
		require.Equal(t, "012345", ids(store.Query{ByChange: true, Descending: true, Agency: "a"}))
		require.Equal(t, "345", ids(store.Query{CreatedSince: at(3)}))
		require.Equal(t, "3210", ids(store.Query{ByChange: true, ChangedSince: at(17)}))
		require.Equal(t, "23", ids(store.Query{CreatedSince: at(2), ChangedSince: at(17)}))
	})
}

func TestPagesStayStableWhileRowsArrive(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		apply(t, s, block(0, record("use", "a", 1, state.Index{}), record("use", "c", 3, state.Index{})))
		items, next, err := s.Find(ctx, store.Query{Noun: "use", PageSize: 1})
		require.NoError(t, err)
		require.Equal(t, "a", items[0].ID)
		apply(t, s, block(1, record("use", "b", 2, state.Index{}), record("use", "0", 0, state.Index{})))
		items, _, err = s.Find(ctx, store.Query{Noun: "use", PageSize: 2, PageToken: next})
		require.NoError(t, err)
		require.Equal(t, []string{"b", "c"}, []string{items[0].ID, items[1].ID})
	})
}

func TestPageFaults(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		apply(t, s, block(0, record("use", "a", 0, state.Index{}), record("use", "b", 0, state.Index{})))
		_, token, err := s.Find(ctx, store.Query{Noun: "use", PageSize: 1})
		require.NoError(t, err)
		for name, c := range map[string]struct {
			query store.Query
			field string
		}{
			"too large":           {store.Query{Noun: "use", PageSize: store.MaxPageSize + 1}, "page_size"},
			"negative":            {store.Query{Noun: "use", PageSize: -1}, "page_size"},
			"no token":            {store.Query{Noun: "use", PageToken: "%"}, "page_token"},
			"no JSON":             {store.Query{Noun: "use", PageToken: "AAAA"}, "page_token"},
			"of another list":     {store.Query{Noun: "case", PageToken: token}, "page_token"},
			"of another order":    {store.Query{Noun: "use", PageToken: token, Descending: true}, "page_token"},
			"of another selector": {store.Query{Noun: "use", PageToken: token, Subject: "s"}, "page_token"},
		} {
			t.Run(name, func(t *testing.T) {
				_, _, err := s.Find(ctx, c.query)
				var f *fault.Fault
				require.ErrorAs(t, err, &f)
				require.Equal(t, c.field, f.Field)
			})
		}
	})
}

func TestChangeDeleteHistory(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		first := record("slot", "s/b", 0, state.Index{Subject: "s"})
		second := first
		second.Status, second.Version, second.Index, second.Changed = "moved", 2, state.Index{Subject: "other"}, at(1)
		gone := store.Write{Record: store.Record{Contract: "exchange", Noun: "slot", ID: "s/b"}, Deleted: true}
		apply(t, s, block(0, first), block(1, second))
		items, _, err := s.Find(ctx, store.Query{Noun: "slot", Subject: "other"})
		require.NoError(t, err)
		require.Len(t, items, 1)
		require.Equal(t, at(0), items[0].Created)
		require.Equal(t, at(1), items[0].Changed)
		items, _, err = s.Find(ctx, store.Query{Noun: "slot", Subject: "s"})
		require.NoError(t, err)
		require.Empty(t, items)
		apply(t, s, block(2, gone))
		_, ok, err := s.Get(ctx, "slot", "s/b")
		require.NoError(t, err)
		require.False(t, ok)
		past, next, err := s.History(ctx, "slot", "s/b", 2, "")
		require.NoError(t, err)
		require.Equal(t, []int{1, 2}, []int{past[0].Version, past[1].Version})
		past, next, err = s.History(ctx, "slot", "s/b", 2, next)
		require.NoError(t, err)
		require.Empty(t, next)
		require.True(t, past[0].Deleted)
		require.EqualValues(t, 2, past[0].Block)
	})
}

func TestChangesBlocksAndTransactions(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		rows := block(0)
		for n, kind := range []string{"use.requested.v1", "case.opened.v1", "use.requested.v1"} {
			rows.Changes = append(rows.Changes, store.Change{Block: 0, N: n, Tx: "tx0", At: at(0), Contract: "exchange", Type: kind, ID: fmt.Sprint(n), Subject: "s1", Agency: "market.tax", Case: "c"})
		}
		apply(t, s, rows, block(1))
		for name, c := range map[string]struct {
			query store.ChangeQuery
			want  int
		}{
			"all": {store.ChangeQuery{}, 3}, "type": {store.ChangeQuery{Type: "use.requested.v1"}, 2}, "subject": {store.ChangeQuery{Subject: "s1"}, 3},
			"agency": {store.ChangeQuery{Agency: "market.tax"}, 3}, "case": {store.ChangeQuery{Case: "c"}, 3}, "nobody": {store.ChangeQuery{Subject: "s2"}, 0},
		} {
			items, _, err := s.Changes(ctx, c.query)
			require.NoError(t, err, name)
			require.Len(t, items, c.want, name)
		}
		items, next, err := s.Changes(ctx, store.ChangeQuery{PageSize: 2, Descending: true})
		require.NoError(t, err)
		require.Equal(t, 2, items[0].N)
		require.Equal(t, rows.Changes[2], items[0])
		items, next, err = s.Changes(ctx, store.ChangeQuery{PageSize: 2, Descending: true, PageToken: next})
		require.NoError(t, err)
		require.Empty(t, next)
		require.Equal(t, 0, items[0].N)

		tx, ok, err := s.Transaction(ctx, "tx1")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, block(1).Transactions[0], tx)
		_, ok, err = s.Transaction(ctx, "nothing")
		require.NoError(t, err)
		require.False(t, ok)
		of, _, err := s.TransactionsOf(ctx, 0, 10, "")
		require.NoError(t, err)
		require.Equal(t, block(0).Transactions, of)
		blocks, next, err := s.Blocks(ctx, store.BlockQuery{PageSize: 1, Descending: true})
		require.NoError(t, err)
		require.NotEmpty(t, next)
		require.Equal(t, block(1).Block, blocks[0])
	})
}

func TestWaitBlock(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, s.WaitBlock(short, 0), context.DeadlineExceeded, "nothing is applied yet, not even block 0")

		waited := make(chan error, 10)
		for i := range cap(waited) {
			go func() { waited <- s.WaitBlock(ctx, uint64(i%3)) }()
		}
		apply(t, s, block(0))
		apply(t, s, block(1), block(2))
		for range cap(waited) {
			select {
			case err := <-waited:
				require.NoError(t, err)
			case <-time.After(5 * time.Second):
				t.Fatal("somebody still waits for a block that is there")
			}
		}
		require.NoError(t, s.WaitBlock(ctx, 1))
	})
}

// TestIndexesAreUsed guards the searches against turning into scans of everything.
func TestIndexesAreUsed(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		for name, q := range map[string]store.Query{
			"records_by_subject": {Noun: "use", Subject: "s"}, "records_by_case": {Noun: "use", Case: "c"}, "records_by_peer": {Noun: "use", Peer: "p"},
			"records_by_agency_status": {Noun: "use", Agency: "a", Status: "open"}, "records_by_agency ": {Noun: "use", Agency: "a"},
			"records_by_kind": {Noun: "use", Kind: "k"}, "records_by_age": {Noun: "use"},
			"records_by_change": {Noun: "use", ByChange: true, ChangedSince: at(3)}, "records_by_agency_change": {Noun: "use", Agency: "a", ByChange: true, Descending: true},
		} {
			plan, err := s.Explain(ctx, q)
			require.NoError(t, err)
			require.Contains(t, plan, name)
			sorted(t, plan)
		}
		plan, err := s.ExplainTransaction(ctx, "tx1")
		require.NoError(t, err)
		require.Contains(t, plan, "transactions_by_id")
		plan, err = s.ExplainHistory(ctx, "use", "u1")
		require.NoError(t, err)
		require.NotContains(t, plan, "SCAN revisions")
		require.NotContains(t, plan, "SCAN records")
		require.NotContains(t, plan, "Seq Scan")
		require.True(t, strings.Contains(plan, "USING INDEX sqlite_autoindex_records_1 (noun=? AND id=?)") ||
			strings.Contains(plan, "Index Cond: ((noun = 'use'::text) AND (id = 'u1'::text))"), plan)
	})
}

// sorted checks that a plan takes the rows from an index, in its order.
func sorted(t *testing.T, plan string) {
	t.Helper()
	for _, not := range []string{"TEMP B-TREE", "SCAN", "Sort", "Seq Scan"} {
		require.NotContains(t, plan, not)
	}
}

// TestManyRowsTogether writes more rows than one statement takes, some of them to the same records, in one application.
func TestManyRowsTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store) {
		const many = 150
		var first, second []store.Write
		for i := range many {
			made := record("use", fmt.Sprintf("u%03d", i), i, state.Index{Subject: "s"})
			changed := made
			changed.Status, changed.Version = "closed", 2
			first, second = append(first, made), append(second, changed)
		}
		gone := store.Write{Record: store.Record{Contract: "exchange", Noun: "use", ID: "u007"}, Deleted: true, Position: 1}
		again := record("use", "u007", many, state.Index{})
		apply(t, s, block(0, first...), block(1, append(second, gone)...), block(2, again), block(3))
		for i := range many {
			id := fmt.Sprintf("u%03d", i)
			past, _, err := s.History(ctx, "use", id, 10, "")
			require.NoError(t, err)
			got, ok, err := s.Get(ctx, "use", id)
			require.NoError(t, err)
			require.True(t, ok)
			if i == 7 {
				require.Len(t, past, 4, "made, changed, deleted, made again")
				require.Equal(t, "open", got.Status)
				continue
			}
			require.Len(t, past, 2)
			require.Equal(t, []string{"open", "closed"}, []string{past[0].Status, past[1].Status})
			require.Equal(t, []uint64{0, 1}, []uint64{past[0].Block, past[1].Block})
			require.Equal(t, []time.Time{at(0), at(1)}, []time.Time{past[0].At, past[1].At})
			require.Equal(t, "closed", got.Status)
			require.Equal(t, at(i), got.Created)
		}
		items, next, err := s.Find(ctx, store.Query{Noun: "use", Subject: "s", PageSize: 200})
		require.NoError(t, err)
		require.Empty(t, next)
		require.Len(t, items, many-1)
	})
}
