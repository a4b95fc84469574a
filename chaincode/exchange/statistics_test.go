package exchange_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func TestTallies(t *testing.T) {
	late := time.Date(2026, 3, 2, 16, 0, 0, 0, time.UTC) // midnight in Beijing
	use := func(id string) (exchange.Use, bool) { return used(1), id == useID }
	got := exchange.Counts([]kernel.Change{
		{Type: exchange.EventUseRequested, ID: useID}, {Type: exchange.EventUseDelivered, ID: useID},
		{Type: exchange.EventConsentGiven, ID: otherID}, {Type: exchange.EventUseRequested, ID: otherID},
	}, late, use)
	want := exchange.Count{Day: "2026-03-03", Dataset: housing + "/premises", Provider: housing, Consumer: tax, Purpose: "tax.check", What: "requested"}
	delivered := want
	delivered.What = "delivered"
	require.Equal(t, []exchange.Count{want, delivered}, got)
	require.Equal(t, "2026-03-02", exchange.Counts([]kernel.Change{{Type: exchange.EventUseRequested, ID: useID}}, late.Add(-time.Millisecond), use)[0].Day)
}

func TestRounded(t *testing.T) {
	for n, want := range map[int64]int64{0: 0, 1: 0, 4: 0, 5: 5, 9: 5, 10: 10, 1234: 1230} {
		require.Equal(t, want, exchange.Rounded(n))
	}
}
