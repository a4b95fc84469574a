package connector

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// sqlite is a department's SQLite file, opened read-only.
type sqlite struct{ *sql.DB }

func openSQLite(path string) (*sqlite, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("connector: %w", err)
	}
	query := url.Values{"mode": {"ro"}, "_pragma": {"query_only(1)", "busy_timeout(1000)"}}
	name := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: absolute}).EscapedPath(), RawQuery: query.Encode()}).String()
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, fmt.Errorf("connector: %w", err)
	}
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxConnections)
	return &sqlite{db}, nil
}

func (s *sqlite) read(ctx context.Context, r request) ([][]any, error) {
	text, arguments := r.statement(question)
	return rows(ctx, s.DB, text, arguments)
}

// check asks by every table and column. A file opened so cannot be written, whatever its permissions are.
func (s *sqlite) check(ctx context.Context, d Definition) error {
	_, err := s.read(ctx, d.probe())
	return err
}

func (s *sqlite) describe(r request) string {
	text, _ := r.statement(question)
	return text
}
