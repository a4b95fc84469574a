package contract_test

import (
	"strings"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// checkHeads compares every subject's log head with the number of its uses.
func (m *model) checkHeads(*rapid.T) {
	if m.Height() == m.checked {
		return
	}
	m.checked = m.Height()
	for _, person := range people {
		count := 0
		for _, u := range m.uses {
			if u.request.Subject == person {
				count++
			}
		}
		require.Equal(m.t, count, read[exchange.Log](m.city, "log:Get", person).Count)
	}
}

// checkAll compares every record with the model's.
func (m *model) checkAll() {
	m.checkLogs()
	m.checkQuotas()
	for _, c := range m.consents {
		record := read[exchange.Consent](m.city, "consent:Get", c.id)
		if c.uses > 0 {
			require.Equal(m.t, c.uses, read[exchange.Tally](m.city, "tally:Get", c.id).Uses)
		}
		require.LessOrEqual(m.t, c.uses, record.Terms.MaxUses)
		require.Equal(m.t, c.terms, record.Terms)
		require.Equal(m.t, c.revoked, record.Status == exchange.Revoked)
		verify[exchange.Signatures](m.city, exchange.ConsentVerify, exchange.ConsentByID{Consent: c.id})
	}
	for _, c := range m.codes {
		record := read[exchange.Code](m.city, "code:Get", c.id)
		require.Equal(m.t, [2]any{c.attempts, c.status}, [2]any{record.Attempts, record.Status})
	}
	for _, s := range m.subscriptions {
		record := read[exchange.Subscription](m.city, "subscription:Get", s.use.id)
		require.Equal(m.t, [3]any{s.status, s.state, s.changes}, [3]any{record.Status, record.State, record.Changes})
	}
	for id, d := range m.datasets {
		require.Equal(m.t, d.edition, read[exchange.Dataset](m.city, "dataset:Get", id).Edition)
	}
	m.checkSeals()
	m.checkSides()
}

// checkLogs recomputes the logs from the records, as a stranger would.
func (m *model) checkLogs() {
	entries := map[string][]exchange.Entry{}
	for _, u := range m.uses {
		person := u.request.Subject
		record := read[exchange.Use](m.city, "use:Get", u.id)
		entries[person] = append(entries[person], record.Entry())
		require.Equal(m.t, len(entries[person]), record.Number, "no gap")
		require.Equal(m.t, []any{u.status, u.looks, u.prepared, u.delivered, u.purged},
			[]any{record.Status, record.PreviewRequired, record.Preview, record.Delivery, record.Purged != ""})
	}
	for _, person := range people {
		require.NoError(m.t, read[exchange.Log](m.city, "log:Get", person).Proves(entries[person], exchange.LogProof{}))
	}
}

// checkQuotas counts the uses that the ledger has of each grant in each period.
func (m *model) checkQuotas() {
	for _, g := range m.grants {
		count := map[string]int{}
		for _, u := range m.uses {
			if u.grant == g && u.request.Ticket > 0 {
				count[read[exchange.Use](m.city, "use:Get", u.id).Period]++
			}
		}
		for period, n := range count {
			require.LessOrEqual(m.t, n, g.largest[period], "uses of %s in %s", g.id, period)
		}
	}
}

// modelNotice is that a change of a use was announced to an agency, or to nobody by name.
type modelNotice struct{ agency, event, use string }

// tell remembers what must have been announced to a side, by who did something with the use. Nobody is named before one that
// is sealed is opened.
func (m *model) tell(agency, event string, u *modelUse) {
	if u.seal != nil && !u.seal.opened {
		agency = ""
	}
	m.owed[modelNotice{agency, event, u.id}]++
}

// checkSides reconciles what was announced with the model: each side was told once of everything that the other did with a
// use, and of nothing else.
func (m *model) checkSides() {
	told := map[modelNotice]int{}
	for _, b := range m.Blocks() {
		for _, change := range announced(m.t, b) {
			if strings.HasPrefix(change.Type, "use.") {
				told[modelNotice{change.Agency, change.Type, change.ID}]++
			}
		}
	}
	require.Equal(m.t, m.owed, told)
}
