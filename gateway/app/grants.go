package app

import (
	"context"

	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// AmendGrant is PUT /v1/grants/{id}/terms.
type AmendGrant struct {
	Keyed
	ID     string         `path:"id" json:"-"`
	Terms  exchange.Terms `json:"terms" doc:"Within what was wanted; they replace those in force."`
	Reason string         `json:"reason" min:"1" max:"64" doc:"A code."`
}

// AmendGrant sets the terms of a grant for a dataset of the administrator's agency anew.
func (a *App) AmendGrant(ctx context.Context, who Actor, req AmendGrant) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.AmendGrant{Grant: req.ID, Terms: req.Terms, Reason: req.Reason}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.GrantAmend, req.Keyed, request)
}

// SuspendGrant makes a grant for a dataset of the administrator's agency unusable until it is resumed.
func (a *App) SuspendGrant(ctx context.Context, who Actor, req ReasonedGrant) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.SuspendGrant{Grant: req.ID, Reason: req.Reason}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.GrantSuspend, req.Keyed, request)
}

// ResumeGrant makes a suspended grant for a dataset of the administrator's agency usable again.
func (a *App) ResumeGrant(ctx context.Context, who Actor, req ReasonedGrant) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.ResumeGrant{Grant: req.ID, Reason: req.Reason}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.GrantResume, req.Keyed, request)
}

// Grant shows a grant to its two agencies and auditors.
func (a *App) Grant(ctx context.Context, who Actor, req ByID) (item Item[exchange.Grant], err error) {
	if item.AsOf, err = a.wait(ctx, req.After); err != nil {
		return item, err
	}
	item.Item, err = a.visibleGrant(ctx, who, req.ID)
	return item, err
}

// visibleGrant reads a grant that the actor may see.
func (a *App) visibleGrant(ctx context.Context, who Actor, id string) (g exchange.Grant, err error) {
	if err := who.is(Officer, AgencyAdmin, Auditor); err != nil {
		return g, err
	}
	if g, err = get[exchange.Grant](ctx, a, exchange.Grants.Noun, id, "id"); err != nil || who.Role == Auditor {
		return g, err
	}
	if who.own(g.Provider) == nil {
		return g, nil
	}
	return g, who.own(g.Consumer)
}
