package database

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// portions are how many rows a prepared statement of SQLite inserts, from many to one: a statement's own cost is several
// times that of a row.
var portions = []int{64, 8, 1}

// maxColumns bounds a table that is filled row by row: SQLite and PostgreSQL number parameters up to some ten thousands.
const maxColumns = 64

// Table is one that is filled row by row.
type Table struct {
	name     string
	columns  []string
	bigints  []bool         // those that are not texts
	shared   string         // the statement of PostgreSQL
	portions map[int]string // those of SQLite, by rows
}

// NewTable describes a table: its columns as "name text" or "name bigint", comma-separated, and what to do with a row that
// is there already (ON CONFLICT …, or nothing: an error). It is for constants and panics on others.
func NewTable(name, columns, conflict string) *Table {
	t := &Table{name: name, portions: map[int]string{}}
	var arrays []string
	for i, column := range strings.Split(columns, ",") {
		words := strings.Fields(column)
		if len(words) != 2 || words[1] != "text" && words[1] != "bigint" || i == maxColumns {
			panic(fmt.Sprintf("database: column %q of %s", column, name))
		}
		t.columns, t.bigints = append(t.columns, words[0]), append(t.bigints, words[1] == "bigint")
		arrays = append(arrays, "?::"+words[1]+"[]")
	}
	names := strings.Join(t.columns, ", ")
	// The rows as an array a column: the statement is planned once, however many there are.
	t.shared = "INSERT INTO " + name + " (" + names + ") SELECT * FROM unnest(" + strings.Join(arrays, ", ") + ") " + conflict
	row := "(?" + strings.Repeat(", ?", len(t.columns)-1) + ")"
	for _, n := range portions {
		// OR FAIL: the first row that does not fit ends it, and with it the whole SQL transaction; SQLite need not keep what
		// it takes to undo this statement alone.
		t.portions[n] = "INSERT OR FAIL INTO " + name + " (" + names + ") VALUES " + row + strings.Repeat(", "+row, n-1) + " " + conflict
	}
	return t
}

// Rows are rows of a table that are collected to be inserted together.
type Rows struct {
	table  *Table
	values []any // row after row
}

// Rows collects rows of a table. With ON CONFLICT … DO UPDATE, no two of them may be the same row: PostgreSQL refuses that.
func (t *Table) Rows() *Rows { return &Rows{table: t} }

// Expect makes room for rows to come.
func (r *Rows) Expect(rows int) { r.values = slices.Grow(r.values, rows*len(r.table.columns)) }

// Add adds a row: a string, an int64 or nil for each column, in order.
func (r *Rows) Add(row ...any) {
	if len(row) != len(r.table.columns) {
		panic(fmt.Sprintf("database: %d values for the %d columns of %s", len(row), len(r.table.columns), r.table.name))
	}
	r.values = append(r.values, row...)
}

// Len is how many rows there are.
func (r *Rows) Len() int { return len(r.values) / len(r.table.columns) }

// Insert writes the rows, in their order. An error names the table.
func (t *Tx) Insert(ctx context.Context, r *Rows) error {
	if len(r.values) == 0 {
		return nil
	}
	insert := t.insertPortions
	if t.db.Shared() {
		insert = t.insertArrays
	}
	if err := insert(ctx, r); err != nil {
		return fmt.Errorf("%s: %w", r.table.name, err)
	}
	return nil
}

func (t *Tx) insertPortions(ctx context.Context, r *Rows) error {
	rest, width := r.values, len(r.table.columns)
	for _, n := range portions {
		for size := n * width; len(rest) >= size; rest = rest[size:] {
			if _, err := t.Exec(ctx, r.table.portions[n], rest[:size]...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Tx) insertArrays(ctx context.Context, r *Rows) error {
	arrays := make([]any, len(r.table.columns))
	for i, bigint := range r.table.bigints {
		var err error
		if bigint {
			arrays[i], err = column[int64](r, i)
		} else {
			arrays[i], err = column[string](r, i)
		}
		if err != nil {
			return err
		}
	}
	_, err := t.Exec(ctx, r.table.shared, arrays...)
	return err
}

// column is one column's values; nil is NULL.
func column[T int64 | string](r *Rows, i int) (any, error) {
	width := len(r.table.columns)
	values, nulls := make([]T, 0, r.Len()), false
	for at := i; at < len(r.values); at += width {
		switch v := r.values[at].(type) {
		case T:
			values = append(values, v)
		case nil:
			values, nulls = append(values, *new(T)), true
		default:
			return nil, fmt.Errorf("column %s: a %T, not a %T", r.table.columns[i], v, *new(T))
		}
	}
	if !nulls {
		return values, nil
	}
	pointers := make([]*T, len(values))
	for n := range values {
		if r.values[n*width+i] != nil {
			pointers[n] = &values[n]
		}
	}
	return pointers, nil
}
