package exchange

import (
	"cmp"
	"fmt"
	"time"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Tally counts the uses of a consent. It is a record of its own, so that a revocation, which changes the consent, and uses,
// which change the count, never compete: whoever revokes is not held up by who uses, and a use that read the consent before
// it was revoked is invalid. A consent that nobody has used has none. Key: the consent's id.
type Tally struct {
	state.Head
	Subject string `json:"subject"`
	Uses    int    `json:"uses"`
}

// ConsentVerify is the read that verifies a consent's signatures anew.
const ConsentVerify = "consent:Verify"

// ConsentByID names a consent.
type ConsentByID struct {
	Consent string `json:"consent"`
}

// Validate implements kernel.Validator.
func (r ConsentByID) Validate() error { return CheckIdentifier("consent", r.Consent) }

// Signatures are a consent's, verified, each with the key that made it and when that key was in use.
type Signatures struct {
	Consent    string     `json:"consent"`
	Subject    string     `json:"subject"`
	JWS        string     `json:"jws"`
	Key        KeyPeriod  `json:"key"`
	Revocation string     `json:"revocation,omitempty"`
	RevokedBy  *KeyPeriod `json:"revocation_key,omitempty"`
}

// Verify verifies what a subject signed for a consent, by the keys of their time. by is the key that signed the consent,
// revokedBy the one that signed its revocation, nil where none did. Faults: signature.forged and those of signed.Open.
func (c Consent) Verify(by KeyPeriod, revokedBy *KeyPeriod) (s Signatures, err error) {
	kind, terms := ConsentKind, any(new(ConsentTerms))
	if c.Code != "" {
		kind, terms = CodeKind, new(CodeTerms)
	}
	if err := signed.Open(c.JWS, "consent.jws", kind, by.SigningKey, terms); err != nil {
		return s, err
	}
	if revokedBy != nil {
		if err := signed.Open(c.Revocation, "consent.revocation", RevocationKind, revokedBy.SigningKey, new(Revocation)); err != nil {
			return s, err
		}
	}
	return Signatures{Consent: c.ID, Subject: c.Terms.Subject, JWS: c.JWS, Key: by, Revocation: c.Revocation, RevokedBy: revokedBy}, nil
}

// Validate checks the form of what a subject signs to agree.
func (t ConsentTerms) Validate() error {
	if t.Channel == "" {
		return required("channel")
	}
	if t.MaxUses < 1 || t.MaxUses > MaxConsentUses {
		return fault.Field("max_uses", fmt.Sprintf("between:1,%d", MaxConsentUses), "allow between one and this many uses")
	}
	return cmp.Or(
		CheckSubject("subject", t.Subject),
		CheckDataset("dataset", t.Dataset),
		checkFieldNames("fields", t.Fields),
		CheckAgency("consumer", t.Consumer),
		CheckCode("purpose", t.Purpose),
		CheckIdentifier("case", t.Case),
		CheckPeriod("valid_from", t.From, "valid_until", t.Until, MaxConsentPeriod),
		match("nonce", t.Nonce, nonceForm, "send 16 to 64 random characters of base64url"),
	)
}

// ID is the id of the consent these terms make once they are signed: the same terms are one consent, whoever submits
// them and however often the subject signed them.
func (t ConsentTerms) ID() (string, error) { return agreedID(t.Subject, ConsentGive, t) }

// Terms are what the JWS says, before its signature is verified. The request is valid.
func (r GiveConsent) Terms() (terms ConsentTerms, err error) {
	err = signed.Peek(r.JWS, "jws", ConsentKind, &terms)
	return terms, err
}

// Validate implements kernel.Validator.
func (r GiveConsent) Validate() error { return checkAgreed(r.JWS, r.Terms) }

// agreedID is the id of the record that terms make once the subject has signed them, by the function given.
func agreedID(subject, function string, terms any) (string, error) {
	digest, err := canonical.Digest(terms)
	if err != nil {
		return "", err
	}
	return kernel.ID(subject, function, digest), nil
}

// checkAgreed checks the form of terms that a subject signed.
func checkAgreed[T kernel.Validator](jws string, terms func() (T, error)) error {
	if jws == "" {
		return required("jws")
	}
	t, err := terms()
	if err != nil {
		return err
	}
	return fault.Under("jws", t.Validate())
}

// named judges what a subject signed about the dataset, at a place of the request: signed for this channel, and the dataset
// offers the fields.
func (d Dataset) named(at, signedFor string, fields []string, channel string) error {
	if signedFor != channel {
		return ErrChannelMismatch
	}
	if err := d.offered(); err != nil {
		return ErrDatasetWithdrawn.On(at+".dataset", "published")
	}
	if !d.has(fields) {
		return ErrFieldUnknown.On(at+".fields", "subset:dataset.fields")
	}
	return nil
}

// Give makes a consent of what the subject signed. Guards, in order:
//
//	signature.forged             the subject's registered key did not sign the terms
//	exchange.channel_mismatch    they are for another channel
//	exchange.dataset_withdrawn   the dataset is not in the directory
//	exchange.field_unknown       a field is not in the dataset
//	exchange.consent_expired     the period has ended already
func (r GiveConsent) Give(id, channel string, s Subject, d Dataset, now kernel.Moment) (c Consent, event kernel.Change, err error) {
	var terms ConsentTerms
	if err := signed.Open(r.JWS, "request.jws", ConsentKind, s.SigningKey, &terms); err != nil {
		return c, event, err
	}
	if err := d.named("request.jws", terms.Channel, terms.Fields, channel); err != nil {
		return c, event, err
	}
	if now.Over(terms.Until) {
		return c, event, ErrConsentExpired.On("request.jws.valid_until", "future")
	}
	c = Consent{Head: state.Head{ID: id, Status: Given}, Terms: terms, JWS: r.JWS, Key: s.SigningKey.Thumbprint()}
	return c, c.change(EventConsentGiven), nil
}

// Validate implements kernel.Validator.
func (r RevokeConsent) Validate() error {
	return checkSigned("consent", r.Consent, r.JWS, RevocationKind, new(Revocation))
}

// checkSigned checks what a subject has signed about a record of theirs: the record's id, in the given member, and a JWS of a kind
// whose content can be read.
func checkSigned(field, id, jws, kind string, content any) error {
	if err := CheckIdentifier(field, id); err != nil {
		return err
	}
	if jws == "" {
		return required("jws")
	}
	return signed.Peek(jws, "jws", kind, content)
}

// Revoke ends a consent at once; s is the subject that gave it. Uses requested before are not delivered any more. Guards,
// in order:
//
//	signature.forged               the registered key of the consent's subject did not sign the revocation
//	exchange.channel_mismatch      it is for another channel
//	exchange.subject_mismatch      it names another subject
//	exchange.revocation_mismatch   it names another consent
//	exchange.consent_revoked       the consent was revoked before
func (c Consent) Revoke(r RevokeConsent, channel string, s Subject, at time.Time) (Consent, kernel.Change, error) {
	var none kernel.Change
	var revocation Revocation
	if err := signed.Open(r.JWS, "request.jws", RevocationKind, s.SigningKey, &revocation); err != nil {
		return c, none, err
	}
	if revocation.Channel != channel {
		return c, none, ErrChannelMismatch
	}
	if revocation.Subject != c.Terms.Subject {
		return c, none, ErrSubjectMismatch
	}
	if revocation.Consent != c.ID {
		return c, none, ErrConsentOther
	}
	if c.Status == Revoked {
		return c, none, ErrConsentRevoked
	}
	c.Status, c.RevokedAt, c.Revocation, c.RevokedBy = Revoked, &at, r.JWS, s.SigningKey.Thumbprint()
	return c, c.change(EventConsentRevoked), nil
}

// live: the consent has not been revoked and its period has begun and not ended. The end is exclusive.
func (c Consent) live(now kernel.Moment) error {
	if c.Status == Revoked {
		return ErrConsentRevoked
	}
	if now.Early(c.Terms.From) {
		return ErrConsentNotYet
	}
	if now.Over(c.Terms.Until) {
		return ErrConsentExpired
	}
	return nil
}

// spend counts one more use, if the consent was given for it. consumer is who uses, t the count so far.
func (c Consent) spend(r RequestUse, t Tally, consumer string, now kernel.Moment) (Tally, error) {
	if c.Terms.Subject != r.Subject {
		return t, ErrConsentMismatch.On("request.subject", "equals:consent.subject")
	}
	if err := c.live(now); err != nil {
		return t, err
	}
	if c.Terms.Dataset != r.Dataset {
		return t, ErrConsentMismatch.On("request.dataset", "equals:consent.dataset")
	}
	if !subset(r.Fields, c.Terms.Fields) {
		return t, ErrFieldUnconsented
	}
	if c.Terms.Consumer != consumer {
		return t, ErrConsentMismatch.On("creator.agency", "equals:consent.consumer")
	}
	if c.Terms.Purpose != r.Purpose {
		return t, ErrConsentMismatch.On("request.purpose", "equals:consent.purpose")
	}
	if c.Terms.Case != r.Case {
		return t, ErrConsentMismatch.On("request.case", "equals:consent.case")
	}
	if t.Uses >= c.Terms.MaxUses {
		return t, ErrConsentExhausted
	}
	if t.Uses == 0 {
		t = Tally{Head: state.Head{ID: c.ID, Status: Kept, First: Kept}, Subject: c.Terms.Subject}
	}
	t.Uses++
	return t, nil
}

// Given is what to announce of a consent that was made of a code.
func (c Consent) Given() kernel.Change { return c.change(EventConsentGiven) }

func (c Consent) change(event string) kernel.Change {
	return kernel.Change{Type: event, ID: c.ID, Subject: c.Terms.Subject, Agency: c.Terms.Consumer, Case: c.Terms.Case}
}
