package contract_test

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

type modelGrant struct {
	id, dataset, provider, consumer string
	wanted, terms                   exchange.Terms
	status                          string
	tickets                         map[string]map[int]bool // taken, by period
	largest                         map[string]int          // quota in force when a use was made, by period
}

// period is that of a moment, counted by the model's own calendar.
func (g *modelGrant) period(at time.Time) string {
	there := at.Add(8 * time.Hour).UTC()
	return map[string]string{"day": there.Format("2006-01-02"), "month": there.Format("2006-01"), "grant": "grant"}[g.terms.Quota.Per]
}

// quotaHolds: the ticket is one of the grant's that nobody has.
func (g *modelGrant) quotaHolds(ticket int, at time.Time) bool {
	if g.terms.Quota == nil {
		return ticket == 0
	}
	return ticket >= 1 && ticket <= g.terms.Quota.Uses && !g.tickets[g.period(at)][ticket]
}

// freeTicket is the lowest; 0 where there is none, or no quota.
func (g *modelGrant) freeTicket(at time.Time) int {
	if g.terms.Quota == nil {
		return 0
	}
	for n := 1; n <= g.terms.Quota.Uses; n++ {
		if g.quotaHolds(n, at) {
			return n
		}
	}
	return 0
}

func (g *modelGrant) take(ticket int, at time.Time) {
	if g.terms.Quota == nil {
		return
	}
	period := g.period(at)
	if g.tickets == nil {
		g.tickets, g.largest = map[string]map[int]bool{}, map[string]int{}
	}
	if g.tickets[period] == nil {
		g.tickets[period] = map[int]bool{}
	}
	g.tickets[period][ticket] = true
	g.largest[period] = max(g.largest[period], g.terms.Quota.Uses)
}

// anyGrant is most often one that is granted.
func (m *model) anyGrant() *modelGrant {
	return m.grantOf("granted")
}

// grantOf is most often one of a status.
func (m *model) grantOf(status string) *modelGrant {
	return mostly(m, "grant", m.grants, func(g *modelGrant) bool { return g.status == status })
}

func (m *model) askGrant(*rapid.T) {
	id, d := m.anyDataset()
	consumer := m.pick("consumer", slices.DeleteFunc(slices.Clone(players), func(p string) bool { return p == d.owner }))
	if m.seldom("its own") {
		consumer = d.owner
	}
	terms := exchange.Terms{Purposes: m.some("purposes", goals), Fields: m.some("fields", columns), ConsentRequired: rapid.Bool().Draw(m.t, "consent"), Quota: m.quota()}
	terms.ValidFrom, terms.ValidUntil = m.period()
	terms.Modes, terms.PreviewRequired = m.modes(), m.seldom("preview")
	if m.seldom("delay") {
		terms.Modes, terms.PreviewRequired, terms.ConsentRequired, terms.DelayDays = nil, false, false, 2
	}
	may := d.gives(terms.Fields) && consumer != d.owner && d.offers(terms.Purposes) && terms.ValidUntil.After(m.Now())
	if grant, done := m.attempt(may, consumer, access.Admin, exchange.GrantRequest, exchange.RequestGrant{Dataset: id, Terms: terms, Basis: "Tax Law 12"}); done {
		g := &modelGrant{id: grant, dataset: id, provider: d.owner, consumer: consumer, wanted: terms, status: "requested"}
		if d.content.Classification == "open" && terms.DelayDays == 0 {
			g.status, g.terms = "granted", terms
		}
		m.grants = append(m.grants, g)
	}
}

func (m *model) decide(*rapid.T) {
	g := m.grantOf("requested")
	caller := m.usually(g.provider)
	may := caller == g.provider && g.status == "requested"
	if m.seldom("deny") {
		if _, done := m.attempt(may, caller, access.Admin, exchange.GrantDeny, exchange.DenyAccess{Grant: g.id, Reason: "not_needed"}); done {
			g.status = "denied"
		}
		return
	}
	terms, admitted := m.within(g)
	may = may && admitted
	if _, done := m.attempt(may, caller, access.Admin, exchange.GrantGrant, exchange.GrantAccess{Grant: g.id, Terms: terms}); done {
		g.status, g.terms = "granted", terms
	}
}

// within are terms that are most often within what was wanted of a grant, and the model's opinion on that.
func (m *model) within(g *modelGrant) (terms exchange.Terms, admitted bool) {
	terms = g.wanted
	terms.Purposes, terms.Fields = m.some("purposes", goals), m.some("fields", columns)
	terms.ConsentRequired = terms.DelayDays == 0 && rapid.Bool().Draw(m.t, "consent")
	if m.seldom("another quota") {
		terms.Quota = m.quota()
	}
	if terms.DelayDays > 0 { // nothing of these is compatible with a delay
		terms.DelayDays = rapid.SampledFrom([]int{terms.DelayDays, terms.DelayDays, 1, 4}).Draw(m.t, "delay")
	} else {
		if m.seldom("other modes") {
			terms.Modes = m.modes()
		}
		terms.PreviewRequired = terms.PreviewRequired != m.seldom("preview")
	}
	if m.seldom("another period") {
		terms.ValidFrom = terms.ValidFrom.Add(rapid.SampledFrom([]time.Duration{20 * time.Minute, -20 * time.Minute}).Draw(m.t, "later"))
	}
	if m.seldom("another end") {
		terms.ValidUntil = terms.ValidUntil.Add(rapid.SampledFrom([]time.Duration{-20 * time.Minute, 20 * time.Minute}).Draw(m.t, "longer"))
	}
	d := m.datasets[g.dataset]
	return terms, !d.withdrawn && contains(g.wanted.Purposes, terms.Purposes) && contains(g.wanted.Fields, terms.Fields) &&
		(!admits(terms, "fetch") || admits(g.wanted, "fetch")) && (!admits(terms, "verify") || admits(g.wanted, "verify")) &&
		!terms.ValidFrom.Before(g.wanted.ValidFrom) && !terms.ValidUntil.After(g.wanted.ValidUntil) &&
		(terms.ConsentRequired || !d.needs(terms.Fields) && !g.wanted.ConsentRequired) && terms.ValidUntil.After(m.Now()) && narrower(terms.Quota, g.wanted.Quota) &&
		terms.DelayDays <= g.wanted.DelayDays
}

// modes of a grant: most often both.
func (m *model) modes() []string {
	return rapid.SampledFrom([][]string{nil, {"fetch"}, {"verify"}, {"fetch", "verify"}, {"fetch", "verify"}, {"fetch", "verify"}}).Draw(m.t, "modes")
}

// admits: the terms allow the mode; those that name none, to fetch.
func admits(t exchange.Terms, mode string) bool {
	return slices.Contains(t.Modes, mode) || len(t.Modes) == 0 && mode == "fetch"
}

// holds: at this time the grant's terms allow what a use is for.
func (g *modelGrant) holds(u *modelUse, at time.Time) bool {
	return g.status == "granted" && within(at, g.terms.ValidFrom, g.terms.ValidUntil) && contains(g.terms.Purposes, []string{u.request.Purpose}) &&
		contains(g.terms.Fields, u.request.Fields) && admits(g.terms, u.mode())
}

// narrower: under the one quota nobody can do what the other forbids.
func narrower(q, wide *exchange.Quota) bool {
	if q == nil || wide == nil {
		return wide == nil
	}
	days := map[string]int{"day": 1, "month": 31, "grant": 5 * 366}
	return q.Uses <= wide.Uses && days[q.Per] >= days[wide.Per]
}

// quota is a small one, or none.
func (m *model) quota() *exchange.Quota {
	return rapid.SampledFrom([]*exchange.Quota{nil, {Uses: 1, Per: "day"}, {Uses: 2, Per: "day"}, {Uses: 3, Per: "month"}, {Uses: 2, Per: "grant"}}).Draw(m.t, "quota")
}

func (m *model) amendGrant(*rapid.T) {
	g := m.anyGrant()
	terms, may := m.within(g)
	caller := m.usually(g.provider)
	may = may && caller == g.provider && (g.status == "granted" || g.status == "suspended")
	if _, done := m.attempt(may, caller, access.Admin, exchange.GrantAmend, exchange.AmendGrant{Grant: g.id, Terms: terms, Reason: "revised"}); done {
		g.terms = terms
	}
}

func (m *model) suspendGrant(*rapid.T) {
	m.onlyIn(3)
	g := m.anyGrant()
	caller := m.usually(g.provider)
	if _, done := m.attempt(caller == g.provider && g.status == "granted", caller, access.Admin, exchange.GrantSuspend, exchange.SuspendGrant{Grant: g.id, Reason: "inquiry"}); done {
		g.status = "suspended"
	}
}

func (m *model) resumeGrant(*rapid.T) {
	g := m.grantOf("suspended")
	caller := m.usually(g.provider)
	if _, done := m.attempt(caller == g.provider && g.status == "suspended", caller, access.Admin, exchange.GrantResume, exchange.ResumeGrant{Grant: g.id, Reason: "cleared"}); done {
		g.status = "granted"
	}
}

func (m *model) withdrawGrant(*rapid.T) {
	m.onlyIn(16)
	g := m.anyGrant()
	caller := m.usually(g.provider)
	if _, done := m.attempt(caller == g.provider && (g.status == "granted" || g.status == "suspended"), caller, access.Admin, exchange.GrantWithdraw, exchange.WithdrawGrant{Grant: g.id, Reason: "misuse"}); done {
		g.status = "withdrawn"
	}
}
