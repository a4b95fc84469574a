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
	"github.com/hutong-gov/hutong/chaincode/fault"
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
	fit := slices.DeleteFunc(slices.Clone(m.grants), func(g *modelGrant) bool { return g.status != "granted" || g.terms.DelayDays == 0 })
	if len(fit) == 0 || m.seldom("any grant") {
		fit = m.grants
	}
	g := anyOf(m, "grant", fit)
	caller := m.usually(g.consumer)
	details := exchange.Details{
		Consumer: g.consumer, Dataset: g.dataset, Fields: m.some("fields", columns), Purpose: m.pick("purpose", goals), LegalBasis: lawful,
		Case: inquiry, Grant: g.id, Selector: hashA,
	}
	document, err := details.Document()
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
	may := caller == g.consumer && !d.withdrawn && g.status == "granted" && within(at, g.terms.ValidFrom, g.terms.ValidUntil) &&
		contains(g.terms.Purposes, []string{details.Purpose}) && contains(g.terms.Fields, details.Fields) && g.quotaHolds(request.Ticket, at) &&
		request.OpensAt.After(at) && !request.OpensAt.After(at.Add(time.Duration(g.terms.DelayDays)*day)) && !d.needs && !g.terms.ConsentRequired
	m.commands++
	key := fmt.Sprintf("command-%d", m.commands)
	receipt, err := m.trySealed(caller, exchange.UseSeal, key, kernel.ID(caller, exchange.UseSeal, key), raw, request)
	m.judged(may, exchange.UseSeal, err)
	if err == nil {
		u := &modelUse{grant: g, status: "sealed", seal: &modelSeal{document: document, opensAt: request.OpensAt, status: "requested"}}
		u.request = request.Request(details)
		m.used(u, receipt.ID, at)
	}
}

// judged holds the ledger to the model's opinion on a command that had something beside it.
func (m *model) judged(may bool, function string, err error) {
	if may {
		require.NoError(m.t, err, "the model allows it")
		m.tally[function]++
		return
	}
	require.Error(m.t, err, "the model forbids it")
	m.tally[function+" "+fault.From(err).Reason]++
}

// sealedUse is most often one that is still sealed.
func (m *model) sealedUse() *modelUse {
	sealed := slices.DeleteFunc(slices.Clone(m.uses), func(u *modelUse) bool { return u.seal == nil || u.seal.opened && !m.seldom("opened before") })
	return anyOf(m, "sealed use", sealed)
}

// deliverSealed delivers beneath the seal, mostly with the right details.
func (m *model) deliverSealed(*rapid.T) {
	u := m.sealedUse()
	g, at := u.grant, m.Now()
	if u.seal.opened {
		m.t.Skip("an open one is delivered like any other")
	}
	caller, document := m.usually(g.provider), u.seal.document
	other := m.seldom("other details")
	if other {
		document = commitment.Document{Fields: document.Fields[1:]}
	}
	raw, err := json.Marshal(document)
	require.NoError(m.t, err)
	may := !other && caller == g.provider && u.seal.status == "requested" && !at.After(u.until) && !m.datasets[g.dataset].withdrawn &&
		g.status == "granted" && within(at, g.terms.ValidFrom, g.terms.ValidUntil) && !g.terms.ConsentRequired &&
		contains(g.terms.Purposes, []string{u.request.Purpose}) && contains(g.terms.Fields, u.request.Fields)
	m.commands++
	_, err = m.trySealed(caller, exchange.UseDeliver, fmt.Sprintf("command-%d", m.commands), u.id, raw, exchange.DeliverUse{Use: u.id, Commitment: hashB})
	m.judged(may, exchange.UseDeliver, err)
	if err == nil {
		u.seal.status = "delivered"
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
