package exchange_test

import (
	"crypto/ecdsa"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

func TestRegisterSubject(t *testing.T) {
	type world struct {
		registrar exchange.Agency
		signer    *ecdsa.PrivateKey
		proof     exchange.Registration
	}
	fresh := func() *world {
		return &world{agency(police, exchange.DutyIdentity), keys[alice],
			exchange.Registration{Channel: channel, Subject: alice, Thumbprint: public(keys[alice]).Thumbprint()}}
	}
	run := func(w *world) error {
		request := exchange.RegisterSubject{Pseudonym: alice, SigningKey: public(keys[alice]), Proof: sign(w.signer, exchange.RegistrationKind, w.proof)}
		require.NoError(t, request.Validate())
		s, log, event, err := request.Register(w.registrar, channel, now)
		if err == nil {
			require.Equal(t, subject(alice), s)
			require.Equal(t, exchange.Log{Head: state.Head{ID: alice, Status: exchange.Kept, First: exchange.Kept}, Subject: alice}, log)
			require.Equal(t, kernel.Change{Type: exchange.EventSubjectRegistered, ID: alice, Subject: alice, Agency: police}, event)
		}
		return err
	}
	checkGuards(t, exchange.SubjectRegister, fresh, run, []guard[world]{
		{"agency without the duty", func(w *world) { w.registrar = agency(tax, exchange.DutyPortal) }, "exchange.not_identity_agency"},
		{"signed by another key", func(w *world) { w.signer = keys[bob] }, "signature.forged"},
		{"for another channel", func(w *world) { w.proof.Channel = "harbour" }, "exchange.channel_mismatch"},
		{"for another subject", func(w *world) { w.proof.Subject = bob }, "exchange.subject_mismatch"},
		{"for another key", func(w *world) { w.proof.Thumbprint = public(keys[bob]).Thumbprint() }, "exchange.key_mismatch"},
	})
}
