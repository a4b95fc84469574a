// Package databasetest runs tests on both databases a gateway can keep things in. PostgreSQL is started once a test
// program, from the binaries that are installed (on PATH or in /usr/lib/postgresql/*/bin), on a socket in a temporary
// folder, and ends with the program, however that ends. Where there is none, its tests are skipped; where the
// environment's HUTONG_REQUIRE names postgresql, its absence is a failure.
package databasetest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/database"
)

// Choice is the environment's variable that says what the tests with one database run on: "sqlite", which is the default,
// or "postgresql".
const Choice = "HUTONG_TEST_DATABASE"

// Organisation is whose the parts are.
const Organisation = "services"

// Each runs a test on each database, with nothing in it.
func Each(t *testing.T, test func(t *testing.T, s database.Settings)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgresql", func(t *testing.T) { test(t, PostgreSQL(t)) })
}

// Chosen is a new place on the database that the environment chooses, for tests that run on one.
func Chosen(t testing.TB) database.Settings {
	t.Helper()
	switch choice := os.Getenv(Choice); choice {
	case "", "sqlite":
		return SQLite(t)
	case "postgresql":
		return PostgreSQL(t)
	default:
		require.FailNow(t, Choice+" must be sqlite or postgresql, not "+choice)
		return database.Settings{}
	}
}

// SQLite is a new folder.
func SQLite(t testing.TB) database.Settings {
	t.Helper()
	return database.Settings{Folder: t.TempDir(), Organisation: Organisation}
}

var made atomic.Int64

// PostgreSQL is a new database. Its texts would sort as people sort them, which what is kept must not rest on.
func PostgreSQL(t testing.TB) database.Settings {
	t.Helper()
	s, err := theServer()
	if err != nil {
		if required() {
			require.FailNow(t, "HUTONG_REQUIRE names postgresql", err.Error())
		}
		t.Skip(err)
	}
	name := fmt.Sprintf("test%d", made.Add(1))
	administer(t, s, `CREATE DATABASE `+name+` TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C' ENCODING 'UTF8'`)
	t.Cleanup(func() { administer(t, s, `DROP DATABASE `+name+` WITH (FORCE)`) })
	return database.Settings{Folder: t.TempDir(), Organisation: Organisation, URL: s.url(name), PasswordFile: s.passwordFile}
}

func administer(t testing.TB, s *server, statement string) {
	t.Helper()
	c, err := pgx.ParseConfig(s.url("postgres"))
	require.NoError(t, err)
	c.Password = password
	ctx := context.Background() // also when the test's has ended
	conn, err := pgx.ConnectConfig(ctx, c)
	require.NoError(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	require.NoError(t, err)
}

func required() bool {
	return slices.Contains(strings.FieldsFunc(os.Getenv("HUTONG_REQUIRE"), func(r rune) bool { return r == ',' || r == ' ' }), "postgresql")
}
