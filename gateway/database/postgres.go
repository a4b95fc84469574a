package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"
)

// Limits of the connections to PostgreSQL.
const (
	connectTimeout = 10 * time.Second
	idleTime       = 5 * time.Minute       // after which a connection that nobody uses is given back
	cancelDelay    = 50 * time.Millisecond // a statement that nobody waits for may take as long before it is cancelled
	cancelPatience = 2 * time.Second       // then its connection is closed
	minimumVersion = 150000                // PostgreSQL 15, in the form of server_version_num
)

// maxPasswordBytes bounds what is read of a password file.
const maxPasswordBytes = 4 << 10

// CheckURL refuses an address that would not be understood or not be safe: the password has a file of its own, and what
// leaves the machine is encrypted, to a server whose certificate is checked.
func CheckURL(text string) error {
	address, err := url.Parse(text)
	if err != nil || address.Scheme != "postgres" && address.Scheme != "postgresql" {
		return errors.New("must be postgres://user@host:port/database") // not quoted: it may have a password
	}
	query := address.Query()
	if _, there := address.User.Password(); there || query.Has("password") {
		return errors.New("must not have the password in it; name a file that has it")
	}
	if address.User.Username() == "" || strings.Trim(address.Path, "/") == "" {
		return errors.New("must name the user and the database: postgres://user@host:port/database")
	}
	host := address.Hostname()
	if host == "" {
		host = query.Get("host")
	}
	switch mode := query.Get("sslmode"); {
	case host == "":
		return errors.New("must name the host, or with ?host=/folder the folder of the server's socket")
	case mode == "verify-full", strings.HasPrefix(host, "/"), host == "localhost", net.ParseIP(host).IsLoopback():
	default:
		return errors.New("must have sslmode=verify-full unless the server is on this machine; sslrootcert=file names its root certificate")
	}
	if _, err := pgx.ParseConfig(text); err != nil {
		return fmt.Errorf("is not understood: %w", err)
	}
	return nil
}

// parse is how to connect, with the password.
func (s Settings) parse() (*pgx.ConnConfig, error) {
	if err := CheckURL(s.URL); err != nil {
		return nil, fmt.Errorf("the address %w", err)
	}
	c, err := pgx.ParseConfig(s.URL)
	if err != nil {
		return nil, err
	}
	if s.PasswordFile != "" {
		text, err := os.ReadFile(s.PasswordFile)
		if err != nil {
			return nil, err
		}
		if c.Password = strings.TrimRight(string(text), "\r\n"); c.Password == "" || len(c.Password) > maxPasswordBytes {
			return nil, fmt.Errorf("%s: must be the password alone, at most %d bytes", s.PasswordFile, maxPasswordBytes)
		}
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	return c, nil
}

// schema is where a part is kept on PostgreSQL.
func (s Settings) schema(part string) string { return s.Organisation + "_" + part }

func (d *DB) postgres(ctx context.Context, s Settings, p Part, writes bool) error {
	d.name, d.dialect = s.schema(p.Name), postgresql
	if !partName.MatchString(s.Organisation) {
		return fmt.Errorf("%q is no name of an organisation", s.Organisation)
	}
	c, err := s.parse()
	if err != nil {
		return err
	}
	d.read = connectPostgres(c, d.name, p.Readers, map[string]string{"default_transaction_read_only": "on"})
	if !writes {
		var there bool
		if err := d.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, d.name).Scan(&there); err != nil {
			return err
		}
		if !there {
			return fmt.Errorf("schema %s: %w", d.name, fs.ErrNotExist)
		}
		return nil
	}
	durable := "off" // the order of commits is kept; the last ones may go
	if p.Durable {
		durable = "on"
	}
	d.write = connectPostgres(c, d.name, sharedWriters, map[string]string{"synchronous_commit": durable})
	var version int
	if err := d.write.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return err
	}
	if version < minimumVersion {
		return fmt.Errorf("PostgreSQL %d is too old; %d or newer is needed", version/10000, minimumVersion/10000)
	}
	d.leading = connectPostgres(c, d.name, 0, nil)
	return d.Lead(ctx, "migrate", func(ctx context.Context) error { // two gateways may start together
		if _, err := d.write.ExecContext(ctx, `CREATE SCHEMA IF NOT EXISTS `+d.name); err != nil {
			return err
		}
		return migrate(ctx, d.write, postgresql, p.Migrations)
	})
}

// connectPostgres makes a pool whose statements see one schema. A parallel plan or one compiled is never worth its cost
// for queries that a page of rows answers.
func connectPostgres(c *pgx.ConnConfig, schema string, connections int, parameters map[string]string) *sql.DB {
	own := c.Copy()
	own.RuntimeParams["search_path"] = schema
	own.RuntimeParams["application_name"] = "hutong " + schema
	own.RuntimeParams["jit"] = "off"
	own.RuntimeParams["plan_cache_mode"] = "force_custom_plan" // tables grow from nothing: a plan kept from then would be a scan
	own.RuntimeParams["max_parallel_workers_per_gather"] = "0"
	// A gateway that vanished gives back its locks.
	own.RuntimeParams["tcp_keepalives_idle"] = "10"
	own.RuntimeParams["tcp_keepalives_interval"] = "5"
	own.RuntimeParams["tcp_keepalives_count"] = "3"
	own.RuntimeParams["idle_in_transaction_session_timeout"] = "60s"
	// Whoever asked and went away leaves the connection to the next: by default it would be closed.
	own.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, CancelRequestDelay: cancelDelay, DeadlineDelay: cancelPatience}
	}
	for name, value := range parameters {
		own.RuntimeParams[name] = value
	}
	pool := stdlib.OpenDB(*own)
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(max(connections, 1))
	pool.SetConnMaxIdleTime(idleTime)
	return pool
}
