package exchange_test

import (
	"crypto/ecdsa"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func TestGiveConsent(t *testing.T) {
	type world struct {
		signer  *ecdsa.PrivateKey
		terms   exchange.ConsentTerms
		dataset exchange.Dataset
		at      time.Time
	}
	fresh := func() *world { return &world{keys[alice], consentTerms(), premises(), now} }
	run := func(w *world) error {
		request := exchange.GiveConsent{JWS: sign(w.signer, exchange.ConsentKind, w.terms)}
		require.NoError(t, request.Validate())
		c, event, err := request.Give(otherID, channel, subject(alice), w.dataset, kernel.At(w.at))
		if err == nil {
			want := given()
			want.JWS = request.JWS
			require.Equal(t, want, c)
			require.Equal(t, kernel.Change{Type: exchange.EventConsentGiven, ID: otherID, Subject: alice, Agency: tax, Case: caseID}, event)
		}
		return err
	}
	checkGuards(t, exchange.ConsentGive, fresh, run, []guard[world]{
		{"signed by another key", func(w *world) { w.signer = keys[bob] }, "signature.forged"},
		{"for another channel", func(w *world) { w.terms.Channel = "harbour" }, "exchange.channel_mismatch"},
		{"dataset withdrawn", func(w *world) { w.dataset.Status = exchange.Withdrawn }, "exchange.dataset_withdrawn"},
		{"field unknown", func(w *world) { w.terms.Fields = []string{"rent"} }, "exchange.field_unknown"},
		{"period over", func(w *world) { w.at = w.terms.Until }, "exchange.consent_expired"},
	})
}

func TestConsentID(t *testing.T) {
	first := exchange.GiveConsent{JWS: sign(keys[alice], exchange.ConsentKind, consentTerms())}
	again := exchange.GiveConsent{JWS: sign(keys[alice], exchange.ConsentKind, consentTerms())}
	require.NotEqual(t, first, again, "a signature has a random part")
	require.Equal(t, consentID(t, first), consentID(t, again), "the same terms are one consent")
	require.NoError(t, exchange.CheckIdentifier("id", consentID(t, first)))

	other := consentTerms()
	other.Nonce = "another-nonce-of-it"
	require.NotEqual(t, consentID(t, first), consentID(t, exchange.GiveConsent{JWS: sign(keys[alice], exchange.ConsentKind, other)}))
}

func consentID(t *testing.T, r exchange.GiveConsent) string {
	terms, err := r.Terms()
	require.NoError(t, err)
	id, err := terms.ID()
	require.NoError(t, err)
	return id
}

func TestRevokeConsent(t *testing.T) {
	type world struct {
		signer     *ecdsa.PrivateKey
		revocation exchange.Revocation
		consent    exchange.Consent
	}
	fresh := func() *world {
		return &world{keys[alice], exchange.Revocation{Channel: channel, Subject: alice, Consent: otherID}, given()}
	}
	run := func(w *world) error {
		request := exchange.RevokeConsent{Consent: otherID, JWS: sign(w.signer, exchange.RevocationKind, w.revocation)}
		require.NoError(t, request.Validate())
		c, event, err := w.consent.Revoke(request, channel, subject(alice), now)
		if err == nil {
			require.Equal(t, exchange.Revoked, c.Status)
			require.Equal(t, now, *c.RevokedAt)
			require.Equal(t, request.JWS, c.Revocation)
			require.Equal(t, public(keys[alice]).Thumbprint(), c.RevokedBy)
			require.Equal(t, kernel.Change{Type: exchange.EventConsentRevoked, ID: otherID, Subject: alice, Agency: tax, Case: caseID}, event)
		}
		return err
	}
	checkGuards(t, exchange.ConsentRevoke, fresh, run, []guard[world]{
		{"signed by another key", func(w *world) { w.signer = keys[bob] }, "signature.forged"},
		{"for another channel", func(w *world) { w.revocation.Channel = "harbour" }, "exchange.channel_mismatch"},
		{"names another subject", func(w *world) { w.revocation.Subject = bob }, "exchange.subject_mismatch"},
		{"names another consent", func(w *world) { w.revocation.Consent = useID }, "exchange.revocation_mismatch"},
		{"revoked before", func(w *world) { w.consent.Status = exchange.Revoked }, "exchange.consent_revoked"},
	})
}
