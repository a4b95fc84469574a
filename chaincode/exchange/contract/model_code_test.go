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

type modelCode struct {
	id       string
	terms    exchange.CodeTerms
	signer   *ecdsa.PrivateKey
	attempts int
	status   string
}

func (m *model) giveCode(*rapid.T) {
	g, k := m.anyGrant(), anyOf(m, "case", m.cases)
	m.commands++
	terms := m.codeTerms()
	terms.Channel = m.channel()
	terms.Subject, terms.Purpose, terms.Datasets = k.subject, m.pick("purpose", goals), nil
	for _, id := range m.datasetIDs() {
		if id == g.dataset || m.seldom("another dataset") {
			terms.Datasets = append(terms.Datasets, exchange.CodeDataset{Dataset: id, Fields: m.some("fields", columns)})
		}
	}
	terms.MaxUses = rapid.IntRange(1, 3).Draw(m.t, "uses")
	terms.Hash, _ = exchange.HashCode(salt, ledgertest.Channel, terms.Subject, digits)
	terms.From = m.Now().Add(rapid.SampledFrom([]time.Duration{0, 0, -time.Hour, 10 * time.Minute}).Draw(m.t, "from"))
	terms.Until = terms.From.Add(rapid.SampledFrom([]time.Duration{2 * time.Hour, time.Hour}).Draw(m.t, "for"))
	if rapid.Bool().Draw(m.t, "at one agency's window") {
		terms.Consumer = m.usually(g.consumer)
	}
	if rapid.Bool().Draw(m.t, "for one case") {
		terms.Case = k.id
	}
	signer := m.signers[terms.Subject]
	if m.seldom("forge") {
		signer = rapid.SampledFrom([]*ecdsa.PrivateKey{keys[alice], m.signers[alice], m.signers[bob]}).Draw(m.t, "signer")
	}
	may := signer == m.signers[terms.Subject] && terms.Channel == ledgertest.Channel && m.Now().Before(terms.Until) &&
		!slices.ContainsFunc(terms.Datasets, func(d exchange.CodeDataset) bool { return !m.datasets[d.Dataset].gives(d.Fields) })
	if id, done := m.attempt(may, hall, access.Portal, exchange.CodeGive, exchange.GiveCode{JWS: sign(signer, exchange.CodeKind, terms)}); done {
		m.codes = append(m.codes, &modelCode{id: id, terms: terms, signer: signer, status: "given"})
	}
}

// atWindow is a code with the agency and the case it is most often good for, and the model's opinion.
func (m *model) atWindow() (c *modelCode, caller string, k *modelCase, may bool) {
	c = mostly(m, "code", m.codes, func(c *modelCode) bool {
		return c.status == "given" && within(m.Now(), c.terms.From, c.terms.Until) && c.signer == m.signers[c.terms.Subject]
	})
	k = mostly(m, "case", m.cases, func(k *modelCase) bool {
		return k.open && k.subject == c.terms.Subject && (c.terms.Case == "" || c.terms.Case == k.id)
	})
	caller = tax
	if c.terms.Consumer != "" {
		caller = c.terms.Consumer
	}
	caller = m.usually(caller)
	return c, caller, k, c.status == "given" && within(m.Now(), c.terms.From, c.terms.Until) && c.signer == m.signers[c.terms.Subject] &&
		(c.terms.Consumer == "" || c.terms.Consumer == caller) && (c.terms.Case == "" || c.terms.Case == k.id) &&
		k.open && k.subject == c.terms.Subject && slices.Contains(k.agencies, caller)
}

// presentCode enters digits once or several times.
func (m *model) presentCode(*rapid.T) {
	c, caller, k, may := m.atWindow()
	for range rapid.IntRange(1, 4).Draw(m.t, "attempts") {
		if _, done := m.attempt(may && c.attempts < 5, caller, access.Agency, exchange.CodePresent, exchange.PresentCode{Code: c.id, Case: k.id, Attempt: hashA}); done {
			c.attempts++
		}
	}
}

func (m *model) redeemCode(*rapid.T) {
	c, caller, k, may := m.atWindow()
	entered := digits
	if m.seldom("other digits") {
		entered = "00000000"
	}
	may = may && entered == digits
	if _, done := m.attempt(may, caller, access.Agency, exchange.CodeRedeem, exchange.RedeemCode{Code: c.id, Case: k.id, Digits: entered, Salt: salt}); done {
		c.status = "redeemed"
		m.consents = append(m.consents, c.consents(caller, k)...)
	}
}

// consents are those that a code is redeemed for: what the subject signed, for whom it was shown to and the case.
func (c *modelCode) consents(consumer string, k *modelCase) (all []*modelConsent) {
	t := c.terms
	for _, d := range t.Datasets {
		all = append(all, &modelConsent{id: exchange.RedeemedConsent(t.Subject, c.id, d.Dataset), terms: exchange.ConsentTerms{
			Channel: t.Channel, Subject: t.Subject, Dataset: d.Dataset, Fields: d.Fields, Consumer: consumer, Purpose: t.Purpose, Case: k.id,
			MaxUses: t.MaxUses, From: t.From, Until: t.ConsentUntil, Nonce: t.Nonce,
		}})
	}
	return all
}

func (m *model) cancelCode(*rapid.T) {
	m.onlyIn(3)
	c := mostly(m, "code", m.codes, func(c *modelCode) bool { return c.status == "given" })
	subject, key := m.decider(c.terms.Subject)
	said := exchange.Cancellation{Channel: m.channel(), Subject: subject, Code: c.id}
	if m.seldom("another code") {
		said.Code = anyOf(m, "code", m.codes).id
	}
	may := said == exchange.Cancellation{Channel: ledgertest.Channel, Subject: c.terms.Subject, Code: c.id} && key == m.signers[subject] && c.status == "given"
	request := exchange.CancelCode{Code: c.id, JWS: sign(key, exchange.CancellationKind, said)}
	if _, done := m.attempt(may, hall, access.Portal, exchange.CodeCancel, request); done {
		c.status = "cancelled"
	}
}
