package contract_test

import (
	"crypto/ecdsa"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

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

// live: the consent has begun and not ended, and was not revoked.
func (c *modelConsent) live(at time.Time) bool {
	return !c.revoked && within(at, c.terms.From, c.terms.Until)
}

func (m *model) openCase(subject string, agencies []string) {
	id := m.do(hall, access.Portal, "case:Open", openCase{subject, agencies})
	m.cases = append(m.cases, &modelCase{id, subject, agencies, true})
}

func (m *model) closeCase(*rapid.T) {
	m.onlyIn(8)
	k := anyOf(m, "open case", slices.DeleteFunc(slices.Clone(m.cases), func(k *modelCase) bool { return !k.open }))
	m.do(hall, access.Portal, "case:Close", caseRef{k.id})
	k.open = false
}

// decider is whom a subject's signature names and the key that made it: most often the subject's own.
func (m *model) decider(person string) (named string, key *ecdsa.PrivateKey) {
	named, key = person, m.signers[person]
	if m.seldom("another subject") {
		named = m.pick("subject", people)
	}
	if m.seldom("forge") {
		key = rapid.SampledFrom([]*ecdsa.PrivateKey{keys[alice], m.signers[alice], m.signers[bob]}).Draw(m.t, "signer")
	}
	return named, key
}

func (m *model) giveConsent(*rapid.T) {
	g := m.anyGrant()
	k := mostly(m, "case", m.cases, func(k *modelCase) bool { return k.open && slices.Contains(k.agencies, g.consumer) })
	terms := m.consentTerms()
	terms.Channel = m.channel()
	terms.Subject, terms.Dataset, terms.Consumer, terms.Case = k.subject, g.dataset, m.usually(g.consumer), k.id
	if m.seldom("another's case") { // the ledger asks about the case when the consent is used
		terms.Subject = m.pick("subject", people)
	}
	terms.Purpose, terms.Fields = m.pick("purpose", slices.Concat(g.terms.Purposes, goals)), m.some("fields", columns)
	terms.MaxUses = rapid.IntRange(1, 3).Draw(m.t, "uses")
	terms.From, terms.Until = m.period()
	terms.PreviewRequired = rapid.Bool().Draw(m.t, "preview")
	signer := m.signers[terms.Subject]
	if m.seldom("forge") {
		signer = rapid.SampledFrom([]*ecdsa.PrivateKey{keys[alice], m.signers[alice], m.signers[bob]}).Draw(m.t, "signer")
	}
	may := signer == m.signers[terms.Subject] && terms.Channel == ledgertest.Channel && m.datasets[g.dataset].gives(terms.Fields) && m.Now().Before(terms.Until)
	if id, done := m.attempt(may, hall, access.Portal, exchange.ConsentGive, exchange.GiveConsent{JWS: sign(signer, exchange.ConsentKind, terms)}); done {
		m.consents = append(m.consents, &modelConsent{id: id, terms: terms})
	}
}

func (m *model) revoke(*rapid.T) {
	m.onlyIn(3)
	c := anyOf(m, "consent", m.consents)
	subject, key := m.decider(c.terms.Subject)
	said := exchange.Revocation{Channel: m.channel(), Subject: subject, Consent: c.id}
	if m.seldom("another consent") {
		said.Consent = anyOf(m, "consent", m.consents).id
	}
	may := said == exchange.Revocation{Channel: ledgertest.Channel, Subject: c.terms.Subject, Consent: c.id} && key == m.signers[subject] && !c.revoked
	request := exchange.RevokeConsent{Consent: c.id, JWS: sign(key, exchange.RevocationKind, said)}
	if _, done := m.attempt(may, hall, access.Portal, exchange.ConsentRevoke, request); done {
		c.revoked = true
	}
}

// anotherKey rotates a subject's key, or recovers it and with it ends some of the consents.
func (m *model) anotherKey(*rapid.T) {
	m.onlyIn(8)
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
	stranger := false // somebody else's consent
	for _, c := range m.consents {
		if c.terms.Subject != person && m.seldom("another's") && m.seldom("indeed") && len(request.Consents) < exchange.MaxEndedConsents {
			stranger, request.Consents = true, append(request.Consents, c.id)
		}
	}
	slices.Sort(request.Consents)
	caller := police
	if m.seldom("another caller") {
		caller = tax
	}
	m.staff = "0417"
	_, done := m.attempt(caller == police && next != old && !stranger, caller, access.Agency, exchange.SubjectRecover, request)
	m.staff = ""
	if done {
		m.signers[person] = next
		for _, c := range ended {
			c.revoked = true
		}
	}
}
