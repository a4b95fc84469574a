package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/database"
)

var addCounts = database.ForMany(`INSERT INTO counts ({columns}) {rows}
	ON CONFLICT (day, dataset, provider, consumer, purpose, what) DO UPDATE SET n = counts.n + excluded.n`,
	"day text, dataset text, provider text, consumer text, purpose text, what text, n bigint")

// counted collects the counts of blocks, each once.
func counted(all []Rows) *database.Rows {
	times := map[exchange.Count]int64{}
	var counts []exchange.Count // in the order of the ledger
	for _, rows := range all {
		for _, t := range rows.Counts {
			for _, value := range t.Values() {
				*value = database.Text(*value)
			}
			if times[t]++; times[t] == 1 {
				counts = append(counts, t)
			}
		}
	}
	rows := addCounts.Rows()
	rows.Expect(len(counts))
	for _, t := range counts {
		rows.Add(t.Day, t.Dataset, t.Provider, t.Consumer, t.Purpose, t.What, times[t])
	}
	return rows
}

// Count is how often something happened.
type Count struct {
	exchange.Count
	N int64
}

// MaxCounts bounds the rows of one statistic.
const MaxCounts = 10_000

// CountQuery selects and breaks down. Empty fields select nothing out; From and Until are days, included.
type CountQuery struct {
	From, Until string
	exchange.Count
	By []string // of exchange.CountParts
}

// Counts sums what fits, for each combination of what it is broken down by, in the order of that. Fault: request.too_large
// where there are more than MaxCounts.
func (s *Store) Counts(ctx context.Context, q CountQuery) ([]Count, error) {
	var sel selection
	for i, value := range q.Count.Values() {
		sel.is(exchange.CountParts[i], *value)
	}
	if q.From != "" {
		sel.where, sel.values = append(sel.where, "day >= ?"), append(sel.values, q.From)
	}
	if q.Until != "" {
		sel.where, sel.values = append(sel.where, "day <= ?"), append(sel.values, q.Until)
	}
	columns := slices.DeleteFunc(slices.Clone(exchange.CountParts), func(part string) bool { return !slices.Contains(q.By, part) })
	text := "SELECT " + strings.Join(append(slices.Clone(columns), "CAST(COALESCE(SUM(n), 0) AS BIGINT)"), ", ") + " FROM counts"
	if len(sel.where) > 0 {
		text += " WHERE " + strings.Join(sel.where, " AND ")
	}
	if len(columns) > 0 {
		by := strings.Join(columns, ", ")
		text += " GROUP BY " + by + " ORDER BY " + by
	}
	rows, err := s.db.Query(ctx, text+fmt.Sprintf(" LIMIT %d", MaxCounts+1), sel.values...)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	defer rows.Close()
	counts := []Count{}
	for rows.Next() {
		var c Count
		into := make([]any, 0, len(columns)+1)
		for i, value := range c.Count.Values() {
			if slices.Contains(columns, exchange.CountParts[i]) {
				into = append(into, value)
			}
		}
		if err := rows.Scan(append(into, &c.N)...); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		counts = append(counts, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if len(counts) > MaxCounts {
		return nil, fault.New(fault.Limit, "request.too_large", "break the numbers down by less, or choose fewer days").On("query.by", fmt.Sprintf("max_rows:%d", MaxCounts))
	}
	return counts, nil
}
