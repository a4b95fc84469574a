package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/network/block"
)

// Digest identifies what is in one table, whichever database it is in: SHA-256 over its rows in the order of their key,
// each as the JSON array of its values in the order of the migration, and a line feed.
type Digest struct {
	Table  string
	Rows   int
	SHA256 string // lower-case hexadecimal digits
}

// contents are the tables that follow from the blocks, with their columns and their keys.
var contents = []struct{ table, columns, key string }{
	{"blocks", blockColumns, "number"},
	{"transactions", "block, position, id, kind, code, at, msp, agency, role, chaincode, function, commands, endorsers, writes, malformed", "block, position"},
	{"records", "contract, noun, id, status, version, subject, agency, peer, case_id, kind, number, body, block, position, tx_id, at, created_at, changed_at", "noun, id, contract"},
	{"revisions", "noun, id, block, position, contract, tx_id, at, version, status, deleted, body", "noun, id, block, position, contract"},
	{"counts", "day, dataset, provider, consumer, purpose, what, n", "day, dataset, provider, consumer, purpose, what"},
	{"changes", "block, position, n, tx_id, at, contract, type, id, subject, agency, case_id", "block, position, n"},
}

// Digests identify all tables in one state, and the block up to which they are. started is false where nothing is applied.
func (s *Store) Digests(ctx context.Context) (at block.Ref, started bool, digests []Digest, err error) {
	err = s.db.Snapshot(ctx, func(tx *database.Tx) error {
		c, err := readCheckpoint(tx.QueryRow(ctx, selectCheckpoint))
		if err != nil {
			return err
		}
		at, started, digests = c.at, c.started, nil
		for _, t := range contents {
			d, err := digest(ctx, tx, t.table, t.columns, t.key)
			if err != nil {
				return fmt.Errorf("%s: %w", t.table, err)
			}
			digests = append(digests, d)
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("store: %w", err)
	}
	return at, started, digests, err
}

func digest(ctx context.Context, tx *database.Tx, table, columns, key string) (Digest, error) {
	d, sum := Digest{Table: table}, sha256.New()
	rows, err := tx.Query(ctx, "SELECT "+columns+" FROM "+table+" ORDER BY "+key)
	if err != nil {
		return d, err
	}
	defer rows.Close()
	values := make([]any, strings.Count(columns, ",")+1)
	into := make([]any, len(values))
	for i := range values {
		into[i] = &values[i]
	}
	lines := json.NewEncoder(sum)
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return d, err
		}
		if err := lines.Encode(values); err != nil {
			return d, err
		}
		d.Rows++
	}
	d.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return d, rows.Err()
}
