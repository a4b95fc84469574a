package logistics_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network/catalogue"
	"github.com/hutong-gov/hutong/test/logistics"
)

// The datasets are in the catalogue, with the records' fields and keys.
func TestKindsAreInTheCatalogue(t *testing.T) {
	c, err := catalogue.Default()
	require.NoError(t, err)
	share := 0
	for _, k := range logistics.Kinds {
		i := slices.IndexFunc(c.Datasets, func(d catalogue.Dataset) bool { return d.ID() == k.Dataset })
		require.GreaterOrEqual(t, i, 0, k.Dataset)
		var fields []string
		for _, f := range c.Datasets[i].Fields {
			fields = append(fields, f.Name)
		}
		require.Equal(t, fields, k.Columns)
		require.Len(t, k.Key(0), len(c.Datasets[i].Selector))
		for _, name := range c.Datasets[i].Selector {
			require.NotEmpty(t, k.Key(7)[name])
		}
		share += k.Share
	}
	require.Equal(t, 10, share)
}

func TestRecords(t *testing.T) {
	const n = 2000
	enterprises := map[string]bool{}
	for _, k := range logistics.Kinds {
		first, err := k.Write(t.TempDir(), logistics.DefaultSeed, n)
		require.NoError(t, err)
		second, err := k.Write(t.TempDir(), logistics.DefaultSeed, n)
		require.NoError(t, err)
		one, err := os.ReadFile(first)
		require.NoError(t, err)
		two, err := os.ReadFile(second)
		require.NoError(t, err)
		require.Equal(t, one, two, "the same seed gives the same records")
		other, err := k.Write(t.TempDir(), 1, n)
		require.NoError(t, err)
		three, err := os.ReadFile(other)
		require.NoError(t, err)
		require.NotEqual(t, one, three)

		if filepath.Ext(first) != ".csv" {
			continue
		}
		file, err := os.Open(first)
		require.NoError(t, err)
		defer file.Close()
		rows, err := csv.NewReader(file).ReadAll()
		require.NoError(t, err)
		require.Len(t, rows, n+1)
		keys := map[string]bool{}
		for i, row := range rows[1:] {
			key := ""
			for c, name := range rows[0] {
				if value, is := k.Key(i)[name]; is {
					require.Equal(t, value, row[c])
					key += value + "/"
				}
				if name == "shipper" || name == "consignee" {
					enterprises[row[c]] = true
				}
			}
			require.False(t, keys[key], "each record has a key of its own")
			keys[key] = true
		}
	}
	require.Len(t, enterprises, logistics.Enterprises)
	for code := range enterprises {
		require.Len(t, code, 18)
	}
}
