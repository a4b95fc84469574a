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
