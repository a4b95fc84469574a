package departments

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/connector"
	"github.com/hutong-gov/hutong/gateway/database/databasetest"
	"github.com/hutong-gov/hutong/network/catalogue"
)

func TestCreditCodesAreWellFormed(t *testing.T) {
	// Published examples of GB 32100, and one with a character changed.
	require.True(t, ValidCreditCode("91350100M000100Y43"))
	require.True(t, ValidCreditCode("91110000802100433B"))
	require.False(t, ValidCreditCode("91350100M000100Y44"))
	require.False(t, ValidCreditCode("91350100M000101Y43"))
	require.False(t, ValidCreditCode("9135010OM000100Y43"))
	require.False(t, ValidCreditCode("91350100M000100Y4"))
	seen := map[string]bool{}
	for _, e := range Generate().Enterprises {
		require.True(t, ValidCreditCode(e.Code), e.Code)
		require.Equal(t, fictional, e.Code[2:8])
		require.False(t, seen[e.Code])
		seen[e.Code] = true
	}
	require.Greater(t, len(seen), 1000)
}

// TestTheDepartmentsKnowOneWorld: what one department says of somebody is what the others say.
func TestTheDepartmentsKnowOneWorld(t *testing.T) {
	w := Generate()
	at := w.index()
	spouse := map[string]string{}
	for _, m := range w.Marriages {
		husband, wife := w.People[at[m.Husband]], w.People[at[m.Wife]]
		require.False(t, husband.Female)
		require.True(t, wife.Female)
		require.Empty(t, spouse[m.Husband]+spouse[m.Wife], "one marriage each")
		spouse[m.Husband], spouse[m.Wife] = m.Wife, m.Husband
		require.False(t, m.Registered.Before(later(husband.Born, wife.Born).AddDate(22, 0, 0)))
		require.True(t, m.Registered.Before(asOf))
		require.Equal(t, !m.Divorced, w.Members[at[m.Husband]].Household == w.Members[at[m.Wife]].Household, "spouses share a household")
	}
	require.Greater(t, len(w.Marriages), 500)
	children := 0
	for i, m := range w.Members {
		require.Positive(t, m.Household)
		require.Equal(t, w.People[at[m.Head]].Address, w.People[i].Address, "who lives together has one address")
		if m.Relation == "child" {
			children++
			require.True(t, older(w.People[at[m.Head]], w.People[i]))
			require.Equal(t, family(w.People[at[m.Head]].Zh), family(w.People[i].Zh))
		}
	}
	require.Greater(t, children, 50)
	owner := map[string]string{}
	for _, b := range w.Premises {
		owner[b.Number] = b.Owner
	}
	for _, d := range w.Deeds {
		require.Equal(t, owner[d.Premises], d.Holder)
		if d.CoOwner != "" {
			require.Equal(t, spouse[d.Holder], d.CoOwner)
		}
	}
	enterprise := map[string]Enterprise{}
	for _, e := range w.Enterprises {
		enterprise[e.Code] = e
		require.Contains(t, owner, e.Premises)
		require.Contains(t, at, e.Legal)
		require.False(t, e.Founded.After(asOf))
		require.Empty(t, w.People[at[e.Legal]].User, "who signs in begins a business in the story")
	}
	employed := 0
	for _, i := range w.Insured {
		if i.Employer != "" {
			employed++
			require.Equal(t, "operating", enterprise[i.Employer].Status)
		}
	}
	require.Greater(t, employed, 500)
	for _, d := range w.Disabled {
		require.Len(t, d.Number(), 20)
		require.True(t, ValidIDNumber(d.Number()[:18]))
	}
	for _, d := range w.Declarations {
		require.Len(t, d.Number, 18)
		require.Contains(t, enterprise, d.Enterprise)
	}
}

// TestEveryDepartmentServesItsDatasets reads one record of each dataset, whole, from its own database, and judges it by the
// dataset's schema.
func TestEveryDepartmentServesItsDatasets(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	w := GenerateSized(DefaultSeed, 400, 300)
	require.NoError(t, w.Write(ctx, filepath.Join(dir, "databases")))
	for name := range files {
		require.NoError(t, Connect(name, filepath.Join(dir, "connectors"), filepath.Join(dir, "databases")))
	}
	set, err := connector.Open(filepath.Join(dir, "connectors"), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, set.Close()) }()

	alone := slices.IndexFunc(w.Deeds, func(d Deed) bool { return d.CoOwner == "" })
	shared := slices.IndexFunc(w.Deeds, func(d Deed) bool { return d.CoOwner != "" })
	byOneself := slices.IndexFunc(w.Insured, func(i Insured) bool { return i.Employer == "" })
	for _, c := range []struct{ dataset, by string }{
		{"services.police/identity", w.People[0].IDNumber}, {"services.police/household", w.Marriages[0].Wife}, {"services.civil/marriage", w.Marriages[0].Husband},
		{"planning.housing/premises", w.Premises[1].Number}, {"planning.housing/deed", w.Deeds[alone].Premises}, {"planning.housing/deed", w.Deeds[shared].Premises},
		{"market.regulation/enterprise", w.Enterprises[0].Code}, {"market.tax/taxpayer", w.Enterprises[0].Code},
		{"services.social/insurance", w.Insured[byOneself].Person}, {"services.social/insurance", w.Insured[len(w.Insured)-1].Person},
		{"services.disabled/disability", w.Disabled[0].Person}, {"market.customs/declaration", w.Declarations[0].Number},
	} {
		t.Run(c.dataset, func(t *testing.T) { serve(t, set, c.dataset, c.by) })
	}
}

// serve reads a record, whole, and judges it.
func serve(t *testing.T, set *connector.Set, id, by string) map[string]any {
	t.Helper()
	c, err := catalogue.Default()
	require.NoError(t, err)
	at := slices.IndexFunc(c.Datasets, func(d catalogue.Dataset) bool { return d.ID() == id })
	require.GreaterOrEqual(t, at, 0)
	d := c.Datasets[at]
	require.Len(t, d.Selector, 1)
	spec := d.Fields[slices.IndexFunc(d.Fields, func(f exchange.FieldSpec) bool { return f.Name == d.Selector[0] })]
	got, err := set.Fetch(t.Context(), connector.Query{
		Dataset: id, Fields: d.Fields, Selects: []exchange.FieldSpec{spec}, Selector: selector(t, spec.Name, by),
	})
	require.NoError(t, err)
	require.Equal(t, by, got.Values[spec.Name])
	_, schema, _, err := d.Publish(access.Caller{Agency: d.Owner})
	require.NoError(t, err)
	judge, err := schema.Judge()
	require.NoError(t, err)
	record, err := json.Marshal(got.Values)
	require.NoError(t, err)
	require.NoError(t, judge.Check(record))
	return got.Values
}

// TestTheSameRecordFromEverySource: the business register in PostgreSQL and the tax service over HTTP answer what their
// SQLite files do.
func TestTheSameRecordFromEverySource(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	w := GenerateSized(DefaultSeed, 200, 200)
	code := w.Enterprises[3].Code
	require.NoError(t, w.Write(ctx, dir))
	open := func(t *testing.T, name, source string) *connector.Set {
		folder := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(folder, "secret"), []byte("Pass:1"), 0o600))
		require.NoError(t, ConnectTo(name, folder, source))
		set, err := connector.Open(folder, nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, set.Close()) })
		return set
	}
	inFile := func(t *testing.T, name string) *connector.Set {
		return open(t, name, "{sqlite: "+filepath.Join(dir, files[name])+"}")
	}

	t.Run("http", func(t *testing.T) {
		service := httptest.NewServer(w.TaxService("Pass:1"))
		t.Cleanup(service.Close)
		set := open(t, "taxpayer-service", `{http: {url: "`+service.URL+`", prefix: "Bearer ", secret: {file: secret}}}`)
		require.Equal(t, serve(t, inFile(t, "taxpayer"), "market.tax/taxpayer", code), serve(t, set, "market.tax/taxpayer", code))
		_, err := set.Fetch(ctx, connector.Query{Dataset: "market.tax/taxpayer", Fields: []exchange.FieldSpec{{Name: "name", Type: "string"}},
			Selects: []exchange.FieldSpec{{Name: "credit_code", Type: "string"}}, Selector: selector(t, "credit_code", "../"+code)})
		require.Equal(t, "record.missing", fault.From(err).Reason)
	})
	t.Run("postgresql", func(t *testing.T) {
		s := databasetest.PostgreSQL(t)
		password, err := os.ReadFile(s.PasswordFile)
		require.NoError(t, err)
		c, err := pgx.ParseConfig(s.URL)
		require.NoError(t, err)
		c.Password = strings.TrimSpace(string(password))
		admin := stdlib.OpenDB(*c)
		t.Cleanup(func() { require.NoError(t, admin.Close()) })
		for department := range databases {
			within(t, admin, department, func() { require.NoError(t, w.Fill(ctx, admin, department), department) })
		}
		_, err = admin.Exec(`CREATE ROLE reader LOGIN PASSWORD 'Pass:1'; GRANT USAGE ON SCHEMA regulation TO reader; GRANT SELECT ON regulation.person, regulation.enterprise TO reader`)
		require.NoError(t, err)
		t.Cleanup(func() {
			_, err := admin.Exec(`DROP OWNED BY reader; DROP ROLE reader`)
			require.NoError(t, err)
		})
		set := open(t, "enterprise", "{postgresql: {url: '"+strings.Replace(s.URL, "hutong@", "reader@", 1)+"', schema: regulation, password: {file: secret}}}")
		require.Equal(t, serve(t, inFile(t, "enterprise"), "market.regulation/enterprise", code), serve(t, set, "market.regulation/enterprise", code))
	})
}

// within runs do with a new schema as the one in which tables are made.
func within(t *testing.T, db *sql.DB, department string, do func()) {
	t.Helper()
	db.SetMaxOpenConns(1) // the setting is the connection's
	schema := strings.ReplaceAll(department, "-", "_")
	_, err := db.Exec(`CREATE SCHEMA ` + schema + `; SET search_path TO ` + schema)
	require.NoError(t, err)
	do()
}
