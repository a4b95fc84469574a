package contract_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

const digits = "04170815"

var salt = base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("s", exchange.CodeSaltBytes)))

func (c *city) codeTerms() exchange.CodeTerms {
	hash, err := exchange.HashCode(salt, ledgertest.Channel, alice, digits)
	require.NoError(c, err)
	like := c.consentTerms()
	return exchange.CodeTerms{
		Channel: like.Channel, Subject: alice, Datasets: []exchange.CodeDataset{{Dataset: dataset, Fields: []string{"address"}}}, Purpose: "tax.check", MaxUses: 1,
		From: c.Now(), Until: c.Now().Add(15 * time.Minute), ConsentUntil: like.Until, Hash: hash, Nonce: like.Nonce,
	}
}

func codeFor(terms exchange.CodeTerms) exchange.GiveCode {
	return exchange.GiveCode{JWS: sign(keys[terms.Subject], exchange.CodeKind, terms)}
}

// From the citizen's signature to a use: the consent of a code is one like any other, and the code is good once.
func TestACodeAtTheWindow(t *testing.T) {
	c := newCity(t).prepare()
	code := c.do(hall, access.Portal, exchange.CodeGive, codeFor(c.codeTerms()))
	attempt := exchange.PresentCode{Code: code, Case: c.matter, Attempt: hashA}
	redeem := exchange.RedeemCode{Code: code, Case: c.matter, Digits: digits, Salt: salt}

	c.refused("exchange.agency_not_in_case", regulation, access.Agency, exchange.CodePresent, attempt)
	c.do(tax, access.Agency, exchange.CodePresent, attempt)
	wrong := redeem
	wrong.Digits = "00000000"
	c.refused("exchange.code_wrong", tax, access.Agency, exchange.CodeRedeem, wrong)
	c.refused("exchange.agency_not_in_case", regulation, access.Agency, exchange.CodeRedeem, redeem)
	c.do(tax, access.Agency, exchange.CodeRedeem, redeem)
	require.Equal(t, []string{exchange.EventCodeRedeemed, exchange.EventConsentGiven}, []string{c.last()[0].Type, c.last()[1].Type})
	c.refused("exchange.code_redeemed", tax, access.Agency, exchange.CodeRedeem, redeem)
	c.refused("exchange.code_redeemed", tax, access.Agency, exchange.CodePresent, attempt)

	id := exchange.RedeemedConsent(alice, code, dataset)
	require.Equal(t, []string{id}, read[exchange.Code](c, "code:Get", code).Consents)
	consent := read[exchange.Consent](c, "consent:Get", id)
	require.Equal(t, []string{tax, c.matter, "tax.check", code}, []string{consent.Terms.Consumer, consent.Terms.Case, consent.Terms.Purpose, consent.Code})
	verify[exchange.Signatures](c, exchange.ConsentVerify, exchange.ConsentByID{Consent: id})
	use := c.use()
	use.Consent = id
	c.do(tax, access.Agency, exchange.UseRequest, use)
	c.refused("exchange.consent_exhausted", tax, access.Agency, exchange.UseRequest, use)
	c.do(hall, access.Portal, exchange.ConsentRevoke, revocation(id, keys[alice]))
}

// Guesses are counted before they are answered, and only by who could redeem the code.
func TestAttemptsAtACode(t *testing.T) {
	c := newCity(t).prepare()
	terms := c.codeTerms()
	terms.Consumer = tax
	code := c.do(hall, access.Portal, exchange.CodeGive, codeFor(terms))
	attempt := exchange.PresentCode{Code: code, Case: c.matter, Attempt: hashA}
	for range 2 * exchange.MaxAttempts {
		c.refused("exchange.code_mismatch", housing, access.Agency, exchange.CodePresent, attempt)
	}
	for range exchange.MaxAttempts {
		c.do(tax, access.Agency, exchange.CodePresent, attempt)
	}
	c.refused("exchange.code_dead", tax, access.Agency, exchange.CodePresent, attempt)
	require.Equal(t, exchange.MaxAttempts, read[exchange.Code](c, "code:Get", code).Attempts)

	c.Advance(15 * time.Minute)
	c.refused("exchange.code_expired", tax, access.Agency, exchange.CodeRedeem, exchange.RedeemCode{Code: code, Case: c.matter, Digits: digits, Salt: salt})
}

// One code, and a consent for each of its datasets: all of them or none.
func TestACodeForSeveralDatasets(t *testing.T) {
	c := newCity(t).prepare()
	plans := publication()
	plans.Code = "plans"
	c.do(housing, access.Admin, exchange.DatasetPublish, plans)
	terms := c.codeTerms()
	terms.Datasets = append([]exchange.CodeDataset{{Dataset: housing + "/plans", Fields: []string{"area"}}}, terms.Datasets...)
	code := c.do(hall, access.Portal, exchange.CodeGive, codeFor(terms))
	c.do(tax, access.Agency, exchange.CodeRedeem, exchange.RedeemCode{Code: code, Case: c.matter, Digits: digits, Salt: salt})
	require.Len(t, c.last(), 3, "the code, and both consents")
	for i, id := range read[exchange.Code](c, "code:Get", code).Consents {
		require.Equal(t, terms.Datasets[i].Fields, read[exchange.Consent](c, "consent:Get", id).Terms.Fields)
		verify[exchange.Signatures](c, exchange.ConsentVerify, exchange.ConsentByID{Consent: id})
	}

	terms = c.codeTerms()
	terms.Datasets = append(terms.Datasets, exchange.CodeDataset{Dataset: housing + "/roads", Fields: []string{"area"}})
	f := c.refused("dataset.missing", hall, access.Portal, exchange.CodeGive, codeFor(terms))
	require.Equal(t, "request.jws.datasets[1].dataset", f.Field)
	terms.Datasets[1] = exchange.CodeDataset{Dataset: housing + "/premises.old", Fields: []string{"area"}}
	old := publication()
	old.Code = "premises.old"
	c.do(housing, access.Admin, exchange.DatasetPublish, old)
	c.do(housing, access.Admin, exchange.DatasetWithdraw, exchange.WithdrawDataset{Dataset: housing + "/premises.old", Reason: "replaced"})
	f = c.refused("exchange.dataset_withdrawn", hall, access.Portal, exchange.CodeGive, codeFor(terms))
	require.Equal(t, "request.jws.datasets[1].dataset", f.Field)
}

// The subject takes a code back: nobody can redeem it, and nobody presents it any more. Only its subject can.
func TestACancelledCode(t *testing.T) {
	c := newCity(t).prepare()
	code := c.do(hall, access.Portal, exchange.CodeGive, codeFor(c.codeTerms()))
	c.do(tax, access.Agency, exchange.CodePresent, exchange.PresentCode{Code: code, Case: c.matter, Attempt: hashA})
	c.refused("signature.forged", hall, access.Portal, exchange.CodeCancel, cancellation(code, bob))
	c.do(hall, access.Portal, exchange.CodeCancel, cancellation(code, alice))
	c.refused("exchange.code_cancelled", tax, access.Agency, exchange.CodeRedeem, exchange.RedeemCode{Code: code, Case: c.matter, Digits: digits, Salt: salt})
	c.refused("exchange.code_cancelled", tax, access.Agency, exchange.CodePresent, exchange.PresentCode{Code: code, Case: c.matter, Attempt: hashA})
	c.refused("exchange.code_cancelled", hall, access.Portal, exchange.CodeCancel, cancellation(code, alice))

	redeemed := c.do(hall, access.Portal, exchange.CodeGive, codeFor(c.codeTerms()))
	c.do(tax, access.Agency, exchange.CodeRedeem, exchange.RedeemCode{Code: redeemed, Case: c.matter, Digits: digits, Salt: salt})
	c.refused("exchange.code_redeemed", hall, access.Portal, exchange.CodeCancel, cancellation(redeemed, alice))
}

func cancellation(code, subject string) exchange.CancelCode {
	return exchange.CancelCode{Code: code, JWS: sign(keys[subject], exchange.CancellationKind,
		exchange.Cancellation{Channel: ledgertest.Channel, Subject: subject, Code: code})}
}

// A code dies with the key that signed it.
func TestACodeAndAnotherKey(t *testing.T) {
	c := newCity(t).prepare()
	code := c.do(hall, access.Portal, exchange.CodeGive, codeFor(c.codeTerms()))
	c.do(hall, access.Portal, exchange.SubjectRotate, rotation(alice, keys[alice], newKey()))
	c.refused("exchange.code_key_retired", tax, access.Agency, exchange.CodeRedeem, exchange.RedeemCode{Code: code, Case: c.matter, Digits: digits, Salt: salt})
}

func TestSpoiltCodes(t *testing.T) {
	c := newCity(t).prepare()
	for name, line := range map[string]struct {
		change func(*exchange.CodeTerms)
		field  string
	}{
		"too long":           {func(t *exchange.CodeTerms) { t.Until = t.From.Add(exchange.MaxCodePeriod + time.Millisecond) }, "request.jws.valid_until"},
		"digits, not a hash": {func(t *exchange.CodeTerms) { t.Hash = digits }, "request.jws.hash"},
		"no purpose":         {func(t *exchange.CodeTerms) { t.Purpose = "" }, "request.jws.purpose"},
		"no consumer's form": {func(t *exchange.CodeTerms) { t.Consumer = "tax" }, "request.jws.consumer"},
		"no dataset":         {func(t *exchange.CodeTerms) { t.Datasets = nil }, "request.jws.datasets"},
		"a dataset twice":    {func(t *exchange.CodeTerms) { t.Datasets = append(t.Datasets, t.Datasets...) }, "request.jws.datasets[1].dataset"},
		"too many datasets":  {func(t *exchange.CodeTerms) { t.Datasets = make([]exchange.CodeDataset, exchange.MaxCodeDatasets+1) }, "request.jws.datasets"},
		"no fields":          {func(t *exchange.CodeTerms) { t.Datasets[0].Fields = nil }, "request.jws.datasets[0].fields"},
		"no end":             {func(t *exchange.CodeTerms) { t.ConsentUntil = t.From }, "request.jws.consent_until"},
	} {
		t.Run(name, func(t *testing.T) {
			terms := c.codeTerms()
			line.change(&terms)
			require.Equal(t, line.field, c.refused("request.invalid", hall, access.Portal, exchange.CodeGive, codeFor(terms)).Field)
		})
	}
	c.refused("signature.kind", hall, access.Portal, exchange.ConsentGive, exchange.GiveConsent{JWS: codeFor(c.codeTerms()).JWS})
}
