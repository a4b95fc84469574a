package exchange

import (
	"cmp"
	"slices"
	"time"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Validate implements kernel.Validator.
func (r RotateKey) Validate() error {
	if err := cmp.Or(CheckSubject("subject", r.Subject), checkProof(r.SigningKey, r.Proof)); err != nil {
		return err
	}
	if r.Authorisation == "" {
		return required("authorisation")
	}
	return signed.Peek(r.Authorisation, "authorisation", RotationKind, new(Rotation))
}

// Rotate puts the subject's new key in the place of the one in use, which it names its successor. used: the subject had the
// new key before. Consents given before stay. Guards, in order:
//
//	signature.forged             the key in use did not sign the authorisation
//	exchange.channel_mismatch    the authorisation is for another channel
//	exchange.subject_mismatch    it names another subject
//	exchange.key_mismatch        it names another key, as the one in use or as its successor
//	signature.forged             the proof was not made by the new key
//	exchange.channel_mismatch    the proof is for another channel
//	exchange.subject_mismatch    the proof names another subject
//	exchange.key_mismatch        the proof names another key
//	exchange.key_used            the subject has or had the new key
//	exchange.too_many_keys       the subject has had as many keys as one may have
func (s Subject) Rotate(r RotateKey, used bool, channel string, at time.Time) (Subject, Key, kernel.Change, error) {
	var none kernel.Change
	var named Rotation
	if err := signed.Open(r.Authorisation, "request.authorisation", RotationKind, s.SigningKey, &named); err != nil {
		return s, Key{}, none, err
	}
	if named.Channel != channel {
		return s, Key{}, none, ErrChannelMismatch.On("request.authorisation.channel", "equals:channel")
	}
	if named.Subject != s.Pseudonym {
		return s, Key{}, none, ErrSubjectMismatch.On("request.authorisation.subject", "equals:request.subject")
	}
	if named.Thumbprint != s.SigningKey.Thumbprint() {
		return s, Key{}, none, ErrKeyMismatch.On("request.authorisation.thumbprint", "equals:subject.signing_key")
	}
	if named.Successor != r.SigningKey.Thumbprint() {
		return s, Key{}, none, ErrKeyMismatch.On("request.authorisation.successor", "equals:request.signing_key")
	}
	s, old, err := s.succeed(r.SigningKey, r.Proof, used, channel, at)
	if err != nil {
		return s, old, none, err
	}
	old.Status, old.First, old.Authorisation = Rotated, Rotated, r.Authorisation
	return s, old, kernel.Change{Type: EventSubjectRotated, ID: s.ID, Subject: s.ID}, nil
}

// Validate implements kernel.Validator.
func (r RecoverKey) Validate() error {
	return cmp.Or(
		CheckSubject("subject", r.Subject), checkProof(r.SigningKey, r.Proof), CheckCode("reason", r.Reason),
		checkList("consents", r.Consents, 0, MaxEndedConsents, CheckIdentifier),
	)
}

// Recover puts a new key in the place of one that the subject lost: the agency answers for it that it is the subject who
// asks. Guards, in order:
//
//	exchange.not_identity_agency   the caller's agency has not the duty identity
//	exchange.staff_required        no officer is named
//	signature.forged               the proof was not made by the new key
//	exchange.channel_mismatch      the proof is for another channel
//	exchange.subject_mismatch      the proof names another subject
//	exchange.key_mismatch          the proof names another key
//	exchange.key_used              the subject has or had the new key
//	exchange.too_many_keys         the subject has had as many keys as one may have
func (s Subject) Recover(r RecoverKey, registrar Agency, staff string, used bool, channel string, at time.Time) (Subject, Key, kernel.Change, error) {
	var none kernel.Change
	if !slices.Contains(registrar.Duties, DutyIdentity) {
		return s, Key{}, none, ErrNotIdentityAgency
	}
	if staff == "" {
		return s, Key{}, none, ErrStaffRequired
	}
	s, lost, err := s.succeed(r.SigningKey, r.Proof, used, channel, at)
	if err != nil {
		return s, lost, none, err
	}
	s.Recovered++
	lost.Status, lost.First, lost.Reason = Lost, Lost, r.Reason
	return s, lost, kernel.Change{Type: EventSubjectRecovered, ID: s.ID, Subject: s.ID, Agency: registrar.ID}, nil
}

// succeed puts a key in the place of the one in use, and gives the record of that one.
func (s Subject) succeed(key signed.Key, proof string, used bool, channel string, at time.Time) (Subject, Key, error) {
	if err := proves(proof, channel, s.Pseudonym, "subject", key); err != nil {
		return s, Key{}, err
	}
	if used || key == s.SigningKey {
		return s, Key{}, ErrKeyUsed
	}
	if s.Keys >= MaxSubjectKeys {
		return s, Key{}, ErrTooManyKeys
	}
	old := Key{
		Head: state.Head{ID: s.Pseudonym + state.IDSeparator + s.SigningKey.Thumbprint()}, Subject: s.Pseudonym, SigningKey: s.SigningKey, Number: s.Keys,
		From: s.Since, Until: at, Successor: key.Thumbprint(), Proof: proof,
	}
	s.SigningKey, s.Since, s.Keys = key, at, s.Keys+1
	return s, old, nil
}

// End ends a consent because the subject lost the key it signed with; s is the subject with the new key. A consent that was
// revoked before stays as it is. Guard:
//
//	exchange.subject_mismatch   the consent is another subject's
func (c Consent) End(s Subject, at time.Time) (Consent, kernel.Change, error) {
	if c.Terms.Subject != s.Pseudonym {
		return c, kernel.Change{}, ErrSubjectMismatch.On("request.consents", "of:request.subject")
	}
	if c.Status == Given {
		c.Status, c.RevokedAt, c.Recovery = Revoked, &at, s.SigningKey.Thumbprint()
	}
	return c, c.change(EventConsentRevoked), nil
}

// Validate implements kernel.Validator.
func (r KeyOf) Validate() error {
	if err := CheckSubject("subject", r.Subject); err != nil || r.Thumbprint == "" {
		return err
	}
	return CheckThumbprint("thumbprint", r.Thumbprint)
}

// CheckThumbprint checks the form of a key's thumbprint (RFC 7638, SHA-256, base64url).
func CheckThumbprint(field, thumbprint string) error {
	return match(field, thumbprint, thumbprintForm, "send a key's RFC 7638 thumbprint")
}

// Validate implements kernel.Validator.
func (r KeysOf) Validate() error { return CheckSubject("subject", r.Subject) }

// Period is the key in use.
func (s Subject) Period() KeyPeriod {
	return KeyPeriod{Number: s.Keys, Thumbprint: s.SigningKey.Thumbprint(), SigningKey: s.SigningKey, Status: Registered, From: s.Since}
}

// Period is a key that was in use.
func (k Key) Period() KeyPeriod {
	p := KeyPeriod{
		Number: k.Number, Thumbprint: k.SigningKey.Thumbprint(), SigningKey: k.SigningKey, Status: k.Status,
		From: k.From, Until: &k.Until, Reason: k.Reason,
	}
	if k.Status == Lost {
		p.Agency = k.Created.By
	}
	return p
}

// History puts a subject's keys in order.
func (s Subject) History(before []Key) KeyHistory {
	h := KeyHistory{Keys: make([]KeyPeriod, 0, len(before)+1)}
	for _, k := range before {
		h.Keys = append(h.Keys, k.Period())
	}
	h.Keys = append(h.Keys, s.Period())
	slices.SortFunc(h.Keys, func(x, y KeyPeriod) int { return cmp.Compare(x.Number, y.Number) })
	return h
}
