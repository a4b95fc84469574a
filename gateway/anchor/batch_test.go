package anchor

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/inclusion"
)

func sum(text []byte) [sha256.Size]byte { return sha256.Sum256(text) }

// TestBatch writes batches of all sizes and finds every record and its way to a root that another implementation computes.
func TestBatch(t *testing.T) {
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(1, 40), rapid.IntRange(1, 3000)).Draw(t, "records")
		d := newDraft(1, n)
		for i := range n {
			record := fmt.Appendf(nil, `{"n":%d}`, i)
			d.add(keyOf([][]byte{record}), record)
		}
		s := saltsOf([]byte("secret"), dataset, "source", 1, "")
		leaves := d.leaves(dataset, s, 2)
		stored, root, err := tree(leaves)
		require.NoError(t, err)
		whole := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
		for _, leaf := range leaves {
			require.NoError(t, whole.Append(leaf[:], nil))
		}
		top, err := whole.GetRootHash(nil)
		require.NoError(t, err)
		require.Equal(t, hex.EncodeToString(top), root)

		path := filepath.Join(folder, "a.batch")
		require.NoError(t, d.save(path, stored))
		b, err := openBatch(path)
		require.NoError(t, err)
		defer b.Close()
		i := rapid.IntRange(0, n-1).Draw(t, "record")
		index, found, err := b.find(d.keys[i])
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, i, index)
		record, err := b.record(i)
		require.NoError(t, err)
		way, err := b.path(i)
		require.NoError(t, err)
		p := inclusion.Proof{Format: inclusion.Format, Dataset: dataset, Record: record, Salt: s.of()(i).String(), Index: i, Size: n, Path: way,
			Anchor: "00000000000000000000000000", Root: root}
		require.NoError(t, p.Verify(root))
		_, found, err = b.find(keyOf([][]byte{[]byte("absent"), fmt.Append(nil, i)}))
		require.NoError(t, err)
		require.False(t, found)
		count := 0
		require.NoError(t, b.eachKey(func(key) { count++ }))
		require.Equal(t, n, count)
	})
}

// Keys that are anything but spread evenly are found too, only slower.
func TestFindAmongUnevenKeys(t *testing.T) {
	d := newDraft(1, 5000)
	for i := range 5000 {
		var k key
		binary.BigEndian.PutUint64(k[:], uint64(i/2))
		k[15] = byte(i % 2)
		d.add(k, []byte("{}"))
	}
	stored, _, err := tree(d.leaves(dataset, salts("x"), 1))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "a.batch")
	require.NoError(t, d.save(path, stored))
	b, err := openBatch(path)
	require.NoError(t, err)
	defer b.Close()
	for i, k := range d.keys {
		index, found, err := b.find(k)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, i, index)
	}
	_, found, err := b.find(key{15: 7})
	require.NoError(t, err)
	require.False(t, found)
}

func TestADamagedBatchGivesNoProof(t *testing.T) {
	folder := t.TempDir()
	path, _ := csvFile(t, folder, 100)
	a, ledger := opened(t, filepath.Join(folder, "archive")), &journal{path: filepath.Join(folder, "ledger")}
	result, err := a.Run(t.Context(), ledger, Request{Dataset: dataset, Files: []string{path}})
	require.NoError(t, err)
	file := filepath.Join(folder, "archive", filepath.FromSlash(dataset), result.Job, fileName(1, batchEnding))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	text[len(text)-5] ^= 1 // in the last record
	require.NoError(t, os.WriteFile(file, text, 0o600))
	_, err = a.Proof(t.Context(), dataset, keyed(98))
	require.ErrorIs(t, err, ErrDamaged)
	_, err = a.Proof(t.Context(), dataset, keyed(0))
	require.NoError(t, err)
}

func TestSeen(t *testing.T) {
	var s seen
	d := newDraft(1, 10)
	k := func(i int) key { return keyOf([][]byte{fmt.Append(nil, i)}) }
	for i := range 1000 {
		d.add(k(i), nil)
		s.add(k(i))
	}
	s.keep(d)
	for i := range 2000 {
		found, err := s.has(k(i))
		require.NoError(t, err)
		require.Equal(t, i < 1000, found)
	}
}
