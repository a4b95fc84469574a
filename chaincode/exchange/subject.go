package exchange

import (
	"cmp"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Validate implements kernel.Validator.
func (r RegisterSubject) Validate() error {
	if err := cmp.Or(CheckSubject("pseudonym", r.Pseudonym), checkKey("signing_key", r.SigningKey)); err != nil {
		return err
	}
	if r.Proof == "" {
		return required("proof")
	}
	return signed.Peek(r.Proof, "proof", RegistrationKind, new(Registration))
}

// Register makes the record of a subject and the empty head of its access log. Guards, in order:
//
//	exchange.not_identity_agency   the caller's agency has not the duty identity
//	signature.forged               the proof was not made by the key that is registered
//	exchange.channel_mismatch      the proof is for another channel
//	exchange.subject_mismatch      the proof names another subject
//	exchange.key_mismatch          the proof names another key
func (r RegisterSubject) Register(registrar Agency, channel string) (s Subject, l Log, event kernel.Change, err error) {
	if !slices.Contains(registrar.Duties, DutyIdentity) {
		return s, l, event, ErrNotIdentityAgency
	}
	var proof Registration
	if err := signed.Open(r.Proof, "request.proof", RegistrationKind, r.SigningKey, &proof); err != nil {
		return s, l, event, err
	}
	if proof.Channel != channel {
		return s, l, event, ErrChannelMismatch.On("request.proof.channel", "equals:channel")
	}
	if proof.Subject != r.Pseudonym {
		return s, l, event, ErrSubjectMismatch.On("request.proof.subject", "equals:request.pseudonym")
	}
	if proof.Thumbprint != r.SigningKey.Thumbprint() {
		return s, l, event, ErrKeyMismatch
	}
	s = Subject{Head: state.Head{ID: r.Pseudonym, Status: Registered}, Pseudonym: r.Pseudonym, SigningKey: r.SigningKey}
	l = Log{Head: state.Head{ID: r.Pseudonym, Status: Kept, First: Kept}, Subject: r.Pseudonym}
	return s, l, kernel.Change{Type: EventSubjectRegistered, ID: s.ID, Subject: s.ID, Agency: registrar.ID}, nil
}

// Validate implements kernel.Validator.
func (r KeyOf) Validate() error { return CheckSubject("subject", r.Subject) }
