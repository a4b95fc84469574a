package state

import (
	"strings"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/fault"
)

func TestKeysAreFabricsCompositeKeys(t *testing.T) {
	for _, parts := range [][]string{nil, {"a"}, {"market.tax", "设备"}, {"a", "b", "c"}} {
		want, err := shim.CreateCompositeKey("note", parts)
		require.NoError(t, err)
		require.Equal(t, want, Key("note", parts...))
	}
}

func TestParts(t *testing.T) {
	long := strings.Repeat("x", MaxPartLength)
	for _, c := range []struct {
		name  string
		parts []string
		fine  bool
	}{
		{"letters", []string{"a", "b"}, true},
		{"Chinese", []string{"市场", "设备"}, true},
		{"as long as allowed", []string{long, long}, true},
		{"the last may have the separator", []string{"a", "b/c"}, true},
		{"an earlier may not", []string{"a/b", "c"}, false},
		{"empty", []string{"a", ""}, false},
		{"too long", []string{"a", long + "x"}, false},
		{"NUL", []string{"a", "b\x00c"}, false},
		{"the end of ranges", []string{"a", "b\U0010FFFF"}, false},
		{"line feed", []string{"a", "b\n"}, false},
		{"delete", []string{"a", "\x7f"}, false},
		{"not Unicode", []string{"a", "\xff"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := checkParts(c.parts, 1)
			if c.fine {
				require.NoError(t, err)
				return
			}
			require.Equal(t, "key_part", fault.From(err).Rule)
		})
	}
}

func TestSplitRefusesOtherKeys(t *testing.T) {
	for _, key := range []string{"", "a", "\x00", "\x00\x00", "\x00a", "a\x00", "a\x00b\x00"} {
		_, _, ok := Split(key)
		require.False(t, ok, "%q", key)
	}
}

// FuzzKey: parts that are let through come back, make the key the shim makes, and no two lists of parts share a key or an id.
func FuzzKey(f *testing.F) {
	f.Add("a", "b", "c", "d")
	f.Add("a/b", "c", "a", "b/c")
	f.Add("a\x00b", "c", "a", "b\x00c")
	f.Add("市", "\U0010FFFF", "\xff", "")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		first, second := []string{a, b}, []string{c, d}
		if checkParts(first, 1) != nil {
			return
		}
		key := Key("noun", a, b)
		noun, parts, ok := Split(key)
		if !ok || noun != "noun" || len(parts) != 2 || parts[0] != a || parts[1] != b {
			t.Fatalf("%q comes back as %q %q", first, noun, parts)
		}
		if composite, err := shim.CreateCompositeKey("noun", first); err != nil || composite != key {
			t.Fatalf("the shim makes %q of %q: %v", composite, first, err)
		}
		if checkParts(second, 1) != nil || a == c && b == d {
			return
		}
		if Key("noun", c, d) == key {
			t.Fatalf("%q and %q share a key", first, second)
		}
		if strings.Join(first, IDSeparator) == strings.Join(second, IDSeparator) {
			t.Fatalf("%q and %q share an id", first, second)
		}
		if strings.HasPrefix(key, Key("noun", c)) != (a == c) {
			t.Fatalf("%q is listed under %q", first, c)
		}
	})
}
