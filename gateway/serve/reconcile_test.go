package serve

import (
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// TestUnmatchedUsesAreTold by the gateway's own agencies and all others together, those that owe nothing too.
func TestUnmatchedUsesAreTold(t *testing.T) {
	g, err := Open(t.Context(), newWorld(t).config(0), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	own := g.reconciler.agencies
	require.NotEmpty(t, own)
	told := func(agency, missing string) int {
		return int(testutil.ToFloat64(g.reconciler.uses.WithLabelValues(agency, missing)))
	}
	g.reconciler.tell([]exchange.Debt{
		{Agency: own[0], Other: "planning.housing", Missing: exchange.OverdueDelivery, Uses: 2},
		{Agency: own[0], Other: "planning.water", Missing: exchange.OverdueDelivery, Uses: 3},
		{Agency: own[0], Other: "planning.water", Missing: exchange.OverdueReceipt, Uses: 1},
		{Agency: "planning.water", Other: own[0], Missing: exchange.OverdueReceipt, Uses: 4},
		{Agency: "planning.housing", Other: own[0], Missing: exchange.OverdueReceipt, Uses: 5},
	})
	require.Equal(t, []int{5, 1, 0, 9}, []int{
		told(own[0], exchange.OverdueDelivery), told(own[0], exchange.OverdueReceipt), told(others, exchange.OverdueDelivery), told(others, exchange.OverdueReceipt),
	})
	series := testutil.CollectAndCount(g.reconciler.uses)
	require.Equal(t, len(exchange.Missing)*(len(own)+1), series, "no agency of another organisation has a series")
	g.reconciler.round(t.Context()) // of a ledger without uses
	require.Equal(t, []int{0, 0}, []int{told(own[0], exchange.OverdueDelivery), told(others, exchange.OverdueReceipt)})
	require.Equal(t, series, testutil.CollectAndCount(g.reconciler.uses))
}
