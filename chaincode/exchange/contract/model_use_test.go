package contract_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

type modelUse struct {
	id      string
	request exchange.RequestUse
	grant   *modelGrant
	consent *modelConsent
	until   time.Time
	status  string
	seal    *modelSeal // of one that is or was sealed
}

// modelHeld is a use that was endorsed and waits to be committed.
type modelHeld struct {
	*modelUse
	caller string
	at     time.Time // its timestamp
	tx     *ledgertest.Tx
}

// anyUse is most often one that the model allows, with seldom something wrong about it; else it is put together freely.
func (m *model) anyUse() (u *modelUse, caller string) {
	may := m.allowed()
	if len(may) == 0 || m.seldom("freely") {
		return m.freeUse()
	}
	u = rapid.SampledFrom(may).Draw(m.t, "allowed use")
	if m.seldom("other purpose") {
		u.request.Purpose = m.pick("purpose", goals)
	}
	if m.seldom("other fields") {
		u.request.Fields = m.some("fields", columns)
	}
	if m.seldom("no consent") {
		u.consent, u.request.Consent = nil, ""
	}
	if m.seldom("other ticket") {
		u.request.Ticket = rapid.IntRange(0, 4).Draw(m.t, "ticket")
	}
	return u, m.usually(u.grant.consumer)
}

// allowed are the uses that the model allows now: those of each consent on each grant that covers it.
func (m *model) allowed() (may []*modelUse) {
	for _, c := range m.consents {
		for _, g := range m.grants {
			if g.status != "granted" || g.dataset != c.terms.Dataset {
				continue
			}
			fields := slices.DeleteFunc(slices.Clone(c.terms.Fields), func(f string) bool { return !slices.Contains(g.terms.Fields, f) })
			u := &modelUse{grant: g, consent: c, status: "requested", request: exchange.RequestUse{
				Subject: c.terms.Subject, Dataset: g.dataset, Fields: fields, Purpose: c.terms.Purpose, LegalBasis: "Tax Law 12",
				Case: c.terms.Case, Grant: g.id, Consent: c.id, Selector: hashA, Ticket: g.freeTicket(m.Now()),
			}}
			if len(fields) > 0 && m.mayUse(g.consumer, u, m.Now()) {
				may = append(may, u)
			}
		}
	}
	return may
}

// freeUse follows a consent or, seldom, does without one; every other member is right most of the time.
func (m *model) freeUse() (u *modelUse, caller string) {
	k, g := anyOf(m, "case", m.cases), m.anyGrant()
	request := exchange.RequestUse{
		Subject: k.subject, Case: k.id, Purpose: m.pick("purpose", goals), LegalBasis: "Tax Law 12", Selector: hashA,
		Fields: m.some("fields", columns),
	}
	var c *modelConsent
	if !m.seldom("no consent") {
		c = anyOf(m, "consent", m.consents)
		request.Consent = c.id
		if !m.seldom("for another case") {
			request.Subject, request.Case = c.terms.Subject, c.terms.Case
		}
		if !m.seldom("for another purpose") {
			request.Purpose = c.terms.Purpose
		}
		if !m.seldom("on another grant") {
			g = anyOf(m, "fitting grant", slices.DeleteFunc(slices.Clone(m.grants), func(g *modelGrant) bool {
				return g.dataset != c.terms.Dataset || g.consumer != c.terms.Consumer || g.status != "granted" && g.status != "suspended"
			}))
		}
	}
	request.Grant, request.Dataset = g.id, g.dataset
	request.Ticket = m.ticket(g)
	return &modelUse{request: request, grant: g, consent: c, status: "requested"}, m.usually(g.consumer)
}

// ticket is most often one that the quota has and nobody took.
func (m *model) ticket(g *modelGrant) int {
	if g.terms.Quota == nil || m.seldom("any ticket") {
		if m.seldom("a ticket") {
			return rapid.IntRange(0, 4).Draw(m.t, "ticket")
		}
		return 0
	}
	if n := g.freeTicket(m.Now()); n > 0 && !m.seldom("another ticket") {
		return n
	}
	return rapid.IntRange(1, g.terms.Quota.Uses+1).Draw(m.t, "ticket")
}

func (m *model) requestUse(*rapid.T) {
	u, caller := m.anyUse()
	if id, done := m.attempt(m.mayUse(caller, u, m.Now()), caller, access.Agency, exchange.UseRequest, u.request); done {
		m.used(u, id, m.Now())
	}
}

// used remembers a use that the ledger has.
func (m *model) used(u *modelUse, id string, at time.Time) {
	u.id, u.until = id, at.Add(72*time.Hour)
	u.grant.take(u.request.Ticket, at)
	if u.consent != nil {
		u.consent.uses++
	}
	m.uses = append(m.uses, u)
}

// endorseUse has a use endorsed and keeps it.
func (m *model) endorseUse(*rapid.T) {
	u, caller := m.anyUse()
	m.commands++
	tx, err := m.As(caller, access.Agency).Endorse(exchange.UseRequest, fmt.Sprintf("command-%d", m.commands), u.request)
	require.Equal(m.t, m.mayUse(caller, u, m.Now()), err == nil, "%v", err)
	if err == nil {
		m.held = append(m.held, &modelHeld{u, caller, m.Now(), tx})
	}
}

// commitUse commits a use that was endorsed before. Whatever happened since, it succeeds only if the present ledger would
// allow it at the time that was claimed. It may fail because others wrote what it read, and be none the worse.
func (m *model) commitUse(*rapid.T) {
	h := anyOf(m, "endorsed use", m.held)
	m.held = slices.DeleteFunc(m.held, func(other *modelHeld) bool { return other == h })
	err := h.tx.Commit()
	if err != nil {
		require.ErrorAs(m.t, err, new(*ledgertest.CommitError))
		m.tally[exchange.UseRequest+" too late"]++
		return
	}
	require.True(m.t, m.mayUse(h.caller, h.modelUse, h.at), "the model forbids it")
	m.tally[exchange.UseRequest+" late"]++
	var receipt kernel.Receipt
	require.NoError(m.t, h.tx.Answer(&receipt))
	m.used(h.modelUse, receipt.ID, h.at)
}

// mayUse is the model's opinion on a use at a time.
func (m *model) mayUse(caller string, u *modelUse, at time.Time) bool {
	r, g, c := u.request, u.grant, u.consent
	d := m.datasets[r.Dataset]
	k := m.cases[slices.IndexFunc(m.cases, func(k *modelCase) bool { return k.id == r.Case })]
	grantHolds := !d.withdrawn && g.consumer == caller && g.status == "granted" && within(at, g.terms.ValidFrom, g.terms.ValidUntil) &&
		contains(g.terms.Purposes, []string{r.Purpose}) && contains(g.terms.Fields, r.Fields) && g.quotaHolds(r.Ticket, at)
	caseHolds := k.open && k.subject == r.Subject && slices.Contains(k.agencies, caller)
	if c == nil {
		return grantHolds && caseHolds && !d.needs && !g.terms.ConsentRequired
	}
	t := c.terms
	return grantHolds && caseHolds && !c.revoked && c.uses < t.MaxUses && within(at, t.From, t.Until) && t.Subject == r.Subject &&
		t.Dataset == r.Dataset && t.Consumer == caller && t.Purpose == r.Purpose && t.Case == r.Case && contains(t.Fields, r.Fields)
}

// useOf is most often one of a status.
func (m *model) useOf(status string) *modelUse {
	fit := slices.DeleteFunc(slices.Clone(m.uses), func(u *modelUse) bool { return u.status != status })
	if len(fit) == 0 || m.seldom("any use") {
		fit = m.uses
	}
	return anyOf(m, "use", fit)
}

func (m *model) deliver(*rapid.T) {
	u := m.useOf("requested")
	if u.status == "sealed" {
		m.t.Skip("it is delivered with its details")
	}
	at, g := m.Now(), u.grant
	caller := m.usually(g.provider)
	may := caller == g.provider && u.status == "requested" && !at.After(u.until) && !m.datasets[g.dataset].withdrawn &&
		g.status == "granted" && within(at, g.terms.ValidFrom, g.terms.ValidUntil) &&
		contains(g.terms.Purposes, []string{u.request.Purpose}) && contains(g.terms.Fields, u.request.Fields) &&
		(u.consent == nil && !g.terms.ConsentRequired && !m.datasets[g.dataset].needs || u.consent != nil && !u.consent.revoked && at.Before(u.consent.terms.Until))
	if _, done := m.attempt(may, caller, access.Agency, exchange.UseDeliver, exchange.DeliverUse{Use: u.id, Commitment: hashB}); done {
		u.status = "delivered"
	}
}

func (m *model) acknowledge(*rapid.T) {
	u := m.useOf("delivered")
	caller, status := m.usually(u.grant.consumer), &u.status
	if u.status == "sealed" {
		status = &u.seal.status
	}
	opened := hashB
	if m.seldom("something else") {
		opened = hashA
	}
	may := caller == u.grant.consumer && *status == "delivered" && opened == hashB
	if _, done := m.attempt(may, caller, access.Agency, exchange.UseAcknowledge, exchange.AcknowledgeUse{Use: u.id, Commitment: opened}); done {
		*status = "acknowledged"
	}
}
