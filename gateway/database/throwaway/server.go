// Package throwaway runs a PostgreSQL that nobody needs tomorrow: one a program, started from the binaries that are installed
// (on PATH or in /usr/lib/postgresql/*/bin) the first time it is asked for, on a socket in a temporary folder. It ends with
// the program, however that ends, and nothing of it stays.
package throwaway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	superuser = "hutong"
	password  = "Throw-away:1"
	// startWait is for a server to answer.
	startWait = 60 * time.Second
)

// Variable names the environment's variable that says what tests with one database, and the networks they start, run on:
// "sqlite", which is the default, or "postgresql".
const Variable = "HUTONG_TEST_DATABASE"

// Chosen says whether the environment chooses PostgreSQL.
func Chosen() (bool, error) {
	switch choice := os.Getenv(Variable); choice {
	case "", "sqlite":
		return false, nil
	case "postgresql":
		return true, nil
	default:
		return false, fmt.Errorf("%s must be sqlite or postgresql, not %q", Variable, choice)
	}
}

var made atomic.Int64

// PostgreSQL makes an empty database: its address, the file with the password, and what removes it, where the program does
// not end anyway. Its texts sort as people sort them, which what is kept must not rest on.
func PostgreSQL(ctx context.Context) (address, passwordFile string, drop func() error, err error) {
	s, err := theServer()
	if err != nil {
		return "", "", nil, err
	}
	name := fmt.Sprintf("kept%d", made.Add(1))
	if err := s.administer(ctx, `CREATE DATABASE `+name+` TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C' ENCODING 'UTF8'`); err != nil {
		return "", "", nil, err
	}
	drop = func() error { return s.administer(context.WithoutCancel(ctx), `DROP DATABASE `+name+` WITH (FORCE)`) }
	return s.url(name), s.passwordFile, drop, nil
}

// server is the program's PostgreSQL.
type server struct {
	folder       string // the socket's
	passwordFile string
	alive        io.Closer // the server ends when this does
}

func (s *server) url(name string) string {
	return (&url.URL{Scheme: "postgres", User: url.User(superuser), Path: "/" + name, RawQuery: url.Values{"host": {s.folder}}.Encode()}).String()
}

// theServer starts the test program's server the first time.
var theServer = sync.OnceValues(start)

// keeper runs the server while its standard input is open, that is while the test program is there, and clears up.
const keeper = `"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=300 >"$2/log" 2>&1 </dev/null & server=$!
cat >/dev/null
kill -INT $server; wait $server; rm -rf "$2"`

func start() (s *server, err error) {
	programs, err := find()
	if err != nil {
		return nil, err
	}
	account, err := unprivileged()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "hutong-pg-")
	if err != nil {
		return nil, err
	}
	s = &server{folder: folder, passwordFile: filepath.Join(folder, "password")}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	if err := os.WriteFile(s.passwordFile, []byte(password+"\n"), 0o600); err != nil {
		return nil, err
	}
	if account != nil {
		for _, path := range []string{s.passwordFile, folder} {
			if err := os.Chown(path, int(account.Uid), int(account.Gid)); err != nil {
				return nil, err
			}
		}
	}
	initdb := exec.Command(filepath.Join(programs, "initdb"), "-D", filepath.Join(folder, "data"), "-U", superuser, "--pwfile", s.passwordFile,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = folder, &syscall.SysProcAttr{Credential: account}
	if said, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, said)
	}
	// A group of its own: an interrupt of the tests ends the tests, and then the server.
	run := exec.Command("/bin/sh", "-c", keeper, "sh", programs, folder)
	run.Dir, run.SysProcAttr = folder, &syscall.SysProcAttr{Credential: account, Setpgid: true}
	if s.alive, err = run.StdinPipe(); err != nil {
		return nil, err
	}
	if err := run.Start(); err != nil {
		return nil, err
	}
	return s, s.await()
}

func (s *server) administer(ctx context.Context, statement string) error {
	c, err := pgx.ParseConfig(s.url("postgres"))
	if err != nil {
		return err
	}
	c.Password = password
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// stop ends the server and removes what it had.
func (s *server) stop() error {
	if s.alive != nil {
		return s.alive.Close()
	}
	return os.RemoveAll(s.folder)
}

func (s *server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startWait)
	defer cancel()
	c, err := pgx.ParseConfig(s.url("postgres"))
	if err != nil {
		return err
	}
	c.Password = password
	for {
		conn, err := pgx.ConnectConfig(ctx, c)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			said, _ := os.ReadFile(filepath.Join(s.folder, "log"))
			return fmt.Errorf("PostgreSQL does not answer: %w: %s", err, said)
		}
	}
}

// find is the folder of the newest PostgreSQL that is installed.
func find() (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", errors.New("no PostgreSQL on this machine: neither postgres on PATH nor /usr/lib/postgresql/*/bin/postgres")
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(found[len(found)-1]), nil
}

// version is that of /usr/lib/postgresql/{version}/bin/postgres.
func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

// unprivileged is whom the server runs as; nil is oneself. PostgreSQL refuses to run as root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody")
}
