package contract_test

import (
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// checkHeads compares every subject's log head with the number of its uses.
func (m *model) checkHeads(*rapid.T) {
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

// checkLogs recomputes the logs from the records, as a stranger would, and compares what blocks announce with the model.
func (m *model) checkLogs() {
	entries := map[string][]exchange.Entry{}
	status, sealed, opened := map[string]int{}, 0, 0
	for _, u := range m.uses {
		person := u.request.Subject
		record := read[exchange.Use](m.city, "use:Get", u.id)
		entries[person] = append(entries[person], record.Entry())
		require.Equal(m.t, len(entries[person]), record.Number, "no gap")
		require.Equal(m.t, u.status, record.Status)
		if record.Seal != nil && !record.Secret() {
			opened++
		}
		if record.Seal != nil {
			sealed++
		}
		status[record.Lifted().Status]++
	}
	for _, person := range people {
		require.NoError(m.t, read[exchange.Log](m.city, "log:Get", person).Proves(entries[person], exchange.LogProof{}))
	}
	for _, c := range m.consents {
		record := read[exchange.Consent](m.city, "consent:Get", c.id)
		if c.uses > 0 {
			require.Equal(m.t, c.uses, read[exchange.Tally](m.city, "tally:Get", c.id).Uses)
		}
		require.LessOrEqual(m.t, c.uses, record.Terms.MaxUses)
		require.Equal(m.t, c.revoked, record.Status == exchange.Revoked)
		verify[exchange.Signatures](m.city, exchange.ConsentVerify, exchange.ConsentByID{Consent: c.id})
	}
	m.checkQuotas()
	m.checkSides()
	events := map[string]int{}
	for _, b := range m.Blocks() {
		for _, change := range announced(m.t, b) {
			events[change.Type]++
		}
	}
	m.checkSeals()
	require.Equal(m.t, []int{len(m.uses) - sealed, sealed, opened}, []int{events[exchange.EventUseRequested], events[exchange.EventUseSealed], events[exchange.EventUseOpened]})
	require.Equal(m.t, status["delivered"]+status["acknowledged"], events[exchange.EventUseDelivered], "a use is delivered once")
	require.LessOrEqual(m.t, events[exchange.EventUseDelivered], len(m.uses))
	require.Equal(m.t, status["acknowledged"], events[exchange.EventUseAcknowledged])
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

// checkSides reconciles what was announced to each agency with the records: the provider was told of every request and
// every receipt, the consumer of every delivery.
func (m *model) checkSides() {
	type line struct{ agency, event, use string }
	told, owed := map[line]int{}, map[line]int{}
	for _, b := range m.Blocks() {
		for _, change := range announced(m.t, b) {
			if change.Subject != "" && change.Case != "" && change.Case != inquiry && change.Type != exchange.EventConsentGiven && change.Type != exchange.EventConsentRevoked {
				told[line{change.Agency, change.Type, change.ID}]++
			}
		}
	}
	for _, u := range m.uses {
		if u.seal != nil {
			continue // its changes name nobody
		}
		record := read[exchange.Use](m.city, "use:Get", u.id)
		owed[line{record.Provider, exchange.EventUseRequested, u.id}]++
		if record.Status != exchange.Requested {
			owed[line{record.Consumer, exchange.EventUseDelivered, u.id}]++
		}
		if record.Status == exchange.Acknowledged {
			owed[line{record.Provider, exchange.EventUseAcknowledged, u.id}]++
		}
	}
	require.Equal(m.t, owed, told)
}
