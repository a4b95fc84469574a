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

// Vault is open until closed. Safe for concurrent use.
type Vault struct{ db *sql.DB }

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
	db, err := sql.Open("sqlite", source(path))
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("vault %s: %w", path, err), db.Close())
	}
	return &Vault{db}, nil
}

func source(path string) string {
	query := url.Values{"_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "journal_mode(WAL)", "synchronous(FULL)",
	}, "_txlock": {"immediate"}}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query.Encode()}).String()
}

// Close closes the vault.
func (v *Vault) Close() error { return v.db.Close() }

// Put stores entries, all or none. An entry that is there already stays as it is.
func (v *Vault) Put(ctx context.Context, entries ...Entry) error {
	tx, err := v.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after Commit this does nothing
	for _, e := range entries {
		if e.Created.IsZero() {
			e.Created = time.Now()
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO sealed (commitment, recipient, kind, case_id, sealed, created)
			VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			e.Envelope.Commitment, e.Envelope.To, e.Kind, e.Case, e.Envelope.Sealed, e.Created.UTC().Format(time.RFC3339Nano))
		if err != nil {
			return fmt.Errorf("vault: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	return nil
}

// Get finds the payload with a commitment that is sealed to an agency.
func (v *Vault) Get(ctx context.Context, commitment, recipient string) (entry Entry, found bool, err error) {
	var created string
	row := v.db.QueryRowContext(ctx, `SELECT kind, case_id, sealed, created FROM sealed WHERE commitment = ? AND recipient = ?`, commitment, recipient)
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
