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

// What a use is for.
const (
	toFetch = iota
	toAsk   // the provider whether claims are true
	toShow  // fields against the commitment to the record, with no provider
)

type modelUse struct {
	id        string
	kind      int
	request   exchange.RequestUse
	shown     []*modelDocument // of which the fields are that are shown, in their order
	grant     *modelGrant
	consent   *modelConsent
	until     time.Time
	status    string
	looks     bool   // the subject looks at it first
	prepared  string // commitment of what it was shown
	delivered string
	purged    bool
	seal      *modelSeal // of one that is or was sealed
}

// mode is what the grant must allow.
func (u *modelUse) mode() string {
	if u.kind == toFetch {
		return "fetch"
	}
	return "verify"
}

// command is how the use is asked for.
func (u *modelUse) command() (function string, request any) {
	switch u.kind {
	case toAsk:
		u.request.Claims = hashB
	case toShow:
		u.request.Claims, u.request.Selector = hashB, ""
		r := exchange.VerifyUse{RequestUse: u.request, Answer: hashA}
		for i, d := range u.shown {
			r.Openings = append(r.Openings, d.opening(u.request.Fields[i]))
		}
		return exchange.UseVerify, r
	}
	return exchange.UseRequest, u.request
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
	kind := rapid.SampledFrom([]int{toFetch, toFetch, toFetch, toAsk, toShow, toShow}).Draw(m.t, "what for")
	may := m.allowed(kind)
	if len(may) == 0 || m.seldom("freely") {
		u, caller = m.freeUse()
		u.kind = kind
	} else {
		u, caller = m.allowedUse(may)
	}
	if kind == toShow {
		u.shown = m.documentsFor(u)
	}
	return u, caller
}

func (m *model) allowedUse(may []*modelUse) (u *modelUse, caller string) {
	u = rapid.SampledFrom(may).Draw(m.t, "allowed use")
	if m.seldom("other dataset") {
		u.request.Dataset, _ = m.anyDataset()
	}
	if m.seldom("other purpose") {
		u.request.Purpose = m.pick("purpose", goals)
	}
	if m.seldom("other fields") {
		u.request.Fields = m.some("fields", columns)
	}
	if m.seldom("no consent") {
		u.consent, u.request.Consent = nil, ""
	}
	if m.seldom("other consent") {
		u.consent = mostly(m, "consent", m.consents, func(c *modelConsent) bool {
			return c.terms.Case == u.request.Case && c.terms.Consumer == u.grant.consumer
		})
		u.request.Consent, u.request.Purpose, u.request.Fields = u.consent.id, u.consent.terms.Purpose, u.consent.terms.Fields
	}
	if m.seldom("other ticket") {
		u.request.Ticket = rapid.IntRange(0, 4).Draw(m.t, "ticket")
	}
	return u, m.usually(u.grant.consumer)
}

// allowed are the uses of a kind that the model allows now: those of each consent on each grant that covers it, and those
// that need none.
func (m *model) allowed(kind int) (may []*modelUse) {
	try := func(g *modelGrant, c *modelConsent, r exchange.RequestUse) {
		r.Dataset, r.Grant, r.LegalBasis, r.Selector, r.Ticket = g.dataset, g.id, "Tax Law 12", hashA, g.freeTicket(m.Now())
		u := &modelUse{kind: kind, grant: g, consent: c, request: r}
		if len(r.Fields) > 0 && m.mayUse(g.consumer, u, m.Now()) {
			may = append(may, u)
		}
	}
	for _, g := range m.grants {
		if g.status != "granted" {
			continue
		}
		for _, c := range m.consents {
			t := c.terms
			fields := slices.DeleteFunc(slices.Clone(t.Fields), func(f string) bool { return !slices.Contains(g.terms.Fields, f) })
			try(g, c, exchange.RequestUse{Subject: t.Subject, Fields: fields, Purpose: t.Purpose, Case: t.Case, Consent: c.id})
		}
		for _, k := range m.cases {
			try(g, nil, exchange.RequestUse{Subject: k.subject, Fields: g.terms.Fields, Purpose: g.terms.Purposes[0], Case: k.id})
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
	return &modelUse{request: request, grant: g, consent: c}, m.usually(g.consumer)
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
	function, request := u.command()
	if id, done := m.attempt(m.mayUse(caller, u, m.Now()), caller, access.Agency, function, request); done {
		m.used(u, id, m.Now())
	}
}

// used remembers a use that the ledger has.
func (m *model) used(u *modelUse, id string, at time.Time) {
	u.id, u.until, u.status = id, at.Add(72*time.Hour), "requested"
	if u.kind == toShow {
		u.status = m.finding(u, at)
		m.tally[u.status]++
		if u.status == "proven" {
			u.delivered = hashA // the answer
		}
		m.tell(u.grant.provider, "use.verified.v1", u)
	} else if u.seal == nil {
		m.tell(u.grant.provider, "use.requested.v1", u)
	}
	d, c := m.datasets[u.request.Dataset], u.consent
	u.looks = u.kind == toFetch && (d.content.PreviewRequired || u.grant.terms.PreviewRequired || c != nil && c.terms.PreviewRequired)
	u.grant.take(u.request.Ticket, at)
	if c != nil {
		c.uses++
	}
	m.uses = append(m.uses, u)
}

// endorseUse has a use endorsed and keeps it.
func (m *model) endorseUse(*rapid.T) {
	u, caller := m.anyUse()
	m.commands++
	function, request := u.command()
	tx, err := m.As(caller, access.Agency).Endorse(function, fmt.Sprintf("command-%d", m.commands), request)
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
	function, _ := h.command()
	err := h.tx.Commit()
	if err != nil {
		require.ErrorAs(m.t, err, new(*ledgertest.CommitError))
		m.tally[function+" too late"]++
		return
	}
	require.True(m.t, m.mayUse(h.caller, h.modelUse, h.at), "the model forbids it")
	m.tally[function+" late"]++
	var receipt kernel.Receipt
	require.NoError(m.t, h.tx.Answer(&receipt))
	m.used(h.modelUse, receipt.ID, h.at)
}

// mayUse is the model's opinion on a use at a time.
func (m *model) mayUse(caller string, u *modelUse, at time.Time) bool {
	r, g, c := u.request, u.grant, u.consent
	d := m.datasets[r.Dataset]
	k := m.cases[slices.IndexFunc(m.cases, func(k *modelCase) bool { return k.id == r.Case })]
	grantHolds := d.gives(r.Fields) && g.dataset == r.Dataset && g.consumer == caller && g.holds(u, at) && g.quotaHolds(r.Ticket, at)
	caseHolds := k.open && k.subject == r.Subject && slices.Contains(k.agencies, caller)
	if c == nil {
		return grantHolds && caseHolds && !d.needs(r.Fields) && !g.terms.ConsentRequired
	}
	t := c.terms
	return grantHolds && caseHolds && c.live(at) && c.uses < t.MaxUses && t.Subject == r.Subject &&
		t.Dataset == r.Dataset && t.Consumer == caller && t.Purpose == r.Purpose && t.Case == r.Case && contains(t.Fields, r.Fields)
}

// rests: what a use was allowed by holds at a time, as everything stands now.
func (m *model) rests(u *modelUse, at time.Time) bool {
	d := m.datasets[u.request.Dataset]
	if !d.gives(u.request.Fields) || !u.grant.holds(u, at) {
		return false
	}
	if u.consent == nil {
		return !d.needs(u.request.Fields) && !u.grant.terms.ConsentRequired
	}
	return u.consent.live(at)
}
