package projection

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/network/block"
)

// Fold makes the rows of one block. It fails where a valid transaction cannot be read, for then rows would be missing.
func (f *Folder) Fold(b block.Block) (store.Rows, error) {
	rows := store.Rows{Block: store.Block{
		Number: b.Number, Hash: hex.EncodeToString(b.Hash), Previous: hex.EncodeToString(b.Previous), DataHash: hex.EncodeToString(b.DataHash),
		Transactions: len(b.Transactions),
	}, Transactions: make([]store.Transaction, 0, len(b.Transactions)), Writes: make([]store.Write, 0, f.written(b))}
	for _, tx := range b.Transactions {
		rows.Transactions = append(rows.Transactions, transaction(b.Number, tx))
		if tx.At.After(rows.Block.At) {
			rows.Block.At = stored(tx.At)
		}
		if tx.Code != block.Valid {
			continue
		}
		rows.Block.Valid++
		if tx.Malformed != "" {
			return store.Rows{}, fmt.Errorf("block %d, transaction %d: valid, but cannot be read: %s", b.Number, tx.Index, tx.Malformed)
		}
		for _, namespace := range tx.Writes {
			collections, ours := f.nouns[namespace.Name]
			if !ours {
				continue
			}
			for _, w := range namespace.Writes {
				write, ok, err := f.write(namespace.Name, collections, w)
				if err != nil {
					return store.Rows{}, fmt.Errorf("block %d, transaction %d, contract %s: %w", b.Number, tx.Index, namespace.Name, err)
				}
				if !ok {
					continue
				}
				write.Block, write.Tx, write.Position, write.At = b.Number, tx.ID, tx.Index, stored(tx.At)
				if write.Created.IsZero() { // a record without a head
					write.Created = write.At
				}
				if write.Changed.IsZero() {
					write.Changed = write.At
				}
				rows.Writes = append(rows.Writes, write)
			}
		}
		rows.Changes = append(rows.Changes, f.changes(b.Number, tx)...)
		rows.Counts = append(rows.Counts, f.counts(tx)...)
	}
	return rows, nil
}

// written is how many writes of the house's contracts a block has at most.
func (f *Folder) written(b block.Block) (n int) {
	for _, tx := range b.Transactions {
		for _, namespace := range tx.Writes {
			if _, ours := f.nouns[namespace.Name]; ours {
				n += len(namespace.Writes)
			}
		}
	}
	return n
}

// transaction makes a transaction's own row.
func transaction(number uint64, tx block.Transaction) store.Transaction {
	row := store.Transaction{
		ID: tx.ID, Block: number, Position: tx.Index, Kind: string(tx.Kind), Code: string(tx.Code), At: stored(tx.At),
		MSP: tx.Creator.MSP, Agency: tx.Creator.Agency, Role: string(tx.Creator.Role),
		Chaincode: tx.Chaincode, Function: tx.Function, Commands: len(tx.Commands), Malformed: tx.Malformed,
	}
	row.Endorsers = make([]string, 0, len(tx.Endorsers))
	for _, e := range tx.Endorsers {
		row.Endorsers = append(row.Endorsers, e.MSP)
	}
	for _, namespace := range tx.Writes {
		row.Writes += len(namespace.Writes)
		for _, c := range namespace.Collections {
			row.Writes += len(c.Writes)
		}
	}
	return row
}

// write makes the row of one write. ok is false for keys that are not records: those of other forms, and bookkeeping. A
// noun that this gateway does not know yet is kept with what every record has.
func (f *Folder) write(contract string, collections map[string]state.Collection, w block.Write) (row store.Write, ok bool, err error) {
	noun, parts, composite := state.Split(w.Key)
	if !composite || len(parts) == 0 || skipped(noun) {
		return row, false, nil
	}
	row.Contract, row.Noun, row.ID = contract, noun, strings.Join(parts, "/")
	if w.Delete {
		row.Deleted = true
		return row, true, nil
	}
	var head state.Head
	if collection, known := collections[noun]; known {
		head, row.Index, err = collection.Read(w.Value)
	} else if err = json.Unmarshal(w.Value, &head); err != nil {
		err = fmt.Errorf("decode %s", noun)
	}
	if err != nil {
		return row, false, err
	}
	row.Status, row.Version, row.Body = head.Status, head.Version, json.RawMessage(w.Value)
	row.Created, row.Changed = stored(head.Created.At), stored(head.LastChange().At)
	return row, true, nil
}

// changes makes the feed's rows of one valid transaction.
func (f *Folder) changes(number uint64, tx block.Transaction) []store.Change {
	if tx.Event == nil || tx.Event.Envelope == nil {
		return nil
	}
	if _, ours := f.nouns[tx.Event.Chaincode]; !ours {
		return nil
	}
	rows := make([]store.Change, len(tx.Event.Envelope.Changes))
	for i, c := range tx.Event.Envelope.Changes {
		rows[i] = store.Change{
			Block: number, Position: tx.Index, N: i, Tx: tx.ID, At: stored(tx.At),
			Contract: tx.Event.Chaincode, Type: c.Type, ID: c.ID, Subject: c.Subject, Agency: c.Agency, Case: c.Case,
		}
	}
	return rows
}

// counts makes what one valid transaction is counted as.
func (f *Folder) counts(tx block.Transaction) []exchange.Count {
	if _, ours := f.nouns[exchange.Name]; !ours {
		return nil
	}
	if tx.Event == nil || tx.Event.Envelope == nil {
		return nil
	}
	var uses map[string]exchange.Use // read if one is counted
	return exchange.Counts(tx.Event.Envelope.Changes, tx.At, func(id string) (exchange.Use, bool) {
		if uses == nil {
			uses = block.Written(tx, exchange.Name, exchange.Uses)
		}
		use, found := uses[id]
		return use, found
	})
}

// stored is a time in the precision in which it is stored: whole milliseconds.
func stored(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Millisecond)
}
