package app

import (
	"context"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/commitment"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/gateway/vault"
)

// Tasks is GET /v1/tasks.
type Tasks struct {
	Listing
	Status  string `query:"status" json:"-" enum:"pending,claimed,approved,returned,rejected" doc:"Only tasks of this status."`
	Service string `query:"service" json:"-" max:"64" doc:"Only tasks of this service."`
	Case    string `query:"case" json:"-" max:"64" doc:"Only tasks of this case."`
}

// Tasks lists the steps that wait for an agency, oldest first; all of them for an auditor.
func (a *App) Tasks(ctx context.Context, who Actor, req Tasks) (page Records[collaboration.Task], err error) {
	if err := who.is(Officer, Auditor); err != nil {
		return page, err
	}
	q := store.Query{Noun: "task", Status: req.Status, Kind: req.Service, Case: req.Case}
	if who.Role == Officer {
		q.Agency = who.Agency
	}
	return records[collaboration.Task](ctx, a, req.Listing, q)
}

// OnStep is PUT /v1/cases/{id}/steps/{step}/claim and release.
type OnStep struct {
	Keyed
	ID   string `path:"id" json:"-"`
	Step string `path:"step" json:"-"`
}

func (s OnStep) ref() collaboration.TaskRef { return collaboration.TaskRef{Case: s.ID, Step: s.Step} }

// Claim takes a step for the officer.
func (a *App) Claim(ctx context.Context, who Actor, req OnStep) (Receipt, error) {
	return a.act(ctx, who, req, collaboration.StepClaim, collaboration.ClaimTask{TaskRef: req.ref()})
}

// Release gives a claimed step back.
func (a *App) Release(ctx context.Context, who Actor, req OnStep) (Receipt, error) {
	return a.act(ctx, who, req, collaboration.StepRelease, collaboration.ReleaseTask{TaskRef: req.ref()})
}

// ApproveStep is PUT /v1/cases/{id}/steps/{step}/approval.
type ApproveStep struct {
	OnStep
	Evidence string `json:"evidence,omitempty" pattern:"^[0-9a-f]{64}$" doc:"Commitment of what the decision rests on, if there is any."`
}

// ApproveStep decides a step for the applicant.
func (a *App) ApproveStep(ctx context.Context, who Actor, req ApproveStep) (Receipt, error) {
	return a.act(ctx, who, req.OnStep, collaboration.StepApprove, collaboration.ApproveTask{TaskRef: req.ref(), Evidence: req.Evidence})
}

// ReasonedStep is PUT /v1/cases/{id}/steps/{step}/return and rejection.
type ReasonedStep struct {
	OnStep
	Reason string `json:"reason" min:"1" max:"64" doc:"A code, never text about a person."`
}

// ReturnStep asks the applicant for a correction.
func (a *App) ReturnStep(ctx context.Context, who Actor, req ReasonedStep) (Receipt, error) {
	return a.act(ctx, who, req.OnStep, collaboration.StepReturn, collaboration.ReturnTask{TaskRef: req.ref(), Reason: req.Reason})
}

// RejectStep decides a step against the applicant, which ends the case.
func (a *App) RejectStep(ctx context.Context, who Actor, req ReasonedStep) (Receipt, error) {
	return a.act(ctx, who, req.OnStep, collaboration.StepReject, collaboration.RejectTask{TaskRef: req.ref(), Reason: req.Reason})
}

// act is an officer's act on a step of the agency.
func (a *App) act(ctx context.Context, who Actor, at OnStep, function string, request any) (Receipt, error) {
	as, err := a.asOfficer(who)
	if err != nil {
		return Receipt{}, err
	}
	task, err := get[collaboration.Task](ctx, a, "task", collaboration.TaskID(at.ID, at.Step), "step")
	if err != nil {
		return Receipt{}, err
	}
	if err := who.own(task.Agency); err != nil {
		return Receipt{}, err
	}
	return a.write(ctx, who, as, collaboration.Name, function, at.Keyed, request)
}

// Form is GET /v1/cases/{id}/form.
type Form struct{ CaseByID }

// FormView is an application form, opened for an officer.
type FormView struct {
	Case       string              `json:"case"`
	Commitment string              `json:"commitment" doc:"What the applicant signed; the form has been checked against it."`
	Form       commitment.Document `json:"form"`
	AsOf       uint64              `json:"as_of_block" doc:"The read includes this block and everything before it."`
}

// Form opens the application form with the agency's key. Only agencies with a part in the case hold a copy that opens.
func (a *App) Form(ctx context.Context, who Actor, req Form) (view FormView, err error) {
	if err := who.is(Officer); err != nil {
		return view, err
	}
	if view.AsOf, err = a.wait(ctx, req.After); err != nil {
		return view, err
	}
	c, err := a.visibleCase(ctx, who, req.ID)
	if err != nil {
		return view, err
	}
	view.Case, view.Commitment = c.ID, c.Form
	view.Form, err = a.formOf(ctx, c, who.Agency)
	return view, err
}

// formOf opens the form of a case for an agency served here. It is in this gateway's vault, or in that of the gateway where
// the case was opened, and kept here from then on.
func (a *App) formOf(ctx context.Context, c collaboration.Case, agency string) (commitment.Document, error) {
	return a.openFrom(ctx, c.Created.By, c.Form, agency, vault.Entry{Kind: vault.Form, Case: c.ID})
}

// openFrom opens what is sealed to an agency under a commitment, fetching it from the gateway of the agency that holds it
// if it is not here.
func (a *App) openFrom(ctx context.Context, holder, root, agency string, as vault.Entry) (commitment.Document, error) {
	envelope, err := a.fetchSealed(ctx, holder, root, agency, as)
	if err != nil {
		return commitment.Document{}, err
	}
	return a.open(envelope)
}

func (a *App) fetchSealed(ctx context.Context, holder, root, agency string, as vault.Entry) (seal.Envelope, error) {
	entry, found, err := a.Vault.Get(ctx, root, agency)
	if err != nil || found {
		return entry.Envelope, err
	}
	gone := fault.New(fault.Missing, "sealed.missing", "no payload is kept for the agency under this commitment").On("commitment", "kept")
	if a.serves(holder) {
		return seal.Envelope{}, gone
	}
	envelope, err := a.Peers.Sealed(ctx, access.MSPOf(holder), root, agency)
	if err != nil {
		return envelope, err
	}
	if envelope.Commitment != root || envelope.To != agency {
		return envelope, fault.New(fault.Refused, "sealed.other_content", "the other gateway answered something else than was asked for").On("commitment", "equals:asked")
	}
	if _, err := a.open(envelope); err != nil {
		return envelope, err // never keep what does not open
	}
	as.Envelope = envelope
	return envelope, a.Vault.Put(ctx, as)
}

// open opens an envelope with the key of the agency it is for.
func (a *App) open(envelope seal.Envelope) (commitment.Document, error) {
	key, held := a.Keys[envelope.To]
	if !held {
		return commitment.Document{}, notServed("this gateway does not hold the agency's exchange key; GET /v1/agencies says which gateway does")
	}
	return seal.Open(envelope, key)
}
