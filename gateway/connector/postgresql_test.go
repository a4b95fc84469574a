package connector

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/database/databasetest"
)

// shared is a department's PostgreSQL, and the definition with which an account reads it.
type shared struct {
	admin   *pgx.Conn
	address *url.URL
	dir     string
}

const otherTables = `
CREATE SCHEMA housing; SET search_path TO housing;
CREATE TABLE owner (owner_no INTEGER PRIMARY KEY, name TEXT, account TEXT);
INSERT INTO owner VALUES (7, 'O-Seven', 'account-7');
CREATE TABLE premises (prem_no TEXT, use_code INTEGER, area NUMERIC(10,2), let BOOLEAN, since DATE, owner_no INTEGER, private_note TEXT);
INSERT INTO premises VALUES ('P1', 1, 40.00, true, '2020-01-31', 7, 'do not tell'), ('P2', 9, 40.50, false, '2021-02-03', NULL, ''),
	('P3', 1, 1, true, '2020-01-01', 7, ''), ('P3', 1, 2, true, '2020-01-01', 7, ''), ('P4', NULL, NULL, NULL, NULL, NULL, '');
CREATE VIEW dear AS SELECT prem_no, pg_sleep(30)::text AS nap FROM premises;`

func newShared(t *testing.T) *shared {
	t.Helper()
	s := databasetest.PostgreSQL(t)
	password, err := os.ReadFile(s.PasswordFile)
	require.NoError(t, err)
	c, err := pgx.ParseConfig(s.URL)
	require.NoError(t, err)
	c.Password = strings.TrimSpace(string(password))
	admin, err := pgx.ConnectConfig(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, admin.Close(context.Background())) })
	d := &shared{admin: admin, dir: t.TempDir()}
	d.address, err = url.Parse(s.URL)
	require.NoError(t, err)
	d.do(t, otherTables)
	d.do(t, `DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN PASSWORD 'Pass:1'`)
	t.Cleanup(func() { d.do(t, `DROP OWNED BY clerk; DROP ROLE clerk`) })
	require.NoError(t, os.WriteFile(filepath.Join(d.dir, "clerk"), []byte("Pass:1\n"), 0o600))
	d.do(t, `GRANT USAGE ON SCHEMA housing TO clerk; GRANT SELECT ON ALL TABLES IN SCHEMA housing TO clerk`)
	return d
}

func (d *shared) do(t *testing.T, commands string) {
	t.Helper()
	_, err := d.admin.Exec(context.Background(), commands)
	require.NoError(t, err)
}

// open connects as an account. change replaces texts of the definition.
func (d *shared) open(t *testing.T, account string, change ...string) (*Set, error) {
	t.Helper()
	as := *d.address
	as.User = url.User(account)
	text := strings.Replace(good, "{sqlite: housing.db}", "{postgresql: {url: '"+as.String()+"', schema: housing, password: {file: clerk}}}", 1)
	text = strings.NewReplacer(change...).Replace(text)
	path := filepath.Join(d.dir, "premises.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	set, err := Open(path, nil)
	if err == nil {
		t.Cleanup(func() { require.NoError(t, set.Close()) })
	}
	return set, err
}

func TestPostgreSQL(t *testing.T) {
	d := newShared(t)
	set, err := d.open(t, "clerk")
	require.NoError(t, err)
	got, err := set.Fetch(t.Context(), ask("P1", all...))
	require.NoError(t, err)
	require.Equal(t, map[string]any{"premises_number": "P1", "use": "commercial", "area": int64(40), "let": true, "since": "2020-01-31", "owner": "O-Seven"}, got.Values)
	require.Equal(t, "account-7", got.Holder)
	got, err = set.Fetch(t.Context(), ask("P4", all...))
	require.NoError(t, err)
	require.Equal(t, map[string]any{"premises_number": "P4", "use": nil, "area": nil, "let": nil, "since": nil, "owner": nil}, got.Values)

	for _, c := range []struct{ number, reason string }{
		{"P99", "record.missing"}, {"P1' OR '1'='1", "record.missing"}, {"P1\x00", "record.missing"}, {"P3", "record.ambiguous"}, {"P2", "connector.type"},
	} {
		_, err := set.Fetch(t.Context(), ask(c.number, all[2]))
		require.Equal(t, c.reason, fault.From(err).Reason, c.number)
		require.NotContains(t, err.Error(), "P1")
	}
	require.Equal(t, "1 connected", set.State())
}

func TestWhatCannotBeInAColumnIsNoFailureOfTheDatabase(t *testing.T) {
	d := newShared(t)
	set, err := d.open(t, "clerk", "premises_number: premises.prem_no", "premises_number: premises.use_code")
	require.NoError(t, err)
	for range 2 * breakAfter {
		_, err = set.Fetch(t.Context(), ask("P1", all[1]))
		require.Equal(t, "record.missing", fault.From(err).Reason, "a caller does not open the circuit with nonsense")
	}
}

func TestAnAccountThatCanWriteIsRefused(t *testing.T) {
	d := newShared(t)
	for name, c := range map[string]struct{ grant, revoke string }{
		"insert":                {`GRANT INSERT ON housing.premises TO clerk`, `REVOKE INSERT ON housing.premises FROM clerk`},
		"a joined table":        {`GRANT DELETE ON housing.owner TO clerk`, `REVOKE DELETE ON housing.owner FROM clerk`},
		"one column":            {`GRANT UPDATE (area) ON housing.premises TO clerk`, `REVOKE UPDATE (area) ON housing.premises FROM clerk`},
		"everybody":             {`GRANT TRUNCATE ON housing.premises TO PUBLIC`, `REVOKE TRUNCATE ON housing.premises FROM PUBLIC`},
		"owner":                 {`ALTER TABLE housing.premises OWNER TO clerk`, `ALTER TABLE housing.premises OWNER TO hutong; GRANT SELECT ON housing.premises TO clerk`},
		"a role it may take on": {`GRANT pg_write_all_data TO clerk; ALTER ROLE clerk NOINHERIT`, `REVOKE pg_write_all_data FROM clerk; ALTER ROLE clerk INHERIT`},
		"superuser":             {`ALTER ROLE clerk SUPERUSER`, `ALTER ROLE clerk NOSUPERUSER`},
	} {
		t.Run(name, func(t *testing.T) {
			d.do(t, c.grant)
			_, err := d.open(t, "clerk")
			d.do(t, c.revoke)
			require.ErrorContains(t, err, "the account can write to table")
			_, err = d.open(t, "clerk")
			require.NoError(t, err, "with the right taken away")
		})
	}
	set, err := d.open(t, "clerk")
	require.NoError(t, err)
	d.do(t, `GRANT ALL ON housing.premises TO clerk`)
	for _, m := range set.mapped {
		_, err := m.source.source.(*postgresql).Exec(`DELETE FROM premises`)
		require.ErrorContains(t, err, "read-only transaction", "and what it was given later does not help it")
	}
}

func TestAPostgreSQLMistakeShowsAtTheStart(t *testing.T) {
	d := newShared(t)
	for name, c := range map[string]struct {
		change []string
		says   string
	}{
		"no such column":   {[]string{"premises.area", "premises.surface"}, "surface"},
		"another schema":   {[]string{"schema: housing", "schema: public"}, "premises"},
		"password in URL":  {[]string{"clerk@", "clerk:Pass%3A1@"}, "must not have the password"},
		"password file":    {[]string{"file: clerk", "file: nobody"}, "nobody"},
		"password env":     {[]string{"file: clerk", "env: HUTONG_NOT_SET"}, "HUTONG_NOT_SET"},
		"two passwords":    {[]string{"file: clerk", "file: clerk, env: X"}, "not both"},
		"no such account":  {[]string{"clerk@", "nobody@"}, "28P01"},
		"not on this host": {[]string{"postgres://clerk@/", "postgres://clerk@db.example/"}, "sslmode=verify-full"},
		"injected schema":  {[]string{"schema: housing", "schema: 'housing; x'"}, "source.postgresql.schema"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "not on this host" {
				c.change = []string{d.address.Query().Encode(), "", "postgres://clerk@/", "postgres://clerk@db.example/"}
			}
			_, err := d.open(t, "clerk", c.change...)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "Pass:1")
		})
	}
}

func TestADatabaseThatIsDownDoesNotStopAGateway(t *testing.T) {
	d := newShared(t)
	nowhere := "host=" + url.QueryEscape(t.TempDir())
	set, err := d.open(t, "clerk", d.address.RawQuery, nowhere)
	require.NoError(t, err)
	require.Contains(t, set.State(), "planning.housing/premises: cannot be reached")
	_, err = set.Fetch(t.Context(), ask("P1", all...))
	require.Equal(t, "connector.failed", fault.From(err).Reason)
}

func TestADatabaseThatIsSlowIsToldToStop(t *testing.T) {
	d := newShared(t)
	_, mapping, _ := strings.Cut(good, "\nfrom")
	set, err := d.open(t, "clerk", "from"+mapping, "from: dear\nselector: {premises_number: dear.prem_no}\nfields: {let: {column: dear.nap}}\ntimeout: 200ms\n")
	require.NoError(t, err)
	begin := time.Now()
	_, err = set.Fetch(t.Context(), ask("P1", exchange.FieldSpec{Name: "let", Type: "string"}))
	require.Equal(t, "connector.timeout", fault.From(err).Reason)
	require.Less(t, time.Since(begin), 3*time.Second)
}

// TestExtractFromPostgreSQL reads all rows in one state, as a connector maps them, however long it takes, and with no more
// rights than to read.
func TestExtractFromPostgreSQL(t *testing.T) {
	d := newShared(t)
	set, err := d.open(t, "clerk")
	require.NoError(t, err)
	e, found, err := set.Extract("planning.housing/premises")
	require.NoError(t, err)
	require.True(t, found)
	require.NotContains(t, e.Name(), "Pass:1")
	extract := func(each func(n int)) (rows []map[string]any, err error) {
		err = e.Rows(t.Context(), all, func(row map[string]any) error {
			rows = append(rows, row)
			each(len(rows))
			return nil
		})
		return rows, err
	}
	rows, err := extract(func(n int) {
		if n == 1 { // somebody works on while it is read
			d.do(t, `INSERT INTO housing.premises VALUES ('P5', 1, 5, true, '2022-05-05', 7, ''); UPDATE housing.premises SET area = 99`)
		}
	})
	require.NoError(t, err)
	require.ElementsMatch(t, []map[string]any{
		{"premises_number": "P1", "use": "commercial", "area": int64(40), "let": true, "since": "2020-01-31", "owner": "O-Seven"},
		{"premises_number": "P2", "use": "9", "area": "40.50", "let": false, "since": "2021-02-03"}, // whoever judges rows rejects it
		{"premises_number": "P3", "use": "commercial", "area": int64(1), "let": true, "since": "2020-01-01", "owner": "O-Seven"},
		{"premises_number": "P3", "use": "commercial", "area": int64(2), "let": true, "since": "2020-01-01", "owner": "O-Seven"},
		{"premises_number": "P4"},
	}, rows)
	rows, err = extract(func(int) {})
	require.NoError(t, err)
	require.Len(t, rows, 6, "the next reading has what was written meanwhile")

	d.do(t, `ALTER TABLE housing.premises RENAME TO slowly; CREATE VIEW housing.premises AS SELECT s.*, pg_sleep(0.05)::text AS nap FROM housing.slowly s;
		GRANT SELECT ON housing.premises TO clerk; ALTER ROLE clerk SET statement_timeout = '100ms'`)
	again, err := d.open(t, "clerk")
	require.NoError(t, err)
	e, _, err = again.Extract("planning.housing/premises")
	require.NoError(t, err)
	rows, err = extract(func(int) {})
	require.NoError(t, err, "a question is bounded, a reading of everything is not")
	require.Len(t, rows, 6)

	d.do(t, `GRANT DELETE ON housing.premises TO clerk`)
	_, err = extract(func(int) {})
	require.ErrorContains(t, err, "can write")
	d.do(t, `REVOKE ALL ON housing.premises FROM clerk`)
	_, err = extract(func(int) {})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "Pass:1")
}
