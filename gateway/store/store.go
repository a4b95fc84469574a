// Package store keeps what the ledger says as rows that can be searched: the gateway's read model. It is written by the
// projection alone and read by the application.
//
// The rows and the checkpoint move in one SQL transaction, so a gateway that is killed goes on exactly where it was. The
// whole store is disposable: remove the file, and it is built again from the blocks.
//
// Invariants: the block at the checkpoint is the last one applied, whole; blocks are applied in order; a reader never sees
// half a block. Height never runs ahead of what a reader can see.
package store

import (
	"context"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/hutong-gov/hutong/network/block"
)

//go:embed migrations/*.sql
var migrations embed.FS

// busyTimeout is how long a statement waits for another process that has the file, such as a backup.
const busyTimeout = 5 * time.Second

// The writer's memory and journal. Ids are random, so a block touches pages all over the indexes: they are kept in memory
// rather than read again, and many blocks' changes of a page are copied from the journal to the file together.
const (
	writerCacheKiB  = 8 << 10
	checkpointPages = 8 << 10 // 32 MiB of journal
)

// fingerprintName is the row of the table meta that tells what the rows were folded with.
const fingerprintName = "fingerprint"

// Store is the read model in one SQLite file. Safe for concurrent use; one process at a time.
type Store struct {
	write *sql.DB // one connection: SQLite has one writer
	read  *sql.DB
	put   map[string]*sql.Stmt

	mu       sync.Mutex
	at       block.Ref
	started  bool
	advanced chan struct{} // closed and replaced when the checkpoint moves
}

// Open opens or makes the store in a file, with the given number of connections for readers. fingerprint identifies what
// the rows are folded with: if the file was folded with something else, it is emptied, to be built again.
func Open(ctx context.Context, file string, readers int, fingerprint string) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s, err := open(ctx, file, readers, fingerprint)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", file, err)
	}
	return s, nil
}

func open(ctx context.Context, file string, readers int, fingerprint string) (s *Store, err error) {
	s = &Store{put: map[string]*sql.Stmt{}, advanced: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.write, err = connect(file, 1, false); err != nil {
		return s, err
	}
	if err := migrate(ctx, s.write); err != nil {
		return s, err
	}
	if s.read, err = connect(file, max(readers, 1), true); err != nil {
		return s, err
	}
	if err := s.agree(ctx, fingerprint); err != nil {
		return s, err
	}
	if err := s.prepare(ctx); err != nil {
		return s, err
	}
	s.at, s.started, err = s.stored(ctx)
	return s, err
}

// connect opens a pool on the file. Readers cannot write, even by mistake.
func connect(file string, connections int, readOnly bool) (*sql.DB, error) {
	pragmas := []string{
		"journal_mode(WAL)",   // readers do not wait for the writer
		"synchronous(NORMAL)", // a power cut may cost the last commits; the blocks give them back
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
	}
	if readOnly {
		pragmas = append(pragmas, "query_only(1)")
	}
	query := url.Values{"_pragma": pragmas}
	if !readOnly {
		query.Set("_txlock", "immediate")
		query["_pragma"] = append(pragmas, "temp_store(MEMORY)", fmt.Sprintf("cache_size(-%d)", writerCacheKiB), fmt.Sprintf("wal_autocheckpoint(%d)", checkpointPages))
	}
	path := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: query.Encode()}).String()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	provider, err := migrator(db)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

func migrator(db *sql.DB) (*goose.Provider, error) {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, folder)
}

// agree empties the store if its rows were folded with something else.
func (s *Store) agree(ctx context.Context, fingerprint string) error {
	var kept string
	err := s.write.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = ?`, fingerprintName).Scan(&kept)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if kept == fingerprint {
		return nil
	}
	return s.atomically(ctx, func(tx *sql.Tx) error {
		for _, table := range []string{"checkpoint", "changes", "revisions", "records", "transactions", "blocks", "meta"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES (?, ?)`, fingerprintName, fingerprint)
		return err
	})
}

// atomically runs one SQL transaction on the writer's connection.
func (s *Store) atomically(ctx context.Context, work func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := work(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// stored reads the checkpoint from the file.
func (s *Store) stored(ctx context.Context) (at block.Ref, ok bool, err error) {
	var hash string
	err = s.write.QueryRowContext(ctx, `SELECT number, hash FROM checkpoint WHERE one = 1`).Scan(&at.Number, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return at, false, nil
	}
	if err == nil {
		at.Hash, err = hex.DecodeString(hash)
	}
	return at, err == nil, err
}

// Checkpoint is the last block applied; ok is false if there is none.
func (s *Store) Checkpoint(context.Context) (at block.Ref, ok bool, err error) {
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

// moved tells those who wait that the checkpoint moved.
func (s *Store) moved(at block.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at, s.started = at, true
	close(s.advanced)
	s.advanced = make(chan struct{})
}

// Close closes the file.
func (s *Store) Close() error {
	var failures []error
	for _, statement := range s.put {
		failures = append(failures, statement.Close())
	}
	for _, db := range []*sql.DB{s.read, s.write} { // the writer last: it clears the journal away
		if db != nil {
			failures = append(failures, db.Close())
		}
	}
	return errors.Join(failures...)
}
