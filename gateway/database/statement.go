package database

import (
	"context"
	"database/sql"
	"errors"
	"hash/fnv"
	"slices"
	"sync"
)

// maxPrepared is how many statements a part keeps prepared for reading and for writing each. Texts are few by the
// package's rule; where somebody breaks it, statements are prepared each time and memory does not grow.
const maxPrepared = 512

// statements keeps SQLite's statements prepared, by text. The driver of PostgreSQL keeps its own.
type statements struct {
	pool    *sql.DB
	dialect dialect

	mu       sync.RWMutex
	prepared map[string]*sql.Stmt
}

// known is a statement that is prepared. keep says whether it should become so.
func (s *statements) known(text string) (prepared *sql.Stmt, keep bool) {
	if s.dialect == postgresql {
		return nil, false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	prepared = s.prepared[text]
	return prepared, prepared == nil && len(s.prepared) < maxPrepared
}

// prepare prepares a statement outside a transaction.
func (s *statements) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	made, err := s.pool.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.prepared[text]; known != nil {
		return known, made.Close()
	}
	if s.prepared == nil {
		s.prepared = map[string]*sql.Stmt{}
	}
	s.prepared[text] = made
	return made, nil
}

// get is a statement prepared, or nil where it is to be run as it is.
func (s *statements) get(ctx context.Context, text string) (*sql.Stmt, error) {
	prepared, keep := s.known(text)
	if !keep {
		return prepared, nil
	}
	return s.prepare(ctx, text)
}

// close closes them, each when those who use it are done.
func (s *statements) close() error {
	s.mu.Lock()
	all := s.prepared
	s.prepared = nil
	s.mu.Unlock()
	var failures []error
	for _, prepared := range all {
		failures = append(failures, prepared.Close())
	}
	return errors.Join(failures...)
}

// Query reads rows; the caller closes them.
func (d *DB) Query(ctx context.Context, text string, values ...any) (*sql.Rows, error) {
	prepared, err := d.reading.get(ctx, text)
	if err != nil {
		return nil, err
	}
	if prepared == nil {
		return d.read.QueryContext(ctx, d.dialect.bound(text), values...)
	}
	return prepared.QueryContext(ctx, values...)
}

// Row is the first row of a query, to be scanned once.
type Row interface{ Scan(into ...any) error }

// failed is a row of a query that could not be asked.
type failed struct{ error }

func (f failed) Scan(...any) error { return f.error }

// QueryRow reads the first row. Scan's error is sql.ErrNoRows where there is none.
func (d *DB) QueryRow(ctx context.Context, text string, values ...any) Row {
	prepared, err := d.reading.get(ctx, text)
	switch {
	case err != nil:
		return failed{err}
	case prepared == nil:
		return d.read.QueryRowContext(ctx, d.dialect.bound(text), values...)
	}
	return prepared.QueryRowContext(ctx, values...)
}

// Snapshot runs work on one state of the part, whatever is written meanwhile.
func (d *DB) Snapshot(ctx context.Context, work func(*Tx) error) error {
	options := sql.TxOptions{ReadOnly: true}
	if d.Shared() {
		options.Isolation = sql.LevelRepeatableRead
	}
	return d.transaction(ctx, &d.reading, &options, work)
}

// Atomically runs one SQL transaction: all of it or nothing. An error of work undoes it. On SQLite one runs at a time; on
// PostgreSQL several do, in this process and in others, and each statement sees what was committed before it: what is read
// to be changed is locked first, with Lock.
//
// An error while it is committed leaves open whether it was.
func (d *DB) Atomically(ctx context.Context, work func(*Tx) error) error {
	return d.transaction(ctx, &d.writing, nil, work)
}

func (d *DB) transaction(ctx context.Context, s *statements, options *sql.TxOptions, work func(*Tx) error) error {
	begun, err := s.pool.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	tx := &Tx{tx: begun, db: d, statements: s}
	if err := work(tx); err != nil {
		return errors.Join(err, begun.Rollback())
	}
	if err := begun.Commit(); err != nil {
		return err
	}
	for _, text := range tx.missed { // the next transaction has them
		if _, err := s.get(ctx, text); err != nil {
			break // it is committed; what is not prepared works as well, only slower
		}
	}
	return nil
}

// Tx is an SQL transaction, for one goroutine.
type Tx struct {
	tx         *sql.Tx
	db         *DB
	statements *statements
	bound      map[string]*sql.Stmt
	missed     []string // were not prepared yet; they cannot be meanwhile, for the transaction may have the only connection
}

// statement is a prepared statement in this transaction; nil where the text is to be run as it is.
func (t *Tx) statement(ctx context.Context, text string) *sql.Stmt {
	if bound, ok := t.bound[text]; ok {
		return bound
	}
	prepared, keep := t.statements.known(text)
	if keep && !slices.Contains(t.missed, text) {
		t.missed = append(t.missed, text)
	}
	if prepared == nil {
		return nil
	}
	if t.bound == nil {
		t.bound = map[string]*sql.Stmt{}
	}
	bound := t.tx.StmtContext(ctx, prepared)
	t.bound[text] = bound
	return bound
}

// Exec runs a statement.
func (t *Tx) Exec(ctx context.Context, text string, values ...any) (sql.Result, error) {
	if prepared := t.statement(ctx, text); prepared != nil {
		return prepared.ExecContext(ctx, values...)
	}
	return t.tx.ExecContext(ctx, t.db.dialect.bound(text), values...)
}

// Query reads rows; the caller closes them before the next statement.
func (t *Tx) Query(ctx context.Context, text string, values ...any) (*sql.Rows, error) {
	if prepared := t.statement(ctx, text); prepared != nil {
		return prepared.QueryContext(ctx, values...)
	}
	return t.tx.QueryContext(ctx, t.db.dialect.bound(text), values...)
}

// QueryRow reads the first row. Scan's error is sql.ErrNoRows where there is none.
func (t *Tx) QueryRow(ctx context.Context, text string, values ...any) Row {
	if prepared := t.statement(ctx, text); prepared != nil {
		return prepared.QueryRowContext(ctx, values...)
	}
	return t.tx.QueryRowContext(ctx, t.db.dialect.bound(text), values...)
}

// Lock waits until no other transaction, in whatever process, holds the lock of this name in this part, and holds it to the
// transaction's end. On SQLite the transaction is alone anyway.
func (t *Tx) Lock(ctx context.Context, name string) error {
	if !t.db.Shared() {
		return nil
	}
	_, err := t.Exec(ctx, `SELECT pg_advisory_xact_lock(?)`, t.db.lockKey(name))
	return err
}

// lockKey is a lock's number in the whole PostgreSQL database.
func (d *DB) lockKey(name string) int64 {
	h := fnv.New64a()
	h.Write([]byte(d.name + "\x00" + name))
	return int64(h.Sum64())
}
