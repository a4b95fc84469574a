package signer

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/client/api"
)

const (
	channel = "government"
	alice   = "subject-of-the-tests-alice"
	theCase = "zzzzzzzzzzzzzzzzzzzzzzzzzz"
)

var now = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)

func newSigner(t *testing.T) Signer {
	s, err := New(channel, alice)
	require.NoError(t, err)
	return s
}

// What the signer makes is what the rules of the ledger accept, with nothing in between.
func TestTheRulesAcceptWhatIsSigned(t *testing.T) {
	s := newSigner(t)
	registration, err := s.Registration()
	require.NoError(t, err)
	registrar := exchange.Agency{Head: state.Head{ID: "services.police"}, Duties: []string{exchange.DutyIdentity}}
	subject, _, _, err := exchange.RegisterSubject{Pseudonym: alice, SigningKey: registration.SigningKey, Proof: registration.Proof}.Register(registrar, channel, now)
	require.NoError(t, err)

	terms := exchange.ConsentTerms{
		Channel: channel, Subject: alice, Dataset: "planning.housing/premises", Fields: []string{"address"}, Consumer: "market.tax", Purpose: "tax.check",
		Case: theCase, MaxUses: 2, From: now, Until: now.Add(time.Hour), Nonce: "0123456789abcdef",
	}
	dataset := exchange.Dataset{Head: state.Head{Status: exchange.Published}}
	dataset.Fields = []exchange.FieldSpec{{Name: "address", Type: "string"}}
	jws, err := s.Consent(terms)
	require.NoError(t, err)
	consent, _, err := exchange.GiveConsent{JWS: jws}.Give(theCase, channel, subject, dataset, kernel.At(now))
	require.NoError(t, err)

	code, ticket, err := s.Code(api.DraftedCode{Salt: "c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M", Terms: exchange.CodeTerms{
		Channel: channel, Subject: alice, Datasets: []exchange.CodeDataset{{Dataset: terms.Dataset, Fields: terms.Fields}}, Purpose: terms.Purpose, MaxUses: 1, From: now,
		Until: now.Add(time.Minute), ConsentUntil: now.Add(time.Hour), Nonce: terms.Nonce,
	}})
	require.NoError(t, err)
	given, _, err := exchange.GiveCode{JWS: code}.Give(ticket.Code, channel, subject, []exchange.Dataset{dataset}, kernel.At(now))
	require.NoError(t, err)
	hash, err := exchange.HashCode(ticket.Salt, channel, alice, ticket.Digits)
	require.NoError(t, err)
	require.Equal(t, given.Terms.Hash, hash)
	id, err := given.Terms.ID()
	require.NoError(t, err)
	require.Equal(t, id, ticket.Code)
	jws, err = s.Cancellation(id)
	require.NoError(t, err)
	_, _, err = given.Cancel(exchange.CancelCode{Code: id, JWS: jws}, channel, subject)
	require.NoError(t, err)

	next := newSigner(t)
	rotation, err := s.Rotation(next)
	require.NoError(t, err)
	subject, _, _, err = subject.Rotate(exchange.RotateKey{Subject: alice, SigningKey: rotation.SigningKey, Proof: rotation.Proof, Authorisation: rotation.Authorisation}, false, channel, now)
	require.NoError(t, err)
	jws, err = next.Revocation(theCase)
	require.NoError(t, err)
	_, _, err = consent.Revoke(exchange.RevokeConsent{Consent: theCase, JWS: jws}, channel, subject, now)
	require.NoError(t, err)

	third := newSigner(t)
	recovery, err := third.Recovery("device_lost", false)
	require.NoError(t, err)
	_, _, _, err = subject.Recover(exchange.RecoverKey{Subject: alice, SigningKey: recovery.SigningKey, Proof: recovery.Proof, Reason: recovery.Reason}, registrar, "0417", false, channel, now)
	require.NoError(t, err)
}

func TestNothingIsSignedForOthers(t *testing.T) {
	s := newSigner(t)
	_, err := s.Consent(exchange.ConsentTerms{Channel: channel, Subject: "subject-of-the-tests-bobbb"})
	require.ErrorIs(t, err, ErrOther)
	_, err = s.Consent(exchange.ConsentTerms{Channel: "harbour", Subject: alice})
	require.ErrorIs(t, err, ErrOther)
	_, _, err = s.Code(api.DraftedCode{Terms: exchange.CodeTerms{Channel: "harbour", Subject: alice}})
	require.ErrorIs(t, err, ErrOther)
	other, err := New("harbour", alice)
	require.NoError(t, err)
	_, err = s.Rotation(other)
	require.ErrorIs(t, err, ErrOther)
	_, err = s.Revocation("x")
	require.Error(t, err)
	_, err = s.Cancellation("x")
	require.Error(t, err)
}

func TestAKeyIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "device", "key.pem")
	made, err := Load(path)
	require.NoError(t, err)
	again, err := Load(path)
	require.NoError(t, err)
	require.True(t, made.Equal(again))
	s, err := Of(channel, alice, again)
	require.NoError(t, err)
	public, err := signed.KeyOf(&made.PublicKey)
	require.NoError(t, err)
	require.Equal(t, public, s.Key())
	require.True(t, made.Equal(s.Private()))
}
