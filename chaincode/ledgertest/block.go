package ledgertest

import (
	"slices"
	"time"
)

// Validation codes of transactions, as Fabric names them.
const (
	Valid        = "VALID"
	MVCCConflict = "MVCC_READ_CONFLICT"
	PhantomRead  = "PHANTOM_READ_CONFLICT"
	Unendorsed   = "ENDORSEMENT_POLICY_FAILURE"
)

// CommitError says that a transaction is in a block but was found invalid there.
type CommitError struct{ TxID, Code string }

func (e *CommitError) Error() string { return "transaction is invalid: " + e.Code }

// Is matches by code: errors.Is(err, &CommitError{Code: MVCCConflict}).
func (e *CommitError) Is(target error) bool {
	t, ok := target.(*CommitError)
	return ok && t.Code == e.Code
}

// Block is a block as a follower sees it.
type Block struct {
	Number       uint64
	Transactions []Transaction
}

// Transaction is one transaction of a block. Its writes count only if Code is Valid; its event is there in any case.
type Transaction struct {
	ID        string
	At        time.Time // the client's claim
	MSP       string    // of the creator
	Chaincode string    // the outermost
	Args      [][]byte
	Code      string
	Writes    []Write // by namespace, collection and key
	Event     *Event
}

// Write is one entry of a write set. For private data Collection is set, Key and Value are SHA-256 hashes.
type Write struct {
	Namespace  string
	Collection string
	Key        string
	Value      []byte
	Delete     bool
	Purge      bool
}

// Event is the one chaincode event of a transaction.
type Event struct {
	Chaincode string
	Name      string
	Payload   []byte
}

// Blocks are the blocks so far, from number 1; block 0, the channel's configuration, is not among them.
func (l *Ledger) Blocks() []Block {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.blocks)
}

// Height is the number of blocks, block 0 included.
func (l *Ledger) Height() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.blocks)) + 1
}

// CommitBlock orders transactions into one block, in the order given, and answers what became of each: nil or a *CommitError.
func (l *Ledger) CommitBlock(txs ...*Tx) []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	block := Block{Number: uint64(len(l.blocks)) + 1}
	results := make([]error, len(txs))
	for i, tx := range txs {
		if tx.committed {
			panic("ledgertest: transaction " + tx.ID + " is committed twice")
		}
		tx.committed = true
		code := l.judge(tx)
		if code == Valid {
			l.apply(tx, version{block.Number, i})
		} else {
			results[i] = &CommitError{TxID: tx.ID, Code: code}
		}
		block.Transactions = append(block.Transactions, Transaction{
			ID: tx.ID, At: tx.at, MSP: tx.msp, Chaincode: tx.chaincode, Args: tx.args, Code: code,
			Writes: tx.simulation.writeSet(), Event: tx.simulation.event,
		})
	}
	l.blocks = append(l.blocks, block)
	return results
}

// judge is the committer's check of a transaction: first that enough have endorsed it, then that what it read still holds.
func (l *Ledger) judge(tx *Tx) string {
	if tx.endorsers != nil && !l.endorsed(tx) {
		return Unendorsed
	}
	return l.validate(tx.simulation)
}

// validate is the committer's second check: everything read is still as it was read.
func (l *Ledger) validate(s *simulation) string {
	for key, read := range s.reads {
		if l.state.public[key].version != read {
			return MVCCConflict
		}
	}
	for _, r := range s.ranges {
		if !slices.Equal(r.seen, l.state.versions(r.namespace, r.start, r.reached())) {
			return PhantomRead
		}
	}
	for key, read := range s.hashedReads {
		if l.state.hashed[key].version != read {
			return MVCCConflict
		}
	}
	return Valid
}

// past is one entry of a key's history.
type past struct {
	tx      string
	at      time.Time
	deleted bool
	value   []byte
}

func (l *Ledger) apply(tx *Tx, v version) {
	for key, value := range tx.simulation.writes {
		l.history[key] = append(l.history[key], past{tx.ID, tx.at, len(value) == 0, value})
		if len(value) == 0 {
			delete(l.state.public, key)
			continue
		}
		entry := l.state.public[key]
		entry.value, entry.version = value, v
		l.state.public[key] = entry
	}
	for key, policy := range tx.simulation.policies {
		if entry, exists := l.state.public[key]; exists { // Fabric ignores the metadata of an absent key
			entry.policy, entry.version = policy, v
			l.state.public[key] = entry
		}
	}
	for key, w := range tx.simulation.private {
		if w.deletes() {
			delete(l.state.hashed, key)
			delete(l.state.private, key)
			continue
		}
		hashed := l.state.hashed[key]
		hashed.value, hashed.version = hash(w.value), v
		l.state.hashed[key] = hashed
		l.state.private[key] = entry{value: w.value, version: v}
	}
	for key, policy := range tx.simulation.privatePolicies {
		if hashed, exists := l.state.hashed[key]; exists {
			hashed.policy, hashed.version = policy, v
			l.state.hashed[key] = hashed
			private := l.state.private[key]
			private.version = v
			l.state.private[key] = private
		}
	}
	l.state.sorted = nil
}
