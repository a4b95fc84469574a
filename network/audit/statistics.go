package audit

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/network/block"
)

// Usage is what blocks say of the uses of data: statistics that anyone who has the blocks recomputes, and the uses to which
// something should have happened. The zero value is ready. Blocks are added in their order.
type Usage struct {
	counts map[exchange.Count]int64
	open   map[string]exchange.Use // awaited, delivered or sealed, as they stand
}

// Add takes in a block. Only valid transactions count.
func (u *Usage) Add(b block.Block) {
	if u.counts == nil {
		u.counts, u.open = map[exchange.Count]int64{}, map[string]exchange.Use{}
	}
	for _, tx := range b.Transactions {
		if tx.Code != block.Valid {
			continue
		}
		uses := block.Written(tx, exchange.Name, exchange.Uses)
		var changes []kernel.Change
		if tx.Event != nil && tx.Event.Envelope != nil {
			changes = tx.Event.Envelope.Changes
		}
		for _, t := range exchange.Counts(changes, tx.At, func(id string) (exchange.Use, bool) { use, ok := uses[id]; return use, ok }) {
			u.counts[t]++
		}
		for id, use := range uses {
			if delete(u.open, id); use.Secret() || use.Status == exchange.Delivered || slices.Contains(exchange.Awaited, use.Status) {
				u.open[id] = use
			}
		}
	}
}

// Counted is one number of a statistic.
type Counted struct {
	exchange.Count
	N int64 `json:"n"`
}

// Counts sums what happened for each combination of the parts given (exchange.CountParts), in their order.
func (u *Usage) Counts(by ...string) []Counted {
	sums := map[exchange.Count]int64{}
	for t, n := range u.counts {
		for i, value := range t.Values() {
			if !slices.Contains(by, exchange.CountParts[i]) {
				*value = ""
			}
		}
		sums[t] += n
	}
	counts := make([]Counted, 0, len(sums))
	for _, t := range slices.SortedFunc(maps.Keys(sums), compare) {
		counts = append(counts, Counted{t, sums[t]})
	}
	return counts
}

func compare(x, y exchange.Count) int {
	for i, value := range x.Values() {
		if c := strings.Compare(*value, *y.Values()[i]); c != 0 {
			return c
		}
	}
	return 0
}

// Unmatched are uses to which something should have happened by a time and did not, oldest first.
type Unmatched struct {
	Undelivered    []exchange.Use // requested, and not delivered by deliver_until
	Unacknowledged []exchange.Use // delivered, and no receipt within exchange.ReceiptPeriod
	Unopened       []exchange.Use // sealed, and not opened at their date
}

// Debts sums them up: what agencies owe each other by a time, in order.
func (u *Usage) Debts(at time.Time) []exchange.Debt {
	var sums exchange.Debts
	for _, use := range u.open {
		if d, owed := use.Owed(at); owed {
			sums.Add(d)
		}
	}
	return sums.List()
}

// Unmatched lists them, of all agencies.
func (u *Usage) Unmatched(at time.Time) (all Unmatched) {
	for _, use := range u.open {
		switch use.Overdue(at) {
		case exchange.OverdueDelivery:
			all.Undelivered = append(all.Undelivered, use)
		case exchange.OverdueReceipt:
			all.Unacknowledged = append(all.Unacknowledged, use)
		case exchange.OverdueOpening:
			all.Unopened = append(all.Unopened, use)
		}
	}
	for _, list := range [][]exchange.Use{all.Undelivered, all.Unacknowledged, all.Unopened} {
		slices.SortFunc(list, func(x, y exchange.Use) int {
			if c := x.Created.At.Compare(y.Created.At); c != 0 {
				return c
			}
			return strings.Compare(x.ID, y.ID)
		})
	}
	return all
}
