package store

import (
	"fmt"
	"slices"
	"strings"
)

// portions are how many rows a prepared statement inserts, from many to one: a statement's own cost is several times that
// of a row.
var portions = []int{64, 8, 1}

// table is one that is filled row by row.
type table struct {
	into     string
	columns  string // comma-separated
	conflict string // what to do with a row that is there
}

// statement names the statement that inserts n rows.
func (t table) statement(n int) string { return fmt.Sprintf("%s×%d", t.into, n) }

// text is the statement that inserts n rows. OR FAIL: the first row that does not fit ends it, and with it the whole SQL
// transaction; the database need not keep what it takes to undo this statement alone.
func (t table) text(n int) string {
	row := "(?" + strings.Repeat(", ?", t.width()-1) + ")"
	return "INSERT OR FAIL INTO " + t.into + " (" + t.columns + ") VALUES " + row + strings.Repeat(", "+row, n-1) + " " + t.conflict
}

func (t table) width() int { return strings.Count(t.columns, ",") + 1 }

// pending are rows of a table that are not inserted yet, value after value.
type pending struct {
	table  table
	values []any
}

func (p *pending) grow(rows int) { p.values = slices.Grow(p.values, rows*p.table.width()) }

func (p *pending) add(row ...any) { p.values = append(p.values, row...) }

// insert writes the rows that are pending, in their order.
func (w *writer) insert(p *pending) {
	rest, width := p.values, p.table.width()
	for _, n := range portions {
		for size := n * width; len(rest) >= size; rest = rest[size:] {
			w.run(p.table.statement(n), rest[:size]...)
		}
	}
	p.values = p.values[:0]
}
