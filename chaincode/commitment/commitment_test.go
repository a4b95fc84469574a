package commitment

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

// TestRootsOfRFC9162 has the tree of eight leaves that certificate transparency's implementations share.
func TestRootsOfRFC9162(t *testing.T) {
	inputs := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	roots := []string{
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	var leaves [][]byte
	for i, input := range inputs {
		raw, err := hex.DecodeString(input)
		require.NoError(t, err)
		sum := sha256.Sum256(append([]byte{0}, raw...))
		leaves = append(leaves, sum[:])
		require.Equal(t, roots[i], hex.EncodeToString(root(leaves)), "%d leaves", i+1)
	}
}

// record is what a field is hashed as, written by hand.
func record(f Field) []byte { return fmt.Appendf(nil, `[%q,%s,%q]`, f.Name, f.Value, f.Salt) }

// document has n fields whose JSON is canonical as it stands.
func document(t require.TestingT, n int) Document {
	values := map[string]any{}
	for i := range n {
		values[fmt.Sprintf("field-%03d", i)] = i
	}
	d, err := New(values)
	require.NoError(t, err)
	return d
}

// TestAgainstTlog compares roots and proofs with golang.org/x/mod/sumdb/tlog, of documents of every size.
func TestAgainstTlog(t *testing.T) {
	for n := 1; n <= 70; n++ {
		d := document(t, n)
		var stored []tlog.Hash
		reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			hashes := make([]tlog.Hash, len(indexes))
			for i, index := range indexes {
				hashes[i] = stored[index]
			}
			return hashes, nil
		})
		for i, f := range d.Fields {
			hashes, err := tlog.StoredHashes(int64(i), record(f), reader)
			require.NoError(t, err)
			stored = append(stored, hashes...)
		}
		want, err := tlog.TreeHash(int64(n), reader)
		require.NoError(t, err)
		got, err := d.Root()
		require.NoError(t, err)
		require.Equal(t, hex.EncodeToString(want[:]), got)
		for i, f := range d.Fields {
			shown, proof, err := d.Show(f.Name)
			require.NoError(t, err)
			require.Equal(t, f, shown)
			var path tlog.RecordProof
			for _, hash := range proof.Path {
				raw, err := hex.DecodeString(hash)
				require.NoError(t, err)
				path = append(path, tlog.Hash(raw))
			}
			require.NoError(t, tlog.CheckRecord(path, int64(proof.Fields), want, int64(proof.Index), tlog.RecordHash(record(f))))
			theirs, err := tlog.ProveRecord(int64(n), int64(i), reader)
			require.NoError(t, err)
			require.Equal(t, len(theirs), len(path))
			require.NoError(t, proof.Verify(got, shown))
		}
	}
}

// TestAnyChangeIsFound: of a field, of its proof or of the commitment.
func TestAnyChangeIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := document(t, rapid.IntRange(1, 40).Draw(t, "fields"))
		commitment, err := d.Root()
		require.NoError(t, err)
		i := rapid.IntRange(0, len(d.Fields)-1).Draw(t, "field")
		field, proof, err := d.Show(d.Fields[i].Name)
		require.NoError(t, err)
		require.NoError(t, proof.Verify(commitment, field))
		flip := func(hash string, at int) string {
			digit := "0"
			if hash[at] == '0' {
				digit = "1"
			}
			return hash[:at] + digit + hash[at+1:]
		}
		switch change := rapid.IntRange(0, 7).Draw(t, "change"); {
		case change == 0:
			field.Value = json.RawMessage(`"other"`)
		case change == 1:
			field.Name += "x"
		case change == 2:
			field.Salt = document(t, 1).Fields[0].Salt
		case change == 3:
			commitment = flip(commitment, rapid.IntRange(0, 63).Draw(t, "digit"))
		case change == 4 && len(proof.Path) > 0:
			at := rapid.IntRange(0, len(proof.Path)-1).Draw(t, "hash")
			proof.Path[at] = flip(proof.Path[at], rapid.IntRange(0, 63).Draw(t, "digit"))
		case change == 5 && len(proof.Path) > 0:
			proof.Path = proof.Path[1:]
		case change == 6:
			proof.Path = append(proof.Path, commitment)
		case len(d.Fields) > 1:
			proof.Index = (proof.Index + 1) % proof.Fields
		default:
			return
		}
		require.Error(t, proof.Verify(commitment, field))
	})
}

func TestEverySaltIsNew(t *testing.T) {
	values := map[string]any{"b": 1, "a": "same", "c": "same"}
	one, err := New(values)
	require.NoError(t, err)
	two, err := New(values)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, []string{one.Fields[0].Name, one.Fields[1].Name, one.Fields[2].Name})
	salts := map[string]bool{}
	for _, f := range append(one.Fields, two.Fields...) {
		raw, err := base64.RawURLEncoding.DecodeString(f.Salt)
		require.NoError(t, err)
		require.Len(t, raw, SaltBytes)
		salts[f.Salt] = true
	}
	require.Len(t, salts, 6)
	a, err := one.Root()
	require.NoError(t, err)
	b, err := two.Root()
	require.NoError(t, err)
	require.NotEqual(t, a, b, "the same content is committed to differently each time")
	require.NoError(t, Check("x", a))
	require.Equal(t, map[string]json.RawMessage{"a": json.RawMessage(`"same"`), "b": json.RawMessage(`1`), "c": json.RawMessage(`"same"`)}, one.Values())
}

// TestTheFormOfAValueDoesNotMatter, its content does.
func TestTheFormOfAValueDoesNotMatter(t *testing.T) {
	d := document(t, 3)
	before, err := d.Root()
	require.NoError(t, err)
	d.Fields[1].Value = json.RawMessage(" 1.0e0 ")
	after, err := d.Root()
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestDocumentsRefused(t *testing.T) {
	for _, c := range []struct {
		name        string
		change      func(*Document)
		field, rule string
	}{
		{"no fields", func(d *Document) { d.Fields = nil }, "fields", "length:1,256"},
		{"too many fields", func(d *Document) { d.Fields = make([]Field, MaxFields+1) }, "fields", "length:1,256"},
		{"out of order", func(d *Document) { d.Fields[0], d.Fields[1] = d.Fields[1], d.Fields[0] }, "fields[1].name", "sorted_unique"},
		{"a name twice", func(d *Document) { d.Fields[1].Name = d.Fields[0].Name }, "fields[1].name", "sorted_unique"},
		{"no name", func(d *Document) { d.Fields[0].Name = "" }, "fields[0].name", "length:1,64"},
		{"long name", func(d *Document) { d.Fields[2].Name = strings.Repeat("z", MaxName+1) }, "fields[2].name", "length:1,64"},
		{"no value", func(d *Document) { d.Fields[1].Value = nil }, "fields[1].value", "required"},
		{"no JSON", func(d *Document) { d.Fields[1].Value = json.RawMessage("x") }, "fields[1].value", "json"},
		{"a number that would change", func(d *Document) { d.Fields[1].Value = json.RawMessage("9007199254740993") }, "fields[1].value", "json"},
		{"no salt", func(d *Document) { d.Fields[1].Salt = "" }, "fields[1].salt", "base64url_bytes:16"},
		{"short salt", func(d *Document) { d.Fields[1].Salt = d.Fields[1].Salt[:20] }, "fields[1].salt", "base64url_bytes:16"},
		{"padded salt", func(d *Document) { d.Fields[1].Salt += "==" }, "fields[1].salt", "base64url_bytes:16"},
		{"salt on two lines", func(d *Document) { d.Fields[1].Salt += "\n" }, "fields[1].salt", "base64url_bytes:16"},
		{"salt with stray bits", func(d *Document) { d.Fields[1].Salt = strings.Repeat("A", 21) + "B" }, "fields[1].salt", "base64url_bytes:16"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := document(t, 3)
			c.change(&d)
			_, err := d.Root()
			f := fault.From(err)
			require.NotNil(t, f)
			require.Equal(t, [3]string{"invalid", c.field, c.rule}, [3]string{string(f.Kind), f.Field, f.Rule})
			_, _, err = d.Show("field-000")
			require.Equal(t, f, err)
		})
	}
}

func TestProofsRefused(t *testing.T) {
	d := document(t, 3)
	commitment, err := d.Root()
	require.NoError(t, err)
	field, proof, err := d.Show("field-001")
	require.NoError(t, err)
	_, _, err = d.Show("field-9")
	require.Equal(t, "commitment.no_such_field", fault.From(err).Reason)
	for _, c := range []struct {
		name       string
		commitment string
		proof      Proof
		field      string
	}{
		{"no commitment", "", proof, "commitment"},
		{"upper case", strings.ToUpper(commitment), proof, "commitment"},
		{"index too large", commitment, Proof{3, 3, proof.Path}, "proof.index"},
		{"negative index", commitment, Proof{-1, 3, proof.Path}, "proof.index"},
		{"no fields", commitment, Proof{0, 0, nil}, "proof.index"},
		{"very many fields", commitment, Proof{0, 1 << 40, proof.Path}, "proof.index"},
		{"a hash that is none", commitment, Proof{1, 3, []string{proof.Path[0], "x"}}, "proof.path[1]"},
		{"one field in all", commitment, Proof{0, 1, nil}, "field"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fault.From(c.proof.Verify(c.commitment, field))
			require.NotNil(t, f)
			require.Equal(t, c.field, f.Field)
		})
	}
}
