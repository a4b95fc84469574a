package connector

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// TestExtract reads all rows of a database as a connector maps them, and nothing else.
func TestExtract(t *testing.T) {
	folder := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(folder, "customs.db"))
	require.NoError(t, err)
	_, err = db.Exec(`CREATE TABLE agent (no INTEGER PRIMARY KEY, code TEXT); INSERT INTO agent VALUES (1, 'A1');
		CREATE TABLE decl (no TEXT, item INTEGER, mode INTEGER, agent INTEGER, day TEXT, secret TEXT);
		INSERT INTO decl VALUES ('D1', 1, 7, 1, '20260501', 'x'), ('D2', 2, 8, NULL, 'soon', 'y')`)
	require.NoError(t, errors.Join(err, db.Close()))
	path := filepath.Join(folder, "clearance.yaml")
	require.NoError(t, os.WriteFile(path, []byte(`dataset: market.customs/clearance
source: {sqlite: customs.db}
from: decl
join:
  - {table: agent, on: agent.no, equals: decl.agent}
selector: {declaration: decl.no}
fields:
  declaration: {column: decl.no}
  item: {column: decl.item}
  mode: {column: decl.mode, values: {"7": general}}
  declarant: {column: agent.code}
  declared_on: {column: decl.day}
`), 0o600))
	e, err := OpenExtract(path)
	require.NoError(t, err)
	defer e.Close()
	require.Equal(t, "market.customs/clearance", e.Dataset())
	require.NotEmpty(t, e.Name())
	fields := []exchange.FieldSpec{{Name: "declaration", Type: "string"}, {Name: "item", Type: "integer"}, {Name: "mode", Type: "string"},
		{Name: "declarant", Type: "string"}, {Name: "declared_on", Type: "date"}, {Name: "not_connected", Type: "string"}}
	var rows []map[string]any
	collect := func(row map[string]any) error { rows = append(rows, row); return nil }
	require.NoError(t, e.Rows(t.Context(), fields, collect))
	require.Equal(t, []map[string]any{
		{"declaration": "D1", "item": int64(1), "mode": "general", "declarant": "A1", "declared_on": "2026-05-01"},
		{"declaration": "D2", "item": int64(2), "mode": "8", "declared_on": "soon"}, // whoever judges rows rejects it
	}, rows)
	stopped := errors.New("stopped")
	require.ErrorIs(t, e.Rows(t.Context(), fields, func(map[string]any) error { return stopped }), stopped)

	s, err := Open(path, nil)
	require.NoError(t, err)
	defer s.Close()
	again, found, err := s.Extract("market.customs/clearance")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, e.Name(), again.Name())
	_, found, err = s.Extract("market.customs/other")
	require.NoError(t, err)
	require.False(t, found)
}
