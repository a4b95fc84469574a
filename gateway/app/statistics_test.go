package app_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/network/audit"
	"github.com/hutong-gov/hutong/network/block"
)

// usage is what the blocks say, read without the gateway's tables.
func (s *scene) usage() *audit.Usage {
	s.t.Helper()
	chain := s.Gateways["audit"].App.Chain
	tip, err := chain.Tip(s.ctx)
	require.NoError(s.t, err)
	var decoder block.Decoder
	usage := new(audit.Usage)
	for n := range tip.Number + 1 {
		b, err := chain.Block(s.ctx, n)
		require.NoError(s.t, err)
		decoded, err := decoder.Decode(b)
		require.NoError(s.t, err)
		usage.Add(decoded)
	}
	return usage
}

func TestStatisticsAreThoseOfTheBlocks(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	caseID := s.apply(s.citizen)
	for i := range 3 {
		_, err := do[app.Used](s, s.officer("market.regulation").Client, http.MethodPost, "/v1/uses", app.RequestUse{Case: caseID, Material: "identity"}, client.Key(fmt.Sprint("fetch-", i)))
		require.NoError(t, err)
	}
	for range 2 { // so that something is published
		_, err := do[app.Used](s, s.officer("market.tax").Client, http.MethodPost, "/v1/uses", app.RequestUse{Case: caseID, Material: "tax-identity"})
		require.NoError(t, err)
	}
	usage := s.usage()
	auditor, anybody := s.as("audit", "auditor"), s.as("services", "")
	for _, by := range [][]string{{"what"}, {"day"}, {"what", "consumer"}, {"dataset", "provider"}, exchange.CountParts} {
		exact, err := do[app.UseStatistics](s, auditor, http.MethodGet, "/v1/audit/statistics/uses?by="+strings.Join(by, ","), nil)
		require.NoError(t, err)
		require.EqualValues(t, 1, exact.Multiple)
		var got []audit.Counted
		for _, c := range exact.Items {
			got = append(got, audit.Counted{Count: c.Count, N: c.N})
		}
		require.Equal(t, usage.Counts(by...), got, by)
	}
	require.Equal(t, []audit.Counted{
		{Count: exchange.Count{What: "acknowledged"}, N: 5}, {Count: exchange.Count{What: "delivered"}, N: 5}, {Count: exchange.Count{What: "requested"}, N: 5},
	}, usage.Counts("what"))

	public, err := do[app.UseStatistics](s, anybody, http.MethodGet, "/v1/statistics/uses", nil)
	require.NoError(t, err)
	require.Len(t, public.Items, 3)
	require.EqualValues(t, exchange.PublishedMultiple, public.Multiple)
	public, err = do[app.UseStatistics](s, anybody, http.MethodGet, "/v1/statistics/uses?by=consumer,what", nil)
	require.NoError(t, err)
	require.Empty(t, public.Items, "three and two are fewer than five")
	for query, want := range map[string]int{"?consumer=market.tax": 3, "?consumer=market.regulation&what=delivered": 1, "?dataset=none": 0, "?from=2000-01-01&until=2000-12-31": 0, "?from=2000-01-01": 3} {
		exact, err := do[app.UseStatistics](s, auditor, http.MethodGet, "/v1/audit/statistics/uses"+query, nil)
		require.NoError(t, err)
		require.Len(t, exact.Items, want, query)
	}
	_, err = do[app.UseStatistics](s, anybody, http.MethodGet, "/v1/statistics/uses?by=subject", nil)
	require.Equal(t, "request.invalid", client.Reason(err), "nobody is counted by who they are")
}

func TestWhatDoesNotMatchIsListed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	caseID := s.apply(s.citizen)
	officer := s.officer("market.regulation")
	down := errors.New("down")
	failing := func(function string) func(string) error {
		return func(f string) error {
			if f == function {
				return down
			}
			return nil
		}
	}
	fetch := func(key string) {
		_, err := do[app.Used](s, officer.Client, http.MethodPost, "/v1/uses", app.RequestUse{Case: caseID, Material: "identity"}, client.Key(key))
		require.Error(t, err)
	}
	s.Gateways["services"].Ledger.Before = failing(exchange.UseDeliver)
	fetch("undelivered")
	s.Gateways["services"].Ledger.Before = nil
	s.Gateways["market"].Ledger.Before = failing(exchange.UseAcknowledge)
	fetch("unacknowledged")
	s.Gateways["market"].Ledger.Before = nil

	late := func(c *client.Client, query string) []exchange.Use {
		page, err := do[app.Page[exchange.Use]](s, c, http.MethodGet, "/v1/uses?"+query, nil)
		require.NoError(t, err)
		return page.Items
	}
	auditor := s.as("audit", "auditor")
	provider := s.as("services", "officer.police")
	require.Empty(t, late(auditor, "late=delivery"), "there is time left")
	require.Empty(t, late(auditor, "late=receipt"))
	s.Ledger.Advance(exchange.DeliveryPeriod + time.Hour)
	unmatched := s.usage().Unmatched(s.Ledger.Now())
	require.Len(t, unmatched.Undelivered, 1)
	require.Len(t, unmatched.Unacknowledged, 1)
	for what, want := range map[string]exchange.Use{"late=delivery": unmatched.Undelivered[0], "late=receipt": unmatched.Unacknowledged[0]} {
		for name, got := range map[string][]exchange.Use{
			"consumer": late(officer.Client, what), "provider": late(provider, what+"&as=provider"), "auditor": late(auditor, what),
		} {
			require.Len(t, got, 1, name)
			require.Equal(t, want.ID, got[0].ID, name)
		}
		require.Empty(t, late(provider, what), "the police have asked for nothing")
	}
	sums := func(c *client.Client) []exchange.Debt {
		u, err := do[app.Unmatched](s, c, http.MethodGet, "/v1/unmatched-uses", nil)
		require.NoError(t, err)
		return u.Items
	}
	owed := s.usage().Debts(s.Ledger.Now())
	require.Equal(t, []exchange.Debt{
		{Agency: "market.regulation", Other: "services.police", Missing: exchange.OverdueReceipt, Uses: 1, Since: unmatched.Unacknowledged[0].Changed.At.Add(exchange.ReceiptPeriod)},
		{Agency: "services.police", Other: "market.regulation", Missing: exchange.OverdueDelivery, Uses: 1, Since: unmatched.Undelivered[0].Until},
	}, owed)
	require.Equal(t, owed, sums(auditor))
	require.Equal(t, owed, sums(officer.Client))
	require.Equal(t, owed, sums(provider))
	require.Empty(t, sums(s.officer("planning.housing").Client), "it has no part in them")
	_, err := do[app.Page[exchange.Use]](s, auditor, http.MethodGet, "/v1/uses?late=receipt&status=delivered", nil)
	require.Equal(t, "request.invalid", client.Reason(err))
}
