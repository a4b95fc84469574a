// Package vault keeps payloads for a gateway's agencies: application forms, delivered data, certificates' documents. It
// keeps them sealed to the agency they are for and nothing else; without that agency's private key a vault says only that
// something with a commitment exists.
//
// The vault is one SQLite file and, unlike the projection, not disposable: nobody else has these bytes. A write is on disk
// before Put returns (synchronous=FULL), because a command that rests on a payload goes to the ledger right after.
//
// Invariants: what is stored under (commitment, recipient) never changes; the same again is accepted and leaves the first.
package vault

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver named "sqlite"

	"github.com/hutong-gov/hutong/gateway/credential/seal"
)

// File is the vault's name in a gateway's data folder.
const File = "vault.db"

// Kinds of payload.
const (
	Form        = "form"        // an application's answers
	Selector    = "selector"    // what a provider finds a record by
	Delivery    = "delivery"    // what a provider delivered
	Certificate = "certificate" // a certificate's document
)

const (
	folderMode  = 0o700
	fileMode    = 0o600
	busyTimeout = 5 * time.Second
)

const schema = `
CREATE TABLE IF NOT EXISTS sealed (
	commitment TEXT NOT NULL,
	recipient  TEXT NOT NULL,
	kind       TEXT NOT NULL,
	case_id    TEXT NOT NULL,
	sealed     TEXT NOT NULL,
	created    TEXT NOT NULL,
	PRIMARY KEY (commitment, recipient)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sealed_by_case ON sealed (case_id);`

// Entry is a sealed payload with what it belongs to.
type Entry struct {
	Kind     string
	Case     string // may be empty
	Envelope seal.Envelope
	Created  time.Time // set by Put where it is zero
}

// insert leaves what is there as it is.
const insert = `INSERT INTO sealed (commitment, recipient, kind, case_id, sealed, created) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`

// readers is how many read at once.
const readers = 4

// Vault is open until closed. Safe for concurrent use; one process at a time.
type Vault struct {
	write  *sql.DB // one connection: SQLite has one writer
	read   *sql.DB
	insert *sql.Stmt

	mu      sync.RWMutex // held for reading while a Put hands over, so that Close does not close the queue under it
	closed  bool
	queue   chan put
	stopped chan struct{}
}

// Open opens the vault in a folder, making both where they are absent.
func Open(ctx context.Context, dir string) (*Vault, error) {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	path := filepath.Join(dir, File)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, fileMode) // SQLite would make it readable for others
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	v := &Vault{queue: make(chan put, maxGathered), stopped: make(chan struct{})}
	if err := v.open(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("vault %s: %w", path, err), v.release())
	}
	go v.writer()
	return v, nil
}

func (v *Vault) open(ctx context.Context, path string) (err error) {
	if v.write, err = sql.Open("sqlite", source(path)); err != nil {
		return err
	}
	v.write.SetMaxOpenConns(1)
	if _, err = v.write.ExecContext(ctx, schema); err != nil {
		return err
	}
	if v.insert, err = v.write.PrepareContext(ctx, insert); err != nil {
		return err
	}
	if v.read, err = sql.Open("sqlite", source(path)); err != nil {
		return err
	}
	v.read.SetMaxOpenConns(readers)
	return nil
}

func source(path string) string {
	query := url.Values{"_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "journal_mode(WAL)", "synchronous(FULL)",
	}, "_txlock": {"immediate"}}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query.Encode()}).String()
}

// Close writes what was handed over and closes the vault.
func (v *Vault) Close() error {
	v.mu.Lock()
	again := v.closed
	v.closed = true
	if !again {
		close(v.queue)
	}
	v.mu.Unlock()
	<-v.stopped
	if again {
		return nil
	}
	return v.release()
}

// release closes what open opened.
func (v *Vault) release() error {
	var errs []error
	if v.insert != nil {
		errs = append(errs, v.insert.Close())
	}
	for _, db := range []*sql.DB{v.read, v.write} { // the writer last: it clears the journal away
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Put stores entries, all or none, and returns when they are on disk. An entry that is there already stays as it is. If
// ctx ends first, the entries may still be stored.
func (v *Vault) Put(ctx context.Context, entries ...Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := put{entries, make(chan error, 1)}
	if err := v.hand(ctx, p); err != nil {
		return err
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hand hands a put over to the writer.
func (v *Vault) hand(ctx context.Context, p put) error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.closed {
		return ErrClosed
	}
	select {
	case v.queue <- p:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Get finds the payload with a commitment that is sealed to an agency.
func (v *Vault) Get(ctx context.Context, commitment, recipient string) (entry Entry, found bool, err error) {
	var created string
	row := v.read.QueryRowContext(ctx, `SELECT kind, case_id, sealed, created FROM sealed WHERE commitment = ? AND recipient = ?`, commitment, recipient)
	switch err := row.Scan(&entry.Kind, &entry.Case, &entry.Envelope.Sealed, &created); {
	case errors.Is(err, sql.ErrNoRows):
		return Entry{}, false, nil
	case err != nil:
		return Entry{}, false, fmt.Errorf("vault: %w", err)
	}
	entry.Envelope.Commitment, entry.Envelope.To = commitment, recipient
	if entry.Created, err = time.Parse(time.RFC3339Nano, created); err != nil {
		return Entry{}, false, fmt.Errorf("vault: %w", err)
	}
	return entry, true, nil
}
