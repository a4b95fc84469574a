package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/gateway/database"
)

// Pair is how many of the records that a query selects two agencies have with each other.
type Pair struct {
	Agency, Peer     string
	N                int64
	Created, Changed time.Time // the earliest
}

// Pairs counts what a query selects, for each pair of agencies. Pages and orders mean nothing here.
func (s *Store) Pairs(ctx context.Context, q Query) (pairs []Pair, err error) {
	sel := q.selection()
	rows, err := s.db.Query(ctx, `SELECT COALESCE(agency, ''), COALESCE(peer, ''), COUNT(*), MIN(created_at), MIN(changed_at) FROM records WHERE `+
		strings.Join(sel.where, " AND ")+` GROUP BY agency, peer`, sel.values...)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p Pair
		var created, changed int64
		if err := rows.Scan(&p.Agency, &p.Peer, &p.N, &created, &changed); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		p.Created, p.Changed = database.FromMillis(created), database.FromMillis(changed)
		pairs = append(pairs, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return pairs, nil
}
