package store

import (
	"context"
	"strings"

	"github.com/hutong-gov/hutong/gateway/database"
)

// Explain shows how the database would carry out a query.
func (s *Store) Explain(ctx context.Context, q Query) (string, error) {
	sel := q.selection()
	if err := sel.limit(q.PageSize); err != nil {
		return "", err
	}
	text, values, err := sel.query(recordColumns, "records", "")
	if err != nil {
		return "", err
	}
	return s.explain(ctx, text, values...)
}

// ExplainTransaction shows how the database would find a transaction.
func (s *Store) ExplainTransaction(ctx context.Context, id string) (string, error) {
	return s.explain(ctx, transactionByID, id, id)
}

// ExplainHistory shows how the database would find the states of a record.
func (s *Store) ExplainHistory(ctx context.Context, noun, id string) (string, error) {
	return s.explain(ctx, "SELECT "+revisionColumns+" FROM "+states+" WHERE noun = ? AND id = ? ORDER BY block, position, contract", noun, id)
}

// explain asks for the plan. PostgreSQL would rather read a small table whole: it is told that this is not an option.
func (s *Store) explain(ctx context.Context, text string, values ...any) (string, error) {
	var plan strings.Builder
	err := s.db.Snapshot(ctx, func(tx *database.Tx) error {
		explain, columns := "EXPLAIN QUERY PLAN ", 4
		if s.db.Shared() {
			explain, columns = "EXPLAIN ", 1
			for _, way := range []string{"seqscan", "bitmapscan", "sort", "incremental_sort"} {
				if _, err := tx.Exec(ctx, "SET LOCAL enable_"+way+" = off"); err != nil {
					return err
				}
			}
		}
		rows, err := tx.Query(ctx, explain+text, values...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var step string
			into := []any{new(int), new(int), new(int), &step}
			if err := rows.Scan(into[4-columns:]...); err != nil {
				return err
			}
			plan.WriteString(step + "\n")
		}
		return rows.Err()
	})
	return plan.String(), err
}
