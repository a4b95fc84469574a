package vault

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/rand"
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
	ctx, dir := context.Background(), t.TempDir()
	v, err := Open(ctx, dir)
	require.NoError(t, err)
	first := Entry{Kind: Form, Case: "c1", Envelope: envelope(t, "market.tax"), Created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	second := Entry{Kind: Delivery, Envelope: envelope(t, "market.regulation")}
	require.NoError(t, v.Put(ctx, first, second))

	again := first
	again.Envelope.Sealed = "something else"
	require.NoError(t, v.Put(ctx, again), "the same again is accepted")
	require.NoError(t, v.Close())

	v, err = Open(ctx, dir)
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
}

func TestAPutIsAllOrNothing(t *testing.T) {
	ctx := context.Background()
	v, err := Open(ctx, t.TempDir())
	require.NoError(t, err)
	defer func() { require.NoError(t, v.Close()) }()
	_, err = v.write.ExecContext(ctx, `CREATE TRIGGER refuse BEFORE INSERT ON sealed WHEN NEW.kind = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END`)
	require.NoError(t, err)
	good := Entry{Kind: Form, Envelope: envelope(t, "a.b")}
	require.Error(t, v.Put(ctx, good, Entry{Kind: "bad", Envelope: envelope(t, "a.b")}))
	_, found, err := v.Get(ctx, good.Envelope.Commitment, "a.b")
	require.NoError(t, err)
	require.False(t, found)
}

func TestABadPutDoesNotSpoilItsNeighbours(t *testing.T) {
	ctx := context.Background()
	v, err := Open(ctx, t.TempDir())
	require.NoError(t, err)
	defer func() { require.NoError(t, v.Close()) }()
	_, err = v.write.ExecContext(ctx, `CREATE TRIGGER refuse BEFORE INSERT ON sealed WHEN NEW.kind = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END`)
	require.NoError(t, err)
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
}

func TestAClosedVaultTakesNothingAndKeepsWhatItTook(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	v, err := Open(ctx, dir)
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
	v, err = Open(ctx, dir)
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
}

func TestManyWritersAtOnce(t *testing.T) {
	ctx := context.Background()
	v, err := Open(ctx, t.TempDir())
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
	require.NoError(t, v.read.QueryRow(`SELECT count(*) FROM sealed`).Scan(&count))
	require.Equal(t, 160, count)
}

func TestNothingReadableIsOnDiskAndOnlyTheOwnerReadsIt(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	v, err := Open(ctx, dir)
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
	info, err := os.Stat(filepath.Join(dir, File))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(fileMode), info.Mode().Perm())
}

func TestAFolderThatCannotBeMadeIsAnError(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(blocked, nil, 0o600))
	_, err := Open(context.Background(), blocked)
	require.ErrorContains(t, err, "vault")
}

func TestPragmasHold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "with space?&#")
	v, err := Open(context.Background(), dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, v.Close()) }()
	require.FileExists(t, filepath.Join(dir, File))
	var mode string
	require.NoError(t, v.read.QueryRow(`PRAGMA journal_mode`).Scan(&mode))
	require.Equal(t, "wal", mode)
	var full int
	require.NoError(t, v.read.QueryRow(`PRAGMA synchronous`).Scan(&full))
	require.Equal(t, 2, full)
}
