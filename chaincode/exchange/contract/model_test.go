package contract_test

import (
	"crypto/ecdsa"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

// The model knows what has happened and decides for itself what may happen next. It shares no rule with the package under
// test: the ledger and the model must agree on every single command.
//
// What it proves over random histories: no use without a grant and a consent that are live and cover it, be it endorsed
// before something changed and committed after; no quota exceeded; no delivery without a use; numbers without a gap, a
// chain of hashes that a stranger can recompute; what the two sides announced to each other adds up.
//
// This file has the play, what there is besides grants and uses, and how chance is drawn; model_grant_test.go and
// model_use_test.go have those two, model_check_test.go what must hold in the end.
type model struct {
	*city
	t        *rapid.T
	datasets map[string]*modelDataset
	grants   []*modelGrant
	cases    []*modelCase
	consents []*modelConsent
	uses     []*modelUse
	signers  map[string]*ecdsa.PrivateKey // whose signature counts now, by subject; others' and earlier ones do not
	held     []*modelHeld                 // endorsed and not committed
	tally    map[string]int               // commands that were carried out, by function; shared by all runs
}

type modelDataset struct {
	owner            string
	needs, withdrawn bool
}

type modelCase struct {
	id, subject string
	agencies    []string
	open        bool
}

type modelConsent struct {
	id      string
	terms   exchange.ConsentTerms
	revoked bool
	uses    int
}

var (
	players = []string{housing, regulation, tax}
	people  = []string{alice, bob}
	goals   = []string{"business.start", "tax.check"}
	columns = []string{"address", "area"}
)

// reached are the functions that random histories must have carried out, and the refusals they must have met.
var reached = []string{exchange.UseRequest, exchange.UseDeliver, exchange.UseAcknowledge, exchange.ConsentRevoke, exchange.GrantWithdraw, exchange.SubjectRotate, exchange.SubjectRecover,
	exchange.GrantAmend, exchange.GrantSuspend, exchange.GrantResume, exchange.UseRequest + " late", exchange.UseRequest + " too late",
	exchange.UseRequest + " exchange.quota_exhausted", exchange.UseRequest + " exchange.ticket_taken", exchange.UseRequest + " exchange.grant_suspended",
	exchange.UseSeal, exchange.UseOpen}

func TestModel(t *testing.T) {
	tally := map[string]int{}
	missed := func(function string) bool { return tally[function] == 0 }
	for round := 0; round == 0 || round < 20 && slices.ContainsFunc(reached, missed); round++ { // few histories may all miss one
		checkModel(t, tally)
	}
	for _, function := range reached {
		require.NotZero(t, tally[function], "the runs never got to %s", function)
	}
	t.Log(tally)
}

func checkModel(t *testing.T, tally map[string]int) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{city: newCity(t).register().inbox(), t: t, datasets: map[string]*modelDataset{}, tally: tally, signers: maps.Clone(keys)}
		for _, person := range people {
			m.openCase(person, players)
		}
		m.begin()
		actions := map[string]func(*rapid.T){
			"publish": m.publish, "publish too": m.publish, "withdraw a dataset": m.withdrawDataset,
			"ask for a grant": m.askGrant, "ask for another": m.askGrant, "decide": m.decide, "decide more": m.decide, "withdraw a grant": m.withdrawGrant,
			"amend": m.amendGrant, "suspend": m.suspendGrant, "resume": m.resumeGrant, "resume soon": m.resumeGrant,
			"consent": m.giveConsent, "consent again": m.giveConsent, "revoke": m.revoke, "another key": m.anotherKey,
			"open a case": func(*rapid.T) { m.openCase(m.pick("subject", people), m.some("agencies", players)) }, "close a case": m.closeCase,
			"use": m.requestUse, "use it": m.requestUse, "use it again": m.requestUse, "use it once more": m.requestUse,
			"endorse a use": m.endorseUse, "endorse another": m.endorseUse, "commit it": m.commitUse, "commit soon": m.commitUse, "deliver": m.deliver, "deliver more": m.deliver,
			"seal": m.sealUse, "seal another": m.sealUse, "deliver sealed": m.deliverSealed, "open": m.openUse,
			"acknowledge": m.acknowledge, "acknowledge more": m.acknowledge, "time passes": m.pass, "": m.checkHeads,
		}
		for range 4 { // about 30 actions each
			t.Repeat(actions)
		}
		m.checkLogs()
	})
}

// begin gives a run a dataset that is granted, so that it need not find its way there by chance.
func (m *model) begin() {
	terms := m.terms()
	terms.Quota = m.quota()
	id := m.do(housing, access.Admin, exchange.DatasetPublish, publication())
	m.datasets[id] = &modelDataset{owner: housing}
	g := &modelGrant{dataset: id, provider: housing, consumer: tax, wanted: terms, terms: terms, status: "granted"}
	g.id = m.do(tax, access.Admin, exchange.GrantRequest, exchange.RequestGrant{Dataset: id, Terms: terms, Basis: "Tax Law 12"})
	m.do(housing, access.Admin, exchange.GrantGrant, exchange.GrantAccess{Grant: g.id, Terms: terms})
	terms.ConsentRequired, terms.DelayDays, terms.Quota = false, 3, nil
	secret := &modelGrant{dataset: id, provider: housing, consumer: regulation, wanted: terms, terms: terms, status: "granted"}
	secret.id = m.do(regulation, access.Admin, exchange.GrantRequest, exchange.RequestGrant{Dataset: id, Terms: terms, Basis: "Inquiries Act 9"})
	m.do(housing, access.Admin, exchange.GrantGrant, exchange.GrantAccess{Grant: secret.id, Terms: terms})
	m.grants = append(m.grants, g, secret)
}

// attempt submits a command and holds the ledger to the model's opinion.
func (m *model) attempt(may bool, agency string, role access.Role, function string, request any) (id string, done bool) {
	receipt, err := m.try(agency, role, function, request)
	if may {
		require.NoError(m.t, err, "the model allows it")
		m.tally[function]++
	} else {
		require.Error(m.t, err, "the model forbids it")
		m.tally[function+" "+fault.From(err).Reason]++
	}
	return receipt.ID, err == nil
}

func (m *model) pick(label string, from []string) string {
	return rapid.SampledFrom(from).Draw(m.t, label)
}

// some is a sorted, non-empty part of a sorted list; most often all of it.
func (m *model) some(label string, all []string) []string {
	part := slices.DeleteFunc(slices.Clone(all), func(string) bool { return m.seldom(label) })
	if len(part) == 0 {
		return all[:1]
	}
	return part
}

// seldom is true one time of eight: random commands must mostly be right to get anywhere.
func (m *model) seldom(label string) bool {
	return rapid.IntRange(0, 7).Draw(m.t, label) == 7
}

// usually is who should act, seldom anybody.
func (m *model) usually(who string) string {
	if m.seldom("another caller") {
		return m.pick("caller", players)
	}
	return who
}

// period begins a little before or after now and lasts some days.
func (m *model) period() (from, until time.Time) {
	from = m.Now().Add(rapid.SampledFrom([]time.Duration{-day, 0, -2 * day, 6 * time.Hour}).Draw(m.t, "from"))
	return from, from.Add(rapid.SampledFrom([]time.Duration{20 * day, 8 * day, 30 * time.Hour, time.Hour}).Draw(m.t, "for"))
}

func within(at, from, until time.Time) bool { return !at.Before(from) && at.Before(until) }

func contains(all, part []string) bool {
	return !slices.ContainsFunc(part, func(s string) bool { return !slices.Contains(all, s) })
}

// anyOf is one of what there is, or the run skips the step.
func anyOf[T any](m *model, label string, all []T) T {
	if len(all) == 0 {
		m.t.Skip("none yet")
	}
	return rapid.SampledFrom(all).Draw(m.t, label)
}

func (m *model) anyDataset() (id string, d *modelDataset) {
	ids := make([]string, 0, len(m.datasets))
	for id := range m.datasets {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	id = anyOf(m, "dataset", ids)
	return id, m.datasets[id]
}

func (m *model) publish(*rapid.T) {
	owner := m.pick("owner", players)
	request := publication()
	request.Code = m.pick("code", []string{"premises", "plans"})
	request.ConsentRequired = rapid.Bool().Draw(m.t, "consent required")
	if m.seldom("restricted") {
		request.Classification = exchange.Restricted
	}
	if m.datasets[owner+"/"+request.Code] != nil {
		m.t.Skip("taken")
	}
	id, _ := m.attempt(true, owner, access.Admin, exchange.DatasetPublish, request)
	m.datasets[id] = &modelDataset{owner: owner, needs: request.ConsentRequired || request.Classification == exchange.Restricted}
}

func (m *model) withdrawDataset(*rapid.T) {
	if !m.seldom("at all") || !m.seldom("really") {
		m.t.Skip("it ends everything")
	}
	id, d := m.anyDataset()
	caller := m.usually(d.owner)
	if _, done := m.attempt(caller == d.owner && !d.withdrawn, caller, access.Admin, exchange.DatasetWithdraw, exchange.WithdrawDataset{Dataset: id, Reason: "replaced"}); done {
		d.withdrawn = true
	}
}

func (m *model) openCase(subject string, agencies []string) {
	id := m.do(hall, access.Portal, "case:Open", openCase{subject, agencies})
	m.cases = append(m.cases, &modelCase{id, subject, agencies, true})
}

func (m *model) closeCase(*rapid.T) {
	k := anyOf(m, "case", m.cases)
	if !k.open || !m.seldom("at all") {
		m.t.Skip("seldom")
	}
	m.do(hall, access.Portal, "case:Close", caseRef{k.id})
	k.open = false
}

func (m *model) giveConsent(*rapid.T) {
	g, k := m.anyGrant(), anyOf(m, "case", m.cases)
	terms := m.consentTerms()
	terms.Subject, terms.Dataset, terms.Consumer, terms.Case = k.subject, g.dataset, m.usually(g.consumer), k.id
	terms.Purpose, terms.Fields = m.pick("purpose", goals), m.some("fields", columns)
	terms.MaxUses = rapid.IntRange(1, 3).Draw(m.t, "uses")
	terms.From, terms.Until = m.period()
	signer := m.signers[terms.Subject]
	if m.seldom("forge") {
		signer = rapid.SampledFrom([]*ecdsa.PrivateKey{keys[alice], m.signers[alice], m.signers[bob]}).Draw(m.t, "signer")
	}
	may := signer == m.signers[terms.Subject] && !m.datasets[g.dataset].withdrawn && m.Now().Before(terms.Until)
	if id, done := m.attempt(may, hall, access.Portal, exchange.ConsentGive, exchange.GiveConsent{JWS: sign(signer, exchange.ConsentKind, terms)}); done {
		m.consents = append(m.consents, &modelConsent{id: id, terms: terms})
	}
}

func (m *model) revoke(*rapid.T) {
	if rapid.Bool().Draw(m.t, "not now") {
		m.t.Skip("not now")
	}
	c := anyOf(m, "consent", m.consents)
	signer := m.pick("signer", people)
	request := exchange.RevokeConsent{Consent: c.id, JWS: sign(m.signers[signer], exchange.RevocationKind,
		exchange.Revocation{Channel: ledgertest.Channel, Subject: signer, Consent: c.id})}
	if _, done := m.attempt(signer == c.terms.Subject && !c.revoked, hall, access.Portal, exchange.ConsentRevoke, request); done {
		c.revoked = true
	}
}

// anotherKey rotates a subject's key, or recovers it and with it ends some of the consents.
func (m *model) anotherKey(*rapid.T) {
	if rapid.IntRange(0, 3).Draw(m.t, "now") != 3 {
		m.t.Skip("not now")
	}
	person := m.pick("subject", people)
	old, next := m.signers[person], newKey()
	if m.seldom("the same key") {
		next = old
	}
	if rapid.Bool().Draw(m.t, "rotate") {
		by := old
		if m.seldom("forge") {
			by = keys[alice]
		}
		if _, done := m.attempt(by == old && next != old, hall, access.Portal, exchange.SubjectRotate, rotation(person, by, next)); done {
			m.signers[person] = next
		}
		return
	}
	request := recovery(person, next)
	ended := []*modelConsent{}
	for _, c := range m.consents {
		if c.terms.Subject == person && rapid.Bool().Draw(m.t, "end") && len(ended) < exchange.MaxEndedConsents {
			ended, request.Consents = append(ended, c), append(request.Consents, c.id)
		}
	}
	slices.Sort(request.Consents)
	caller := police
	if m.seldom("another caller") {
		caller = tax
	}
	m.staff = "0417"
	_, done := m.attempt(caller == police && next != old, caller, access.Agency, exchange.SubjectRecover, request)
	m.staff = ""
	if done {
		m.signers[person] = next
		for _, c := range ended {
			c.revoked = true
		}
	}
}

func (m *model) pass(*rapid.T) {
	m.Advance(time.Duration(rapid.IntRange(1, 30).Draw(m.t, "hours")) * time.Hour)
}
