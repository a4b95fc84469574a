package exchange_test

import (
	"crypto/ecdsa"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

var newer = newKey() // alice's next

// registration is the proof that newer is held, for alice.
func registration() exchange.Registration {
	return exchange.Registration{Channel: channel, Subject: alice, Thumbprint: public(newer).Thumbprint()}
}

func TestRotateKey(t *testing.T) {
	type world struct {
		old, new *ecdsa.PrivateKey // who signs
		rotation exchange.Rotation
		proof    exchange.Registration
		used     bool
		keys     int
	}
	at := now.Add(time.Hour)
	fresh := func() *world {
		return &world{keys[alice], newer, exchange.Rotation{
			Channel: channel, Subject: alice, Thumbprint: public(keys[alice]).Thumbprint(), Successor: public(newer).Thumbprint(),
		}, registration(), false, 1}
	}
	run := func(w *world) error {
		request := exchange.RotateKey{
			Subject: alice, SigningKey: public(newer),
			Proof: sign(w.new, exchange.RegistrationKind, w.proof), Authorisation: sign(w.old, exchange.RotationKind, w.rotation),
		}
		require.NoError(t, request.Validate())
		before := subject(alice)
		before.Keys = w.keys
		s, old, event, err := before.Rotate(request, w.used, channel, at)
		if err == nil {
			want := subject(alice)
			want.SigningKey, want.Since, want.Keys = public(newer), at, 2
			require.Equal(t, want, s)
			require.Equal(t, exchange.Key{
				Head:    state.Head{ID: alice + "/" + public(keys[alice]).Thumbprint(), Status: exchange.Rotated, First: exchange.Rotated},
				Subject: alice, SigningKey: public(keys[alice]), Number: 1, From: now, Until: at, Successor: public(newer).Thumbprint(),
				Proof: request.Proof, Authorisation: request.Authorisation,
			}, old)
			require.Equal(t, kernel.Change{Type: exchange.EventSubjectRotated, ID: alice, Subject: alice}, event)
		}
		return err
	}
	checkGuards(t, exchange.SubjectRotate, fresh, run, []guard[world]{
		{"authorised by another key", func(w *world) { w.old = keys[bob] }, "signature.forged"},
		{"authorised for another channel", func(w *world) { w.rotation.Channel = "harbour" }, "exchange.channel_mismatch"},
		{"authorised for another subject", func(w *world) { w.rotation.Subject = bob }, "exchange.subject_mismatch"},
		{"authorised by a key of before", func(w *world) { w.rotation.Thumbprint = public(keys[bob]).Thumbprint() }, "exchange.key_mismatch"},
		{"another successor", func(w *world) { w.rotation.Successor = public(keys[bob]).Thumbprint() }, "exchange.key_mismatch"},
		{"proven by another key", func(w *world) { w.new = keys[bob] }, "signature.forged"},
		{"proven for another channel", func(w *world) { w.proof.Channel = "harbour" }, "exchange.channel_mismatch"},
		{"proven for another subject", func(w *world) { w.proof.Subject = bob }, "exchange.subject_mismatch"},
		{"proof of another key", func(w *world) { w.proof.Thumbprint = public(keys[bob]).Thumbprint() }, "exchange.key_mismatch"},
		{"a key of before", func(w *world) { w.used = true }, "exchange.key_used"},
		{"too many", func(w *world) { w.keys = exchange.MaxSubjectKeys }, "exchange.too_many_keys"},
	})
}

func TestAKeyDoesNotSucceedItself(t *testing.T) {
	own := public(keys[alice])
	request := exchange.RotateKey{
		Subject: alice, SigningKey: own,
		Proof:         sign(keys[alice], exchange.RegistrationKind, exchange.Registration{Channel: channel, Subject: alice, Thumbprint: own.Thumbprint()}),
		Authorisation: sign(keys[alice], exchange.RotationKind, exchange.Rotation{Channel: channel, Subject: alice, Thumbprint: own.Thumbprint(), Successor: own.Thumbprint()}),
	}
	_, _, _, err := subject(alice).Rotate(request, false, channel, now)
	require.Equal(t, "exchange.key_used", reason(err))
}

func TestRecoverKey(t *testing.T) {
	type world struct {
		registrar exchange.Agency
		staff     string
		signer    *ecdsa.PrivateKey
		proof     exchange.Registration
		used      bool
		keys      int
	}
	at := now.Add(time.Hour)
	fresh := func() *world {
		return &world{agency(police, exchange.DutyIdentity), "0417", newer, registration(), false, 1}
	}
	run := func(w *world) error {
		request := exchange.RecoverKey{
			Subject: alice, SigningKey: public(newer), Proof: sign(w.signer, exchange.RegistrationKind, w.proof), Reason: "device_lost",
			Consents: []string{},
		}
		require.NoError(t, request.Validate())
		before := subject(alice)
		before.Keys = w.keys
		s, lost, event, err := before.Recover(request, w.registrar, w.staff, w.used, channel, at)
		if err == nil {
			require.Equal(t, []any{public(newer), at, 2, 1}, []any{s.SigningKey, s.Since, s.Keys, s.Recovered})
			require.Equal(t, []any{exchange.Lost, "device_lost", "", now, at}, []any{lost.Status, lost.Reason, lost.Authorisation, lost.From, lost.Until})
			require.Equal(t, kernel.Change{Type: exchange.EventSubjectRecovered, ID: alice, Subject: alice, Agency: police}, event)
		}
		return err
	}
	checkGuards(t, exchange.SubjectRecover, fresh, run, []guard[world]{
		{"agency without the duty", func(w *world) { w.registrar = agency(tax, exchange.DutyPortal) }, "exchange.not_identity_agency"},
		{"no officer", func(w *world) { w.staff = "" }, "exchange.staff_required"},
		{"proven by another key", func(w *world) { w.signer = keys[bob] }, "signature.forged"},
		{"proven for another channel", func(w *world) { w.proof.Channel = "harbour" }, "exchange.channel_mismatch"},
		{"proven for another subject", func(w *world) { w.proof.Subject = bob }, "exchange.subject_mismatch"},
		{"proof of another key", func(w *world) { w.proof.Thumbprint = public(keys[bob]).Thumbprint() }, "exchange.key_mismatch"},
		{"a key of before", func(w *world) { w.used = true }, "exchange.key_used"},
		{"too many", func(w *world) { w.keys = exchange.MaxSubjectKeys }, "exchange.too_many_keys"},
	})
}

func TestARecoveryEndsConsents(t *testing.T) {
	recovered := subject(alice)
	recovered.SigningKey = public(newer)
	c, event, err := given().End(recovered, now)
	require.NoError(t, err)
	require.Equal(t, []any{exchange.Revoked, &now, public(newer).Thumbprint(), ""}, []any{c.Status, c.RevokedAt, c.Recovery, c.Revocation})
	require.Equal(t, exchange.EventConsentRevoked, event.Type)

	before := given()
	before.Status = exchange.Revoked
	after, _, err := before.End(recovered, now)
	require.NoError(t, err)
	require.Equal(t, before, after, "what was revoked before stays as it is")

	_, _, err = given().End(subject(bob), now)
	require.Equal(t, "exchange.subject_mismatch", reason(err))
}
