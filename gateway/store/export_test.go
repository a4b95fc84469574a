package store

import (
	"context"
	"strings"
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
	return s.explain(ctx, transactionByID, id)
}

// ExplainHistory shows how the database would find the states of a record.
func (s *Store) ExplainHistory(ctx context.Context, noun, id string) (string, error) {
	return s.explain(ctx, "SELECT "+revisionColumns+" FROM "+states+" WHERE noun = ? AND id = ? ORDER BY block, position, contract", noun, id)
}

func (s *Store) explain(ctx context.Context, text string, values ...any) (string, error) {
	rows, err := s.read.QueryContext(ctx, "EXPLAIN QUERY PLAN "+text, values...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			return "", err
		}
		plan.WriteString(step + "\n")
	}
	return plan.String(), rows.Err()
}
