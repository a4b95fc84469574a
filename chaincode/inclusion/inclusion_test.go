package inclusion_test

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/transparency-dev/merkle/compact"
	merkleproof "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/inclusion"
)

const dataset = "market.customs/clearance"

// batch makes records and a proof for each of them.
func batch(t require.TestingT, n int) (proofs []inclusion.Proof, root string) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	for i := range n {
		record := fmt.Appendf(nil, `{"declaration":"D%07d","released":true}`, i)
		var salt inclusion.Salt
		_, _ = rand.Read(salt[:])
		hashes, err := tlog.StoredHashesForRecordHash(int64(i), inclusion.Leaf(dataset, record, salt), reader)
		require.NoError(t, err)
		stored = append(stored, hashes...)
		proofs = append(proofs, inclusion.Proof{Format: inclusion.Format, Dataset: dataset, Record: record, Salt: salt.String(), Index: i, Size: n,
			Anchor: strings.Repeat("0", 26), Path: []string{}})
	}
	top, err := tlog.TreeHash(int64(n), reader)
	require.NoError(t, err)
	root = hex.EncodeToString(top[:])
	for i := range proofs {
		path, err := tlog.ProveRecord(int64(n), int64(i), reader)
		require.NoError(t, err)
		for _, hash := range path {
			proofs[i].Path = append(proofs[i].Path, hex.EncodeToString(hash[:]))
		}
		proofs[i].Root = root
	}
	return proofs, root
}

// TestAgainstAnotherImplementation computes root and verifies proofs with transparency-dev/merkle, from the leaf that the
// reference page writes down.
func TestAgainstAnotherImplementation(t *testing.T) {
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	for _, n := range []int{1, 2, 3, 7, 8, 9, 33, 64, 100} {
		proofs, root := batch(t, n)
		whole := factory.NewEmptyRange(0)
		for _, p := range proofs {
			require.NoError(t, p.Verify(root))
			leaf, err := canonical.Marshal([]any{p.Dataset, p.Record, p.Salt})
			require.NoError(t, err)
			hash := rfc6962.DefaultHasher.HashLeaf(leaf)
			require.NoError(t, whole.Append(hash, nil))
			var path [][]byte
			for _, digits := range p.Path {
				raw, err := hex.DecodeString(digits)
				require.NoError(t, err)
				path = append(path, raw)
			}
			top, err := hex.DecodeString(root)
			require.NoError(t, err)
			require.NoError(t, merkleproof.VerifyInclusion(rfc6962.DefaultHasher, uint64(p.Index), uint64(p.Size), hash, path, top))
		}
		top, err := whole.GetRootHash(nil)
		require.NoError(t, err)
		require.Equal(t, root, hex.EncodeToString(top))
	}
}

// TestAnyChangeIsFound: of the record, of its proof or of the root.
func TestAnyChangeIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		proofs, root := batch(t, rapid.IntRange(2, 40).Draw(t, "records"))
		p := rapid.SampledFrom(proofs).Draw(t, "proof")
		flip := func(hash string) string {
			at := rapid.IntRange(0, 63).Draw(t, "digit")
			digit := "0"
			if hash[at] == '0' {
				digit = "1"
			}
			return hash[:at] + digit + hash[at+1:]
		}
		switch rapid.IntRange(0, 7).Draw(t, "change") {
		case 0:
			p.Record = json.RawMessage(strings.Replace(string(p.Record), "true", "false", 1))
		case 1:
			p.Dataset = "market.tax/clearance"
		case 2:
			p.Salt = proofs[(p.Index+1)%p.Size].Salt
		case 3:
			root = flip(root)
		case 4:
			at := rapid.IntRange(0, len(p.Path)-1).Draw(t, "hash")
			p.Path[at] = flip(p.Path[at])
		case 5:
			p.Path = p.Path[1:]
		case 6:
			p.Path = append(p.Path, root)
		default:
			p.Index = (p.Index + 1) % p.Size
		}
		require.ErrorIs(t, p.Verify(root), inclusion.ErrMismatch)
	})
}

func TestForm(t *testing.T) {
	proofs, root := batch(t, 5)
	raw, err := json.Marshal(proofs[3])
	require.NoError(t, err)
	p, err := inclusion.Parse(raw)
	require.NoError(t, err)
	require.NoError(t, p.Verify(root))
	p.Record = json.RawMessage(` { "released" : true, "declaration" : "D0000003" } `)
	require.NoError(t, p.Verify(root), "how it is written does not matter")

	for _, c := range []struct {
		name   string
		change func(*inclusion.Proof)
		field  string
	}{
		{"another format", func(p *inclusion.Proof) { p.Format = "x" }, "format"},
		{"no dataset", func(p *inclusion.Proof) { p.Dataset = "" }, "dataset"},
		{"no record", func(p *inclusion.Proof) { p.Record = nil }, "record"},
		{"record too long", func(p *inclusion.Proof) {
			p.Record = json.RawMessage(`"` + strings.Repeat("x", inclusion.MaxRecordBytes) + `"`)
		}, "record"},
		{"short salt", func(p *inclusion.Proof) { p.Salt = p.Salt[1:] }, "salt"},
		{"no size", func(p *inclusion.Proof) { p.Size = 0 }, "tree_size"},
		{"size too large", func(p *inclusion.Proof) { p.Size = 1 << 40 }, "tree_size"},
		{"index outside", func(p *inclusion.Proof) { p.Index = p.Size }, "index"},
		{"negative index", func(p *inclusion.Proof) { p.Index = -1 }, "index"},
		{"a hash that is none", func(p *inclusion.Proof) { p.Path = []string{"x"} }, "path[0]"},
		{"no anchor", func(p *inclusion.Proof) { p.Anchor = "" }, "anchor"},
		{"no root", func(p *inclusion.Proof) { p.Root = "" }, "root"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := proofs[3]
			c.change(&p)
			require.Equal(t, c.field, fault.From(p.Verify(root)).Field)
		})
	}
	_, err = inclusion.Parse([]byte(strings.Replace(string(raw), `"salt"`, `"pepper":1,"salt"`, 1)))
	require.Equal(t, "pepper", fault.From(err).Field)
	_, err = inclusion.Parse([]byte(strings.Repeat(" ", inclusion.MaxProofBytes+1)))
	require.Equal(t, "request.too_large", fault.From(err).Reason)
	require.Equal(t, "root", fault.From(proofs[0].Verify("x")).Field)
}
