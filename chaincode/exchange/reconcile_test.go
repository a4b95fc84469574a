package exchange_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/state"
)

func TestWhoOwesWhat(t *testing.T) {
	use := func(status string, created, changed time.Time) exchange.Use {
		return exchange.Use{
			Head:     state.Head{Status: status, Version: 2, Created: state.Stamp{At: created}, Changed: state.Stamp{At: changed}},
			Provider: "planning.housing", Consumer: "market.tax", Until: created.Add(exchange.DeliveryPeriod),
		}
	}
	due := now.Add(exchange.DeliveryPeriod)
	sealed := use(exchange.UnderSeal, now, now)
	sealed.Seal = &exchange.Seal{OpensAt: due, Stage: exchange.Acknowledged}
	for _, line := range []struct {
		name  string
		use   exchange.Use
		at    time.Time
		want  exchange.Debt
		owing bool
	}{
		{"a delivery that is due", use(exchange.Requested, now, now), due, exchange.Debt{}, false},
		{"a delivery that is late", use(exchange.Released, now, now), due.Add(1), exchange.Debt{Agency: "planning.housing", Other: "market.tax", Missing: exchange.OverdueDelivery, Uses: 1, Since: due}, true},
		{"a receipt that is due", use(exchange.Delivered, now, now), now.Add(exchange.ReceiptPeriod), exchange.Debt{}, false},
		{"a receipt that is late", use(exchange.Delivered, now, now.Add(time.Hour)), due, exchange.Debt{Agency: "market.tax", Other: "planning.housing", Missing: exchange.OverdueReceipt, Uses: 1, Since: now.Add(time.Hour + exchange.ReceiptPeriod)}, true},
		{"a use that is done", use(exchange.Acknowledged, now, now), due.Add(1), exchange.Debt{}, false},
		{"a sealed use before its date", sealed, due.Add(-1), exchange.Debt{}, false},
		{"a sealed use at its date", sealed, due, exchange.Debt{Agency: "market.tax", Missing: exchange.OverdueOpening, Uses: 1, Since: due}, true},
	} {
		t.Run(line.name, func(t *testing.T) {
			got, owing := line.use.Owed(line.at)
			require.Equal(t, line.owing, owing)
			require.Equal(t, line.want, got)
		})
	}
	var sums exchange.Debts
	require.Empty(t, sums.List())
	for i, d := range []exchange.Debt{
		{Agency: "b", Other: "a", Missing: exchange.OverdueReceipt}, {Agency: "a", Other: "b", Missing: exchange.OverdueReceipt},
		{Agency: "b", Other: "a", Missing: exchange.OverdueReceipt}, {Agency: "b", Other: "a", Missing: exchange.OverdueDelivery},
	} {
		d.Uses, d.Since = int64(i+1), now.Add(-time.Duration(i)*time.Hour)
		sums.Add(d)
	}
	require.Equal(t, []exchange.Debt{
		{Agency: "a", Other: "b", Missing: exchange.OverdueReceipt, Uses: 2, Since: now.Add(-time.Hour)},
		{Agency: "b", Other: "a", Missing: exchange.OverdueDelivery, Uses: 4, Since: now.Add(-3 * time.Hour)},
		{Agency: "b", Other: "a", Missing: exchange.OverdueReceipt, Uses: 4, Since: now.Add(-2 * time.Hour)},
	}, sums.List())
}
