// Package vault keeps payloads for a gateway's agencies: application forms, delivered data, certificates' documents. It
// keeps them sealed to the agency they are for and nothing else; without that agency's private key a vault says only that
// something with a commitment exists.
//
// The vault is, unlike the projection, not disposable: nobody else has these bytes. A write is on disk before Put returns,
// because a command that rests on a payload goes to the ledger right after. Gateways that share a database share the vault.
//
// Invariants: what is stored under (commitment, recipient) never changes, until it is removed; the same again is accepted
// and leaves the first.
package vault

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/database"
)

// Part is the vault's part of what a gateway keeps.
const Part = "vault"

//go:embed migrations/*.sql
var migrations embed.FS

// Kinds of payload.
const (
	Form        = "form"        // an application's answers
	Selector    = "selector"    // what a provider finds a record by
	Delivery    = "delivery"    // what a provider delivered
	Preview     = "preview"     // what a provider would deliver, for the subject to look at
	Certificate = "certificate" // a certificate's document
	Record      = "record"      // a subject's record that a provider has committed to
)

// Entry is a sealed payload with what it belongs to.
type Entry struct {
	Kind     string
	Case     string // may be empty
	Envelope seal.Envelope
	Created  time.Time // set by Put where it is zero
}

// insert leaves what is there as it is.
var insert = database.ForMany(`INSERT INTO sealed ({columns}) {rows} ON CONFLICT DO NOTHING`,
	"commitment text, recipient text, kind text, case_id text, sealed text, created text")

// Vault is open until closed. Safe for concurrent use.
type Vault struct {
	db *database.DB

	mu      sync.RWMutex // held for reading while a Put hands over, so that Close does not close the queue under it
	closed  bool
	queue   chan put
	stopped chan struct{}
}

// Open opens the vault, and makes it where it is absent.
func Open(ctx context.Context, settings database.Settings) (*Vault, error) {
	db, err := database.Open(ctx, settings, database.Part{Name: Part, Durable: true, Migrations: migrations})
	if err != nil {
		return nil, err
	}
	v := &Vault{db: db, queue: make(chan put, maxGathered), stopped: make(chan struct{})}
	go v.writer()
	return v, nil
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
	return v.db.Close()
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
	row := v.db.QueryRow(ctx, `SELECT kind, case_id, sealed, created FROM sealed WHERE commitment = ? AND recipient = ?`, commitment, recipient)
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
