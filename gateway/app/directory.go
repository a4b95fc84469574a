package app

import (
	"context"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/store"
)

// RegisterAgency is PUT /v1/agencies/me.
type RegisterAgency struct {
	Keyed
	Name exchange.Text `json:"name" doc:"The agency's name in Chinese and English."`
}

// RegisterAgency registers the administrator's own agency, or brings its record up to date. The exchange key and the
// gateway's address are those this gateway has. Where the record says all that already, nothing is written.
func (a *App) RegisterAgency(ctx context.Context, who Actor, req RegisterAgency) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	private, held := a.Keys[who.Agency]
	if !held {
		return Receipt{}, notServed("this gateway does not hold the agency's exchange key; its configuration must name it")
	}
	key, err := seal.Public(private)
	if err != nil {
		return Receipt{}, err
	}
	found, exists, err := a.Store.Get(ctx, "agency", who.Agency)
	if err != nil {
		return Receipt{}, err
	}
	if !exists {
		code := who.Agency[len(organisationOf(who.Agency))+1:]
		request := exchange.RegisterAgency{Code: code, Name: req.Name, ExchangeKey: key, Gateway: a.PublicURL}
		return a.write(ctx, who, as, exchange.Name, exchange.AgencyRegister, req.Keyed, request)
	}
	agency, err := record[exchange.Agency](found)
	if err != nil {
		return Receipt{}, err
	}
	same := func(x exchange.Agency) bool {
		return x.Name == req.Name && x.ExchangeKey == key && x.Gateway == a.PublicURL
	}
	if same(agency) {
		return a.madeSo(ctx, agency, same)
	}
	request := exchange.UpdateAgency{Agency: who.Agency, Name: req.Name, ExchangeKey: key, Gateway: a.PublicURL}
	return a.write(ctx, who, as, exchange.Name, exchange.AgencyUpdate, req.Keyed, request)
}

// madeSo is the receipt of the write since which an agency's record has said the same; what was changed besides, such as its
// duties, does not count.
func (a *App) madeSo(ctx context.Context, agency exchange.Agency, same func(exchange.Agency) bool) (Receipt, error) {
	if agency.Version > 1 {
		var past []state.Revision[exchange.Agency] // newest first
		if err := a.Ledger.Evaluate(ctx, a.reader(), exchange.Name, "agency:History", kernel.ByID{ID: agency.ID}, &past); err != nil {
			return Receipt{}, err
		}
		for _, p := range past {
			if !same(p.Record) {
				break
			}
			agency = p.Record
		}
	}
	tx, _, err := a.Store.Transaction(ctx, agency.LastChange().Tx)
	return Receipt{ID: agency.ID, Status: agency.Status, Version: agency.Version, At: agency.LastChange().At, Tx: agency.LastChange().Tx, Block: tx.Block, Replayed: true}, err
}

// AssignDuties is PUT /v1/agencies/{id}/duties.
type AssignDuties struct {
	Keyed
	ID     string   `path:"id" json:"-" max:"64"`
	Duties []string `json:"duties" max:"16" doc:"All duties the agency has from now on: identity, portal."`
}

// AssignDuties sets an agency's duties; only the coordinating organisation may.
func (a *App) AssignDuties(ctx context.Context, who Actor, req AssignDuties) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	duties := slices.Clone(req.Duties)
	if duties == nil {
		duties = []string{}
	}
	slices.Sort(duties)
	request := exchange.AssignDuties{Agency: req.ID, Duties: duties}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.AgencyAssign, req.Keyed, request)
}

// Agencies is GET /v1/agencies.
type Agencies struct{ Listing }

// Agencies lists the agencies with their names, keys, gateways and duties. Anybody may ask.
func (a *App) Agencies(ctx context.Context, _ Actor, req Agencies) (Records[exchange.Agency], error) {
	return records[exchange.Agency](ctx, a, req.Listing, store.Query{Noun: "agency"})
}

// RequestGrant is POST /v1/grants.
type RequestGrant struct {
	Keyed
	exchange.RequestGrant
}

// RequestGrant asks another agency for a grant to use its dataset.
func (a *App) RequestGrant(ctx context.Context, who Actor, req RequestGrant) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	if err := req.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.GrantRequest, req.Keyed, req.RequestGrant)
}

// ApproveGrant is PUT /v1/grants/{id}/approval.
type ApproveGrant struct {
	Keyed
	ID    string          `path:"id" json:"-"`
	Terms *exchange.Terms `json:"terms,omitempty" doc:"Within what was wanted; all that was wanted if absent."`
}

// ApproveGrant grants a request for a dataset of the administrator's agency.
func (a *App) ApproveGrant(ctx context.Context, who Actor, req ApproveGrant) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.GrantAccess{Grant: req.ID}
	if req.Terms != nil {
		request.Terms = *req.Terms
	} else {
		grant, err := get[exchange.Grant](ctx, a, "grant", req.ID, "id")
		if err != nil {
			return Receipt{}, err
		}
		request.Terms = grant.Wanted
	}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.GrantGrant, req.Keyed, request)
}

// ReasonedGrant is PUT /v1/grants/{id}/denial and withdrawal.
type ReasonedGrant struct {
	Keyed
	ID     string `path:"id" json:"-"`
	Reason string `json:"reason" min:"1" max:"64" doc:"A code."`
}

// DenyGrant denies a request for a dataset of the administrator's agency.
func (a *App) DenyGrant(ctx context.Context, who Actor, req ReasonedGrant) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.DenyAccess{Grant: req.ID, Reason: req.Reason}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.GrantDeny, req.Keyed, request)
}

// WithdrawGrant ends a grant for a dataset of the administrator's agency.
func (a *App) WithdrawGrant(ctx context.Context, who Actor, req ReasonedGrant) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.WithdrawGrant{Grant: req.ID, Reason: req.Reason}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.GrantWithdraw, req.Keyed, request)
}

// Grants is GET /v1/grants.
type Grants struct {
	Listing
	As      string `query:"as" json:"-" enum:"consumer,provider" doc:"As whom the agency has a part in them; consumer if absent."`
	Status  string `query:"status" json:"-" enum:"requested,granted,suspended,denied,withdrawn" doc:"Only grants of this status."`
	Dataset string `query:"dataset" json:"-" max:"128" doc:"Only grants for this dataset."`
}

// Grants lists an agency's grants, those it gave, or all for an auditor.
func (a *App) Grants(ctx context.Context, who Actor, req Grants) (page Records[exchange.Grant], err error) {
	if err := who.is(Officer, AgencyAdmin, Auditor); err != nil {
		return page, err
	}
	q := store.Query{Noun: "grant", Status: req.Status, Kind: req.Dataset}
	switch {
	case who.Role == Auditor:
	case req.As == "provider":
		q.Agency = who.Agency
	default:
		q.Peer = who.Agency
	}
	return records[exchange.Grant](ctx, a, req.Listing, q)
}
