// Package projection folds blocks into rows. The fold is a pure function of a block and the contracts' collections: no
// clock, no look at earlier rows, so the same blocks give the same rows, in whatever portions they come.
//
//	block ──Fold──▶ rows: block, transactions, writes of records, changes ──Store.Apply──▶ tables and checkpoint
//
// Rules: every transaction gets a row, valid or not. Only a valid one's writes and changes count, for an event is in the
// block in any case. The write sets of all the house's contracts in a transaction count, not only the outermost one's.
// Records come from write sets; the feed of changes comes from events; nothing else is read.
package projection

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/network/block"
)

// Contract is what the fold knows of one of the house's chaincodes.
type Contract struct {
	Name        string
	Collections []state.Collection
}

// Projection applies blocks to a store.
type Projection struct {
	fold  *Folder
	store *store.Store
}

var _ follow.Projection = (*Projection)(nil)

// Open opens the store and binds it to the contracts. One that was folded with other contracts is emptied and built again.
func Open(ctx context.Context, settings database.Settings, readers int, contracts []Contract) (*Projection, error) {
	fold, err := NewFolder(contracts)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, settings, readers, fold.Fingerprint())
	if err != nil {
		return nil, err
	}
	return &Projection{fold, s}, nil
}

// Store is where the rows are, for reading.
func (p *Projection) Store() *store.Store { return p.store }

// Close closes the store.
func (p *Projection) Close() error { return p.store.Close() }

// Checkpoint implements follow.Projection.
func (p *Projection) Checkpoint(ctx context.Context) (block.Ref, bool, error) {
	return p.store.Checkpoint(ctx)
}

// HashAt implements follow.Projection.
func (p *Projection) HashAt(ctx context.Context, number uint64) ([]byte, bool, error) {
	return p.store.HashAt(ctx, number)
}

// Apply implements follow.Projection: it folds blocks and writes their rows in one SQL transaction.
func (p *Projection) Apply(ctx context.Context, blocks []block.Block) error {
	rows := make([]store.Rows, len(blocks))
	for i, b := range blocks {
		var err error
		if rows[i], err = p.fold.Fold(b); err != nil {
			return fmt.Errorf("%w: %w", follow.ErrUnfoldable, err)
		}
	}
	err := p.store.Apply(ctx, rows)
	if errors.Is(err, store.ErrOtherLedger) {
		return fmt.Errorf("%w: %w", follow.ErrOtherLedger, err)
	}
	return err
}

// Version of the fold. A change of what rows come out needs a new one: stores folded with another are built again.
const Version = 3

// Folder folds blocks for a fixed set of contracts. It is immutable.
type Folder struct {
	nouns     map[string]map[string]state.Collection // by contract, by noun
	signature string
}

// NewFolder checks that nouns are unique over the contracts, which readers rely on.
func NewFolder(contracts []Contract) (*Folder, error) {
	f := &Folder{nouns: map[string]map[string]state.Collection{}}
	owner := map[string]string{}
	var described strings.Builder
	fmt.Fprintf(&described, "version %d\n", Version)
	for _, c := range contracts {
		collections := map[string]state.Collection{}
		for _, collection := range c.Collections {
			noun := collection.Name()
			if skipped(noun) {
				continue
			}
			if other, taken := owner[noun]; taken {
				return nil, fmt.Errorf("projection: noun %s is in the contracts %s and %s", noun, other, c.Name)
			}
			owner[noun], collections[noun] = c.Name, collection
			fmt.Fprintf(&described, "%s %s %s %s\n", c.Name, noun, strings.Join(collection.KeyParts(), "/"), collection.RecordType())
		}
		f.nouns[c.Name] = collections
	}
	sum := sha256.Sum256([]byte(described.String()))
	f.signature = hex.EncodeToString(sum[:])
	return f, nil
}

// Fingerprint identifies what rows this folder makes.
func (f *Folder) Fingerprint() string { return f.signature }

// skipped says whether a noun is a contract's bookkeeping: receipts repeat what records and transactions say, tickets what
// uses say.
func skipped(noun string) bool { return noun == kernel.ReceiptNoun || noun == exchange.TicketNoun }
