// Package databasetest runs tests on both databases a gateway can keep things in. Where there is no PostgreSQL, its tests are
// skipped; where the environment's HUTONG_REQUIRE names postgresql, its absence is a failure.
package databasetest

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/database/throwaway"
)

// Organisation is whose the parts are.
const Organisation = "services"

// Each runs a test on each database, with nothing in it.
func Each(t *testing.T, test func(t *testing.T, s database.Settings)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgresql", func(t *testing.T) { test(t, PostgreSQL(t)) })
}

// Chosen is a new place on the database that the environment chooses, for tests that run on one: see throwaway.Variable.
func Chosen(t testing.TB) database.Settings {
	t.Helper()
	shared, err := throwaway.Chosen()
	require.NoError(t, err)
	if shared {
		return PostgreSQL(t)
	}
	return SQLite(t)
}

// SQLite is a new folder.
func SQLite(t testing.TB) database.Settings {
	t.Helper()
	return database.Settings{Folder: t.TempDir(), Organisation: Organisation}
}

// PostgreSQL is a new database.
func PostgreSQL(t testing.TB) database.Settings {
	t.Helper()
	address, passwordFile, drop, err := throwaway.PostgreSQL(context.Background()) // it is dropped when the test's has ended
	if err != nil {
		if required() {
			require.FailNow(t, "HUTONG_REQUIRE names postgresql", err.Error())
		}
		t.Skip(err)
	}
	t.Cleanup(func() { require.NoError(t, drop()) })
	return database.Settings{Folder: t.TempDir(), Organisation: Organisation, URL: address, PasswordFile: passwordFile}
}

func required() bool {
	return slices.Contains(strings.FieldsFunc(os.Getenv("HUTONG_REQUIRE"), func(r rune) bool { return r == ',' || r == ' ' }), "postgresql")
}
