package app

import (
	"context"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/store"
)

// GiveConsent is POST /v1/consents.
type GiveConsent struct {
	Keyed
	Consent string `json:"consent" max:"16384" doc:"Compact JWS of type hutong-consent+jwt over the terms."`
}

// GiveConsent records a consent the citizen has signed.
func (a *App) GiveConsent(ctx context.Context, who Actor, req GiveConsent) (Receipt, error) {
	portal, err := a.asPortal(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.GiveConsent{JWS: req.Consent}
	if err := request.Validate(); err != nil {
		return Receipt{}, renamed(err, "jws", "consent")
	}
	terms, err := request.Terms()
	if err != nil {
		return Receipt{}, err
	}
	if err := who.mayAct(terms.Subject, "consent.subject"); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, portal, exchange.Name, exchange.ConsentGive, req.Keyed, request)
}

// RevokeConsent is PUT /v1/consents/{id}/revocation.
type RevokeConsent struct {
	Keyed
	ID         string `path:"id" json:"-"`
	Revocation string `json:"revocation" max:"16384" doc:"Compact JWS of type hutong-revocation+jwt over {channel, subject, consent}."`
}

// RevokeConsent ends a consent at once: what was requested and not yet delivered will not be delivered.
func (a *App) RevokeConsent(ctx context.Context, who Actor, req RevokeConsent) (Receipt, error) {
	portal, err := a.asPortal(who)
	if err != nil {
		return Receipt{}, err
	}
	consent, err := get[exchange.Consent](ctx, a, "consent", req.ID, "id")
	if err != nil {
		return Receipt{}, err
	}
	if who.Role == Citizen {
		if err := who.self(consent.Terms.Subject, "consent"); err != nil {
			return Receipt{}, err
		}
	}
	request := exchange.RevokeConsent{Consent: req.ID, JWS: req.Revocation}
	if err := request.Validate(); err != nil {
		return Receipt{}, renamed(err, "jws", "revocation")
	}
	return a.write(ctx, who, portal, exchange.Name, exchange.ConsentRevoke, req.Keyed, request)
}

// Consents is GET /v1/consents.
type Consents struct {
	Listing
	Status string `query:"status" json:"-" enum:"given,revoked" doc:"Only consents of this status."`
	Case   string `query:"case" json:"-" max:"64" doc:"Only consents for this case."`
}

// Consents lists a citizen's consents, those given to an agency, or all for an auditor.
func (a *App) Consents(ctx context.Context, who Actor, req Consents) (page Records[exchange.Consent], err error) {
	if err := who.is(Citizen, Officer, Auditor); err != nil {
		return page, err
	}
	q := store.Query{Noun: "consent", Status: req.Status, Case: req.Case, Descending: true}
	switch who.Role {
	case Citizen:
		q.Subject = who.Subject
	case Officer:
		q.Peer = who.Agency
	}
	return records[exchange.Consent](ctx, a, req.Listing, q)
}
