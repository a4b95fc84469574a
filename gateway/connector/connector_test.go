package connector

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

const good = `dataset: planning.housing/premises
source: {sqlite: housing.db}
from: premises
join:
  - {table: owner, on: owner.owner_no, equals: premises.owner_no}
selector:
  premises_number: premises.prem_no
fields:
  premises_number: {column: premises.prem_no}
  use: {column: premises.use_code, values: {"1": commercial}}
  area: {column: premises.area}
  let: {column: premises.let}
  since: {column: premises.since}
  owner: {column: owner.name}
holder: owner.account
timeout: 1s
`

const tables = `
CREATE TABLE owner (owner_no INTEGER PRIMARY KEY, name TEXT, account TEXT);
CREATE TABLE premises (prem_no TEXT, use_code INTEGER, area REAL, let TEXT, since TEXT, owner_no INTEGER, private_note TEXT);
INSERT INTO owner VALUES (7, 'O-Seven', 'account-7');
INSERT INTO premises VALUES
	('P1', 1, 40.0, 'Y', '20200131', 7, 'do not tell'),
	('P2', 9, 40.5, 'N', '2021/02/03', NULL, ''),
	('P3', 1, 1, 'Y', '2020-01-01', 7, ''), ('P3', 1, 2, 'Y', '2020-01-01', 7, ''),
	('P4', NULL, NULL, NULL, NULL, NULL, ''),
	('P5', 1, 1, 'perhaps', 'some day', 7, '');`

func text(name string) exchange.FieldSpec { return exchange.FieldSpec{Name: name, Type: "string"} }

var all = []exchange.FieldSpec{
	text("premises_number"), text("use"), {Name: "area", Type: "integer"}, {Name: "let", Type: "boolean"},
	{Name: "since", Type: "date"}, text("owner"),
}

// department makes a department's database and connects it.
func department(t *testing.T) (*Set, string) {
	t.Helper()
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "housing.db"))
	require.NoError(t, err)
	_, err = db.Exec(tables)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "premises.yaml"), []byte(good), 0o600))
	set, err := Open(dir, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, set.Close()) })
	return set, dir
}

func ask(number string, fields ...exchange.FieldSpec) Query {
	raw, _ := json.Marshal(number)
	return Query{
		Dataset: "planning.housing/premises", Fields: fields,
		Selector: map[string]json.RawMessage{"premises_number": raw}, Selects: []exchange.FieldSpec{text("premises_number")},
	}
}

func TestFetch(t *testing.T) {
	set, _ := department(t)
	ctx := context.Background()

	got, err := set.Fetch(ctx, ask("P1", all...))
	require.NoError(t, err)
	require.Equal(t, map[string]any{"premises_number": "P1", "use": "commercial", "area": int64(40), "let": true, "since": "2020-01-31", "owner": "O-Seven"}, got.Values)
	require.True(t, got.Held)
	require.Equal(t, "account-7", got.Holder)

	got, err = set.Fetch(ctx, ask("P2", text("use"), all[3], all[4], text("owner")))
	require.NoError(t, err, "only what is asked for is read and converted")
	require.Equal(t, map[string]any{"use": "9", "let": false, "since": "2021-02-03", "owner": nil}, got.Values)
	require.True(t, got.Held)
	require.Empty(t, got.Holder, "nobody's")

	got, err = set.Fetch(ctx, ask("P4", all...))
	require.NoError(t, err)
	require.Equal(t, map[string]any{"premises_number": "P4", "use": nil, "area": nil, "let": nil, "since": nil, "owner": nil}, got.Values)
}

func TestFetchRefuses(t *testing.T) {
	set, _ := department(t)
	for _, c := range []struct {
		name, reason, field string
		change              func(q *Query)
	}{
		{"no record", "record.missing", "selector", func(q *Query) { *q = ask("P99", all...) }},
		{"SQL is a value like any other", "record.missing", "selector", func(q *Query) { *q = ask("P1' OR '1'='1", all...) }},
		{"several records", "record.ambiguous", "selector", func(q *Query) { *q = ask("P3", all...) }},
		{"not a whole number", "connector.type", "fields.area", func(q *Query) { *q = ask("P2", all[2]) }},
		{"not a boolean", "connector.type", "fields.let", func(q *Query) { *q = ask("P5", all[3]) }},
		{"not a date", "connector.type", "fields.since", func(q *Query) { *q = ask("P5", all[4]) }},
		{"a field that is in the table but not connected", "connector.field", "fields.private_note", func(q *Query) { q.Fields = []exchange.FieldSpec{text("private_note")} }},
		{"no fields", "request.invalid", "fields", func(q *Query) { q.Fields = nil }},
		{"another dataset", "connector.not_configured", "dataset", func(q *Query) { q.Dataset = "planning.housing/other" }},
		{"no selector", "request.invalid", "selector", func(q *Query) { q.Selector, q.Selects = nil, nil }},
		{"selector absent", "request.invalid", "selector.premises_number", func(q *Query) { q.Selector = nil }},
		{"selector null", "request.invalid", "selector.premises_number", func(q *Query) { q.Selector["premises_number"] = json.RawMessage("null") }},
		{"selector of another type", "request.invalid", "selector.premises_number", func(q *Query) { q.Selector["premises_number"] = json.RawMessage("1") }},
		{"selector with more", "request.invalid", "selector", func(q *Query) { q.Selector["owner"] = json.RawMessage(`"O-Seven"`) }},
		{"selector not connected", "connector.field", "selector.owner", func(q *Query) {
			q.Selects = []exchange.FieldSpec{text("owner")}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := ask("P1", all...)
			c.change(&q)
			_, err := set.Fetch(context.Background(), q)
			var f *fault.Fault
			require.True(t, errors.As(err, &f), "want a fault, got %v", err)
			require.Equal(t, c.reason, f.Reason)
			require.Equal(t, c.field, f.Field)
			require.NotContains(t, err.Error(), "P1")
		})
	}
}

func TestAConnectorNeedNotSayWhomARecordIsAbout(t *testing.T) {
	_, dir := department(t)
	path := filepath.Join(dir, "premises.yaml")
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(good, "holder: owner.account\n", "", 1)), 0o600))
	set, err := Open(path, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, set.Close()) }()
	got, err := set.Fetch(context.Background(), ask("P1", all...))
	require.NoError(t, err)
	require.False(t, got.Held)
	require.Len(t, got.Values, len(all))
}

func TestADepartmentsDatabaseCannotBeWritten(t *testing.T) {
	_, dir := department(t)
	db, err := openSQLite(filepath.Join(dir, "housing.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	for _, command := range []string{`DELETE FROM premises`, `CREATE TABLE x (y)`, `PRAGMA query_only = 0; DELETE FROM premises`} {
		_, err := db.Exec(command)
		require.Error(t, err, command)
	}
	var count int
	require.NoError(t, db.QueryRow(`SELECT count(*) FROM premises`).Scan(&count))
	require.Equal(t, 6, count)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "premises.yaml"), []byte(strings.Replace(good, "housing.db", "absent.db", 1)), 0o600))
	_, err = Open(dir, nil)
	require.Error(t, err)
	require.NoFileExists(t, filepath.Join(dir, "absent.db"))
}

func TestADatabaseThatDoesNotAnswerInTime(t *testing.T) {
	set := setOf(t, strings.ReplaceAll(good, "1s", "50ms"), slow{})
	_, err := set.Fetch(context.Background(), ask("P1", all...))
	require.Equal(t, "connector.timeout", fault.From(err).Reason)
}

// setOf is a set of one connector with a source of the test's.
func setOf(t *testing.T, definition string, s source) *Set {
	t.Helper()
	d, err := Parse([]byte(definition), ".")
	require.NoError(t, err)
	m, err := newMetrics(nil)
	require.NoError(t, err)
	o := &opened{source: s, name: "test", metrics: m}
	o.guard(100 * time.Millisecond)
	return &Set{metrics: m, mapped: map[string]*mapped{d.Dataset: {Definition: d, source: o, checked: true}}}
}

// slow is a source that answers only when nobody waits any more.
type slow struct{}

func (slow) read(ctx context.Context, _ request) ([][]any, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Minute):
		return nil, nil
	}
}
func (slow) check(context.Context, Definition) error { return nil }
func (slow) describe(request) string                 { return "" }
func (slow) Close() error                            { return nil }

// moody is a source that fails as long as it is told to, and counts who asked.
type moody struct {
	slow
	fails error
	asked int
}

func (m *moody) read(context.Context, request) ([][]any, error) {
	m.asked++
	return nil, m.fails
}

func TestASourceThatFailsTimeAfterTimeIsLeftAlone(t *testing.T) {
	s := &moody{fails: errors.New("broken: P1")}
	set := setOf(t, good, s)
	reason := func() string {
		_, err := set.Fetch(context.Background(), ask("P1", all...))
		require.NotContains(t, err.Error(), "P1")
		return fault.From(err).Reason
	}
	for range breakAfter {
		require.Equal(t, "connector.failed", reason())
	}
	require.Equal(t, "connector.unavailable", reason())
	require.Equal(t, breakAfter, s.asked, "it is not asked while it is left alone")
	require.Contains(t, set.State(), "left alone")
	require.Equal(t, 1.0, testutil.ToFloat64(set.metrics.circuits.WithLabelValues("test")))
	require.Equal(t, float64(breakAfter), testutil.ToFloat64(set.metrics.reads.WithLabelValues("test", "failed")))
	require.Equal(t, 1.0, testutil.ToFloat64(set.metrics.reads.WithLabelValues("test", "unavailable")))

	time.Sleep(120 * time.Millisecond)
	require.Equal(t, "connector.failed", reason(), "one tries it")
	require.Equal(t, "connector.unavailable", reason())

	s.fails = nil
	time.Sleep(120 * time.Millisecond)
	for range 3 {
		require.Equal(t, "record.missing", reason(), "that there is no record is an answer")
	}
	require.Equal(t, "1 connected", set.State())
	require.Zero(t, testutil.ToFloat64(set.metrics.circuits.WithLabelValues("test")))
}

func TestWhoeverGoesAwaySaysNothingAboutTheSource(t *testing.T) {
	s := &moody{fails: context.Canceled}
	set := setOf(t, good, s)
	for range 3 * breakAfter {
		_, err := set.Fetch(context.Background(), ask("P1", all...))
		require.Error(t, err)
	}
	require.Equal(t, 3*breakAfter, s.asked)
}

func TestADepartmentIsConnectedWhileTheGatewayRuns(t *testing.T) {
	_, elsewhere := department(t)
	dir := filepath.Join(t.TempDir(), "later")
	set, err := Open(dir, nil)
	require.NoError(t, err, "a folder that is not there yet")
	defer func() { require.NoError(t, set.Close()) }()
	_, err = set.Fetch(context.Background(), ask("P1", all...))
	require.Equal(t, "connector.not_configured", fault.From(err).Reason)

	require.NoError(t, os.Mkdir(dir, 0o700))
	definition := strings.Replace(good, "housing.db", filepath.Join(elsewhere, "housing.db"), 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "premises.yaml"), []byte(definition), 0o600))
	_, err = set.Fetch(context.Background(), ask("P1", all...))
	require.NoError(t, err)
}

func TestAMistakeShowsWhenTheFileIsRead(t *testing.T) {
	_, dir := department(t)
	for name, c := range map[string]struct{ from, to, says string }{
		"unknown member":         {"timeout: 1s", "time_out: 1s", "time_out"},
		"dataset":                {"planning.housing/premises", "premises", "dataset"},
		"no database":            {"{sqlite: housing.db}", "{}", "source: must name one of"},
		"database absent":        {"housing.db", "absent.db", "absent.db"},
		"no such table":          {"premises", "building", "building"},
		"no such column":         {"premises.area", "premises.surface", "surface"},
		"injected column":        {"premises.area", `premises.area" FROM owner --`, "fields.area.column"},
		"injected table":         {"from: premises", `from: premises; DROP TABLE owner`, "from"},
		"unknown table":          {"owner.name", "person.name", "fields.owner.column"},
		"column without a table": {"premises.let", "let", "fields.let.column"},
		"join to nothing":        {"equals: premises.owner_no", "equals: later.owner_no", "join[0].equals"},
		"join on another table":  {"on: owner.owner_no", "on: premises.owner_no", "join[0].on"},
		"holder elsewhere":       {"holder: owner.account", "holder: person.account", "holder"},
		"no such holder":         {"holder: owner.account", "holder: owner.login", "login"},
		"timeout":                {"timeout: 1s", "timeout: 1h", "timeout"},
		"second document":        {"timeout: 1s", "timeout: 1s\n---\n{}", "more than one"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(good, c.from, c.to, 1)
			if name == "no such table" {
				changed = strings.ReplaceAll(good, " premises.", " building.")
				changed = strings.ReplaceAll(strings.ReplaceAll(changed, "from: premises", "from: building"), "column: premises.", "column: building.")
			}
			require.NotEqual(t, good, changed)
			path := filepath.Join(dir, "changed.yaml")
			require.NoError(t, os.WriteFile(path, []byte(changed), 0o600))
			set, err := Open(path, nil)
			require.ErrorContains(t, err, c.says)
			require.Nil(t, set)
		})
	}
	_, err := Parse(nil, ".")
	require.ErrorContains(t, err, "empty")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "changed.yaml"), []byte(good), 0o600))
	_, err = Open(dir, nil)
	require.ErrorContains(t, err, "connected by")
}

func TestConvert(t *testing.T) {
	day := time.Date(2020, 1, 31, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		kind string
		in   any
		out  any
		ok   bool
	}{
		{"string", "a", "a", true}, {"string", []byte("a"), "a", true}, {"string", int64(7), "7", true}, {"string", 1.5, "1.5", true}, {"string", true, nil, false},
		{"integer", int64(7), int64(7), true}, {"integer", 7.0, int64(7), true}, {"integer", 7.5, nil, false}, {"integer", " 7 ", int64(7), true}, {"integer", "x", nil, false}, {"integer", int64(1 << 60), int64(1 << 60), false}, {"integer", true, nil, false},
		{"boolean", true, true, true}, {"boolean", int64(1), true, true}, {"boolean", int64(0), false, true}, {"boolean", int64(2), false, false}, {"boolean", "y", true, true}, {"boolean", "no", false, true}, {"boolean", "maybe", nil, false}, {"boolean", 1.0, nil, false},
		{"date", day, "2020-01-31", true}, {"date", int64(20200131), "2020-01-31", true}, {"date", "2020-01-31 10:00:00", "2020-01-31", true}, {"date", "2020-02-31", nil, false}, {"date", 1.0, nil, false},
		{"string", nil, nil, true}, {"colour", "red", nil, false},
	} {
		out, ok := Convert(c.in, c.kind)
		require.Equal(t, c.ok, ok, "%s %v", c.kind, c.in)
		if ok {
			require.Equal(t, c.out, out, "%s %v", c.kind, c.in)
		}
	}
}

func TestCodesThatAreNotListedStay(t *testing.T) {
	f := Field{Values: map[string]string{"1": "one"}}
	require.Equal(t, "one", f.translate(int64(1)))
	require.Equal(t, "one", f.translate([]byte("1")))
	require.Equal(t, int64(2), f.translate(int64(2)))
	require.Nil(t, f.translate(nil))
}
