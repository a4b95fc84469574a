// Package audit verifies a channel's blocks without trusting whoever stored them. It shares no code with what writes to
// the ledger or serves from it; it reads raw blocks and computes everything again.
//
// What it checks, in this order, for each block of a range:
//
//	outline      the block has a header, transactions and one validation code for each
//	number       it is the next one
//	data_hash    the header's data hash is the hash of the transactions that are there
//	previous     the header states the hash of the block before it, as computed here
//	transaction  each endorsed transaction can be read, and its id is the hash of its nonce and creator
//	duplicate    no two valid transactions of the range have the same id
//
// A changed byte in a transaction breaks data_hash of its block; a changed header breaks previous of the next. So the
// hash of the last block, compared with what another organisation's peer has, vouches for all blocks before it. The
// validation codes are outside the hashes: each peer computes them, and another peer's may be compared.
package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"

	"github.com/hutong-gov/hutong/network/block"
)

// Source gives blocks in order, from the first to the last number given; the last element may be an error.
type Source interface {
	Blocks(ctx context.Context, from, to uint64) iter.Seq2[*common.Block, error]
}

// Rule that a block can break.
type Rule string

const (
	Outline     Rule = "outline"
	Number      Rule = "number"
	DataHash    Rule = "data_hash"
	Previous    Rule = "previous"
	Transaction Rule = "transaction"
	Duplicate   Rule = "duplicate"
)

// Rules in the order in which they are checked.
var Rules = []Rule{Outline, Number, DataHash, Previous, Transaction, Duplicate}

// Report of a check. Hashes are lower-case hexadecimal digits.
type Report struct {
	From         uint64         `json:"from"`
	To           uint64         `json:"to"`
	Blocks       uint64         `json:"blocks"` // that passed
	Transactions uint64         `json:"transactions"`
	Codes        map[string]int `json:"codes"`             // transactions by validation code
	Configs      int            `json:"configs"`           // configurations of the channel among them
	Anchor       string         `json:"anchor,omitempty"`  // the hash that block From states for the one before it
	LastHash     string         `json:"last_hash"`         // computed, of the last block that passed
	Failure      *Failure       `json:"failure,omitempty"` // the first; nothing after it was looked at
}

// Intact says whether every block of the range passed.
func (r Report) Intact() bool { return r.Failure == nil }

// Failure is the first rule that a block broke.
type Failure struct {
	Block    uint64 `json:"block"` // the number that was due
	Rule     Rule   `json:"rule"`
	Detail   string `json:"detail"`
	Expected string `json:"expected,omitempty"`
	Found    string `json:"found,omitempty"`
}

func (f *Failure) Error() string {
	return fmt.Sprintf("block %d breaks the rule %s: %s", f.Block, f.Rule, f.Detail)
}

// Check verifies the blocks from..to, both included. progress, if not nil, is called with the number of each block that
// passed. A broken chain is in the report; the error says only that the check could not be carried out.
func Check(ctx context.Context, source Source, from, to uint64, progress func(number uint64)) (Report, error) {
	if to < from {
		return Report{}, fmt.Errorf("audit: the range %d to %d is empty", from, to)
	}
	c := checker{report: Report{From: from, To: to, Codes: map[string]int{}}, next: from, ids: map[[sha256.Size]byte]uint64{}}
	for b, err := range source.Blocks(ctx, from, to) {
		if err != nil {
			return c.report, fmt.Errorf("audit: block %d: %w", c.next, err)
		}
		if failure := c.block(b); failure != nil {
			c.report.Failure = failure
			return c.report, nil
		}
		if progress != nil {
			progress(c.next - 1)
		}
		if c.report.Blocks == to-from+1 {
			return c.report, nil
		}
		if ctx.Err() != nil {
			return c.report, ctx.Err()
		}
	}
	if err := ctx.Err(); err != nil {
		return c.report, err
	}
	return c.report, fmt.Errorf("audit: block %d: %w", c.next, errors.New("the source ended before the range did"))
}

// checker goes through a range.
type checker struct {
	report  Report
	next    uint64
	last    []byte                       // hash of the block before, computed; nil before the first
	ids     map[[sha256.Size]byte]uint64 // where each valid transaction was first; digits would take twice the room
	decoder block.Decoder
}

// block checks one block and counts it.
func (c *checker) block(b *common.Block) *Failure {
	if err := block.Check(b); err != nil {
		return c.failure(Outline, err.Error(), "", "")
	}
	header := b.GetHeader()
	if header.GetNumber() != c.next {
		return c.failure(Number, "another block came in its place", fmt.Sprint(c.next), fmt.Sprint(header.GetNumber()))
	}
	if computed := block.DataHash(b.GetData()); !bytes.Equal(computed, header.GetDataHash()) {
		return c.failure(DataHash, "the transactions are not those the header was made for", hex.EncodeToString(header.GetDataHash()), hex.EncodeToString(computed))
	}
	switch {
	case c.next == 0 && len(header.GetPreviousHash()) > 0:
		return c.failure(Previous, "the first block of a channel has none before it", "", hex.EncodeToString(header.GetPreviousHash()))
	case c.last != nil && !bytes.Equal(c.last, header.GetPreviousHash()):
		return c.failure(Previous, "the header states another block before it than there is", hex.EncodeToString(c.last), hex.EncodeToString(header.GetPreviousHash()))
	}
	decoded, err := c.decoder.Decode(b)
	if err != nil {
		return c.failure(Outline, err.Error(), "", "")
	}
	if failure := c.transactions(decoded); failure != nil {
		return failure
	}
	c.count(decoded)
	return nil
}

// transactions checks what a block's transactions say of themselves.
func (c *checker) transactions(b block.Block) *Failure {
	for _, tx := range b.Transactions {
		if tx.Code != block.Valid {
			continue // peers found it invalid, for these reasons or others; it wrote nothing
		}
		if tx.Malformed != "" {
			return c.failure(Transaction, fmt.Sprintf("transaction %d is valid but cannot be read: %s", tx.Index, tx.Malformed), "", "")
		}
		if tx.Kind != block.Endorsed {
			continue // a configuration has no id of its own making
		}
		id := block.TransactionID(tx.Nonce, tx.Signer)
		if computed := hex.EncodeToString(id[:]); computed != tx.ID {
			return c.failure(Transaction, fmt.Sprintf("the id of transaction %d is not the hash of its nonce and creator", tx.Index), computed, tx.ID)
		}
		if first, seen := c.ids[id]; seen {
			return c.failure(Duplicate, fmt.Sprintf("transaction %d is valid, but its id was in block %d already", tx.Index, first), "", tx.ID)
		}
		c.ids[id] = b.Number
	}
	return nil
}

func (c *checker) count(b block.Block) {
	if c.report.Blocks == 0 {
		c.report.Anchor = hex.EncodeToString(b.Previous)
	}
	c.report.Blocks++
	c.report.Transactions += uint64(len(b.Transactions))
	for _, tx := range b.Transactions {
		c.report.Codes[string(tx.Code)]++
		if tx.Kind == block.Config {
			c.report.Configs++
		}
	}
	c.last = b.Hash
	c.report.LastHash = hex.EncodeToString(b.Hash)
	c.next++
}

func (c *checker) failure(rule Rule, detail, expected, found string) *Failure {
	return &Failure{Block: c.next, Rule: rule, Detail: detail, Expected: expected, Found: found}
}
