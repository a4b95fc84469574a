package exchange_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func TestQuotaPeriods(t *testing.T) {
	utc := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		return at
	}
	for _, c := range []struct{ per, at, period string }{
		{exchange.PerDay, "2026-11-27T15:59:59Z", "2026-11-27"},
		{exchange.PerDay, "2026-11-27T16:00:00Z", "2026-11-28"}, // midnight in Beijing
		{exchange.PerMonth, "2026-11-30T15:59:59Z", "2026-11"},
		{exchange.PerMonth, "2026-11-30T16:00:00Z", "2026-12"},
		{exchange.PerMonth, "2026-12-31T16:00:00Z", "2027-01"},
		{exchange.PerGrant, "2026-11-27T15:59:59Z", "grant"},
	} {
		require.Equal(t, c.period, exchange.Quota{Uses: 1, Per: c.per}.Period(utc(c.at)), c.at)
	}
	at := utc("2026-11-27T23:00:00-05:00")
	q := exchange.Quota{Uses: 1, Per: exchange.PerDay}
	require.Equal(t, q.Period(at), q.Period(at.UTC()), "one moment, one period")
}

func TestQuotaForms(t *testing.T) {
	for _, c := range []struct {
		quota exchange.Quota
		field string
	}{
		{exchange.Quota{Uses: 1, Per: exchange.PerDay}, ""},
		{exchange.Quota{Uses: exchange.MaxQuota, Per: exchange.PerGrant}, ""},
		{exchange.Quota{Uses: 0, Per: exchange.PerDay}, "terms.quota.uses"},
		{exchange.Quota{Uses: exchange.MaxQuota + 1, Per: exchange.PerDay}, "terms.quota.uses"},
		{exchange.Quota{Uses: 1}, "terms.quota.per"},
		{exchange.Quota{Uses: 1, Per: "week"}, "terms.quota.per"},
	} {
		request := exchange.GrantAccess{Grant: grantID, Terms: terms()}
		request.Terms.Quota = &c.quota
		namesField(t, c.field, request.Validate())
	}
	for number, field := range map[int]string{-1: "ticket", 0: "", 1: "", exchange.MaxQuota + 1: "", exchange.MaxQuota + 2: "ticket"} {
		request := useRequest()
		request.Ticket = number
		namesField(t, field, request.Validate())
	}
	for from, field := range map[int]string{0: "from", 1: "", exchange.MaxQuota: "", exchange.MaxQuota + 1: "from"} {
		namesField(t, field, exchange.ListTickets{Grant: grantID, From: from}.Validate())
	}
}

// What is granted is within what was wanted: a quota allows no more in any span of time than the one wanted.
func TestQuotaWithin(t *testing.T) {
	quota := func(uses int, per string) *exchange.Quota { return &exchange.Quota{Uses: uses, Per: per} }
	for _, c := range []struct {
		narrow, wide *exchange.Quota
		within       bool
	}{
		{nil, nil, true},
		{quota(5, exchange.PerDay), nil, true},
		{nil, quota(5, exchange.PerDay), false},
		{quota(5, exchange.PerDay), quota(5, exchange.PerDay), true},
		{quota(6, exchange.PerDay), quota(5, exchange.PerDay), false},
		{quota(5, exchange.PerMonth), quota(5, exchange.PerDay), true},
		{quota(5, exchange.PerGrant), quota(5, exchange.PerMonth), true},
		{quota(1, exchange.PerDay), quota(5, exchange.PerMonth), false},
		{quota(1, exchange.PerMonth), quota(5, exchange.PerGrant), false},
	} {
		g := requested()
		g.Wanted.Quota = c.wide
		r := exchange.GrantAccess{Grant: grantID, Terms: terms()}
		r.Terms.Quota = c.narrow
		_, _, err := g.Grant(asHouse, r, premises(), kernel.At(now))
		want := ""
		if !c.within {
			want = "exchange.terms_exceed_request"
		}
		require.Equal(t, want, reason(err), "%+v in %+v", c.narrow, c.wide)
	}
}

func TestAUseWithoutAQuotaTakesNoTicket(t *testing.T) {
	w := freshUse()
	w.Grant.Terms.Quota, w.request.Ticket = nil, 0
	u, _, _, err := w.request.Request(useID, w.by, w.Context, kernel.At(w.at))
	require.NoError(t, err)
	require.Zero(t, u.Ticket)
	require.Empty(t, u.Period)
	w.request.Ticket = 1
	_, _, _, err = w.request.Request(useID, w.by, w.Context, kernel.At(w.at))
	require.Equal(t, "exchange.ticket_mismatch", reason(err))
}

// Page after page, every number up to the quota is found free or taken, once.
func TestFreeTickets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := exchange.Quota{Uses: rapid.IntRange(1, 900).Draw(t, "quota"), Per: exchange.PerDay}
		page := rapid.IntRange(1, 300).Draw(t, "page")
		var taken []int // some beyond the quota: it was larger before
		for n := 1; n <= q.Uses+20; n++ {
			if rapid.IntRange(0, 9).Draw(t, fmt.Sprint(n)) < 7 {
				taken = append(taken, n)
			}
		}
		var free []int
		counted := 0
		for from := 1; from != 0; {
			at, _ := slices.BinarySearch(taken, from)
			scan, complete := taken[at:], true
			if len(scan) > page {
				scan, complete = scan[:page], false
			}
			answer := exchange.ListTickets{Grant: grantID, From: from}.Free(q, scan, complete, now)
			require.LessOrEqual(t, len(answer.Free), exchange.MaxFreeTickets)
			require.Equal(t, "2026-03-02", answer.Period)
			require.True(t, answer.Next == 0 || answer.Next > from, "goes on")
			free, counted, from = append(free, answer.Free...), counted+answer.Taken, answer.Next
		}
		for n := 1; n <= q.Uses; n++ {
			_, isTaken := slices.BinarySearch(taken, n)
			require.Equal(t, !isTaken, slices.Contains(free, n), n)
		}
		require.True(t, slices.IsSorted(free))
		require.Equal(t, q.Uses, len(free)+counted)
	})
}

// namesField checks which field a fault of form names; none where there is no fault.
func namesField(t *testing.T, field string, err error) {
	t.Helper()
	if field == "" {
		require.NoError(t, err)
		return
	}
	require.Error(t, err)
	require.Equal(t, field, fault.From(err).Field)
}
