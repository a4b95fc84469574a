package contract_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// modelSeal is what the model knows of a sealed use besides.
type modelSeal struct {
	document commitment.Document
	opensAt  time.Time
	status   string // beneath the seal, and afterwards
	opened   bool
}

// sealUse seals a use on a grant that most often allows it.
func (m *model) sealUse(*rapid.T) {
	g := mostly(m, "grant", m.grants, func(g *modelGrant) bool { return g.status == "granted" && g.terms.DelayDays > 0 })
	caller := m.usually(g.consumer)
	details := exchange.Details{
		Consumer: g.consumer, Dataset: g.dataset, Fields: m.some("fields", columns), Purpose: m.pick("purpose", goals), LegalBasis: lawful,
		Case: inquiry, Grant: g.id, Selector: hashA,
	}
	document, err := commitment.New(details.Values())
	require.NoError(m.t, err)
	raw, err := json.Marshal(document)
	require.NoError(m.t, err)
	request := exchange.SealUse{
		Subject: m.pick("subject", people), Ticket: m.ticket(g),
		OpensAt: m.Now().Add(rapid.SampledFrom([]time.Duration{day, 2 * day, time.Hour, 0, 4 * day}).Draw(m.t, "sealed for")),
	}
	request.Commitment, err = document.Root()
	require.NoError(m.t, err)
	at, d := m.Now(), m.datasets[g.dataset]
	u := &modelUse{grant: g, request: request.Request(details), seal: &modelSeal{document: document, opensAt: request.OpensAt, status: "requested"}}
	may := caller == g.consumer && d.gives(details.Fields) && g.holds(u, at) && g.quotaHolds(request.Ticket, at) &&
		request.OpensAt.After(at) && !request.OpensAt.After(at.Add(time.Duration(g.terms.DelayDays)*day)) &&
		!d.needs(details.Fields) && !g.terms.ConsentRequired && !d.content.PreviewRequired && !g.terms.PreviewRequired
	m.commands++
	key := fmt.Sprintf("command-%d", m.commands)
	receipt, err := m.trySealed(caller, exchange.UseSeal, key, kernel.ID(caller, exchange.UseSeal, key), raw, request)
	m.judged(may, exchange.UseSeal, err)
	if err == nil {
		m.used(u, receipt.ID, at)
		u.status = "sealed"
		m.tell("", "use.sealed.v1", u)
	}
}

// sealedUse is most often one that is still sealed.
func (m *model) sealedUse() *modelUse {
	sealed := slices.DeleteFunc(slices.Clone(m.uses), func(u *modelUse) bool { return u.seal == nil || u.seal.opened && !m.seldom("opened before") })
	return anyOf(m, "sealed use", sealed)
}

// deliverSealed delivers beneath the seal, mostly with the right details.
func (m *model) deliverSealed(*rapid.T) {
	u := m.sealedUse()
	if u.seal.opened {
		panic(idle{}) // one that is open is delivered like any other
	}
	caller, document := m.usually(u.grant.provider), u.seal.document
	other := m.seldom("other details")
	if other {
		document = commitment.Document{Fields: document.Fields[1:]}
	}
	raw, err := json.Marshal(document)
	require.NoError(m.t, err)
	may := !other && u.seal.status == "requested" && m.mayLeave(u, caller)
	m.commands++
	_, err = m.trySealed(caller, exchange.UseDeliver, fmt.Sprintf("command-%d", m.commands), u.id, raw, exchange.DeliverUse{Use: u.id, Commitment: hashB})
	m.judged(may, exchange.UseDeliver, err)
	if err == nil {
		u.seal.status, u.delivered = "delivered", hashB
		m.tell(u.grant.consumer, "use.delivered.v1", u)
	}
}

// openUse opens a sealed use: its consumer at any time, anybody with the details from its date on.
func (m *model) openUse(*rapid.T) {
	u := m.sealedUse()
	caller := m.usually(u.grant.consumer)
	document := u.seal.document
	other := m.seldom("other details")
	if other {
		document = commitment.Document{Fields: document.Fields[1:]}
	}
	may := !u.seal.opened && !other && (caller == u.grant.consumer || !m.Now().Before(u.seal.opensAt))
	if _, done := m.attempt(may, caller, access.Agency, exchange.UseOpen, exchange.OpenUse{Use: u.id, Details: document}); done {
		u.seal.opened, u.status = true, u.seal.status
		m.tell(u.grant.consumer, "use.opened.v1", u)
	}
}

// checkSeals: a sealed use shows nothing, an opened one what was sealed, and the entry of both is what it was.
func (m *model) checkSeals() {
	for _, u := range m.uses {
		if u.seal == nil {
			continue
		}
		record := read[exchange.Use](m.city, "use:Get", u.id)
		disclosure, opened := record.Disclosure()
		require.Equal(m.t, u.seal.opened, opened)
		require.Equal(m.t, opened, record.Purpose != "" && record.Grant == u.grant.id)
		if opened {
			details, err := disclosure.Opens(record.Entry())
			require.NoError(m.t, err)
			require.Equal(m.t, []any{u.grant.consumer, u.request.Purpose, u.request.Fields}, []any{details.Consumer, details.Purpose, details.Fields})
		}
	}
}
