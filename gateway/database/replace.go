package database

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Hold keeps a SQLite part from being opened until it is released. On PostgreSQL, which processes share, it does nothing.
// Errors: ErrInUse.
func Hold(s Settings, part string) (release func() error, err error) {
	if s.Shared() {
		return func() error { return nil }, nil
	}
	if err := os.MkdirAll(s.Folder, folderMode); err != nil {
		return nil, err
	}
	file := s.File(part)
	if release, err = alone(file + ".lock"); err != nil {
		return nil, fmt.Errorf("database: %s: %w", file, err)
	}
	return release, nil
}

// Replace puts the part by in the place of the part old, whose tables go. ready is called last, while no transaction holds
// old's lock; an error of it leaves everything as it is. On PostgreSQL processes that have old open go on with the new
// tables from their next statement. On SQLite the caller holds old, see Hold, and neither is open.
func Replace(ctx context.Context, s Settings, old, by, lock string, ready func(context.Context) error) error {
	if s.Shared() {
		return replaceSchema(ctx, s, old, by, lock, ready)
	}
	if err := ready(ctx); err != nil {
		return err
	}
	if err := removeFile(s.File(old)); err != nil {
		return err
	}
	return os.Rename(s.File(by), s.File(old))
}

func replaceSchema(ctx context.Context, s Settings, old, by, lock string, ready func(context.Context) error) (err error) {
	c, err := s.parse()
	if err != nil {
		return err
	}
	d := &DB{name: s.schema(old), dialect: postgresql, write: connectPostgres(c, s.schema(old), 1, nil)}
	d.writing.pool, d.writing.dialect = d.write, postgresql
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Atomically(ctx, func(tx *Tx) error {
		if err := tx.Lock(ctx, lock); err != nil {
			return err
		}
		if err := ready(ctx); err != nil {
			return err
		}
		var there bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = ?)`, d.name).Scan(&there); err != nil {
			return err
		}
		statements := []string{`ALTER SCHEMA ` + s.schema(by) + ` RENAME TO ` + d.name}
		if there {
			replaced := s.schema(old + "_replaced")
			statements = []string{`ALTER SCHEMA ` + d.name + ` RENAME TO ` + replaced, statements[0], `DROP SCHEMA ` + replaced + ` CASCADE`}
		}
		for _, statement := range statements {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

// Remove removes a part. What is durable is gone then; the projection's parts can be built again. On SQLite nobody may have
// it open: ErrInUse.
func Remove(ctx context.Context, s Settings, part string) (err error) {
	release, err := Hold(s, part)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if !s.Shared() {
		return removeFile(s.File(part))
	}
	c, err := s.parse()
	if err != nil {
		return err
	}
	pool := connectPostgres(c, s.schema(part), 1, nil)
	defer func() { err = errors.Join(err, pool.Close()) }()
	_, err = pool.ExecContext(ctx, `DROP SCHEMA IF EXISTS `+s.schema(part)+` CASCADE`)
	return err
}

// removeFile removes a SQLite file and what belongs to it.
func removeFile(file string) error {
	var failures []error
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Remove(file + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}
