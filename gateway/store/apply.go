package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/network/block"
)

// The statements of Apply. A record that changes leaves its last state in the revisions; a deletion is a revision as well.
var (
	insertBlocks = database.ForMany(`INSERT INTO blocks ({columns}) {rows}`,
		"number bigint, hash text, previous text, data_hash text, transactions bigint, valid bigint, at bigint")
	insertTransactions = database.ForMany(`INSERT INTO transactions ({columns}) {rows}`,
		"block bigint, position bigint, id text, kind text, code text, at bigint, msp text, agency text, role text, "+
			"chaincode text, function text, commands bigint, endorsers text, writes bigint, malformed text")
	supersede = database.ForMany(`INSERT INTO revisions (noun, id, block, position, contract, tx_id, at, version, status, deleted, body)
		SELECT noun, id, block, position, contract, tx_id, at, version, status, 0, body FROM records WHERE (noun, id, contract) IN ({rows})`,
		"noun text, id text, contract text")
	deleteRecords = database.ForMany(`DELETE FROM records WHERE (noun, id, contract) IN ({rows})`, "noun text, id text, contract text")
	// A record that is new or is found as before: the indexes that do not change are left alone.
	putRecords = database.ForMany(`INSERT INTO records ({columns}) {rows}
		ON CONFLICT (noun, id, contract) DO UPDATE SET `+setPlain+` WHERE records.subject IS NOT DISTINCT FROM excluded.subject
			AND records.agency IS NOT DISTINCT FROM excluded.agency AND records.peer IS NOT DISTINCT FROM excluded.peer
			AND records.case_id IS NOT DISTINCT FROM excluded.case_id AND records.kind IS NOT DISTINCT FROM excluded.kind
			AND records.number IS NOT DISTINCT FROM excluded.number AND records.created_at = excluded.created_at`, recordRow)
	// Any record.
	placeRecords = database.ForMany(`INSERT INTO records ({columns}) {rows}
		ON CONFLICT (noun, id, contract) DO UPDATE SET `+setPlain+`, subject = excluded.subject, agency = excluded.agency, peer = excluded.peer,
			case_id = excluded.case_id, kind = excluded.kind, number = excluded.number, created_at = excluded.created_at`, recordRow)
	insertRevisions = database.ForMany(`INSERT INTO revisions ({columns}) {rows}`,
		"noun text, id text, block bigint, position bigint, contract text, tx_id text, at bigint, version bigint, status text, deleted bigint, body text")
	insertChanges = database.ForMany(`INSERT INTO changes ({columns}) {rows}`,
		"block bigint, position bigint, n bigint, tx_id text, at bigint, contract text, type text, id text, subject text, agency text, case_id text")
)

// The columns of a record, and those of them that no index but that of the status has.
const (
	recordRow = "contract text, noun text, id text, status text, version bigint, subject text, agency text, peer text, case_id text, " +
		"kind text, number bigint, words text, body text, block bigint, position bigint, tx_id text, at bigint, created_at bigint, changed_at bigint"
	setPlain = `status = excluded.status, version = excluded.version, words = excluded.words, body = excluded.body, block = excluded.block,
			position = excluded.position, tx_id = excluded.tx_id, at = excluded.at, changed_at = excluded.changed_at`
)

// Apply writes the rows of consecutive blocks and moves the checkpoint to the last, all in one SQL transaction. The first
// must follow the checkpoint, or have been applied: where several gateways share the database, another may have been faster.
// What is there is compared and left out. Errors: ErrOtherLedger, ErrOtherFold.
func (s *Store) Apply(ctx context.Context, all []Rows) error {
	if len(all) == 0 {
		return nil
	}
	var after checkpoint
	err := s.db.Atomically(ctx, func(tx *database.Tx) error {
		at, err := held(ctx, tx)
		if err != nil {
			return err
		}
		if at.fold != s.fold {
			return ErrOtherFold
		}
		left, err := s.left(ctx, tx, at, all)
		if after = at; err != nil || len(left) == 0 {
			return err
		}
		if after, err = follows(at, left); err != nil {
			return err
		}
		if err := collect(left).write(ctx, tx); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE checkpoint SET number = ?, hash = ? WHERE one = 1`, int64(after.at.Number), hex.EncodeToString(after.at.Hash))
		return err
	})
	if err != nil {
		return fmt.Errorf("store: blocks up to %d: %w", all[len(all)-1].Block.Number, err)
	}
	s.ahead(after)
	return nil
}

// left are the rows of blocks that are not applied yet.
func (s *Store) left(ctx context.Context, tx *database.Tx, at checkpoint, all []Rows) ([]Rows, error) {
	there := 0
	for at.started && there < len(all) && all[there].Block.Number <= at.at.Number {
		there++
	}
	if there == 0 {
		return all, nil
	}
	last := all[there-1].Block // those before it are bound to it by their hashes
	var hash string
	if err := tx.QueryRow(ctx, `SELECT hash FROM blocks WHERE number = ?`, int64(last.Number)).Scan(&hash); err != nil {
		return nil, err
	}
	if hash != last.Hash {
		return nil, fmt.Errorf("block %d: %w", last.Number, ErrOtherLedger)
	}
	return all[there:], nil
}

// follows checks that blocks go on where the checkpoint is, and says where it is then.
func follows(at checkpoint, all []Rows) (checkpoint, error) {
	for _, rows := range all {
		b := rows.Block
		if want := at.at.Number + 1; at.started && b.Number != want || !at.started && b.Number != 0 {
			return at, fmt.Errorf("block %d does not follow the checkpoint", b.Number)
		}
		hash, err := hex.DecodeString(b.Hash)
		if err != nil {
			return at, fmt.Errorf("hash of block %d: %w", b.Number, err)
		}
		if at.started && b.Previous != hex.EncodeToString(at.at.Hash) {
			return at, fmt.Errorf("block %d does not state the hash of the one before: %w", b.Number, ErrOtherLedger)
		}
		at.at, at.started = block.Ref{Number: b.Number, Hash: hash}, true
	}
	return at, nil
}

// writer collects the rows of blocks and writes them together. A state that a later write of the same application
// supersedes is a revision at once and never gets to the records.
type writer struct {
	blocks, transactions, changes           *database.Rows
	superseded, deleted, records, revisions *database.Rows
	last                                    map[recordKey]int // the place in writes of a record's last one
	writes                                  []Write           // the last of each record
	counts                                  *database.Rows
}

type recordKey struct{ noun, id, contract string }

func collect(all []Rows) *writer {
	w := &writer{
		blocks: insertBlocks.Rows(), transactions: insertTransactions.Rows(), changes: insertChanges.Rows(),
		superseded: supersede.Rows(), deleted: deleteRecords.Rows(), records: putRecords.Rows(), revisions: insertRevisions.Rows(),
	}
	var transactions, writes, changes int
	for _, rows := range all {
		transactions, writes, changes = transactions+len(rows.Transactions), writes+len(rows.Writes), changes+len(rows.Changes)
	}
	w.blocks.Expect(len(all))
	w.transactions.Expect(transactions)
	w.changes.Expect(changes)
	w.superseded.Expect(writes)
	w.records.Expect(writes)
	w.last, w.writes = make(map[recordKey]int, writes), make([]Write, 0, writes)
	for _, rows := range all {
		w.rows(rows)
	}
	w.counts = counted(all)
	for _, x := range w.writes {
		w.superseded.Add(x.Noun, x.ID, x.Contract)
		if x.Deleted {
			w.revision(x)
			w.deleted.Add(x.Noun, x.ID, x.Contract)
			continue
		}
		w.records.Add(x.Contract, x.Noun, x.ID, x.Status, int64(x.Version), null(x.Index.Subject), null(x.Index.Agency), null(x.Index.Peer),
			null(x.Index.Case), null(x.Index.Kind), positive(x.Index.Number), null(lines(x.Index)), text(x.Body), int64(x.Block), int64(x.Position), x.Tx, database.Millis(x.At), database.Millis(x.Created), database.Millis(x.Changed))
	}
	return w
}

// write writes everything; what the records have of those that change goes to the revisions first.
func (w *writer) write(ctx context.Context, tx *database.Tx) error {
	for _, part := range []*database.Rows{w.blocks, w.transactions, w.superseded, w.revisions, w.deleted, w.records, w.changes, w.counts} {
		done, err := tx.ExecMany(ctx, part)
		if err == nil && part == w.records && done < int64(part.Len()) { // some are found otherwise now
			_, err = tx.ExecMany(ctx, part.As(placeRecords))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rows collects a block's rows. Numbers are int64: the drivers take them as they are, any other kind by way of reflection.
func (w *writer) rows(r Rows) {
	b := r.Block
	w.blocks.Add(int64(b.Number), b.Hash, b.Previous, b.DataHash, int64(b.Transactions), int64(b.Valid), database.Millis(b.At))
	for _, t := range r.Transactions {
		w.transactions.Add(int64(t.Block), int64(t.Position), t.ID, t.Kind, t.Code, database.Millis(t.At), t.MSP, t.Agency, t.Role, t.Chaincode, t.Function,
			int64(t.Commands), strings.Join(t.Endorsers, ","), int64(t.Writes), t.Malformed)
	}
	for _, x := range r.Writes {
		x.ID, x.Status = database.Text(x.ID), database.Text(x.Status)
		key := recordKey{x.Noun, x.ID, x.Contract}
		at, again := w.last[key]
		if !again {
			w.last[key] = len(w.writes)
			w.writes = append(w.writes, x)
			continue
		}
		w.revision(w.writes[at])
		w.writes[at] = x
	}
	for _, c := range r.Changes {
		w.changes.Add(int64(c.Block), int64(c.Position), int64(c.N), c.Tx, database.Millis(c.At), c.Contract, database.Text(c.Type), database.Text(c.ID),
			null(c.Subject), null(c.Agency), null(c.Case))
	}
}

// revision collects a state that is past, or a deletion.
func (w *writer) revision(x Write) {
	var deleted int64
	if x.Deleted {
		deleted = 1
	}
	w.revisions.Add(x.Noun, x.ID, int64(x.Block), int64(x.Position), x.Contract, x.Tx, database.Millis(x.At), int64(x.Version), x.Status, deleted, text(x.Body))
}

// lines are what a record is searched for, as the column words has them.
func lines(index state.Index) string {
	if len(index.Words)+len(index.Tags) == 0 {
		return ""
	}
	return strings.ToLower("\n" + strings.Join(slices.Concat(index.Words, index.Tags), "\n") + "\n")
}

// null keeps an empty text out of the indexes.
func null(s string) any {
	if s == "" {
		return nil
	}
	return database.Text(s)
}

// positive keeps a number that is not there out of the indexes.
func positive(n int) any {
	if n == 0 {
		return nil
	}
	return int64(n)
}

// text is a body as it is stored.
func text(body []byte) string { return database.Text(string(body)) }
