package exchange_test

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// The expected hashes are computed here from the text of the reference page, not by calling the code under test.
func TestLeaf(t *testing.T) {
	entry := `{"at":"2026-03-02T09:00:00Z","case":"` + caseID + `","consent":"` + otherID + `","consumer":"market.tax",` +
		`"dataset":"planning.housing/premises","fields":["address"],"grant":"` + grantID + `","legal_basis":"Tax Law 12","number":1,` +
		`"provider":"planning.housing","purpose":"tax.check","selector":"` + hashA + `","subject":"` + alice + `","use":"` + useID + `"}`
	want := sha256.Sum256(append([]byte{0}, entry...))
	leaf, err := used(1).Entry().Leaf()
	require.NoError(t, err)
	require.Equal(t, want[:], leaf)
}

// Every member of an entry is part of the hash.
func TestLeafCoversTheEntry(t *testing.T) {
	plain, err := used(1).Entry().Leaf()
	require.NoError(t, err)
	for i := range reflect.TypeFor[exchange.Entry]().NumField() {
		entry := used(1).Entry()
		field := reflect.ValueOf(&entry).Elem().Field(i)
		switch v := field.Interface().(type) {
		case string:
			field.SetString(v + "x")
		case int:
			field.SetInt(int64(v) + 1)
		case []string:
			field.Set(reflect.ValueOf(append(v, "x")))
		case time.Time:
			field.Set(reflect.ValueOf(v.Add(time.Millisecond)))
		default:
			t.Fatalf("no change for a %s", field.Type())
		}
		changed, err := entry.Leaf()
		require.NoError(t, err)
		require.NotEqual(t, plain, changed, reflect.TypeFor[exchange.Entry]().Field(i).Name)
	}
}

// logOf is a log after so many uses, requested one after another, with the uses.
func logOf(t require.TestingT, count int) (exchange.Log, []exchange.Use) {
	log, uses := exchange.Log{Subject: alice}, make([]exchange.Use, count)
	for i := range uses {
		w := freshUse()
		w.Consent.Terms.MaxUses, w.Log = 100, log
		u, o, _, err := w.request.Request(useID, w.by, w.Context, kernel.At(w.at))
		require.NoError(t, err)
		uses[i], log = u, o.Log
	}
	return log, uses
}

func entriesOf(uses []exchange.Use) []exchange.Entry {
	entries := make([]exchange.Entry, len(uses))
	for i, u := range uses {
		entries[i] = u.Entry()
	}
	return entries
}

// Head and proofs against another implementation of the same RFC.
func TestLogIsATreeOfTheRFC(t *testing.T) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(at))
		for i, n := range at {
			found[i] = stored[n]
		}
		return found, nil
	})
	log, uses := logOf(t, 70)
	for i, u := range uses {
		leaf, err := u.Entry().Leaf()
		require.NoError(t, err)
		more, err := tlog.StoredHashesForRecordHash(int64(i), tlog.Hash(leaf), reader)
		require.NoError(t, err)
		stored = append(stored, more...)
		require.Len(t, u.Nodes, len(more)-1)
		for k, node := range u.Nodes {
			require.Equal(t, hex.EncodeToString(more[k+1][:]), node)
		}
	}
	root, err := tlog.TreeHash(70, reader)
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(root[:]), log.Root)
	require.Equal(t, 70, log.Count)
	require.Len(t, log.Peaks, 3, "64 + 4 + 2")
}

// A page of a log proves itself, and nothing else does.
func TestLogProof(t *testing.T) {
	all, uses := logOf(t, 70)
	use := func(number int) (exchange.Use, error) { return uses[number-1], nil }
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, 70).Draw(t, "count")
		first := rapid.IntRange(1, count).Draw(t, "first")
		last := rapid.IntRange(first, count).Draw(t, "last")
		log, _ := logOf(t, count)
		require.True(t, count < 70 || log.Root == all.Root)
		p, err := exchange.Prove(first, last, count, use)
		require.NoError(t, err)
		require.LessOrEqual(t, len(p.Before)+len(p.After), 2*7)
		page := entriesOf(uses[first-1 : last])
		require.NoError(t, log.Proves(page, p))

		changed := append([]exchange.Entry(nil), page...)
		changed[rapid.IntRange(0, len(page)-1).Draw(t, "changed")].Purpose = "other"
		require.ErrorIs(t, log.Proves(changed, p), exchange.ErrNotInLog)
		require.ErrorIs(t, log.Proves(page[1:], p), exchange.ErrNotInLog, "one left out")
		if len(page) > 1 {
			changed = append([]exchange.Entry(nil), page...)
			changed[0], changed[1] = changed[1], changed[0]
			require.ErrorIs(t, log.Proves(changed, p), exchange.ErrNotInLog, "moved")
		}
		other := log
		other.Subject = bob
		require.ErrorIs(t, other.Proves(page, p), exchange.ErrNotInLog)
		other = log
		other.Root = hashA
		require.ErrorIs(t, other.Proves(page, p), exchange.ErrNotInLog)
		require.ErrorIs(t, log.Proves(page, exchange.LogProof{Before: append(p.Before, hashA), After: p.After}), exchange.ErrNotInLog)
		require.ErrorIs(t, log.Proves(page, exchange.LogProof{Before: p.Before, After: append(p.After, "no hash")}), exchange.ErrNotInLog)
	})
}

func TestEmptyLog(t *testing.T) {
	require.NoError(t, exchange.Log{Subject: alice}.Proves(nil, exchange.LogProof{}))
	log, uses := logOf(t, 3)
	require.ErrorIs(t, log.Proves(nil, exchange.LogProof{}), exchange.ErrNotInLog)
	require.ErrorIs(t, exchange.Log{Subject: alice}.Proves(entriesOf(uses), exchange.LogProof{}), exchange.ErrNotInLog)
	require.NoError(t, log.Proves(entriesOf(uses), exchange.LogProof{}), "all entries need no proof")
}

// A head that is not one is refused, not built upon.
func TestBrokenHead(t *testing.T) {
	w := freshUse()
	for _, peaks := range [][]string{nil, {"no hash"}, {hashA, hashB, hashA}} {
		w.Log = exchange.Log{Subject: alice, Count: 6, Root: hashB, Peaks: peaks}
		_, _, _, err := w.request.Request(useID, w.by, w.Context, kernel.At(w.at))
		require.ErrorContains(t, err, "log of 6 entries", "better no use than one that cannot be numbered")
	}
}
