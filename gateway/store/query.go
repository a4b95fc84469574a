package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/gateway/database"
)

const recordColumns = `contract, noun, id, status, version, COALESCE(subject, ''), COALESCE(agency, ''), COALESCE(peer, ''), COALESCE(case_id, ''), COALESCE(kind, ''), COALESCE(number, 0), body, block, tx_id, created_at, changed_at`

type row interface{ Scan(...any) error }

func scanRecord(r row) (Record, error) {
	var x Record
	var body string
	var created, changed int64
	err := r.Scan(&x.Contract, &x.Noun, &x.ID, &x.Status, &x.Version, &x.Index.Subject, &x.Index.Agency, &x.Index.Peer, &x.Index.Case,
		&x.Index.Kind, &x.Index.Number, &body, &x.Block, &x.Tx, &created, &changed)
	x.Body, x.Created, x.Changed = []byte(body), database.FromMillis(created), database.FromMillis(changed)
	return x, err
}

// Get reads one record. Nouns are unique over the contracts.
func (s *Store) Get(ctx context.Context, noun, id string) (Record, bool, error) {
	record, err := scanRecord(s.db.QueryRow(ctx, `SELECT `+recordColumns+` FROM records WHERE noun = ? AND id = ?`, noun, id))
	return found(record, err)
}

func found[T any](item T, err error) (T, bool, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return item, false, nil
	}
	if err != nil {
		return item, false, fmt.Errorf("store: %w", err)
	}
	return item, true, nil
}

// Query selects records of one noun. Empty fields select nothing out. The order is by age, unless it is by change or by
// number.
type Query struct {
	OneOf         []string // statuses
	Unlike        string   // a status that records do not have
	Numbered      bool     // only records that have a number
	Numbers       []int    // only those of these numbers
	ChangedBefore time.Time

	Noun                                      string
	Subject, Agency, Peer, Case, Kind, Status string
	PageSize                                  int // 0: DefaultPageSize; at most MaxPageSize
	PageToken                                 string
	Descending                                bool // newest first
	ByChange                                  bool // the order is by the last change
	CreatedSince, CreatedBefore, ChangedSince time.Time
	ByNumber                                  bool     // only records that have one, in its order; Subject is then required
	FirstNumber, LastNumber                   int      // 0: no bound
	Text                                      string   // words that are all somewhere in what the record is searched for
	Tags                                      []string // "name=value" that it has
}

// Find lists records. next is the token of the next page, empty on the last. Faults: request.invalid on page_size or
// page_token.
func (s *Store) Find(ctx context.Context, q Query) (items []Record, next string, err error) {
	return list(ctx, s.db, q.selection(), q.PageSize, q.PageToken, recordColumns, "records", scanRecord,
		func(r Record) []any { return []any{q.place(r), r.ID} })
}

// body is a record's JSON, with what its place in a list is made of.
type body struct {
	json  json.RawMessage
	place int64
	id    string
}

// Bodies lists records as Find does, their JSON alone: what a list shows is nothing else, and each column costs a reader.
func (s *Store) Bodies(ctx context.Context, q Query) (bodies []json.RawMessage, next string, err error) {
	rows, next, err := list(ctx, s.db, q.selection(), q.PageSize, q.PageToken, "body, "+q.column()+", id", "records",
		func(r row) (b body, err error) {
			err = r.Scan((*[]byte)(&b.json), &b.place, &b.id)
			return b, err
		}, func(b body) []any { return []any{b.place, b.id} })
	if err != nil {
		return nil, "", err
	}
	bodies = make([]json.RawMessage, len(rows))
	for i, b := range rows {
		bodies[i] = b.json
	}
	return bodies, next, nil
}

func (q Query) selection() selection {
	sel := selection{order: []string{q.column(), "id"}, descending: q.Descending}
	sel.is("noun", q.Noun)
	sel.is("subject", q.Subject)
	sel.is("agency", q.Agency)
	sel.is("peer", q.Peer)
	sel.is("case_id", q.Case)
	sel.is("kind", q.Kind)
	sel.is("status", q.Status)
	sel.oneOf("status", anyOf(q.OneOf))
	if q.Unlike != "" {
		sel.where, sel.values = append(sel.where, "status <> ?"), append(sel.values, q.Unlike)
	}
	if q.Numbered {
		sel.between("number", 1, 0)
	}
	sel.oneOf("number", anyOf(q.Numbers))
	sel.before("changed_at", q.ChangedBefore)
	sel.since("created_at", q.CreatedSince)
	sel.before("created_at", q.CreatedBefore)
	sel.since("changed_at", q.ChangedSince)
	for _, word := range strings.Fields(q.Text) {
		sel.has("words", word)
	}
	for _, tag := range q.Tags {
		sel.has("words", "\n"+tag+"\n")
	}
	if q.ByNumber {
		sel.between("number", max(q.FirstNumber, 1), q.LastNumber)
	}
	return sel
}

// column is what the order is by, and place a record's value of it.
func (q Query) column() string {
	switch {
	case q.ByNumber:
		return "number"
	case q.ByChange:
		return "changed_at"
	}
	return "created_at"
}

func (q Query) place(r Record) int64 {
	switch {
	case q.ByNumber:
		return int64(r.Index.Number)
	case q.ByChange:
		return database.Millis(r.Changed)
	}
	return database.Millis(r.Created)
}

// list runs a selection and makes the token of the next page.
func list[T any](ctx context.Context, db *database.DB, sel selection, size int, after, columns, table string, scan func(row) (T, error), key func(T) []any) (items []T, next string, err error) {
	if err := sel.limit(size); err != nil {
		return nil, "", err
	}
	text, values, err := sel.query(columns, table, after)
	if err != nil {
		return nil, "", err
	}
	rows, err := db.Query(ctx, text, values...)
	if err != nil {
		return nil, "", fmt.Errorf("store: %w", err)
	}
	defer rows.Close()
	items = []T{}
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, "", fmt.Errorf("store: %w", err)
		}
		items = append(items, item)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("store: %w", err)
	}
	if len(items) > sel.size {
		items = items[:sel.size]
		next, err = sel.encode(sel.list(), key(items[sel.size-1]))
	}
	return items, next, err
}

const revisionColumns = `contract, version, status, deleted, body, block, position, tx_id, at`

// states are the past states of records, deletions among them, and the present ones.
const states = `(SELECT noun, id, ` + revisionColumns + ` FROM revisions UNION ALL
	SELECT noun, id, contract, version, status, 0, body, block, position, tx_id, at FROM records) AS states`

// History lists the states of a record, oldest first. Faults as Find.
func (s *Store) History(ctx context.Context, noun, id string, size int, after string) (items []Revision, next string, err error) {
	sel := selection{order: []string{"block", "position", "contract"}}
	sel.is("noun", noun)
	sel.is("id", id)
	return list(ctx, s.db, sel, size, after, revisionColumns, states,
		func(r row) (x Revision, err error) {
			var body string
			var at int64
			err = r.Scan(&x.Contract, &x.Version, &x.Status, &x.Deleted, &body, &x.Block, &x.Position, &x.Tx, &at)
			x.Body, x.At = []byte(body), database.FromMillis(at)
			return x, err
		}, func(x Revision) []any { return []any{x.Block, x.Position, x.Contract} })
}

// ChangeQuery selects from the feed of changes. Empty fields select nothing out. The order is the ledger's.
type ChangeQuery struct {
	Subject, Agency, Case, Type string
	PageSize                    int
	PageToken                   string
	Descending                  bool
}

// Changes lists what happened. Faults as Find.
func (s *Store) Changes(ctx context.Context, q ChangeQuery) (items []Change, next string, err error) {
	sel := selection{order: []string{"block", "position", "n"}, descending: q.Descending}
	sel.is("subject", q.Subject)
	sel.is("agency", q.Agency)
	sel.is("case_id", q.Case)
	sel.is("type", q.Type)
	return list(ctx, s.db, sel, q.PageSize, q.PageToken, changeColumns, "changes", scanChange, func(c Change) []any { return []any{c.Block, c.Position, c.N} })
}

const changeColumns = `block, position, n, tx_id, at, contract, type, id, COALESCE(subject, ''), COALESCE(agency, ''), COALESCE(case_id, '')`

func scanChange(r row) (c Change, err error) {
	var at int64
	err = r.Scan(&c.Block, &c.Position, &c.N, &c.Tx, &at, &c.Contract, &c.Type, &c.ID, &c.Subject, &c.Agency, &c.Case)
	c.At = database.FromMillis(at)
	return c, err
}

const transactionColumns = `id, block, position, kind, code, at, msp, agency, role, chaincode, function, commands, endorsers, writes, malformed`

func scanTransaction(r row) (t Transaction, err error) {
	var at int64
	var endorsers string
	err = r.Scan(&t.ID, &t.Block, &t.Position, &t.Kind, &t.Code, &at, &t.MSP, &t.Agency, &t.Role, &t.Chaincode, &t.Function, &t.Commands,
		&endorsers, &t.Writes, &t.Malformed)
	t.At = database.FromMillis(at)
	if endorsers != "" {
		t.Endorsers = strings.Split(endorsers, ",")
	}
	return t, err
}

// transactionByID uses the index, which has the beginning of an id only. The sum keeps a planner from walking through the
// blocks in their order instead, in the hope that the one wanted comes soon.
const transactionByID = `SELECT ` + transactionColumns + ` FROM transactions
	WHERE substr(id, 1, 12) = substr(?, 1, 12) AND id = ? ORDER BY block + 0, position LIMIT 1`

// Transaction finds a transaction by its id. Where an id was used again, the first one counts: Fabric lets only that one
// be valid.
func (s *Store) Transaction(ctx context.Context, id string) (Transaction, bool, error) {
	return found(scanTransaction(s.db.QueryRow(ctx, transactionByID, id, id)))
}

// TransactionsOf lists a block's transactions in order.
func (s *Store) TransactionsOf(ctx context.Context, block uint64, size int, after string) (items []Transaction, next string, err error) {
	sel := selection{order: []string{"block", "position"}}
	sel.where, sel.values = []string{"block = ?"}, []any{int64(block)}
	return list(ctx, s.db, sel, size, after, transactionColumns, "transactions", scanTransaction,
		func(t Transaction) []any { return []any{t.Block, t.Position} })
}

const blockColumns = `number, hash, previous, data_hash, transactions, valid, at`

func scanBlock(r row) (b Block, err error) {
	var at int64
	err = r.Scan(&b.Number, &b.Hash, &b.Previous, &b.DataHash, &b.Transactions, &b.Valid, &at)
	b.At = database.FromMillis(at)
	return b, err
}

// Block reads one block.
func (s *Store) Block(ctx context.Context, number uint64) (Block, bool, error) {
	return found(scanBlock(s.db.QueryRow(ctx, `SELECT `+blockColumns+` FROM blocks WHERE number = ?`, int64(number))))
}

// BlockQuery pages through blocks.
type BlockQuery struct {
	PageSize   int
	PageToken  string
	Descending bool
}

// Blocks lists blocks. Faults as Find.
func (s *Store) Blocks(ctx context.Context, q BlockQuery) (items []Block, next string, err error) {
	sel := selection{order: []string{"number"}, descending: q.Descending}
	return list(ctx, s.db, sel, q.PageSize, q.PageToken, blockColumns, "blocks", scanBlock,
		func(b Block) []any { return []any{b.Number} })
}

// HashAt is the hash of a block that was applied.
func (s *Store) HashAt(ctx context.Context, number uint64) (hash []byte, ok bool, err error) {
	b, ok, err := s.Block(ctx, number)
	if !ok || err != nil {
		return nil, false, err
	}
	hash, err = hex.DecodeString(b.Hash)
	return hash, err == nil, err
}
