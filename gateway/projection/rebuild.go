package projection

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/follow"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/network/block"
)

// Rebuilt says what a rebuild found.
type Rebuilt struct {
	Block    block.Ref      // up to which the new tables are
	Compared bool           // there were tables of the same fold
	At       block.Ref      // the block at which they were compared
	Before   []store.Digest // the old tables there
	After    []store.Digest // the new ones
}

// Identical says whether the new tables are what the old ones were.
func (r Rebuilt) Identical() bool { return slices.Equal(r.Before, r.After) }

// Rebuild folds every block of a source from block 0 on into tables beside those in use, compares the two at the block where
// those in use are, and puts the new ones in their place. Interrupted, it goes on where it was when it is called again. Until
// the end nothing changes for who reads.
//
// Gateways on PostgreSQL may run meanwhile; they go on with the new tables. On SQLite the gateway must not run:
// database.ErrInUse. progress is told how many of how many blocks are folded. Error: follow.ErrOtherLedger where what is
// built so far is of another ledger; Discard it.
func Rebuild(ctx context.Context, settings database.Settings, contracts []Contract, source follow.Source, batch int, progress func(done, of uint64)) (r Rebuilt, err error) {
	release, err := store.Hold(settings)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, release()) }()
	fold, err := NewFolder(contracts)
	if err != nil {
		return r, err
	}
	if r.At, r.Compared, r.Before, err = inUse(ctx, settings, fold.Fingerprint()); err != nil {
		return r, err
	}
	for {
		if err := build(ctx, settings, fold, source, batch, &r, progress); err != nil {
			return r, err
		}
		if err := store.Replace(ctx, settings); !errors.Is(err, store.ErrBehind) {
			return r, err
		}
	}
}

// Discard removes what an interrupted rebuild left.
func Discard(ctx context.Context, settings database.Settings) error {
	return store.RemoveBeside(ctx, settings)
}

// inUse identifies the tables in use. ok is false where there are none of this fold.
func inUse(ctx context.Context, settings database.Settings, fold string) (at block.Ref, ok bool, digests []store.Digest, err error) {
	s, err := store.Look(ctx, settings)
	if errors.Is(err, fs.ErrNotExist) {
		return at, false, nil, nil
	}
	if err != nil {
		return at, false, nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if s.Fold() != fold {
		return at, false, nil, nil
	}
	at, ok, digests, err = s.Digests(ctx)
	return at, ok, digests, err
}

// build brings the new tables to the ledger's tip, and takes their digests on the way, at the block where the old ones are.
func build(ctx context.Context, settings database.Settings, fold *Folder, source follow.Source, batch int, r *Rebuilt, progress func(done, of uint64)) (err error) {
	s, err := store.OpenBeside(ctx, settings, fold.Fingerprint())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	p := &Projection{fold, s}
	at, started, err := p.Checkpoint(ctx)
	if err != nil {
		return err
	}
	tip, err := source.Tip(ctx)
	if err != nil {
		return err
	}
	if r.Compared && tip.Number < r.At.Number {
		return fmt.Errorf("the peer is at block %d and the tables in use at %d: wait until it has caught up", tip.Number, r.At.Number)
	}
	var decoder block.Decoder
	var waiting []block.Block
	apply := func() error {
		if err := p.Apply(ctx, waiting); err != nil {
			return err
		}
		last := waiting[len(waiting)-1]
		r.Block, waiting = block.Ref{Number: last.Number, Hash: last.Hash}, nil
		progress(last.Number+1, tip.Number+1)
		return r.compare(ctx, s)
	}
	if started {
		r.Block = at
		if err := r.compare(ctx, s); err != nil {
			return err
		}
		if r.Compared && r.After == nil && at.Number > r.At.Number { // interrupted after the place to compare at
			r.Compared = false
		}
	}
	for raw, err := range source.Blocks(ctx, r.Block.Number, tip.Number) {
		if err != nil {
			return err
		}
		b, err := decoder.Decode(raw)
		if err != nil {
			return err
		}
		if started && b.Number == at.Number { // the checkpoint's own block
			if !bytes.Equal(b.Hash, at.Hash) {
				return fmt.Errorf("%w: block %d is not the one that an interrupted rebuild folded; begin anew", follow.ErrOtherLedger, b.Number)
			}
			continue
		}
		waiting = append(waiting, b)
		if len(waiting) >= batch || b.Number == tip.Number || r.Compared && b.Number == r.At.Number {
			if err := apply(); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// compare takes the digests of the new tables at the block where the old ones are.
func (r *Rebuilt) compare(ctx context.Context, s *store.Store) (err error) {
	if !r.Compared || r.After != nil || r.Block.Number != r.At.Number {
		return nil
	}
	if !bytes.Equal(r.Block.Hash, r.At.Hash) {
		return fmt.Errorf("%w: block %d of the tables in use is not the ledger's", follow.ErrOtherLedger, r.At.Number)
	}
	_, _, r.After, err = s.Digests(ctx)
	return err
}
