package app

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/store"
)

// ProposeService is POST /v1/services.
type ProposeService struct {
	Keyed
	Service collaboration.Service `json:"service"`
}

// ProposeService proposes an edition of a service that the administrator's agency leads.
func (a *App) ProposeService(ctx context.Context, who Actor, req ProposeService) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	request := collaboration.ProposeDefinition{Service: req.Service}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, collaboration.Name, collaboration.DefinitionPropose, req.Keyed, request)
}

// ApproveService is PUT /v1/services/{code}/editions/{edition}/approval.
type ApproveService struct {
	Keyed
	Code    string `path:"code" json:"-" max:"64"`
	Edition int    `path:"edition" json:"-" min:"1" max:"9999"`
	Hash    string `json:"hash" pattern:"^[0-9a-f]{64}$" doc:"Of the edition that was read: what is approved is what was read."`
}

// ApproveService approves an edition for the administrator's agency. With the last approval it becomes active.
func (a *App) ApproveService(ctx context.Context, who Actor, req ApproveService) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	request := collaboration.ApproveDefinition{Definition: collaboration.DefinitionID(req.Code, req.Edition), Hash: req.Hash}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, collaboration.Name, collaboration.DefinitionApprove, req.Keyed, request)
}

// Services is GET /v1/services.
type Services struct {
	Listing
	Lead   string `query:"lead" json:"-" max:"64" doc:"Only services this agency leads."`
	Status string `query:"status" json:"-" enum:"proposed,active,retired" doc:"Editions of this status; active if absent."`
}

// Services lists service definitions, those one can apply for if nothing else is asked. Anybody may ask.
func (a *App) Services(ctx context.Context, _ Actor, req Services) (Records[collaboration.Definition], error) {
	q := store.Query{Noun: "definition", Agency: req.Lead, Status: cmp.Or(req.Status, collaboration.Active)}
	return records[collaboration.Definition](ctx, a, req.Listing, q)
}

// ServiceByCode is GET /v1/services/{code}.
type ServiceByCode struct {
	After
	Code string `path:"code" json:"-" max:"64"`
}

// ServiceView is a service with all its editions.
type ServiceView struct {
	Editions []collaboration.Definition `json:"editions" doc:"Newest first."`
	Active   *int                       `json:"active,omitempty" doc:"The edition one can apply for; absent while none is active."`
	AsOf     uint64                     `json:"as_of_block" doc:"The read includes this block and everything before it."`
}

// Service shows a service. Anybody may ask.
func (a *App) Service(ctx context.Context, _ Actor, req ServiceByCode) (view ServiceView, err error) {
	if view.AsOf, err = a.wait(ctx, req.After); err != nil {
		return view, err
	}
	if view.Editions, err = a.editions(ctx, req.Code); err != nil {
		return view, err
	}
	if len(view.Editions) == 0 {
		return view, missing("service", "code")
	}
	for _, d := range view.Editions {
		if d.Status == collaboration.Active {
			view.Active = &d.Edition
		}
	}
	return view, nil
}

func (a *App) editions(ctx context.Context, code string) ([]collaboration.Definition, error) {
	if code == "" {
		return nil, missing("service", "code")
	}
	editions, err := all[collaboration.Definition](ctx, a, store.Query{Noun: "definition", Kind: code})
	slices.SortFunc(editions, func(x, y collaboration.Definition) int { return y.Edition - x.Edition })
	return editions, err
}

// active is the edition of a service that cases are opened on.
func (a *App) active(ctx context.Context, code, field string) (collaboration.Definition, error) {
	editions, err := a.editions(ctx, code)
	if err != nil {
		return collaboration.Definition{}, err
	}
	at := slices.IndexFunc(editions, func(d collaboration.Definition) bool { return d.Status == collaboration.Active })
	if at < 0 {
		return collaboration.Definition{}, fault.New(fault.Missing, "service.missing", "there is no active service with this code; GET /v1/services lists them").On(field, "active")
	}
	return editions[at], nil
}

// PublishType is POST /v1/certificate-types.
type PublishType struct {
	Keyed
	certificate.PublishType
}

// PublishType publishes a type of certificate; the administrator's agency becomes its authority.
func (a *App) PublishType(ctx context.Context, who Actor, req PublishType) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	if err := req.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, certificate.Name, certificate.TypePublish, req.Keyed, req.PublishType)
}

// CertificateTypes is GET /v1/certificate-types.
type CertificateTypes struct {
	Listing
	Authority string `query:"authority" json:"-" max:"64" doc:"Only types of this authority."`
}

// CertificateTypes lists the types of certificates. Anybody may ask.
func (a *App) CertificateTypes(ctx context.Context, _ Actor, req CertificateTypes) (Records[certificate.Type], error) {
	return records[certificate.Type](ctx, a, req.Listing, store.Query{Noun: "type", Agency: req.Authority})
}

// Accredit is PUT /v1/certificate-types/{code}/accreditations/{agency}.
type Accredit struct {
	Keyed
	Code   string    `path:"code" json:"-" max:"64"`
	Agency string    `path:"agency" json:"-" max:"64"`
	From   time.Time `json:"valid_from"`
	Until  time.Time `json:"valid_until"`
}

// Accredit lets an agency issue a type of which the administrator's agency is the authority.
func (a *App) Accredit(ctx context.Context, who Actor, req Accredit) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	request := certificate.GrantAccreditation{Type: req.Code, Agency: req.Agency, From: req.From.UTC(), Until: req.Until.UTC()}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, certificate.Name, certificate.AccreditationGrant, req.Keyed, request)
}

// WithdrawAccreditation is PUT /v1/certificate-types/{code}/accreditations/{agency}/withdrawal.
type WithdrawAccreditation struct {
	Keyed
	Code   string `path:"code" json:"-" max:"64"`
	Agency string `path:"agency" json:"-" max:"64"`
	Reason string `json:"reason" min:"1" max:"64" doc:"A code."`
}

// WithdrawAccreditation ends an accreditation before its time. What was issued stays issued.
func (a *App) WithdrawAccreditation(ctx context.Context, who Actor, req WithdrawAccreditation) (Receipt, error) {
	as, err := a.asAdmin(who)
	if err != nil {
		return Receipt{}, err
	}
	request := certificate.WithdrawAccreditation{Type: req.Code, Agency: req.Agency, Reason: req.Reason}
	if err := request.Validate(); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, certificate.Name, certificate.AccreditationWithdraw, req.Keyed, request)
}

// Accreditations is GET /v1/certificate-types/{code}/accreditations.
type Accreditations struct {
	Listing
	Code string `path:"code" json:"-" max:"64"`
}

// Accreditations lists who may issue a type of certificate. Anybody may ask.
func (a *App) Accreditations(ctx context.Context, _ Actor, req Accreditations) (Records[certificate.Accreditation], error) {
	return records[certificate.Accreditation](ctx, a, req.Listing, store.Query{Noun: "accreditation", Kind: req.Code})
}
