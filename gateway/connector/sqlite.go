package connector

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // the driver named "sqlite"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// maxConnections is how many queries one gateway puts to one department's database at once.
const maxConnections = 4

// statement is a query with its parameters.
type statement struct {
	text       string // with ? for each argument and a last one for the limit
	arguments  []any
	columnsOut int
}

// statement makes the query for what is asked. Identifiers come from the definition, where they were checked; values are
// parameters. Faults: connector.field, request.invalid for a selector that is not the dataset's.
func (m *mapped) statement(q Query) (statement, error) {
	var s statement
	var columns []string
	for _, spec := range q.Fields {
		field, ok := m.Fields[spec.Name]
		if !ok {
			return s, fault.New(fault.Refused, "connector.field", "the provider has not connected this field of the dataset").On("fields."+spec.Name, "connected")
		}
		columns = append(columns, quoted(field.Column))
	}
	if len(columns) == 0 {
		return s, fault.Field("fields", "min_items:1", "ask for at least one field")
	}
	if m.Holder != "" {
		columns = append(columns, quoted(m.Holder)) // the last
	}
	var where []string
	for _, spec := range q.Selects {
		column, ok := m.Selector[spec.Name]
		if !ok {
			return s, fault.New(fault.Refused, "connector.field", "the provider has not connected this field of the selector").On("selector."+spec.Name, "connected")
		}
		value, err := parameter(q.Selector[spec.Name], spec)
		if err != nil {
			return s, err
		}
		where, s.arguments = append(where, quoted(column)+" = ?"), append(s.arguments, value)
	}
	if len(where) == 0 || len(q.Selector) != len(where) {
		return s, fault.Field("selector", "exactly", "send the fields of the dataset's selector, each once and no other")
	}
	s.text, s.columnsOut = m.text(columns, where), len(columns)
	return s, nil
}

// probe is the query for every column with a selector that fits nothing.
func (m *mapped) probe() statement {
	var columns, where []string
	for _, name := range slices.Sorted(maps.Keys(m.Fields)) {
		columns = append(columns, quoted(m.Fields[name].Column))
	}
	if m.Holder != "" {
		columns = append(columns, quoted(m.Holder))
	}
	s := statement{columnsOut: len(columns)}
	for _, name := range slices.Sorted(maps.Keys(m.Selector)) {
		where, s.arguments = append(where, quoted(m.Selector[name])+" = ?"), append(s.arguments, nil)
	}
	s.text = m.text(columns, where)
	return s
}

func (m *mapped) text(columns, where []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SELECT %s FROM %s", strings.Join(columns, ", "), quoted(m.From))
	for _, j := range m.Join {
		fmt.Fprintf(&b, " LEFT JOIN %s ON %s = %s", quoted(j.Table), quoted(j.On), quoted(j.Equals))
	}
	fmt.Fprintf(&b, " WHERE %s LIMIT ?", strings.Join(where, " AND "))
	return b.String()
}

// quoted writes a checked identifier, table or table.column.
func quoted(identifier string) string { return `"` + strings.ReplaceAll(identifier, ".", `"."`) + `"` }

// parameter decodes a selector's value as its declared type.
func parameter(raw json.RawMessage, spec exchange.FieldSpec) (any, error) {
	wrong := fault.Field("selector."+spec.Name, "type:"+spec.Type, "send the selector's fields with the types of the dataset")
	if len(raw) == 0 || string(raw) == "null" {
		return nil, wrong
	}
	var err error
	switch spec.Type {
	case "integer":
		var n int64
		err = json.Unmarshal(raw, &n)
		return n, asWrong(err, wrong)
	case "boolean":
		var b bool
		err = json.Unmarshal(raw, &b)
		return b, asWrong(err, wrong)
	default:
		var text string
		err = json.Unmarshal(raw, &text)
		return text, asWrong(err, wrong)
	}
}

// asWrong replaces a decoding error, which may quote the value.
func asWrong(err error, wrong *fault.Fault) error {
	if err != nil {
		return wrong
	}
	return nil
}

// database is a department's SQLite file, opened read-only.
type database struct{ *sql.DB }

func openSQLite(path string) (*database, error) {
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
	return &database{db}, nil
}

func (d *database) rows(ctx context.Context, s statement, limit int) (found [][]any, err error) {
	rows, err := d.QueryContext(ctx, s.text, append(s.arguments[:len(s.arguments):len(s.arguments)], limit)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		values, into := make([]any, s.columnsOut), make([]any, s.columnsOut)
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		found = append(found, values)
	}
	return found, rows.Err()
}
