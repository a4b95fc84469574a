package contract_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
	"github.com/hutong-gov/hutong/chaincode/signed"
)

// A subject's keys come and go; what each signed stays verifiable, by the key of its time.
func TestKeysOfASubject(t *testing.T) {
	c := newCity(t).prepare()
	second, third := newKey(), newKey()
	first := c.consent

	c.do(hall, access.Portal, exchange.SubjectRotate, rotation(alice, keys[alice], second))
	require.Equal(t, exchange.EventSubjectRotated, c.last()[0].Type)
	c.refused("signature.forged", hall, access.Portal, exchange.ConsentGive, consentTo(c.consentTerms()))
	c.do(tax, access.Agency, exchange.UseRequest, c.use()) // the consent given before stays

	terms := c.consentTerms()
	given := c.do(hall, access.Portal, exchange.ConsentGive, exchange.GiveConsent{JWS: sign(second, exchange.ConsentKind, terms)})
	c.refused("exchange.key_used", hall, access.Portal, exchange.SubjectRotate, rotation(alice, second, keys[alice]))
	c.refused("signature.forged", hall, access.Portal, exchange.SubjectRotate, rotation(alice, keys[alice], third))

	c.refused("exchange.staff_required", police, access.Agency, exchange.SubjectRecover, recovery(alice, third, first))
	c.staff = "0417"
	c.refused("exchange.not_identity_agency", tax, access.Agency, exchange.SubjectRecover, recovery(alice, third, first))
	c.refused("exchange.key_used", police, access.Agency, exchange.SubjectRecover, recovery(alice, keys[alice]))
	c.refused("consent.missing", police, access.Agency, exchange.SubjectRecover, recovery(alice, third, nowhere))
	c.refused("exchange.subject_mismatch", police, access.Agency, exchange.SubjectRecover, recovery(bob, third, first))
	c.do(police, access.Agency, exchange.SubjectRecover, recovery(alice, third, first))
	require.Equal(t, []string{exchange.EventSubjectRecovered, exchange.EventConsentRevoked}, []string{c.last()[0].Type, c.last()[1].Type})

	c.refused("exchange.consent_revoked", tax, access.Agency, exchange.UseRequest, c.use())
	require.Equal(t, exchange.Given, read[exchange.Consent](c, "consent:Get", given).Status, "one that was not named stays")
	c.refused("signature.forged", hall, access.Portal, exchange.ConsentRevoke, revocation(given, second))
	c.do(hall, access.Portal, exchange.ConsentRevoke, revocation(given, third)) // the new key ends what the lost one gave

	history := verify[exchange.KeyHistory](c, exchange.SubjectKeys, exchange.KeysOf{Subject: alice}).Keys
	require.Len(t, history, 3)
	require.Equal(t, []string{exchange.Rotated, exchange.Lost, exchange.Registered}, []string{history[0].Status, history[1].Status, history[2].Status})
	require.Equal(t, []signed.Key{public(keys[alice]), public(second), public(third)}, []signed.Key{history[0].SigningKey, history[1].SigningKey, history[2].SigningKey})
	require.Equal(t, history[0].Until.UTC(), history[1].From.UTC())
	require.Equal(t, history[1].Until.UTC(), history[2].From.UTC())
	require.Nil(t, history[2].Until)
	require.Equal(t, []string{police, "device_lost"}, []string{history[1].Agency, history[1].Reason})
	lost := read[exchange.Key](c, "key:Get", alice+"/"+history[1].Thumbprint)
	require.Equal(t, "0417", lost.Created.Staff)

	signatures := verify[exchange.Signatures](c, exchange.ConsentVerify, exchange.ConsentByID{Consent: first})
	require.Equal(t, history[0], signatures.Key)
	require.Nil(t, signatures.RevokedBy)
	signatures = verify[exchange.Signatures](c, exchange.ConsentVerify, exchange.ConsentByID{Consent: given})
	require.Equal(t, history[1], signatures.Key)
	require.Equal(t, history[2], *signatures.RevokedBy)
	require.NoError(t, signed.Open(signatures.JWS, "jws", exchange.ConsentKind, signatures.Key.SigningKey, new(exchange.ConsentTerms)), "and by a stranger")

	require.Equal(t, public(third), verify[signed.Key](c, exchange.SubjectKey, exchange.KeyOf{Subject: alice}))
	require.Equal(t, public(second), verify[signed.Key](c, exchange.SubjectKey, exchange.KeyOf{Subject: alice, Thumbprint: history[1].Thumbprint}))
	err := c.As(office, access.Auditor).Query(exchange.SubjectKey, exchange.KeyOf{Subject: alice, Thumbprint: public(newKey()).Thumbprint()}, nil)
	require.ErrorIs(t, err, fault.New(fault.Missing, "key.missing", ""))
}

// A rotation and a consent under the old key in one block: one of the two loses, whichever is second.
func TestARotationAndAConsentDoNotPassEachOther(t *testing.T) {
	c := newCity(t).prepare()
	terms := c.consentTerms()
	consent, err := c.As(hall, access.Portal).Endorse(exchange.ConsentGive, "a-consent", consentTo(terms))
	require.NoError(t, err)
	c.do(hall, access.Portal, exchange.SubjectRotate, rotation(alice, keys[alice], newKey()))
	require.ErrorIs(t, consent.Commit(), &ledgertest.CommitError{Code: ledgertest.MVCCConflict})
}

func TestSpoiltKeys(t *testing.T) {
	c := newCity(t).prepare()
	c.staff = "0417"
	next := newKey()
	for name, change := range map[string]struct {
		change func(*exchange.RecoverKey)
		field  string
	}{
		"no proof":         {func(r *exchange.RecoverKey) { r.Proof = "" }, "request.proof"},
		"prose for a code": {func(r *exchange.RecoverKey) { r.Reason = "Device lost" }, "request.reason"},
		"unsorted":         {func(r *exchange.RecoverKey) { r.Consents = []string{nowhere, nowhere} }, "request.consents[1]"},
		"too many consents": {func(r *exchange.RecoverKey) {
			r.Consents = slices.Repeat([]string{nowhere}, exchange.MaxEndedConsents+1)
		}, "request.consents"},
	} {
		t.Run(name, func(t *testing.T) {
			request := recovery(alice, next)
			change.change(&request)
			require.Equal(t, change.field, c.refused("request.invalid", police, access.Agency, exchange.SubjectRecover, request).Field)
		})
	}
	request := rotation(alice, keys[alice], next)
	request.Authorisation = request.Proof
	require.Equal(t, "request.authorisation.typ", c.refused("signature.kind", hall, access.Portal, exchange.SubjectRotate, request).Field)
}
