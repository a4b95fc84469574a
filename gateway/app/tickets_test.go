package app_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
)

// limit gives the grant of market.regulation for identities a quota, and answers the grant.
func (s *scene) limit(q *exchange.Quota) string {
	s.t.Helper()
	police, err := s.Admin(s.ctx, "services.police")
	require.NoError(s.t, err)
	page, err := get[app.Page[exchange.Grant]](s, police, "/v1/grants?as=provider&dataset=services.police/identity")
	require.NoError(s.t, err)
	for _, g := range page.Items {
		if g.Consumer != "market.regulation" {
			continue
		}
		terms := *g.Terms
		terms.Quota = q
		_, err = do[app.Receipt](s, police, http.MethodPut, "/v1/grants/"+g.ID+"/terms", app.AmendGrant{Terms: terms, Reason: "revised"})
		require.NoError(s.t, err)
		return g.ID
	}
	s.t.Fatal("no such grant")
	return ""
}

func (s *scene) quota(grant string) app.QuotaUse {
	s.t.Helper()
	used, err := get[app.QuotaUse](s, s.officer("market.regulation").Client, "/v1/grants/"+grant+"/quota")
	require.NoError(s.t, err)
	return used
}

// Clients know nothing of tickets: those who ask at once each get a number while there are some, then the quota is exhausted.
func TestAQuotaIsInvisibleUntilItIsExhausted(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	grant := s.limit(&exchange.Quota{Uses: 2, Per: exchange.PerMonth})
	caseID := s.apply(s.citizen)
	officer := s.officer("market.regulation")
	fetch := func(key string) (app.Used, error) {
		return do[app.Used](s, officer.Client, http.MethodPost, "/v1/uses", app.RequestUse{Case: caseID, Material: "identity"}, client.Key(key))
	}
	require.Equal(t, 2, s.quota(grant).Left)

	var all sync.WaitGroup
	failures := make([]error, 2)
	for i := range failures {
		all.Go(func() { _, failures[i] = fetch(string(rune('a' + i))) })
	}
	all.Wait()
	for _, err := range failures {
		require.NoError(t, err)
	}
	used := s.quota(grant)
	require.Equal(t, 2, used.Used)
	require.Zero(t, used.Left)
	s.refused("exchange.quota_exhausted", func() error { _, err := fetch("d"); return err })

	// Sent again, a use keeps its ticket, by a gateway that has forgotten all as well.
	again, err := fetch("a")
	require.NoError(t, err)
	require.Equal(t, exchange.Acknowledged, again.Status)
	s.Restart(t)
	_, err = fetch("b")
	require.NoError(t, err)
	s.refused("exchange.quota_exhausted", func() error { _, err := fetch("d"); return err })

	s.limit(&exchange.Quota{Uses: 3, Per: exchange.PerMonth})
	_, err = fetch("d")
	require.NoError(t, err, "the wider quota is found")
	s.limit(nil)
	require.Nil(t, s.quota(grant).Quota)
}

// A number that somebody held and did not need goes to the next: the quota is not exhausted by what was refused.
func TestARefusedUseLeavesItsTicket(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	grant := s.limit(&exchange.Quota{Uses: 1, Per: exchange.PerDay})
	caseID := s.apply(s.citizen)
	officer := s.officer("market.regulation")
	use := func(material string) error {
		_, err := do[app.Used](s, officer.Client, http.MethodPost, "/v1/uses", app.RequestUse{Case: caseID, Material: material, Grant: grant})
		return err
	}
	s.refused("exchange.grant_mismatch", func() error { return use("premises") })
	require.Equal(t, 1, s.quota(grant).Left)
	require.NoError(t, use("identity"))
	s.refused("exchange.quota_exhausted", func() error { return use("identity") })
}

// Whoever takes the same number first has it: another gateway of the organisation, here by hand.
func TestALostTicketIsReplaced(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	grant := s.limit(&exchange.Quota{Uses: 3, Per: exchange.PerMonth})
	caseID := s.apply(s.citizen)
	officer := s.officer("market.regulation")
	fetch := func(key string) error {
		_, err := do[app.Used](s, officer.Client, http.MethodPost, "/v1/uses", app.RequestUse{Case: caseID, Material: "identity"}, client.Key(key))
		return err
	}
	require.NoError(t, fetch("a")) // the list of free numbers is known from here on: 2, 3
	ledger := s.Gateways["market"].Ledger
	behind := true
	ledger.Seen = func(_ string, answer any) {
		if free, ok := answer.(*exchange.FreeTickets); ok && behind {
			free.Free, behind = append([]int{1}, free.Free...), false // what a peer that is a block behind says
		}
	}
	s.Restart(t)
	require.NoError(t, fetch("b"))
	require.Equal(t, 2, s.quota(grant).Used)
}
