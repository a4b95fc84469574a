package database

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pressly/goose/v3"
)

// dialect is which database speaks.
type dialect int

const (
	sqlite dialect = iota
	postgresql
)

// bound writes the parameters of a statement as the dialect does. A ? is always one: no text in a statement has it.
func (d dialect) bound(text string) string {
	if d == sqlite || !strings.Contains(text, "?") {
		return text
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, more := strings.Cut(text, "?")
		b.WriteString(before)
		if !more {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		text = after
	}
}

// What migrations say once and PostgreSQL says otherwise. Texts compare by their bytes, as SQLite's do, whatever the
// database was made with: pages and digests rest on it. PostgreSQL has no table without row ids.
var forPostgres = []struct {
	pattern *regexp.Regexp
	text    string
}{
	{regexp.MustCompile(`\bTEXT\b`), `TEXT COLLATE "C"`},
	{regexp.MustCompile(`(?i)\bWITHOUT ROWID\b`), ``},
}

// migration is a migration as the dialect says it.
func (d dialect) migration(text string) string {
	if d == postgresql {
		for _, r := range forPostgres {
			text = r.pattern.ReplaceAllString(text, r.text)
		}
	}
	return text
}

// migrate brings the tables to the newest form.
func migrate(ctx context.Context, pool *sql.DB, d dialect, migrations fs.FS) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	dialect := goose.DialectSQLite3
	if d == postgresql {
		dialect = goose.DialectPostgres
	}
	provider, err := goose.NewProvider(dialect, pool, translated{folder, d})
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// translated gives migrations as the dialect says them.
type translated struct {
	fs.FS
	dialect dialect
}

// Open implements fs.FS.
func (t translated) Open(name string) (fs.File, error) {
	file, err := t.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return file, err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return saidFile{file, strings.NewReader(t.dialect.migration(string(text)))}, nil
}

type saidFile struct {
	fs.File
	said *strings.Reader
}

// Read implements fs.File.
func (f saidFile) Read(into []byte) (int, error) { return f.said.Read(into) }

// Text is s as a TEXT column takes it: valid UTF-8 without NUL, which PostgreSQL refuses. What came from outside unchecked
// goes through here.
func Text(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
