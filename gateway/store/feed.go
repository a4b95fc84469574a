package store

import (
	"context"
	"fmt"
	"strings"
)

// FeedQuery asks for a stretch of the feed of changes. Empty texts select nothing out.
type FeedQuery struct {
	After                 Cursor
	Through               uint64 // the last block; the caller has seen that it is applied
	Subject, Agency, Case string
	Limit                 int
}

// Cursor is a place in the feed: at a change, in the ledger's order.
type Cursor struct {
	Block    uint64
	Position int // of the transaction in the block
	N        int // in the transaction
}

// Cursor is the change's place in the feed.
func (c Change) Cursor() Cursor { return Cursor{c.Block, c.Position, c.N} }

// Feed lists changes in the ledger's order. What it answers for one question never changes: blocks are only added.
func (s *Store) Feed(ctx context.Context, q FeedQuery) ([]Change, error) {
	text := `SELECT ` + changeColumns + ` FROM changes WHERE (block, position, n) > (?, ?, ?) AND block <= ?`
	values := []any{int64(q.After.Block), int64(q.After.Position), int64(q.After.N), int64(q.Through)}
	for _, equal := range []struct{ column, value string }{{"subject", q.Subject}, {"agency", q.Agency}, {"case_id", q.Case}} {
		if equal.value != "" {
			text, values = text+` AND `+equal.column+` = ?`, append(values, equal.value)
		}
	}
	return gather(ctx, s, text+` ORDER BY block, position, n LIMIT ?`, append(values, q.Limit), scanChange)
}

// Opened finds where in the feed cases were opened. Cases that were not are left out.
func (s *Store) Opened(ctx context.Context, event string, cases []string) (map[string]Cursor, error) {
	at := map[string]Cursor{}
	for _, some := range batches(cases) {
		changes, err := gather(ctx, s, `SELECT `+changeColumns+` FROM changes WHERE case_id IN (`+marks(len(some))+`) AND type = ?`, append(some, event), scanChange)
		if err != nil {
			return nil, err
		}
		for _, c := range changes {
			at[c.Case] = c.Cursor()
		}
	}
	return at, nil
}

// Some reads records of one noun by their ids. Those that are not there are left out.
func (s *Store) Some(ctx context.Context, noun string, ids []string) ([]Record, error) {
	var records []Record
	for _, some := range batches(ids) {
		found, err := gather(ctx, s, `SELECT `+recordColumns+` FROM records WHERE id IN (`+marks(len(some))+`) AND noun = ?`, append(some, noun), scanRecord)
		if err != nil {
			return nil, err
		}
		records = append(records, found...)
	}
	return records, nil
}

// batchSizes are how many values a list in a statement has: few sizes, so that there are few statements.
var batchSizes = []int{1, 8, 64}

// batches divides values into lists of those sizes; the last value fills what is left over.
func batches(texts []string) (all [][]any) {
	for len(texts) > 0 {
		size := batchSizes[len(batchSizes)-1]
		for _, s := range batchSizes {
			if len(texts) <= s {
				size = s
				break
			}
		}
		values := make([]any, size, size+1)
		for i := range values {
			values[i] = texts[min(i, len(texts)-1)]
		}
		all, texts = append(all, values), texts[min(size, len(texts)):]
	}
	return all
}

func marks(n int) string { return "?" + strings.Repeat(", ?", n-1) }

// gather reads all rows of a query whose limit is in its text or values.
func gather[T any](ctx context.Context, s *Store, text string, values []any, scan func(row) (T, error)) ([]T, error) {
	rows, err := s.db.Query(ctx, text, values...)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	defer rows.Close()
	items := []T{}
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		items = append(items, item)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return items, nil
}
