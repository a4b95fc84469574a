package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// busyTimeout is how long a statement waits for another process that has the file, such as a backup.
const busyTimeout = 5 * time.Second

// The writer's memory and journal. Ids are random, so a transaction touches pages all over the indexes: they are kept in
// memory rather than read again, and many transactions' changes of a page are copied from the journal to the file together.
const (
	writerCacheKiB  = 8 << 10
	checkpointPages = 8 << 10 // 32 MiB of journal
)

// Only the gateway's own user reads what it keeps.
const (
	folderMode = 0o700
	fileMode   = 0o600
)

// File is where a part is kept on SQLite.
func (s Settings) File(part string) string { return filepath.Join(s.Folder, part+".db") }

func (d *DB) sqlite(ctx context.Context, s Settings, p Part, writes bool) (err error) {
	file := s.File(p.Name)
	d.name, d.dialect = file, sqlite
	if !writes {
		if _, err := os.Stat(file); err != nil {
			return err
		}
		d.read = connectSQLite(file, p.Readers, "query_only(1)")
		return d.read.PingContext(ctx)
	}
	if err := os.MkdirAll(filepath.Dir(file), folderMode); err != nil {
		return err
	}
	if d.release, err = alone(file + ".lock"); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	made, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, fileMode) // SQLite would make it readable for others
	if err != nil {
		return err
	}
	if err := made.Close(); err != nil {
		return err
	}
	synchronous := "synchronous(NORMAL)"
	if p.Durable {
		synchronous = "synchronous(FULL)"
	}
	d.write = connectSQLite(file, 1, synchronous, "temp_store(MEMORY)", fmt.Sprintf("cache_size(-%d)", writerCacheKiB), fmt.Sprintf("wal_autocheckpoint(%d)", checkpointPages))
	if err := migrate(ctx, d.write, sqlite, p.Migrations); err != nil {
		return err
	}
	d.read = connectSQLite(file, p.Readers, synchronous, "query_only(1)")
	return nil
}

// connectSQLite makes a pool on the file. Readers do not wait for the writer (WAL); a writer's transaction has the file
// from its first statement on.
func connectSQLite(file string, connections int, pragmas ...string) *sql.DB {
	pragmas = append([]string{fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "journal_mode(WAL)"}, pragmas...)
	query := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}}
	source := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: query.Encode()}).String()
	pool, err := sql.Open("sqlite", source)
	if err != nil {
		panic(err) // only for a driver that is not there
	}
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	return pool
}

// alone holds a file that only one process can hold. The system lets go of it when the process ends, however it does.
func alone(path string) (release func() error, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, fileMode)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, errors.Join(err, file.Close())
	}
	return file.Close, nil
}
