package departments

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/connector"
	"github.com/hutong-gov/hutong/gateway/devidp"
	"github.com/hutong-gov/hutong/network/catalogue"
)

func TestTheSameSeedMakesTheSameWorld(t *testing.T) {
	require.Equal(t, Generate(), Generate())
	require.NotEqual(t, GenerateSized(1, 50, 50).People[10], GenerateSized(2, 50, 50).People[10])
}

func TestIdentityNumbersAreWellFormedAndNobodys(t *testing.T) {
	w := Generate()
	require.Len(t, w.People, DefaultPeople)
	require.Len(t, w.Premises, DefaultPremises)
	seen := map[string]bool{}
	for _, p := range w.People {
		require.True(t, ValidIDNumber(p.IDNumber), p.IDNumber)
		require.True(t, strings.HasPrefix(p.IDNumber, fictional))
		require.Equal(t, p.Born.Format("20060102"), p.IDNumber[6:14])
		require.Equal(t, p.Female, (p.IDNumber[16]-'0')%2 == 0, "the sequence says the sex")
		require.False(t, seen[p.IDNumber])
		seen[p.IDNumber] = true
	}
	// GB 11643's own example, and it with a digit changed.
	require.True(t, ValidIDNumber("11010519491231002X"))
	require.False(t, ValidIDNumber("110105194912310021"))
	require.False(t, ValidIDNumber("11010519491331002X"))
	require.False(t, ValidIDNumber("1101051949123100"))
}

func TestEveryCitizenWhoCanSignInIsSomebody(t *testing.T) {
	w := Generate()
	citizens := 0
	for _, u := range devidp.DefaultUsers() {
		p, b, found := w.Behind(u.ID)
		require.Equal(t, u.Role == "citizen", found, u.ID)
		if !found {
			continue
		}
		citizens++
		require.Equal(t, u.Name, p.En+" "+p.Zh)
		require.Equal(t, p.IDNumber, b.Owner)
		require.Equal(t, "commercial", b.Use)
		personal, _ := w.Personal()
		for _, value := range []string{p.IDNumber, p.Zh, p.En, p.Address, b.Number, b.Address} {
			require.Contains(t, personal, value)
		}
	}
	require.Positive(t, citizens)
	_, _, found := w.Behind("")
	require.False(t, found)
}

// TestTheConnectorsReadTheDatabases goes the whole way: files written, connected, and read as the datasets promise.
func TestTheConnectorsReadTheDatabases(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	w := Generate()
	databases, folder := filepath.Join(dir, "departments"), filepath.Join(dir, "gateway", "connectors")
	begin := time.Now()
	require.NoError(t, w.Write(ctx, databases))
	require.Less(t, time.Since(begin), 30*time.Second)
	require.NoError(t, Connect("identity", folder, databases))
	require.NoError(t, Connect("premises", folder, databases))
	require.Error(t, Connect("salary", folder, databases))
	set, err := connector.Open(folder, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, set.Close()) }()

	p, b, found := w.Behind("citizen1")
	require.True(t, found)
	got, err := set.Fetch(ctx, connector.Query{
		Dataset: "services.police/identity", Selector: selector(t, "id_number", p.IDNumber), Selects: []exchange.FieldSpec{{Name: "id_number", Type: "string"}},
		Fields: []exchange.FieldSpec{{Name: "name", Type: "string"}, {Name: "birth_date", Type: "date"}, {Name: "address", Type: "string"}, {Name: "sex", Type: "string"}},
	})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"name": p.Zh, "birth_date": p.Born.Format(time.DateOnly), "address": p.Address, "sex": "female"}, got.Values)
	require.True(t, got.Held)
	require.Equal(t, "citizen1", got.Holder)

	got, err = set.Fetch(ctx, connector.Query{
		Dataset: "planning.housing/premises", Selector: selector(t, "premises_number", b.Number), Selects: []exchange.FieldSpec{{Name: "premises_number", Type: "string"}},
		Fields: []exchange.FieldSpec{{Name: "permitted_use", Type: "string"}, {Name: "floor_area_m2", Type: "integer"}, {Name: "owner_id_number", Type: "string"}, {Name: "mortgaged", Type: "boolean"}},
	})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"permitted_use": "commercial", "floor_area_m2": int64(b.Area), "owner_id_number": p.IDNumber, "mortgaged": b.Mortgage}, got.Values)
	require.False(t, got.Held, "the housing authority does not know accounts")
}

func TestWritingAgainChangesNothingAndAnotherWorldReplaces(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	small := GenerateSized(1, 20, 20)
	require.NoError(t, small.Write(ctx, dir))
	before, err := os.Stat(filepath.Join(dir, PoliceFile))
	require.NoError(t, err)
	require.Equal(t, fileMode, before.Mode().Perm())
	require.NoError(t, small.Write(ctx, dir))
	after, err := os.Stat(filepath.Join(dir, PoliceFile))
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))

	require.NoError(t, GenerateSized(2, 20, 20).Write(ctx, dir))
	replaced, err := os.Stat(filepath.Join(dir, PoliceFile))
	require.NoError(t, err)
	require.False(t, os.SameFile(before, replaced))
	require.NoFileExists(t, filepath.Join(dir, PoliceFile+".new"))

	require.NoError(t, os.WriteFile(filepath.Join(dir, HousingFile), []byte("torn"), 0o600))
	require.NoError(t, small.Write(ctx, dir), "a file that is no database is replaced")
	require.True(t, small.isIn(ctx, filepath.Join(dir, HousingFile)))
}

// TestTheConnectorsServeTheCatalogue holds mapping and directory together, field by field.
func TestTheConnectorsServeTheCatalogue(t *testing.T) {
	c, err := catalogue.Default()
	require.NoError(t, err)
	dir := t.TempDir()
	for name := range files {
		require.NoError(t, Connect(name, dir, dir))
	}
	definitions, err := connector.Load(dir)
	require.NoError(t, err)
	byID := map[string]connector.Definition{}
	for _, d := range definitions {
		byID[d.Dataset] = d
	}
	var unconnected []string
	for _, dataset := range c.Active().Datasets {
		d, connected := byID[dataset.ID()]
		if !connected {
			unconnected = append(unconnected, dataset.ID())
			continue
		}
		delete(byID, dataset.ID())
		require.Len(t, d.Fields, len(dataset.Fields), dataset.ID())
		for _, f := range dataset.Fields {
			require.Contains(t, d.Fields, f.Name, dataset.ID())
		}
		require.Len(t, d.Selector, len(dataset.Selector), dataset.ID())
		for _, name := range dataset.Selector {
			require.Contains(t, d.Selector, name, dataset.ID())
		}
	}
	require.Empty(t, byID, "connectors of no dataset")
	require.ElementsMatch(t, []string{"market.customs/air-clearance", "market.customs/air-manifest", "market.regulation/air-warehouse", "market.tax/export-refund", "services.hall/service-item"}, unconnected, "the records of the airport's cargo are anchored from files, not read one by one; the services are an entry only")
}

func selector(t *testing.T, name, value string) map[string]json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(value)
	require.NoError(t, err)
	return map[string]json.RawMessage{name: raw}
}
