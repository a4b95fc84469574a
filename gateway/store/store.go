// Package store keeps what the ledger says as rows that can be searched: the gateway's read model. It is written by the
// projection alone and read by the application.
//
// The rows and the checkpoint move in one SQL transaction, so a gateway that is killed goes on exactly where it was.
// Gateways that share a database each bring all blocks, and a block is applied by whoever comes first: the others find it
// there, see that it is the same, and go on. The whole store is disposable: remove it, and it is built again from the
// blocks.
//
// Invariants: the block at the checkpoint is the last one applied, whole; blocks are applied in order and once; a reader
// never sees half a block. Height never runs ahead of what a reader can see.
package store

import (
	"context"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/network/block"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Part is the store's part of what a gateway keeps.
const Part = "projection"

// partBeside is a store that is built anew.
const partBeside = "projection_rebuild"

// lockName is the lock that Apply holds.
const lockName = "checkpoint"

// watchPause is how long after another gateway applied a block this one knows, at most, while its own stream is down.
const watchPause = 250 * time.Millisecond

// Errors of a database that several gateways share.
var (
	// ErrOtherLedger says that a block that was applied is not the block of that number that is to be applied.
	ErrOtherLedger = errors.New("store: the rows are of another ledger")
	// ErrOtherFold says that a gateway of another version or with other contracts took the store over, to fold it anew.
	ErrOtherFold = errors.New("store: a gateway that folds differently has taken the store over; bring all gateways to one version")
)

// Store is the read model. Safe for concurrent use.
type Store struct {
	db   *database.DB
	fold string

	stop    context.CancelFunc // of the watch
	watched sync.WaitGroup

	mu       sync.Mutex
	at       block.Ref
	started  bool
	advanced chan struct{} // closed and replaced when the checkpoint moves
}

// Open opens or makes the store, with the given number of connections for readers. fingerprint identifies what the rows
// are folded with: if they were folded with something else, the store is emptied, to be built again.
func Open(ctx context.Context, settings database.Settings, readers int, fingerprint string) (*Store, error) {
	return open(ctx, settings, Part, readers, fingerprint)
}

// OpenBeside opens or makes a second store beside the one in use, to be built anew and then to Replace it.
func OpenBeside(ctx context.Context, settings database.Settings, fingerprint string) (*Store, error) {
	return open(ctx, settings, partBeside, 1, fingerprint)
}

// Hold keeps gateways from opening a store that is one file, and says database.ErrInUse where one has it open.
func Hold(settings database.Settings) (release func() error, err error) {
	return database.Hold(settings, Part)
}

// RemoveBeside removes the store beside the one in use.
func RemoveBeside(ctx context.Context, settings database.Settings) error {
	return database.Remove(ctx, settings, partBeside)
}

// ErrBehind says that the store beside is not as far as the one in use, which gateways go on with.
var ErrBehind = errors.New("store: the one in use is further")

// Replace puts the store beside in the place of the one in use, see database.Replace. Errors: ErrBehind.
func Replace(ctx context.Context, settings database.Settings) error {
	return database.Replace(ctx, settings, Part, partBeside, lockName, func(ctx context.Context) error {
		built, started, err := checkpointOf(ctx, settings, partBeside)
		if err != nil || !started {
			return errors.Join(errors.New("store: nothing is built"), err)
		}
		used, started, err := checkpointOf(ctx, settings, Part)
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && !started:
			return nil
		case err == nil && used.Number > built.Number:
			return ErrBehind
		}
		return err
	})
}

func checkpointOf(ctx context.Context, settings database.Settings, part string) (at block.Ref, started bool, err error) {
	s, err := look(ctx, settings, part)
	if err != nil {
		return at, false, err
	}
	return s.at, s.started, s.Close()
}

func open(ctx context.Context, settings database.Settings, part string, readers int, fingerprint string) (*Store, error) {
	db, err := database.Open(ctx, settings, database.Part{Name: part, Migrations: migrations, Readers: readers})
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, fold: fingerprint, stop: func() {}, advanced: make(chan struct{})}
	if err := s.agree(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w", err), s.Close())
	}
	if db.Shared() {
		var watching context.Context
		watching, s.stop = context.WithCancel(context.WithoutCancel(ctx))
		s.watched.Go(func() { s.watch(watching) })
	}
	return s, nil
}

// Look opens a store for reading only, as it is, whoever has it open. Errors: fs.ErrNotExist.
func Look(ctx context.Context, settings database.Settings) (*Store, error) {
	return look(ctx, settings, Part)
}

func look(ctx context.Context, settings database.Settings, part string) (*Store, error) {
	db, err := database.Look(ctx, settings, database.Part{Name: part, Readers: 1})
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, stop: func() {}, advanced: make(chan struct{})}
	c, err := readCheckpoint(db.QueryRow(ctx, selectCheckpoint))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w", err), s.Close())
	}
	s.fold = c.fold
	s.moved(c)
	return s, nil
}

// Fold identifies what the rows are folded with.
func (s *Store) Fold() string { return s.fold }

// checkpoint is the one row that says how far the store is, and what folded it.
type checkpoint struct {
	fold    string
	at      block.Ref
	started bool
}

// readCheckpoint reads it; fold is empty where there is none.
func readCheckpoint(row database.Row) (c checkpoint, err error) {
	var number sql.NullInt64
	var hash sql.NullString
	switch err := row.Scan(&c.fold, &number, &hash); {
	case errors.Is(err, sql.ErrNoRows):
		return checkpoint{}, nil
	case err != nil:
		return checkpoint{}, err
	}
	c.at.Number, c.started = uint64(number.Int64), number.Valid
	c.at.Hash, err = hex.DecodeString(hash.String)
	return c, err
}

const selectCheckpoint = `SELECT fold, number, hash FROM checkpoint WHERE one = 1`

// held locks the checkpoint to the end of the transaction and reads it.
func held(ctx context.Context, tx *database.Tx) (checkpoint, error) {
	if err := tx.Lock(ctx, lockName); err != nil {
		return checkpoint{}, err
	}
	return readCheckpoint(tx.QueryRow(ctx, selectCheckpoint))
}

// agree empties the store if its rows were folded with something else, and takes up the checkpoint.
func (s *Store) agree(ctx context.Context) error {
	return s.db.Atomically(ctx, func(tx *database.Tx) error {
		kept, err := held(ctx, tx)
		if err != nil {
			return err
		}
		if kept.fold == s.fold {
			s.moved(kept)
			return nil
		}
		for _, table := range []string{"checkpoint", "counts", "changes", "revisions", "records", "transactions", "blocks"} {
			if _, err := tx.Exec(ctx, `DELETE FROM `+table); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `INSERT INTO checkpoint (one, fold) VALUES (1, ?)`, s.fold)
		return err
	})
}

// watch learns of what other gateways apply.
func (s *Store) watch(ctx context.Context) {
	ticks := time.NewTicker(watchPause)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		if c, err := readCheckpoint(s.db.QueryRow(ctx, selectCheckpoint)); err == nil { // what is wrong, the next application says
			s.ahead(c)
		}
	}
}

// Checkpoint is the last block applied; ok is false if there is none.
func (s *Store) Checkpoint(ctx context.Context) (at block.Ref, ok bool, err error) {
	if s.db.Shared() { // a server that fell may have lost the last commits
		c, err := readCheckpoint(s.db.QueryRow(ctx, selectCheckpoint))
		if err != nil {
			return block.Ref{}, false, fmt.Errorf("store: %w", err)
		}
		s.moved(c)
		return c.at, c.started, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at, s.started, nil
}

// Height is the number of the last block applied. It is 0 as well while there is none.
func (s *Store) Height(context.Context) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at.Number, nil
}

// WaitBlock waits until block n is applied, or ctx ends.
func (s *Store) WaitBlock(ctx context.Context, n uint64) error {
	for {
		s.mu.Lock()
		there, advanced := s.started && s.at.Number >= n, s.advanced
		s.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// moved takes up a checkpoint and tells those who wait.
func (s *Store) moved(to checkpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(to)
}

// ahead takes up a checkpoint that is further than the one known.
func (s *Store) ahead(to checkpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if to.started && (!s.started || to.at.Number > s.at.Number) {
		s.set(to)
	}
}

func (s *Store) set(to checkpoint) {
	s.at, s.started = to.at, to.started
	close(s.advanced)
	s.advanced = make(chan struct{})
}

// Name is the store's file or schema.
func (s *Store) Name() string { return s.db.Name() }

// Close closes the store.
func (s *Store) Close() error {
	s.stop()
	s.watched.Wait()
	return s.db.Close()
}
