package exchange_test

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// The expected hashes are computed here from the text of the reference page, not by calling the code under test.
func TestChain(t *testing.T) {
	u := used(1, "")
	entry := `{"at":"2026-03-02T09:00:00Z","case":"` + caseID + `","consent":"` + otherID + `","consumer":"market.tax",` +
		`"dataset":"planning.housing/premises","fields":["address"],"grant":"` + grantID + `","legal_basis":"Tax Law 12","number":1,` +
		`"provider":"planning.housing","purpose":"tax.check","selector":"` + hashA + `","subject":"` + alice + `","use":"` + useID + `"}`
	inner := sha256.Sum256([]byte(entry))

	first, err := exchange.Chain("", u.Entry())
	require.NoError(t, err)
	want := sha256.Sum256(inner[:])
	require.Equal(t, hex.EncodeToString(want[:]), first)

	second, err := exchange.Chain(first, u.Entry())
	require.NoError(t, err)
	want = sha256.Sum256(append(want[:], inner[:]...))
	require.Equal(t, hex.EncodeToString(want[:]), second)

	_, err = exchange.Chain("not a hash", u.Entry())
	require.Error(t, err)
}

// Every member of an entry is part of the hash.
func TestChainCoversTheEntry(t *testing.T) {
	plain, err := exchange.Chain("", used(1, "").Entry())
	require.NoError(t, err)
	for i := range reflect.TypeFor[exchange.Entry]().NumField() {
		entry := used(1, "").Entry()
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
		changed, err := exchange.Chain("", entry)
		require.NoError(t, err)
		require.NotEqual(t, plain, changed, reflect.TypeFor[exchange.Entry]().Field(i).Name)
	}
}
