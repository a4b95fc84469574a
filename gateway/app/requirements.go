package app

import (
	"context"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/store"
)

// PublishRequirement is POST /v1/requirements.
type PublishRequirement struct {
	Keyed
	exchange.PublishRequirement
}

// PublishRequirement enters a requirement of the administrator's agency in the map to evidence.
func (a *App) PublishRequirement(ctx context.Context, who Actor, req PublishRequirement) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	if err := req.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.RequirementPublish, req.Keyed, req.PublishRequirement)
}

// ReviseRequirement is POST /v1/requirements/{agency}/{code}/editions.
type ReviseRequirement struct {
	Keyed
	Agency  string `path:"agency" json:"-" max:"64"`
	Code    string `path:"code" json:"-" max:"64"`
	Edition int    `json:"edition" min:"2" max:"1000" doc:"The number of the edition this makes: one more than the one in force."`
	exchange.Need
}

// ReviseRequirement makes the next edition of a requirement of the administrator's agency.
func (a *App) ReviseRequirement(ctx context.Context, who Actor, req ReviseRequirement) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.ReviseRequirement{Requirement: req.Agency + "/" + req.Code, Edition: req.Edition, Need: req.Need}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.RequirementRevise, req.Keyed, request)
}

// WithdrawRequirement is PUT /v1/requirements/{agency}/{code}/withdrawal.
type WithdrawRequirement struct {
	Keyed
	Agency string `path:"agency" json:"-" max:"64"`
	Code   string `path:"code" json:"-" max:"64"`
	Reason string `json:"reason" min:"1" max:"64" doc:"A code."`
}

// WithdrawRequirement takes a requirement out of the map for good. It leaves a trace.
func (a *App) WithdrawRequirement(ctx context.Context, who Actor, req WithdrawRequirement) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.WithdrawRequirement{Requirement: req.Agency + "/" + req.Code, Reason: req.Reason}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.RequirementWithdraw, req.Keyed, request)
}

// Requirements is GET /v1/requirements.
type Requirements struct {
	Listing
	Agency      string `query:"agency" json:"-" max:"64" doc:"Only requirements of this agency."`
	Status      string `query:"status" json:"-" enum:"published,withdrawn" doc:"Only requirements of this status."`
	Dataset     string `query:"dataset" json:"-" max:"128" doc:"Only requirements that a record of this dataset can meet."`
	Certificate string `query:"certificate_type" json:"-" max:"64" doc:"Only requirements that a certificate of this type can meet."`
	Text        string `query:"text" json:"-" max:"100" doc:"Only requirements with all these words, or parts of words, in their id or names, in either language."`
}

// Requirements lists what agencies ask of applicants, with what shows that it is met. Anybody may ask.
func (a *App) Requirements(ctx context.Context, _ Actor, req Requirements) (Records[exchange.Requirement], error) {
	q := store.Query{Noun: "requirement", Agency: req.Agency, Status: req.Status, Text: req.Text}
	if req.Dataset != "" {
		q.Tags = append(q.Tags, exchange.TagDataset+req.Dataset)
	}
	if req.Certificate != "" {
		q.Tags = append(q.Tags, exchange.TagCertificate+req.Certificate)
	}
	return records[exchange.Requirement](ctx, a, req.Listing, q)
}

// RequirementByID is GET /v1/requirements/{agency}/{code}.
type RequirementByID struct {
	After
	Agency string `path:"agency" json:"-" max:"64"`
	Code   string `path:"code" json:"-" max:"64"`
}

// Requirement shows the edition of a requirement that is in force. Anybody may ask.
func (a *App) Requirement(ctx context.Context, _ Actor, req RequirementByID) (Item[exchange.Requirement], error) {
	return one[exchange.Requirement](ctx, a, req.After, "requirement", req.Agency+"/"+req.Code, "path.code")
}

// EnterListing is PUT /v1/roster/{agency}.
type EnterListing struct {
	Keyed
	Agency string        `path:"agency" json:"-" max:"64"`
	Kind   string        `json:"kind" enum:"department,district"`
	Name   exchange.Text `json:"name" doc:"The agency's name in Chinese and English."`
}

// EnterListing enters an agency in the city's roster; only the coordinating organisation may.
func (a *App) EnterListing(ctx context.Context, who Actor, req EnterListing) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.EnterListing{Agency: req.Agency, Kind: req.Kind, Name: req.Name}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.ListingEnter, req.Keyed, request)
}

// RenameListing is PUT /v1/roster/{agency}/name.
type RenameListing struct {
	Keyed
	Agency string        `path:"agency" json:"-" max:"64"`
	Name   exchange.Text `json:"name" doc:"The agency's name in Chinese and English."`
}

// RenameListing gives an agency in the roster other names; only the coordinating organisation may.
func (a *App) RenameListing(ctx context.Context, who Actor, req RenameListing) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	request := exchange.RenameListing{Agency: req.Agency, Name: req.Name}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, exchange.Name, exchange.ListingRename, req.Keyed, request)
}

// Roster is GET /v1/roster.
type Roster struct {
	Listing
	Kind string `query:"kind" json:"-" enum:"department,district" doc:"Only agencies of this kind."`
	Text string `query:"text" json:"-" max:"100" doc:"Only agencies with all these words, or parts of words, in their id or names, in either language."`
}

// Roster lists the city's departments and districts, whether they take part or not. Anybody may ask.
func (a *App) Roster(ctx context.Context, _ Actor, req Roster) (Records[exchange.Listing], error) {
	return records[exchange.Listing](ctx, a, req.Listing, store.Query{Noun: "listing", Kind: req.Kind, Text: req.Text})
}
