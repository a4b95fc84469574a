package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
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
func (d *DB) Query(ctx context.Context, text string, values ...any) (*Found, error) {
	prepared, err := d.reading.get(ctx, text)
	if err != nil {
		return nil, ended(ctx, err)
	}
	var rows *sql.Rows
	err = again(func() (err error) {
		if prepared == nil {
			rows, err = d.read.QueryContext(ctx, d.dialect.bound(text), values...)
		} else {
			rows, err = prepared.QueryContext(ctx, values...)
		}
		return err
	})
	return found(ctx, rows, err)
}

// maxAgain is how often a connection that is found broken before it was used is replaced by another.
const maxAgain = 8

// again tries what was not begun because the connection was broken: after a server's restart, all in the pool are.
func again(try func() error) error {
	for n := 1; ; n++ {
		if err := try(); !errors.Is(err, driver.ErrBadConn) || n == maxAgain {
			return err
		}
	}
}

// Found are the rows of a query.
type Found struct {
	*sql.Rows
	ctx context.Context
}

func found(ctx context.Context, rows *sql.Rows, err error) (*Found, error) {
	if err != nil {
		return nil, ended(ctx, err)
	}
	return &Found{rows, ctx}, nil
}

// Scan reads the values of a row.
func (f *Found) Scan(into ...any) error { return ended(f.ctx, f.Rows.Scan(into...)) }

// Err says why there are no more rows, where that is not their end.
func (f *Found) Err() error { return ended(f.ctx, f.Rows.Err()) }

// ended is the context's error where that has ended: a driver may call it a bad connection.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Row is the first row of a query, to be scanned once.
type Row interface{ Scan(into ...any) error }

// first is the first of the rows of a query, or why there are none.
type first struct {
	rows *Found
	err  error
}

// Scan implements Row.
func (f first) Scan(into ...any) (err error) {
	if f.err != nil {
		return f.err
	}
	defer func() { err = errors.Join(err, f.rows.Close()) }()
	if !f.rows.Next() {
		if err := f.rows.Err(); err != nil {
			return err
		}
		return sql.ErrNoRows
	}
	return f.rows.Scan(into...)
}

// QueryRow reads the first row. Scan's error is sql.ErrNoRows where there is none.
func (d *DB) QueryRow(ctx context.Context, text string, values ...any) Row {
	rows, err := d.Query(ctx, text, values...)
	return first{rows, err}
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
	var begun *sql.Tx
	err := again(func() (err error) {
		begun, err = s.pool.BeginTx(ctx, options)
		return err
	})
	if err != nil {
		return ended(ctx, err)
	}
	tx := &Tx{tx: begun, db: d, statements: s}
	if err := work(tx); err != nil {
		rolled := begun.Rollback()
		if errors.Is(rolled, sql.ErrTxDone) || ctx.Err() != nil { // the context's end undid it
			rolled = nil
		}
		return errors.Join(err, rolled)
	}
	if err := begun.Commit(); err != nil {
		return ended(ctx, err)
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
func (t *Tx) Exec(ctx context.Context, text string, values ...any) (done sql.Result, err error) {
	if prepared := t.statement(ctx, text); prepared != nil {
		done, err = prepared.ExecContext(ctx, values...)
	} else {
		done, err = t.tx.ExecContext(ctx, t.db.dialect.bound(text), values...)
	}
	return done, ended(ctx, err)
}

// Query reads rows; the caller closes them before the next statement.
func (t *Tx) Query(ctx context.Context, text string, values ...any) (*Found, error) {
	var rows *sql.Rows
	var err error
	if prepared := t.statement(ctx, text); prepared != nil {
		rows, err = prepared.QueryContext(ctx, values...)
	} else {
		rows, err = t.tx.QueryContext(ctx, t.db.dialect.bound(text), values...)
	}
	return found(ctx, rows, err)
}

// QueryRow reads the first row. Scan's error is sql.ErrNoRows where there is none.
func (t *Tx) QueryRow(ctx context.Context, text string, values ...any) Row {
	rows, err := t.Query(ctx, text, values...)
	return first{rows, err}
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
