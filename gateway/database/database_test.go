package database_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/database/databasetest"
)

const tables = `-- +goose Up
CREATE TABLE things (
    id    TEXT   NOT NULL PRIMARY KEY,
    note  TEXT,
    count BIGINT NOT NULL
) WITHOUT ROWID;
-- +goose Down
DROP TABLE things;`

func part(name string) database.Part {
	return database.Part{Name: name, Migrations: fstest.MapFS{"migrations/00001_things.sql": {Data: []byte(tables)}}}
}

func open(t *testing.T, s database.Settings) *database.DB {
	t.Helper()
	d, err := database.Open(t.Context(), s, part("things"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

var things = database.ForMany(`INSERT INTO things ({columns}) {rows}
	ON CONFLICT (id) DO UPDATE SET note = excluded.note, count = things.count + excluded.count`, "id text, note text, count bigint")

func TestOneSQLForBoth(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, s database.Settings) {
		d, ctx := open(t, s), t.Context()
		rows := things.Rows()
		const many = 150
		rows.Expect(many)
		for i := range many {
			var note any
			if i%2 == 0 {
				note = "even"
			}
			rows.Add(string(rune('A'+i)), note, int64(i))
		}
		for range 2 {
			require.NoError(t, d.Atomically(ctx, func(tx *database.Tx) error {
				n, err := tx.ExecMany(ctx, rows)
				require.EqualValues(t, rows.Len(), n)
				return err
			}))
		}
		var count, noted int
		require.NoError(t, d.QueryRow(ctx, `SELECT sum(count), count(note) FROM things WHERE id >= ? AND count >= ?`, "A", 0).Scan(&count, &noted))
		require.Equal(t, many*(many-1), count)
		require.Equal(t, many/2, noted)

		var ids []string
		found, err := d.Query(ctx, `SELECT id FROM things ORDER BY id LIMIT 60`)
		require.NoError(t, err)
		for found.Next() {
			var id string
			require.NoError(t, found.Scan(&id))
			ids = append(ids, id)
		}
		require.NoError(t, found.Err())
		require.True(t, strings.Index(strings.Join(ids, ""), "Z") < strings.Index(strings.Join(ids, ""), "a"), "texts compare by their bytes")
		gone := database.ForMany(`DELETE FROM things WHERE (id, count) IN ({rows})`, "id text, count bigint").Rows()
		gone.Add("A", int64(0))
		gone.Add("B", int64(99)) // there is none
		require.NoError(t, d.Atomically(ctx, func(tx *database.Tx) error { _, err := tx.ExecMany(ctx, gone); return err }))

		require.ErrorIs(t, d.QueryRow(ctx, `SELECT id FROM things WHERE id = ?`, "none").Scan(new(string)), sql.ErrNoRows)

		_, err = d.Query(ctx, `DELETE FROM things RETURNING id`)
		if err == nil { // SQLite says so with the first row
			require.Error(t, d.QueryRow(ctx, `DELETE FROM things RETURNING id`).Scan(new(string)))
		}
		require.NoError(t, d.QueryRow(ctx, `SELECT count(*) FROM things`).Scan(&count))
		require.Equal(t, many-1, count, "a reader cannot write")
	})
}

func TestAllOrNothing(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, s database.Settings) {
		d, ctx := open(t, s), t.Context()
		stop := errors.New("stop")
		for range 3 { // prepared or not
			require.ErrorIs(t, d.Atomically(ctx, func(tx *database.Tx) error {
				_, err := tx.Exec(ctx, `INSERT INTO things (id, count) VALUES (?, ?)`, "a", 1)
				require.NoError(t, err)
				return stop
			}), stop)
		}
		require.NoError(t, d.Atomically(ctx, func(tx *database.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO things (id, count) VALUES (?, ?)`, "b", 1)
			return err
		}))
		require.NoError(t, d.Snapshot(ctx, func(tx *database.Tx) error {
			var before, after int
			require.NoError(t, tx.QueryRow(ctx, `SELECT count(*) FROM things`).Scan(&before))
			require.NoError(t, d.Atomically(ctx, func(tx *database.Tx) error {
				_, err := tx.Exec(ctx, `INSERT INTO things (id, count) VALUES (?, ?)`, "c", 1)
				return err
			}))
			require.NoError(t, tx.QueryRow(ctx, `SELECT count(*) FROM things`).Scan(&after))
			require.Equal(t, []int{1, 1}, []int{before, after})
			return nil
		}))
	})
}

// TestLockKeepsUpdates counts in many transactions at once, on PostgreSQL from two processes' worth of connections.
func TestLockKeepsUpdates(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, s database.Settings) {
		d, ctx := open(t, s), t.Context()
		opened := []*database.DB{d, d}
		if s.Shared() {
			opened[1] = open(t, s)
		}
		require.NoError(t, d.Atomically(ctx, func(tx *database.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO things (id, count) VALUES (?, ?)`, "n", 0)
			return err
		}))
		const each, workers = 20, 6
		var group sync.WaitGroup
		for i := range workers {
			group.Go(func() {
				for range each {
					err := opened[i%2].Atomically(ctx, func(tx *database.Tx) error {
						if err := tx.Lock(ctx, "n"); err != nil {
							return err
						}
						var n int
						if err := tx.QueryRow(ctx, `SELECT count FROM things WHERE id = ?`, "n").Scan(&n); err != nil {
							return err
						}
						_, err := tx.Exec(ctx, `UPDATE things SET count = ? WHERE id = ?`, n+1, "n")
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		var n int
		require.NoError(t, d.QueryRow(ctx, `SELECT count FROM things WHERE id = ?`, "n").Scan(&n))
		require.Equal(t, each*workers, n)
	})
}

func TestOneLeads(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, s database.Settings) {
		d, ctx := open(t, s), t.Context()
		other := d
		if s.Shared() {
			other = open(t, s)
		}
		leads, leave, next := make(chan struct{}), make(chan struct{}), make(chan struct{})
		var group sync.WaitGroup
		group.Go(func() {
			if err := d.Lead(ctx, "work", func(context.Context) error { close(leads); <-leave; return nil }); err != nil {
				t.Error(err)
			}
		})
		<-leads
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, other.Lead(short, "work", func(context.Context) error { t.Error("two lead"); return nil }), context.DeadlineExceeded)
		require.NoError(t, other.Lead(ctx, "other work", func(context.Context) error { return nil }), "another lead")
		group.Go(func() {
			if err := other.Lead(ctx, "work", func(context.Context) error { close(next); return nil }); err != nil {
				t.Error(err)
			}
		})
		close(leave)
		<-next
		group.Wait()
	})
}

func TestSQLiteIsForOneProcess(t *testing.T) {
	s := databasetest.SQLite(t)
	s.Folder = filepath.Join(s.Folder, "with space?&#", "new")
	d := open(t, s)
	_, err := database.Open(t.Context(), s, part("things"))
	require.ErrorIs(t, err, database.ErrInUse)
	look, err := database.Look(t.Context(), s, part("things"))
	require.NoError(t, err, "who only looks may")
	var mode string
	require.NoError(t, look.QueryRow(t.Context(), `PRAGMA journal_mode`).Scan(&mode))
	require.Equal(t, "wal", mode)
	require.NoError(t, look.Close())
	_, err = database.Look(t.Context(), s, part("nothing"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	info, err := os.Stat(s.File("things"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, d.Close())
	again, err := database.Open(t.Context(), s, part("things"))
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func TestPartsAreApart(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, s database.Settings) {
		d := open(t, s)
		other, err := database.Open(t.Context(), s, part("others"))
		require.NoError(t, err)
		defer other.Close()
		require.NoError(t, d.Atomically(t.Context(), func(tx *database.Tx) error {
			_, err := tx.Exec(t.Context(), `INSERT INTO things (id, count) VALUES (?, ?)`, "a", 1)
			return err
		}))
		var n int
		require.NoError(t, other.QueryRow(t.Context(), `SELECT count(*) FROM things`).Scan(&n))
		require.Zero(t, n)
		_, err = database.Look(t.Context(), s, part("nothing"))
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
}

// TestManyStartTogether opens a part that is not there from several gateways at once.
func TestManyStartTogether(t *testing.T) {
	s := databasetest.PostgreSQL(t)
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			d, err := database.Open(t.Context(), s, part("things"))
			if err == nil {
				err = d.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestAddresses(t *testing.T) {
	for text, says := range map[string]string{
		"postgres://hutong@/kept?host=/run/postgresql":            "",
		"postgres://hutong@127.0.0.1:5432/kept":                   "",
		"postgresql://hutong@localhost/kept":                      "",
		"postgres://hutong@db.city:5432/kept?sslmode=verify-full": "",
		"postgres://hutong@db.city:5432/kept":                     "sslmode=verify-full",
		"postgres://hutong@db.city:5432/kept?sslmode=require":     "sslmode=verify-full",
		"postgres://hutong:Secret-1@127.0.0.1/kept":               "must not have the password",
		"postgres://hutong@127.0.0.1/kept?password=Secret-1":      "must not have the password",
		"postgres://127.0.0.1/kept":                               "must name the user",
		"postgres://hutong@127.0.0.1":                             "must name the user and the database",
		"postgres://hutong@/kept":                                 "must name the host",
		"mysql://hutong@127.0.0.1/kept":                           "must be postgres://",
		"postgres://hutong:Secret-1%zz@x/kept":                    "must be postgres://",
		"postgres://hutong@127.0.0.1:port/kept":                   "must be postgres://",
		"postgres://hutong@127.0.0.1/kept?sslmode=sometimes":      "is not understood",
	} {
		err := database.CheckURL(text)
		if says == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, says, text)
		require.NotContains(t, err.Error(), "Secret-1")
	}
}

// TestThePasswordIsNowhere looks at the errors of connections that fail.
func TestThePasswordIsNowhere(t *testing.T) {
	s := databasetest.PostgreSQL(t)
	s.PasswordFile = filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(s.PasswordFile, []byte("Wrong-Secret\n"), 0o600))
	_, err := database.Open(t.Context(), s, part("things"))
	require.ErrorContains(t, err, "password authentication failed")
	require.NotContains(t, err.Error(), "Wrong-Secret")
	require.NoError(t, os.WriteFile(s.PasswordFile, nil, 0o600))
	_, err = database.Open(t.Context(), s, part("things"))
	require.ErrorContains(t, err, "must be the password alone")
}

// TestAnEndedContextSaysSo: not that the connection is bad, nor anything else that would be tried again.
func TestAnEndedContextSaysSo(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, s database.Settings) {
		d := open(t, s)
		for range 50 {
			over, cancel := context.WithTimeout(t.Context(), 0)
			_, err := d.Query(over, `SELECT id FROM things`)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, d.QueryRow(over, `SELECT id FROM things`).Scan(new(string)), context.DeadlineExceeded)
			require.ErrorIs(t, d.Atomically(over, func(*database.Tx) error { return nil }), context.DeadlineExceeded)
			cancel()
			require.NoError(t, d.Atomically(t.Context(), func(tx *database.Tx) error {
				ending, cancel := context.WithCancel(t.Context())
				cancel()
				_, err := tx.Exec(ending, `DELETE FROM things`)
				require.ErrorIs(t, err, context.Canceled)
				return nil
			}))
		}
	})
}

func TestText(t *testing.T) {
	require.Equal(t, "居民", database.Text("居民"))
	require.Equal(t, "a\uFFFDb\uFFFD", database.Text("a\x00b\xff"))
}
