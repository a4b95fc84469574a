package vault

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/database"
	"github.com/hutong-gov/hutong/gateway/database/databasetest"
)

const secret = "Clear-Text-That-Must-Not-Be-Found"

func envelope(t *testing.T, to string) seal.Envelope {
	t.Helper()
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	require.NoError(t, err)
	public, err := seal.Public(private)
	require.NoError(t, err)
	document, err := commitment.New(map[string]any{"name": secret})
	require.NoError(t, err)
	sealed, err := seal.Document(document, to, public)
	require.NoError(t, err)
	return sealed
}

func TestPayloadsSurviveAndStayAsTheyWere(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, settings database.Settings) {
		ctx := context.Background()
		v, err := Open(ctx, settings)
		require.NoError(t, err)
		first := Entry{Kind: Form, Case: "c1", Envelope: envelope(t, "market.tax"), Created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
		second := Entry{Kind: Delivery, Envelope: envelope(t, "market.regulation")}
		require.NoError(t, v.Put(ctx, first, second))

		again := first
		again.Envelope.Sealed = "something else"
		require.NoError(t, v.Put(ctx, again), "the same again is accepted")
		require.NoError(t, v.Close())

		v, err = Open(ctx, settings)
		require.NoError(t, err)
		defer func() { require.NoError(t, v.Close()) }()
		got, found, err := v.Get(ctx, first.Envelope.Commitment, "market.tax")
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, first, got, "and leaves the first")
		got, found, err = v.Get(ctx, second.Envelope.Commitment, "market.regulation")
		require.NoError(t, err)
		require.True(t, found)
		require.WithinDuration(t, time.Now(), got.Created, time.Minute)

		_, found, err = v.Get(ctx, first.Envelope.Commitment, "market.regulation")
		require.NoError(t, err)
		require.False(t, found, "what is sealed to one agency is not there for another")
	})
}

func TestAPutIsAllOrNothing(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, settings database.Settings) {
		ctx := context.Background()
		v, err := Open(ctx, settings)
		require.NoError(t, err)
		defer func() { require.NoError(t, v.Close()) }()
		refuseBad(t, v)
		good := Entry{Kind: Form, Envelope: envelope(t, "a.b")}
		require.Error(t, v.Put(ctx, good, Entry{Kind: "bad", Envelope: envelope(t, "a.b")}))
		_, found, err := v.Get(ctx, good.Envelope.Commitment, "a.b")
		require.NoError(t, err)
		require.False(t, found)
	})
}

func TestABadPutDoesNotSpoilItsNeighbours(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, settings database.Settings) {
		ctx := context.Background()
		v, err := Open(ctx, settings)
		require.NoError(t, err)
		defer func() { require.NoError(t, v.Close()) }()
		refuseBad(t, v)
		var group sync.WaitGroup
		errs := make([]error, 64)
		for i := range errs {
			group.Go(func() {
				e := Entry{Kind: Form, Envelope: seal.Envelope{Commitment: fmt.Sprint(i), To: "a.b", Sealed: "x"}}
				if i%8 == 0 {
					e.Kind = "bad"
				}
				errs[i] = v.Put(ctx, e)
			})
		}
		group.Wait()
		for i, err := range errs {
			_, found, getErr := v.Get(ctx, fmt.Sprint(i), "a.b")
			require.NoError(t, getErr)
			require.Equal(t, i%8 != 0, found)
			require.Equal(t, i%8 == 0, err != nil)
		}
	})
}

func TestAClosedVaultTakesNothingAndKeepsWhatItTook(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, settings database.Settings) {
		ctx := context.Background()
		v, err := Open(ctx, settings)
		require.NoError(t, err)
		var group sync.WaitGroup
		var mu sync.Mutex
		var acknowledged []string
		for i := range 100 {
			group.Go(func() {
				e := Entry{Kind: Form, Envelope: seal.Envelope{Commitment: fmt.Sprint(i), To: "a.b", Sealed: "x"}}
				switch err := v.Put(ctx, e); {
				case err == nil:
					mu.Lock()
					acknowledged = append(acknowledged, e.Envelope.Commitment)
					mu.Unlock()
				default:
					assert.ErrorIs(t, err, ErrClosed)
				}
			})
			if i == 50 {
				require.NoError(t, v.Close())
			}
		}
		group.Wait()
		require.NoError(t, v.Close(), "closing again does nothing")
		require.ErrorIs(t, v.Put(ctx), ErrClosed)
		v, err = Open(ctx, settings)
		require.NoError(t, err)
		defer func() { require.NoError(t, v.Close()) }()
		for _, commitment := range acknowledged {
			_, found, err := v.Get(ctx, commitment, "a.b")
			require.NoError(t, err)
			require.True(t, found, commitment)
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		require.Error(t, v.Put(ended, Entry{Kind: Form, Envelope: seal.Envelope{Commitment: "late", To: "a.b", Sealed: "x"}}))
	})
}

func TestManyWritersAtOnce(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, settings database.Settings) {
		ctx := context.Background()
		v, err := Open(ctx, settings)
		require.NoError(t, err)
		defer func() { require.NoError(t, v.Close()) }()
		var group sync.WaitGroup
		errs := make([]error, 32)
		for i := range errs {
			group.Go(func() {
				for n := range 5 {
					e := Entry{Kind: Form, Envelope: seal.Envelope{Commitment: fmt.Sprintf("%d-%d", i, n), To: "a.b", Sealed: "x"}}
					if err := v.Put(ctx, e); err != nil {
						errs[i] = err
					}
				}
			})
		}
		group.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
		var count int
		require.NoError(t, v.db.QueryRow(ctx, `SELECT count(*) FROM sealed`).Scan(&count))
		require.Equal(t, 160, count)
	})
}

func TestNothingReadableIsOnDiskAndOnlyTheOwnerReadsIt(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	v, err := Open(ctx, database.Settings{Folder: dir})
	require.NoError(t, err)
	entry := Entry{Kind: Form, Case: "visible-case", Envelope: envelope(t, "a.b")}
	require.NoError(t, v.Put(ctx, entry))
	var all []byte
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		raw, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		all = append(all, raw...)
	}
	require.True(t, bytes.Contains(all, []byte("visible-case")), "the search can find")
	require.False(t, bytes.Contains(all, []byte(secret)))
	require.NoError(t, v.Close())
	info, err := os.Stat(filepath.Join(dir, Part+".db"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestAFolderThatCannotBeMadeIsAnError(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(blocked, nil, 0o600))
	_, err := Open(context.Background(), database.Settings{Folder: blocked})
	require.ErrorContains(t, err, "vault")
}

func TestAWriteIsOnDisk(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, settings database.Settings) {
		v, err := Open(t.Context(), settings)
		require.NoError(t, err)
		defer func() { require.NoError(t, v.Close()) }()
		question, want := `PRAGMA synchronous`, "2"
		if settings.Shared() {
			question, want = `SHOW synchronous_commit`, "on"
		}
		require.NoError(t, v.db.Atomically(t.Context(), func(tx *database.Tx) error {
			var got string
			require.NoError(t, tx.QueryRow(t.Context(), question).Scan(&got))
			require.Equal(t, want, got)
			return nil
		}))
	})
}

// TestGatewaysShareAVault opens it twice: what one gateway keeps, the other finds, and what is there stays as it is.
func TestGatewaysShareAVault(t *testing.T) {
	settings, ctx := databasetest.PostgreSQL(t), t.Context()
	var vaults [2]*Vault
	for i := range vaults {
		v, err := Open(ctx, settings)
		require.NoError(t, err)
		defer func() { require.NoError(t, v.Close()) }()
		vaults[i] = v
	}
	var group sync.WaitGroup
	for n := range 40 { // both write the same at once
		for i, v := range vaults {
			group.Go(func() {
				e := Entry{Kind: Form, Case: fmt.Sprint(i), Envelope: seal.Envelope{Commitment: fmt.Sprint(n), To: "a.b", Sealed: fmt.Sprint(i)}}
				assert.NoError(t, v.Put(ctx, e))
			})
		}
	}
	group.Wait()
	for n := range 40 {
		var found [2]Entry
		for i, v := range vaults {
			entry, ok, err := v.Get(ctx, fmt.Sprint(n), "a.b")
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, entry.Case, entry.Envelope.Sealed, "one of the two, whole")
			found[i] = entry
		}
		require.Equal(t, found[0], found[1])
	}
}

// TestAVaultOfBefore opens a file that was made before there were migrations.
func TestAVaultOfBefore(t *testing.T) {
	settings, ctx := databasetest.SQLite(t), t.Context()
	old, err := sql.Open("sqlite", settings.File(Part))
	require.NoError(t, err)
	_, err = old.ExecContext(ctx, `CREATE TABLE sealed (commitment TEXT NOT NULL, recipient TEXT NOT NULL, kind TEXT NOT NULL, case_id TEXT NOT NULL,
		sealed TEXT NOT NULL, created TEXT NOT NULL, PRIMARY KEY (commitment, recipient)) STRICT, WITHOUT ROWID;
		CREATE INDEX sealed_by_case ON sealed (case_id);
		INSERT INTO sealed VALUES ('c', 'a.b', 'form', '', 'x', '2026-01-02T03:04:05Z')`)
	require.NoError(t, err)
	require.NoError(t, old.Close())
	v, err := Open(ctx, settings)
	require.NoError(t, err)
	defer func() { require.NoError(t, v.Close()) }()
	entry, found, err := v.Get(ctx, "c", "a.b")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "x", entry.Envelope.Sealed)
	require.NoError(t, v.Put(ctx, Entry{Kind: Form, Envelope: seal.Envelope{Commitment: "d", To: "a.b", Sealed: "y"}}))
}

// refuseBad makes the database refuse entries of the kind "bad".
func refuseBad(t *testing.T, v *Vault) {
	t.Helper()
	statement := `CREATE TRIGGER refuse BEFORE INSERT ON sealed WHEN NEW.kind = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END`
	if v.db.Shared() {
		statement = `ALTER TABLE sealed ADD CONSTRAINT refuse CHECK (kind <> 'bad')`
	}
	require.NoError(t, v.db.Atomically(t.Context(), func(tx *database.Tx) error {
		_, err := tx.Exec(t.Context(), statement)
		return err
	}))
}

func TestChunksAndRemoval(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, settings database.Settings) {
		ctx := context.Background()
		v, err := Open(ctx, settings)
		require.NoError(t, err)
		defer func() { require.NoError(t, v.Close()) }()
		require.NoError(t, v.PutChunk(ctx, Chunk{Stream: "s", Number: 0, Use: "u", Sealed: "first"}))
		require.NoError(t, v.PutChunk(ctx, Chunk{Stream: "s", Number: 0, Use: "u", Sealed: "again"}))
		require.NoError(t, v.PutChunk(ctx, Chunk{Stream: "s", Number: 1, Use: "other", Sealed: "second"}))
		c, found, err := v.Chunk(ctx, "s", 0)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, Chunk{Stream: "s", Number: 0, Use: "u", Sealed: "first"}, c)
		_, found, err = v.Chunk(ctx, "t", 0)
		require.NoError(t, err)
		require.False(t, found)

		require.NoError(t, v.Put(ctx, Entry{Kind: Delivery, Envelope: seal.Envelope{Commitment: "c", To: "a", Sealed: "x"}}, Entry{Kind: Delivery, Envelope: seal.Envelope{Commitment: "d", To: "a", Sealed: "y"}}))
		require.NoError(t, v.Remove(ctx, "c", "u"))
		require.NoError(t, v.Remove(ctx, "c", "u"), "what is gone may be removed again")
		for _, kept := range []struct {
			commitment string
			number     int
			found      bool
		}{{"c", 0, false}, {"d", 1, true}} {
			_, found, err := v.Get(ctx, kept.commitment, "a")
			require.NoError(t, err)
			require.Equal(t, kept.found, found)
			_, found, err = v.Chunk(ctx, "s", kept.number)
			require.NoError(t, err)
			require.Equal(t, kept.found, found)
		}
	})
}
