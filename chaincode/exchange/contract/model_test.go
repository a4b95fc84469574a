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
// What it proves over random histories: no use, be it to fetch or to verify, without a grant and a consent that are live and
// cover it, be it endorsed before something changed and committed after; no quota exceeded; no delivery without a use that
// still may be, nor of what its subject was to see first and did not release; nothing proven but what the commitment that
// stands has; nobody told of changes who may not know them; a code good once, for who could redeem it; numbers without a
// gap, in a tree that a stranger can recompute; what the two sides announced to each other adds up.
//
// This file has the play and how chance is drawn, model_check_test.go what must hold in the end; the others have each a
// part of the model: what it remembers, what it allows, and the random commands.
type model struct {
	*city
	t             *rapid.T
	datasets      map[string]*modelDataset
	grants        []*modelGrant
	cases         []*modelCase
	consents      []*modelConsent
	codes         []*modelCode
	documents     []*modelDocument
	commitments   map[string]*modelCommitment // by dataset and subject
	uses          []*modelUse
	subscriptions []*modelSubscription
	signers       map[string]*ecdsa.PrivateKey // whose signature counts now, by subject; others' and earlier ones do not
	held          []*modelHeld                 // endorsed and not committed
	owed          map[modelNotice]int          // what must have been announced
	checked       uint64                       // height of the ledger when the heads of the logs were compared
	tally         map[string]int               // commands that were carried out, by function; shared by all runs
}

var (
	players = []string{housing, regulation, tax}
	people  = []string{alice, bob}
	goals   = []string{"business.start", "tax.check"}
	columns = []string{"address", "area"}
)

// reached are the functions that random histories must have carried out, the refusals they must have met, and the findings of
// verifications; rare those that only a long run must get to.
var (
	reached = []string{
		exchange.DatasetRevise, exchange.GrantAmend, exchange.GrantSuspend, exchange.GrantResume, exchange.GrantWithdraw,
		exchange.ConsentRevoke, exchange.SubjectRotate, exchange.SubjectRecover, exchange.CodePresent, exchange.CodeRedeem, exchange.CodeCancel,
		exchange.UseRequest, exchange.UseRequest + " late", exchange.UseRequest + " too late",
		exchange.UseRequest + " exchange.quota_exhausted", exchange.UseRequest + " exchange.ticket_taken",
		exchange.UseRequest + " exchange.consent_required", exchange.UseRequest + " exchange.grant_suspended",
		exchange.UsePrepare, exchange.UseRelease, exchange.UseRefuse, exchange.UseDeliver, exchange.UseDeliver + " exchange.not_released",
		exchange.UseDeliver + " exchange.use_refused", exchange.UseAcknowledge, exchange.UsePurge, exchange.UseSeal, exchange.UseOpen,
		exchange.CommitmentAnchor, exchange.CommitmentSupersede, exchange.CommitmentWithdraw, exchange.UseVerify,
		exchange.Proven, exchange.Absent, exchange.Mismatched, exchange.SubscriptionStart, exchange.SubscriptionAnnounce,
	}
	rare = []string{
		exchange.DatasetRevise + " exchange.edition_gap", exchange.GrantRequest + " exchange.purpose_not_offered",
		exchange.CodePresent + " exchange.code_dead", exchange.CodePresent + " exchange.code_redeemed", exchange.CodeRedeem + " exchange.code_wrong",
		exchange.UseRequest + " exchange.mode_not_granted", exchange.UseRequest + " exchange.field_unknown", exchange.UseVerify + " late",
		exchange.UseDeliver + " exchange.consent_revoked", exchange.UseDeliver + " exchange.consent_required",
		exchange.Superseded, exchange.Stale, exchange.Withdrawn,
		exchange.SubscriptionAnnounce + " exchange.nothing_changed", exchange.SubscriptionAnnounce + " exchange.consent_revoked", exchange.SubscriptionEnd,
	}
)

func TestModel(t *testing.T) {
	tally, reached := map[string]int{}, reached
	if !testing.Short() {
		reached = slices.Concat(reached, rare)
	}
	missed := func(function string) bool { return tally[function] == 0 }
	for round := 0; round == 0 || round < 20 && slices.ContainsFunc(reached, missed); round++ { // few histories may all miss one
		checkModel(t, tally)
	}
	t.Log(tally)
	for _, function := range reached {
		require.NotZero(t, tally[function], "the runs never got to %s", function)
	}
}

func checkModel(t *testing.T, tally map[string]int) {
	repeats := 6 // of some 30 actions each
	if testing.Short() {
		repeats = 12 // of some 15
	}
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			city: newCity(t).register().inbox(), t: t, datasets: map[string]*modelDataset{}, commitments: map[string]*modelCommitment{},
			owed: map[modelNotice]int{}, tally: tally, signers: maps.Clone(keys),
		}
		for _, person := range people {
			m.openCase(person, players)
		}
		m.begin()
		actions := map[string]func(*rapid.T){
			"publish": m.publish, "revise": m.revise, "withdraw a dataset": m.withdrawDataset,
			"ask for a grant": m.askGrant, "decide": m.decide, "withdraw a grant": m.withdrawGrant,
			"amend": m.amendGrant, "suspend": m.suspendGrant, "resume": m.resumeGrant,
			"consent": m.giveConsent, "consent again": m.giveConsent, "revoke": m.revoke, "another key": m.anotherKey,
			"give a code": m.giveCode, "present a code": m.presentCode, "redeem a code": m.redeemCode, "cancel a code": m.cancelCode,
			"open a case": func(*rapid.T) { m.openCase(m.pick("subject", people), m.some("agencies", players)) }, "close a case": m.closeCase,
			"commit to a record": m.commitRecord, "commit anew": m.commitRecord, "withdraw a commitment": m.withdrawCommitment,
			"use": m.requestUse, "use it": m.requestUse, "use it again": m.requestUse, "use it once more": m.requestUse, "use it too": m.requestUse,
			"endorse a use": m.endorseUse, "endorse another": m.endorseUse, "commit it": m.commitUse, "commit soon": m.commitUse,
			"prepare": m.prepareUse, "prepare more": m.prepareUse, "release": m.release, "release more": m.release, "refuse": m.refuse,
			"deliver": m.deliver, "deliver more": m.deliver, "deliver even more": m.deliver, "acknowledge": m.acknowledge, "acknowledge more": m.acknowledge, "purge": m.purge,
			"seal": m.sealUse, "seal another": m.sealUse, "deliver sealed": m.deliverSealed, "open": m.openUse,
			"subscribe": m.subscribe, "subscribe too": m.subscribe, "announce": m.announce, "announce more": m.announce, "end a subscription": m.endSubscription,
			"time passes": m.pass, "minutes pass": m.passMinutes, "": m.checkHeads,
		}
		for name, action := range actions {
			actions[name] = unlessIdle(action)
		}
		for range repeats {
			t.Repeat(actions)
		}
		m.checkAll()
	})
}

// idle ends an action that has nothing to act on, or is not to happen now. To rapid it has happened: an action that it is
// told to skip it draws anew, and of many it gives up.
type idle struct{}

func unlessIdle(action func(*rapid.T)) func(*rapid.T) {
	return func(t *rapid.T) {
		defer func() {
			if r := recover(); r != nil && r != (idle{}) {
				panic(r)
			}
		}()
		action(t)
	}
}

// begin gives a run a dataset that is granted, with consents to its use and commitments to its records, so that it need not
// find its way there by chance.
func (m *model) begin() {
	terms := m.terms()
	terms.Quota, terms.Modes = m.quota(), []string{exchange.ModeFetch, exchange.ModeVerify}
	id := m.do(housing, access.Admin, exchange.DatasetPublish, publication())
	m.datasets[id] = &modelDataset{owner: housing, edition: 1, content: publication().Content}
	g := &modelGrant{dataset: id, provider: housing, consumer: tax, wanted: terms, terms: terms, status: "granted"}
	g.id = m.do(tax, access.Admin, exchange.GrantRequest, exchange.RequestGrant{Dataset: id, Terms: terms, Basis: "Tax Law 12"})
	m.do(housing, access.Admin, exchange.GrantGrant, exchange.GrantAccess{Grant: g.id, Terms: terms})
	terms.ConsentRequired, terms.DelayDays, terms.Quota = false, 3, nil
	secret := &modelGrant{dataset: id, provider: housing, consumer: regulation, wanted: terms, terms: terms, status: "granted"}
	secret.id = m.do(regulation, access.Admin, exchange.GrantRequest, exchange.RequestGrant{Dataset: id, Terms: terms, Basis: "Inquiries Act 9"})
	m.do(housing, access.Admin, exchange.GrantGrant, exchange.GrantAccess{Grant: secret.id, Terms: terms})
	m.grants = append(m.grants, g, secret)
	for _, k := range m.cases {
		consent := m.consentTerms()
		consent.Subject, consent.Case, consent.MaxUses, consent.PreviewRequired = k.subject, k.id, 6, rapid.Bool().Draw(m.t, "preview")
		m.consents = append(m.consents, &modelConsent{id: m.do(hall, access.Portal, exchange.ConsentGive, consentTo(consent)), terms: consent})
		m.commitTo(id, k.subject)
	}
}

// attempt submits a command and holds the ledger to the model's opinion.
func (m *model) attempt(may bool, agency string, role access.Role, function string, request any) (id string, done bool) {
	receipt, err := m.try(agency, role, function, request)
	m.judged(may, function, err)
	return receipt.ID, err == nil
}

// judged holds the ledger to the model's opinion on a command.
func (m *model) judged(may bool, function string, err error) {
	if may {
		require.NoError(m.t, err, "the model allows it")
		m.tally[function]++
		return
	}
	require.Error(m.t, err, "the model forbids it")
	f := fault.From(err)
	require.NotEqual(m.t, fault.Internal, f.Kind)
	m.tally[function+" "+f.Reason]++
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

// channel is what a subject signs for: seldom another than this.
func (m *model) channel() string {
	if m.seldom("another channel") {
		return m.pick("channel", []string{ledgertest.Channel, "another"})
	}
	return ledgertest.Channel
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
	from = m.Now().Add(rapid.SampledFrom([]time.Duration{-time.Hour, 0, -day, -2 * day, 6 * time.Hour}).Draw(m.t, "from"))
	return from, from.Add(rapid.SampledFrom([]time.Duration{30 * day, 20 * day, 8 * day, 30 * time.Hour, time.Hour}).Draw(m.t, "for"))
}

func within(at, from, until time.Time) bool { return !at.Before(from) && at.Before(until) }

func contains(all, part []string) bool {
	return !slices.ContainsFunc(part, func(s string) bool { return !slices.Contains(all, s) })
}

// onlyIn has an action happen one time of n: it ends what others need.
func (m *model) onlyIn(n int) {
	if rapid.IntRange(1, n).Draw(m.t, "now") != n {
		panic(idle{})
	}
}

// mostly is one that fits, seldom any; the action does nothing if there is none.
func mostly[T any](m *model, label string, all []T, fits func(T) bool) T {
	if !m.seldom("any " + label) {
		all = slices.DeleteFunc(slices.Clone(all), func(one T) bool { return !fits(one) })
	}
	return anyOf(m, label, all)
}

// anyOf is one of what there is, or the action does nothing.
func anyOf[T any](m *model, label string, all []T) T {
	if len(all) == 0 {
		panic(idle{})
	}
	return rapid.SampledFrom(all).Draw(m.t, label)
}

func (m *model) pass(*rapid.T) {
	hours := rapid.IntRange(1, 30).Draw(m.t, "hours")
	if m.seldom("long") {
		hours = 73 // what was asked for can be delivered no more
	}
	m.Advance(time.Duration(hours) * time.Hour)
}

func (m *model) passMinutes(*rapid.T) {
	m.Advance(time.Duration(rapid.IntRange(1, 40).Draw(m.t, "minutes")) * time.Minute)
}
