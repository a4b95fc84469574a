// Package database opens what a gateway keeps, in SQLite files of its data folder or in one PostgreSQL database that
// several gateways of an organisation share, and hides what differs between the two. The gateway's packages write one SQL.
//
// What is kept comes in parts, each with tables and migrations of its own: the projection, which is disposable, the vault
// and what else nobody could build again, which is durable. A part is a file (data_dir/{name}.db) or a schema
// ({organisation}_{name}), so that one can be removed without touching another.
//
//	//go:embed migrations/*.sql
//	var migrations embed.FS
//
//	db, err := database.Open(ctx, settings, database.Part{Name: "webhooks", Durable: true, Migrations: migrations})
//	err = db.Atomically(ctx, func(tx *database.Tx) error {
//		if err := tx.Lock(ctx, id); err != nil { // whoever else changes this one waits here, in whatever process
//			return err
//		}
//		_, err := tx.Exec(ctx, `INSERT INTO hooks (id, url) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET url = excluded.url`, id, url)
//		return err
//	})
//	err = db.QueryRow(ctx, `SELECT url FROM hooks WHERE id = ?`, id).Scan(&url)
//	err = db.Lead(ctx, "deliver", deliver) // one process at a time
//
// The SQL both understand: ? for each value, in order; TEXT, BIGINT and INTEGER; ON CONFLICT (…) DO; indexes WHERE; row
// values; no function that only one has. Texts compare by their bytes in both. A statement's text is a constant, or one of
// few; what varies are its values: prepared statements are kept by text. A text for a TEXT column is valid UTF-8 without
// NUL, see Text.
//
// Invariants: readers cannot write, even by mistake; a SQLite part is open in one process at a time; no error and no log
// has the password.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
)

// Settings say where a gateway keeps what it keeps.
type Settings struct {
	Folder       string // of SQLite's files
	URL          string // postgres://user@host:port/database?sslmode=verify-full&sslrootcert=file; empty for SQLite
	PasswordFile string // the PostgreSQL password, alone in a file; empty where none is needed
	Organisation string // short name: it begins the names of the schemas
}

// Shared says whether several gateways may keep what they keep in one place.
func (s Settings) Shared() bool { return s.URL != "" }

// Part is one part of what is kept.
type Part struct {
	Name       string // lower case, e.g. "vault"
	Durable    bool   // on disk before a commit returns. Otherwise a power cut may cost the last commits, in order
	Migrations fs.FS  // goose's migrations/*.sql
	Readers    int    // connections for reading; 0 means DefaultReaders
}

// DefaultReaders is how many connections read one part at once.
const DefaultReaders = 4

// sharedWriters is how many connections write to one part of a PostgreSQL database at once. SQLite has one.
const sharedWriters = 4

var partName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,30}$`)

// DB is an open part. Safe for concurrent use.
type DB struct {
	name    string // of the file or schema, for errors and locks
	dialect dialect
	write   *sql.DB
	read    *sql.DB
	release func() error // what keeps others out of a SQLite file

	leading *sql.DB // PostgreSQL: a connection for each who leads
	leaders leaders // SQLite

	writing, reading statements
}

// Open opens a part, makes it where it is absent, and migrates it. Errors: ErrInUse.
func Open(ctx context.Context, s Settings, p Part) (*DB, error) { return open(ctx, s, p, true) }

// Look opens a part for reading only, as it is; another process may have it open. Errors: fs.ErrNotExist.
func Look(ctx context.Context, s Settings, p Part) (*DB, error) { return open(ctx, s, p, false) }

// ErrInUse says that another process has the part open.
var ErrInUse = errors.New("another process has it open")

func open(ctx context.Context, s Settings, p Part, writes bool) (d *DB, err error) {
	if !partName.MatchString(p.Name) {
		return nil, fmt.Errorf("database: %q is no name of a part", p.Name)
	}
	if p.Readers == 0 {
		p.Readers = DefaultReaders
	}
	d = &DB{}
	connect := d.sqlite
	if s.Shared() {
		connect = d.postgres
	}
	if err := connect(ctx, s, p, writes); err != nil {
		return nil, fmt.Errorf("database: %s: %w", p.Name, errors.Join(err, d.Close()))
	}
	d.writing.pool, d.writing.dialect, d.reading.pool, d.reading.dialect = d.write, d.dialect, d.read, d.dialect
	return d, nil
}

// Shared says whether other processes may have the part open too.
func (d *DB) Shared() bool { return d.dialect == postgresql }

// Name is the file's or schema's.
func (d *DB) Name() string { return d.name }

// Close closes the connections.
func (d *DB) Close() error {
	var failures []error
	for _, s := range []*statements{&d.reading, &d.writing} {
		failures = append(failures, s.close())
	}
	for _, pool := range []*sql.DB{d.leading, d.read, d.write} { // the writer last: it clears SQLite's journal away
		if pool != nil {
			failures = append(failures, pool.Close())
		}
	}
	if d.release != nil {
		failures = append(failures, d.release())
		d.release = nil
	}
	return errors.Join(failures...)
}
