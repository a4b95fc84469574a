package store

import (
	"context"
	"errors"
	"strings"
)

// MakeFirst makes a store as the first version of its tables left it, at block 7 and bound to a fingerprint.
func MakeFirst(ctx context.Context, file, fingerprint string) error {
	db, err := connect(file, 1, false)
	if err != nil {
		return err
	}
	provider, err := migrator(db)
	if err == nil {
		_, err = provider.UpTo(ctx, 1)
	}
	for _, text := range []string{
		`INSERT INTO blocks VALUES (7, 'aa', 'bb', 'cc', 1, 1, 0)`, `INSERT INTO checkpoint VALUES (1, 7, 'aa')`,
		`INSERT INTO revisions VALUES ('use', 'u1', 7, 0, 'exchange', 'tx', 0, 1, 'open', 0, '{}')`,
		`INSERT INTO meta VALUES ('` + fingerprintName + `', '` + fingerprint + `')`,
	} {
		if err == nil {
			_, err = db.ExecContext(ctx, text)
		}
	}
	return errors.Join(err, db.Close())
}

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
