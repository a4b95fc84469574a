package connector

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// Extract reads all rows of a department's database that a definition maps to a dataset, in one statement and so in one
// state, with the same account and the same mapping that answer for one record.
type Extract struct {
	of     Definition
	source streamer
	own    bool // it opened the source
}

// streamer is a source that gives its rows one after the other: SQLite and PostgreSQL.
type streamer interface {
	source
	stream(ctx context.Context, r request, each func(row []any) error) error
}

// ErrNoExtract says that a definition's source cannot be read as a whole.
var ErrNoExtract = errors.New("connector: only a SQLite or PostgreSQL source can be read as a whole")

// OpenExtract opens the source of the one definition in a file. An account that may write is refused.
func OpenExtract(path string) (*Extract, error) {
	definitions, err := Load(path)
	if err != nil {
		return nil, err
	}
	if len(definitions) != 1 {
		return nil, fmt.Errorf("connector: %s: must be one definition", path)
	}
	d := definitions[0]
	var opened streamer
	switch {
	case d.Source.PostgreSQL != nil:
		opened, err = openPostgreSQL(*d.Source.PostgreSQL)
	case d.Source.HTTP != nil:
		return nil, ErrNoExtract
	default:
		opened, err = openSQLite(d.Source.SQLite)
	}
	if err != nil {
		return nil, fmt.Errorf("connector: %w", err)
	}
	return &Extract{of: d, source: opened, own: true}, nil
}

// Close closes the source.
func (e *Extract) Close() error {
	if !e.own {
		return nil
	}
	return e.source.Close()
}

// Dataset is what the rows are records of.
func (e *Extract) Dataset() string { return e.of.Dataset }

// Name says what is read: the source, and how it is mapped.
func (e *Extract) Name() string {
	mapping, err := canonical.Digest(struct {
		From   string
		Join   []Join
		Fields map[string]Field
	}{e.of.From, e.of.Join, e.of.Fields})
	if err != nil { // strings only: cannot fail
		mapping = err.Error()
	}
	return e.of.Source.name() + " " + mapping[:min(len(mapping), 16)]
}

// Rows calls each with every row: those of the fields that are connected, null left out. A value that is not of its field's
// type is given as the database has it, for whoever judges rows.
func (e *Extract) Rows(ctx context.Context, fields []exchange.FieldSpec, each func(map[string]any) error) error {
	if err := e.source.check(ctx, e.of); err != nil {
		return fmt.Errorf("connector: %s: %w", e.of.Dataset, err)
	}
	r := request{of: e.of, limit: everything}
	var kept []exchange.FieldSpec
	for _, f := range fields {
		if mapped, connected := e.of.Fields[f.Name]; connected {
			r.columns, kept = append(r.columns, mapped.Column), append(kept, f)
		}
	}
	return e.source.stream(ctx, r, func(row []any) error {
		values := map[string]any{}
		for i, f := range kept {
			value := e.of.Fields[f.Name].translate(row[i])
			converted, ok := Convert(value, f.Type)
			if !ok {
				converted = plainly(value)
			}
			if converted != nil {
				values[f.Name] = converted
			}
		}
		return each(values)
	})
}

// plainly gives what a driver may give as something that JSON has.
func plainly(value any) any {
	switch v := value.(type) {
	case []byte:
		return string(v)
	case time.Time:
		return v.Format(time.RFC3339)
	case string, bool, int64, float64, nil:
		return v
	}
	return fmt.Sprint(value)
}

// stream gives every row of a statement.
func stream(ctx context.Context, db interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}, text string, width int, each func([]any) error) (err error) {
	list, err := db.QueryContext(ctx, text)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, list.Close()) }()
	for list.Next() {
		values, into := make([]any, width), make([]any, width)
		for i := range values {
			into[i] = &values[i]
		}
		if err := list.Scan(into...); err != nil {
			return err
		}
		if err := each(values); err != nil {
			return err
		}
	}
	return list.Err()
}

func (s *sqlite) stream(ctx context.Context, r request, each func([]any) error) error {
	text, _ := r.statement(question)
	return stream(ctx, s.DB, text, len(r.columns), each)
}

// stream reads as long as it takes: a question for one record is bounded, one for all is not.
func (p *postgresql) stream(ctx context.Context, r request, each func([]any) error) error {
	tx, err := p.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	if _, err := tx.ExecContext(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
		return err
	}
	text, _ := r.statement(dollar)
	return stream(ctx, tx, text, len(r.columns), each)
}

// Extract gives the extract of a dataset that is connected, for whoever anchors all of it; found is false if it is not
// connected. Errors: ErrNoExtract.
func (s *Set) Extract(dataset string) (e *Extract, found bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, found := s.mapped[dataset]
	if !found {
		return nil, false, nil
	}
	source, ok := m.source.source.(streamer)
	if !ok {
		return nil, true, ErrNoExtract
	}
	return &Extract{of: m.Definition, source: source}, true, nil
}
