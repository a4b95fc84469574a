package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/network/block"
)

// The tables that Apply fills row by row.
var (
	transactions = table{into: "transactions", columns: "block, position, id, kind, code, at, msp, agency, role, chaincode, function, commands, endorsers, writes, malformed"}
	records      = table{
		into:    "records",
		columns: "contract, noun, id, status, version, subject, agency, peer, case_id, kind, body, block, position, tx_id, at, created_at, changed_at",
		conflict: `ON CONFLICT (noun, id, contract) DO UPDATE SET status = excluded.status, version = excluded.version, subject = excluded.subject,
			agency = excluded.agency, peer = excluded.peer, case_id = excluded.case_id, kind = excluded.kind, body = excluded.body,
			block = excluded.block, position = excluded.position, tx_id = excluded.tx_id, at = excluded.at,
			created_at = excluded.created_at, changed_at = excluded.changed_at`,
	}
	changes = table{into: "changes", columns: "block, position, n, tx_id, at, contract, type, id, subject, agency, case_id"}
)

// The other statements of Apply, by name. A record that changes leaves its last state in revisions by a trigger; one that
// is deleted, by a statement, and the deletion is a revision as well.
var statements = map[string]string{
	"block": `INSERT INTO blocks (number, hash, previous, data_hash, transactions, valid, at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
	"supersede": `INSERT INTO revisions (noun, id, block, position, contract, tx_id, at, version, status, deleted, body)
		SELECT noun, id, block, position, contract, tx_id, at, version, status, 0, body FROM records WHERE noun = ? AND id = ? AND contract = ?`,
	"delete": `DELETE FROM records WHERE noun = ? AND id = ? AND contract = ?`,
	"deletion": `INSERT INTO revisions (noun, id, block, position, contract, tx_id, at, version, status, deleted, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, '')`,
	"checkpoint": `INSERT INTO checkpoint (one, number, hash) VALUES (1, ?, ?)
		ON CONFLICT (one) DO UPDATE SET number = excluded.number, hash = excluded.hash`,
}

func (s *Store) prepare(ctx context.Context) error {
	texts := maps.Clone(statements)
	for _, t := range []table{transactions, records, changes} {
		for _, n := range portions {
			texts[t.statement(n)] = t.text(n)
		}
	}
	for name, text := range texts {
		prepared, err := s.write.PrepareContext(ctx, text)
		if err != nil {
			return fmt.Errorf("statement %s: %w", name, err)
		}
		s.put[name] = prepared
	}
	return nil
}

// Apply writes the rows of consecutive blocks and moves the checkpoint to the last, all in one SQL transaction. The first
// must follow the checkpoint.
func (s *Store) Apply(ctx context.Context, all []Rows) error {
	if len(all) == 0 {
		return nil
	}
	at, started, err := s.Checkpoint(ctx)
	if err != nil {
		return err
	}
	for _, rows := range all {
		if want := at.Number + 1; started && rows.Block.Number != want || !started && rows.Block.Number != 0 {
			return fmt.Errorf("store: block %d does not follow the checkpoint", rows.Block.Number)
		}
		hash, err := hex.DecodeString(rows.Block.Hash)
		if err != nil {
			return fmt.Errorf("store: hash of block %d: %w", rows.Block.Number, err)
		}
		at, started = block.Ref{Number: rows.Block.Number, Hash: hash}, true
	}
	err = s.atomically(ctx, func(tx *sql.Tx) error {
		w := writer{ctx: ctx, tx: tx, put: s.put, bound: map[string]*sql.Stmt{},
			transactions: pending{table: transactions}, records: pending{table: records}, changes: pending{table: changes}}
		w.expect(all)
		for _, rows := range all {
			w.rows(rows)
		}
		for _, p := range []*pending{&w.transactions, &w.records, &w.changes} {
			w.insert(p)
		}
		w.run("checkpoint", at.Number, hex.EncodeToString(at.Hash))
		return w.err
	})
	if err != nil {
		return fmt.Errorf("store: blocks up to %d: %w", at.Number, err)
	}
	s.moved(at)
	return nil
}

// writer runs prepared statements in one SQL transaction and keeps the first error. Rows are collected and inserted many
// at a time.
type writer struct {
	ctx   context.Context
	tx    *sql.Tx
	put   map[string]*sql.Stmt
	bound map[string]*sql.Stmt
	err   error

	transactions, records, changes pending
}

func (w *writer) run(name string, values ...any) {
	if w.err != nil {
		return
	}
	statement, ok := w.bound[name]
	if !ok {
		statement = w.tx.StmtContext(w.ctx, w.put[name])
		w.bound[name] = statement
	}
	if _, err := statement.ExecContext(w.ctx, values...); err != nil {
		w.err = fmt.Errorf("%s: %w", name, err)
	}
}

// expect makes room for the rows to come.
func (w *writer) expect(all []Rows) {
	var ts, ws, cs int
	for _, rows := range all {
		ts, ws, cs = ts+len(rows.Transactions), ws+len(rows.Writes), cs+len(rows.Changes)
	}
	w.transactions.grow(ts)
	w.records.grow(ws)
	w.changes.grow(cs)
}

// rows collects and writes a block's rows. Numbers are int64: the driver takes them as they are, any other kind by way of
// reflection.
func (w *writer) rows(r Rows) {
	b := r.Block
	w.run("block", b.Number, b.Hash, b.Previous, b.DataHash, b.Transactions, b.Valid, millis(b.At))
	for _, t := range r.Transactions {
		w.transactions.add(int64(t.Block), int64(t.Position), t.ID, t.Kind, t.Code, millis(t.At), t.MSP, t.Agency, t.Role, t.Chaincode, t.Function,
			int64(t.Commands), strings.Join(t.Endorsers, ","), int64(t.Writes), t.Malformed)
	}
	for _, x := range r.Writes {
		if x.Deleted {
			w.insert(&w.records) // what was written before it
			w.run("supersede", x.Noun, x.ID, x.Contract)
			w.run("delete", x.Noun, x.ID, x.Contract)
			w.run("deletion", x.Noun, x.ID, x.Block, x.Position, x.Contract, x.Tx, millis(x.At), x.Version, x.Status)
			continue
		}
		w.records.add(x.Contract, x.Noun, x.ID, x.Status, int64(x.Version), null(x.Index.Subject), null(x.Index.Agency), null(x.Index.Peer),
			null(x.Index.Case), null(x.Index.Kind), string(x.Body), int64(x.Block), int64(x.Position), x.Tx, millis(x.At), millis(x.Created), millis(x.Changed))
	}
	for _, c := range r.Changes {
		w.changes.add(int64(c.Block), int64(c.Position), int64(c.N), c.Tx, millis(c.At), c.Contract, c.Type, c.ID, null(c.Subject), null(c.Agency), null(c.Case))
	}
}

// null keeps an empty text out of the indexes.
func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// millis is a time as it is stored; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
