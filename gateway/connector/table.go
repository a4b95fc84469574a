package connector

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// select writes the statement of a request, with mark(i) for the i-th value from 1 on. Identifiers come from the definition,
// where they were checked; values are parameters.
func (r request) statement(mark func(i int) string) (text string, arguments []any) {
	var b strings.Builder
	columns := make([]string, len(r.columns))
	for i, column := range r.columns {
		columns[i] = quoted(column)
		if as, otherwise := r.as[i]; otherwise {
			columns[i] = fmt.Sprintf(as, columns[i])
		}
	}
	fmt.Fprintf(&b, "SELECT %s FROM %s", strings.Join(columns, ", "), quoted(r.of.From))
	for _, j := range r.of.Join {
		fmt.Fprintf(&b, " LEFT JOIN %s ON %s = %s", quoted(j.Table), quoted(j.On), quoted(j.Equals))
	}
	for i, c := range r.where {
		word := "AND"
		if i == 0 {
			word = "WHERE"
		}
		fmt.Fprintf(&b, " %s %s = %s", word, quoted(c.place), mark(i+1))
		arguments = append(arguments, c.value)
	}
	if r.limit != everything {
		b.WriteString(" LIMIT " + strconv.Itoa(r.limit))
	}
	return b.String(), arguments
}

// everything is the limit of a request for all rows.
const everything = -1

// quoted writes a checked identifier, table or table.column.
func quoted(identifier string) string { return `"` + strings.ReplaceAll(identifier, ".", `"."`) + `"` }

// question and dollar are how SQLite and PostgreSQL mark a value.
func question(int) string { return "?" }
func dollar(i int) string { return "$" + strconv.Itoa(i) }

// rows reads all rows of a statement.
func rows(ctx context.Context, db *sql.DB, text string, arguments []any) (found [][]any, err error) {
	list, err := db.QueryContext(ctx, text, arguments...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, list.Close()) }()
	columns, err := list.Columns()
	if err != nil {
		return nil, err
	}
	for list.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := list.Scan(into...); err != nil {
			return nil, err
		}
		found = append(found, values)
	}
	return found, list.Err()
}

// tables are those a definition reads.
func (d Definition) tables() []string {
	names := []string{d.From}
	for _, j := range d.Join {
		names = append(names, j.Table)
	}
	return names
}
