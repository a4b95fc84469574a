package app

import (
	"context"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/gateway/store"
)

// RotateKey is PUT /v1/subjects/me/key.
type RotateKey struct {
	Keyed
	SigningKey    signed.Key `json:"signing_key" doc:"The new public key, P-256, as a JWK (RFC 7517)."`
	Proof         string     `json:"proof" max:"16384" doc:"Compact JWS of type hutong-registration+jwt by the new key over {channel, subject, thumbprint}."`
	Authorisation string     `json:"authorisation" max:"16384" doc:"Compact JWS of type hutong-rotation+jwt by the key in use over {channel, subject, thumbprint, successor}."`
}

// RotateKey puts a new key in the place of the citizen's. What the old one signed stays.
func (a *App) RotateKey(ctx context.Context, who Actor, req RotateKey) (Receipt, error) {
	if err := who.is(Citizen); err != nil {
		return Receipt{}, err
	}
	portal, err := a.asPortal(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.RotateKey{Subject: who.Subject, SigningKey: req.SigningKey, Proof: req.Proof, Authorisation: req.Authorisation}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, portal, exchange.Name, exchange.SubjectRotate, req.Keyed, request)
}

// RecoverKey is PUT /v1/subjects/{pseudonym}/key-recovery.
type RecoverKey struct {
	Keyed
	Pseudonym   string     `path:"pseudonym" json:"-"`
	SigningKey  signed.Key `json:"signing_key" doc:"The new public key, P-256, as a JWK (RFC 7517)."`
	Proof       string     `json:"proof" max:"16384" doc:"Compact JWS of type hutong-registration+jwt by the new key over {channel, subject, thumbprint}."`
	Reason      string     `json:"reason" min:"1" max:"64" doc:"Code: why." example:"device_lost"`
	EndConsents bool       `json:"end_consents" doc:"Whether the consents that are in force end: they do where the lost key may be in somebody else's hands."`
}

// RecoverKey puts a new key in the place of one that a subject lost. The officer, of an agency with the duty identity, has
// seen that it is the subject who asks. With end_consents the consents that this gateway knows to be in force end, the
// latest first if there are more than one recovery can end; the subject can revoke any other with the new key.
func (a *App) RecoverKey(ctx context.Context, who Actor, req RecoverKey) (Receipt, error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return Receipt{}, err
	}
	if _, err := get[exchange.Subject](ctx, a, "subject", req.Pseudonym, "pseudonym"); err != nil {
		return Receipt{}, err
	}
	request := exchange.RecoverKey{Subject: req.Pseudonym, SigningKey: req.SigningKey, Proof: req.Proof, Reason: req.Reason, Consents: []string{}}
	if req.EndConsents {
		if request.Consents, err = a.toEnd(ctx, req); err != nil {
			return Receipt{}, err
		}
	}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.SubjectRecover, req.Keyed, request)
}

// toEnd are the consents that a recovery ends, sorted. Those it has ended are among them, so that the request sent again is
// the same request.
func (a *App) toEnd(ctx context.Context, req RecoverKey) ([]string, error) {
	consents, err := all[exchange.Consent](ctx, a, store.Query{Noun: exchange.Consents.Noun, Subject: req.Pseudonym, Descending: true})
	if err != nil {
		return nil, err
	}
	ids, recovered := []string{}, req.SigningKey.Thumbprint()
	for _, c := range consents {
		inForce := c.Status == exchange.Given && c.Key != recovered && a.now().Before(c.Terms.Until)
		if (inForce || c.Recovery == recovered) && len(ids) < exchange.MaxEndedConsents {
			ids = append(ids, c.ID)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// SubjectKeys is GET /v1/subjects/{pseudonym}/keys.
type SubjectKeys struct {
	Pseudonym string `path:"pseudonym" json:"-"`
}

// SubjectKeys lists all the keys a subject has had, so that whoever holds something it signed can verify it. Citizens see
// their own.
func (a *App) SubjectKeys(ctx context.Context, who Actor, req SubjectKeys) (h exchange.KeyHistory, err error) {
	if err := who.is(Citizen, Officer, Portal, Auditor); err != nil {
		return h, err
	}
	if who.Role == Citizen {
		if err := who.self(req.Pseudonym, exchange.Subjects.Noun); err != nil {
			return h, err
		}
	}
	request := exchange.KeysOf{Subject: req.Pseudonym}
	if err := request.Validate(); err != nil {
		return h, renamed(err, "subject", "pseudonym")
	}
	err = a.Ledger.Evaluate(ctx, a.reader(), exchange.Name, exchange.SubjectKeys, request, &h)
	return h, fault.Naming("pseudonym", err)
}

// ConsentSignatures is GET /v1/consents/{id}/signatures.
type ConsentSignatures struct {
	ID string `path:"id" json:"-"`
}

// ConsentSignatures verifies what a citizen signed for a consent by the keys of their time, and shows both. It is read from
// the peer. Who may see the consent may see them.
func (a *App) ConsentSignatures(ctx context.Context, who Actor, req ConsentSignatures) (s exchange.Signatures, err error) {
	if err := who.is(Citizen, Officer, Auditor); err != nil {
		return s, err
	}
	c, err := get[exchange.Consent](ctx, a, exchange.Consents.Noun, req.ID, "id")
	if err != nil {
		return s, err
	}
	switch who.Role {
	case Citizen:
		err = who.self(c.Terms.Subject, exchange.Consents.Noun)
	case Officer:
		if who.own(exchange.DatasetKey(c.Terms.Dataset)[0]) != nil {
			err = who.own(c.Terms.Consumer)
		}
	}
	if err != nil {
		return s, err
	}
	err = a.Ledger.Evaluate(ctx, a.reader(), exchange.Name, exchange.ConsentVerify, exchange.ConsentByID{Consent: req.ID}, &s)
	return s, fault.Naming("id", err)
}

// signingKeys are a subject's, the one in use first.
type signingKeys []signed.Key

// signingKeys are asked of the ledger itself: a signature is judged by what is committed, not by what the projection has
// seen.
func (a *App) signingKeys(ctx context.Context, subject string) (signingKeys, error) {
	var h exchange.KeyHistory
	err := a.Ledger.Evaluate(ctx, a.reader(), exchange.Name, exchange.SubjectKeys, exchange.KeysOf{Subject: subject}, &h)
	if f := fault.From(err); f != nil && f.Kind == fault.Missing {
		return nil, fault.New(fault.Refused, "subject.unregistered", "register a signing key first: PUT /v1/subjects/me").On("subject", "registered")
	}
	if err != nil {
		return nil, err
	}
	keys := make(signingKeys, len(h.Keys))
	for i, k := range h.Keys {
		keys[len(keys)-1-i] = k.SigningKey
	}
	return keys, nil
}

// open verifies what the subject signed with the key in use. What an earlier key signed opens too, for it may be a
// repetition of what was sent then; whether it still counts is for the ledger to say, by the key in use.
func (keys signingKeys) open(jws, field, kind string, content any) (err error) {
	for i, key := range keys {
		opened := signed.Open(jws, field, kind, key, content)
		if opened == nil {
			return nil
		}
		if i == 0 {
			err = opened
		}
	}
	return err
}
