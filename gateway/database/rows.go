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

// maxColumns bounds the values of a row: databases number parameters up to some ten thousands.
const maxColumns = 64

// Many is a statement that is run for many rows of values together.
type Many struct {
	columns  []string
	bigints  []bool         // those that are not texts
	shared   string         // for PostgreSQL: the rows as an array a column, planned once, however many there are
	portions map[int]string // for SQLite, by rows
}

// ForMany makes a statement of a text with {rows} in the place of its rows, as in
//
//	INSERT INTO things ({columns}) {rows} ON CONFLICT DO NOTHING
//	DELETE FROM things WHERE (kind, id) IN ({rows})
//
// columns are the values of a row, as "name text" or "name bigint", comma-separated. It is for constants and panics on
// others. Where the same row twice in one statement matters (ON CONFLICT … DO UPDATE), the caller leaves it out.
func ForMany(text, columns string) *Many {
	m := &Many{portions: map[int]string{}}
	var arrays []string
	for i, column := range strings.Split(columns, ",") {
		words := strings.Fields(column)
		if len(words) != 2 || words[1] != "text" && words[1] != "bigint" || i == maxColumns {
			panic(fmt.Sprintf("database: column %q of %s", column, text))
		}
		m.columns, m.bigints = append(m.columns, words[0]), append(m.bigints, words[1] == "bigint")
		arrays = append(arrays, "?::"+words[1]+"[]")
	}
	text = strings.ReplaceAll(text, "{columns}", strings.Join(m.columns, ", "))
	if strings.Count(text, "{rows}") != 1 {
		panic("database: no {rows} in " + text)
	}
	m.shared = strings.Replace(text, "{rows}", "SELECT * FROM unnest("+strings.Join(arrays, ", ")+")", 1)
	// OR FAIL: the first row that does not fit ends it, and with it the whole SQL transaction; SQLite need not keep what it
	// takes to undo this statement alone.
	if after, inserts := strings.CutPrefix(text, "INSERT INTO "); inserts {
		text = "INSERT OR FAIL INTO " + after
	}
	row := "(?" + strings.Repeat(", ?", len(m.columns)-1) + ")"
	for _, n := range portions {
		m.portions[n] = strings.Replace(text, "{rows}", "VALUES "+row+strings.Repeat(", "+row, n-1), 1)
	}
	return m
}

// Rows are collected for a statement that takes many.
type Rows struct {
	many   *Many
	values []any // row after row
}

// Rows collects rows for the statement.
func (m *Many) Rows() *Rows { return &Rows{many: m} }

// Expect makes room for rows to come.
func (r *Rows) Expect(rows int) { r.values = slices.Grow(r.values, rows*len(r.many.columns)) }

// As are the same rows for another statement, of the same columns.
func (r *Rows) As(m *Many) *Rows { return &Rows{many: m, values: r.values} }

// Add adds a row: a string, an int64 or nil for each column, in order.
func (r *Rows) Add(row ...any) {
	if len(row) != len(r.many.columns) {
		panic(fmt.Sprintf("database: %d values for the columns %v", len(row), r.many.columns))
	}
	r.values = append(r.values, row...)
}

// Len is how many rows there are.
func (r *Rows) Len() int { return len(r.values) / len(r.many.columns) }

// ExecMany runs the statement for the rows, in their order, and says how many rows of its table it made, changed or removed.
func (t *Tx) ExecMany(ctx context.Context, r *Rows) (affected int64, err error) {
	if len(r.values) == 0 {
		return 0, nil
	}
	if t.db.Shared() {
		return t.arrays(ctx, r)
	}
	rest, width := r.values, len(r.many.columns)
	for _, n := range portions {
		for size := n * width; len(rest) >= size; rest = rest[size:] {
			done, err := t.affect(ctx, r.many.portions[n], rest[:size])
			if err != nil {
				return affected, err
			}
			affected += done
		}
	}
	return affected, nil
}

func (t *Tx) affect(ctx context.Context, text string, values []any) (int64, error) {
	done, err := t.Exec(ctx, text, values...)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

func (t *Tx) arrays(ctx context.Context, r *Rows) (int64, error) {
	arrays := make([]any, len(r.many.columns))
	for i, bigint := range r.many.bigints {
		var err error
		if bigint {
			arrays[i], err = column[int64](r, i)
		} else {
			arrays[i], err = column[string](r, i)
		}
		if err != nil {
			return 0, err
		}
	}
	return t.affect(ctx, r.many.shared, arrays)
}

// column is one column's values; nil is NULL.
func column[T int64 | string](r *Rows, i int) (any, error) {
	width := len(r.many.columns)
	values, nulls := make([]T, 0, r.Len()), false
	for at := i; at < len(r.values); at += width {
		switch v := r.values[at].(type) {
		case T:
			values = append(values, v)
		case nil:
			values, nulls = append(values, *new(T)), true
		default:
			return nil, fmt.Errorf("column %s: a %T, not a %T", r.many.columns[i], v, *new(T))
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
