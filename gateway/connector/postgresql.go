package connector

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/hutong-gov/hutong/gateway/database"
)

// PostgreSQL is a department's PostgreSQL database, with an account that may read the mapped tables and nothing more.
type PostgreSQL struct {
	URL      string `yaml:"url"`                // postgres://user@host:port/database?sslmode=verify-full&sslrootcert=file
	Schema   string `yaml:"schema,omitempty"`   // of the tables; the account's own if absent
	Password Secret `yaml:"password,omitempty"` // absent where the server asks for none
}

// Limits of the connections to a department's PostgreSQL.
const (
	connectTimeout = 5 * time.Second
	idleTime       = 5 * time.Minute       // after which a connection that nobody uses is given back
	cancelDelay    = 50 * time.Millisecond // a statement that nobody waits for may take as long before it is cancelled
	cancelPatience = 2 * time.Second       // then its connection is closed
)

// check checks what the file says.
func (p PostgreSQL) check() error {
	if p.Schema != "" && !identifier(p.Schema) {
		return errors.New("source.postgresql.schema: must be a schema's name: letters, digits, _")
	}
	if err := database.CheckURL(p.URL); err != nil {
		return fmt.Errorf("source.postgresql.url: %w", err)
	}
	return p.Password.check("source.postgresql.password")
}

// name is the address without whoever signs in.
func (p PostgreSQL) name() string {
	address, err := url.Parse(p.URL)
	if err != nil {
		return "postgres"
	}
	host := address.Host
	if host == "" {
		host = address.Query().Get("host")
	}
	return "postgres://" + host + "/" + strings.Trim(address.Path, "/")
}

// postgresql reads with an account that has been found unable to write.
type postgresql struct{ *sql.DB }

func openPostgreSQL(p PostgreSQL) (*postgresql, error) {
	c, err := pgx.ParseConfig(p.URL)
	if err != nil {
		return nil, fmt.Errorf("source.postgresql.url: %w", err)
	}
	if c.Password, err = p.Password.read(); err != nil {
		return nil, fmt.Errorf("source.postgresql.password: %w", err)
	}
	c.ConnectTimeout = connectTimeout
	if p.Schema != "" {
		c.RuntimeParams["search_path"] = p.Schema
	}
	c.RuntimeParams["application_name"] = "hutong connector"
	c.RuntimeParams["default_transaction_read_only"] = "on"
	c.RuntimeParams["statement_timeout"] = strconv.FormatInt(MaxTimeout.Milliseconds(), 10) // each question's own is shorter
	c.RuntimeParams["idle_in_transaction_session_timeout"] = c.RuntimeParams["statement_timeout"]
	c.RuntimeParams["TimeZone"] = "UTC"
	// Whoever asked and went away leaves the connection to the next: by default it would be closed.
	c.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, CancelRequestDelay: cancelDelay, DeadlineDelay: cancelPatience}
	}
	db := stdlib.OpenDB(*c)
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	db.SetConnMaxIdleTime(idleTime)
	return &postgresql{db}, nil
}

func (p *postgresql) read(ctx context.Context, r request) ([][]any, error) {
	text, arguments := r.statement(dollar)
	found, err := rows(ctx, p.DB, text, arguments)
	if unlike(err) {
		return nil, nil
	}
	return found, err
}

// unlike says whether the database found that a value of the selector cannot be one of the column: no number where the
// column has numbers, no date, a character it cannot store. There is no record with it.
func unlike(err error) bool {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.Code {
	case "22P02", "22P03", "22003", "22007", "22008", "22021":
		return true
	}
	return false
}

// mayWrite finds an account that could change a table: by itself, as a member of a role, as its owner or a superuser.
const mayWrite = `SELECT EXISTS (SELECT FROM pg_roles AS r WHERE pg_has_role(current_user, r.oid, 'MEMBER') AND (r.rolsuper OR r.oid = c.relowner
	OR has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') OR has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE')))
	FROM pg_class AS c WHERE c.oid = to_regclass($1)`

// check asks by every table and column, and whether the account could write to one.
func (p *postgresql) check(ctx context.Context, d Definition) error {
	text, arguments := d.probe().statement(dollar)
	if _, err := rows(ctx, p.DB, text, arguments); err != nil {
		return asked(err)
	}
	for _, table := range d.tables() {
		var writes bool
		if err := p.QueryRowContext(ctx, mayWrite, quoted(table)).Scan(&writes); err != nil {
			return asked(err)
		}
		if writes {
			return fmt.Errorf("the account can write to table %s; give the connector an account of its own that may only read: CREATE ROLE … LOGIN; GRANT SELECT ON … TO …", table)
		}
	}
	return nil
}

// asked tells what the database answered to a probe, which has no values, from not having been able to ask.
func asked(err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) && !strings.HasPrefix(refused.Code, "57") && !strings.HasPrefix(refused.Code, "53") { // shutting down, out of resources
		return fmt.Errorf("%s (%s)", refused.Message, refused.Code)
	}
	return unreachable(err)
}

func (p *postgresql) describe(r request) string {
	text, _ := r.statement(dollar)
	return text
}
