package app

import (
	"context"
	"slices"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/store"
)

// Withdraw is PUT /v1/cases/{id}/withdrawal.
type Withdraw struct {
	Keyed
	ID         string `path:"id" json:"-"`
	Withdrawal string `json:"withdrawal" max:"16384" doc:"Compact JWS of type hutong-withdrawal+jwt over {channel, subject, case}."`
}

// Withdraw ends a case for its applicant.
func (a *App) Withdraw(ctx context.Context, who Actor, req Withdraw) (Receipt, error) {
	portal, err := a.asPortal(who)
	if err != nil {
		return Receipt{}, err
	}
	if _, err := a.ownCase(ctx, who, req.ID); err != nil {
		return Receipt{}, err
	}
	request := collaboration.Withdraw{Case: req.ID, JWS: req.Withdrawal}
	if err := request.Validate(); err != nil {
		return Receipt{}, renamed(err, "jws", "withdrawal")
	}
	return a.write(ctx, who, portal, collaboration.Name, collaboration.CaseWithdraw, req.Keyed, request)
}

// ownCase reads a case that is the citizen's. A portal reaches every case: what it sends is signed by the citizen.
func (a *App) ownCase(ctx context.Context, who Actor, id string) (c collaboration.Case, err error) {
	if c, err = get[collaboration.Case](ctx, a, "case", id, "id"); err != nil || who.Role == Portal {
		return c, err
	}
	return c, who.self(c.Subject, "case")
}

// Cases is GET /v1/cases.
type Cases struct {
	Listing
	Status  string `query:"status" json:"-" enum:"open,concluded,rejected,withdrawn" doc:"Only cases of this status."`
	Service string `query:"service" json:"-" max:"64" doc:"Only cases for this service."`
}

// Cases lists a citizen's own cases, the cases an agency leads, or all for an auditor.
func (a *App) Cases(ctx context.Context, who Actor, req Cases) (page Records[collaboration.Case], err error) {
	if err := who.is(Citizen, Officer, Auditor); err != nil {
		return page, err
	}
	q := store.Query{Noun: "case", Status: req.Status, Kind: req.Service, Descending: true}
	switch who.Role {
	case Citizen:
		q.Subject = who.Subject
	case Officer:
		q.Agency = who.Agency
	}
	return records[collaboration.Case](ctx, a, req.Listing, q)
}

// CaseByID is GET /v1/cases/{id}.
type CaseByID struct {
	After
	ID string `path:"id" json:"-"`
}

// CaseView is a case with everything that belongs to it.
type CaseView struct {
	Case      collaboration.Case   `json:"case"`
	Tasks     []collaboration.Task `json:"tasks" doc:"In the order of the definition's steps."`
	Materials []Material           `json:"materials" doc:"What the service needs and where each comes from."`
	AsOf      uint64               `json:"as_of_block" doc:"The read includes this block and everything before it."`
}

// Case shows a case to its applicant, to the portal it was opened at, to the agencies that have a part in it, and to
// auditors.
func (a *App) Case(ctx context.Context, who Actor, req CaseByID) (view CaseView, err error) {
	if view.AsOf, err = a.wait(ctx, req.After); err != nil {
		return view, err
	}
	if view.Case, err = a.visibleCase(ctx, who, req.ID); err != nil {
		return view, err
	}
	definition, err := get[collaboration.Definition](ctx, a, "definition", view.Case.Definition, "id")
	if err != nil {
		return view, err
	}
	if view.Tasks, err = a.tasksOf(ctx, view.Case); err != nil {
		return view, err
	}
	view.Materials, err = a.materialsOf(ctx, view.Case, definition)
	return view, err
}

// visibleCase reads a case and judges whether the actor may see it.
func (a *App) visibleCase(ctx context.Context, who Actor, id string) (c collaboration.Case, err error) {
	if err := who.is(Citizen, Officer, Portal, Auditor); err != nil {
		return c, err
	}
	if c, err = get[collaboration.Case](ctx, a, "case", id, "id"); err != nil {
		return c, err
	}
	switch who.Role {
	case Citizen:
		return c, who.self(c.Subject, "case")
	case Portal:
		return c, who.own(c.Created.By)
	case Officer:
		if !slices.Contains(c.Agencies, who.Agency) {
			return c, fault.New(fault.Denied, "access.other_agency", "the agency has no part in the case").On("token.agency", "one_of:case.agencies")
		}
	}
	return c, nil
}

func (a *App) tasksOf(ctx context.Context, c collaboration.Case) ([]collaboration.Task, error) {
	tasks, err := all[collaboration.Task](ctx, a, store.Query{Noun: "task", Case: c.ID})
	slices.SortFunc(tasks, func(x, y collaboration.Task) int {
		return slices.Index(c.Steps, x.Step) - slices.Index(c.Steps, y.Step)
	})
	return tasks, err
}

// materialsOf says of each material where it comes from and how far it has come: the consent and the last use.
func (a *App) materialsOf(ctx context.Context, c collaboration.Case, d collaboration.Definition) ([]Material, error) {
	consents, err := all[exchange.Consent](ctx, a, store.Query{Noun: "consent", Case: c.ID})
	if err != nil {
		return nil, err
	}
	uses, err := all[exchange.Use](ctx, a, store.Query{Noun: "use", Case: c.ID})
	if err != nil {
		return nil, err
	}
	materials := make([]Material, len(d.Materials))
	for i, m := range d.Materials {
		materials[i] = material(m)
		if m.Source != collaboration.FromDataset {
			continue
		}
		consent, found, err := a.consentFor(ctx, consents, m)
		if err != nil {
			return nil, err
		}
		if found {
			materials[i].Consent = consent.ID
		}
		for _, u := range uses {
			if u.Dataset == m.Dataset && u.Consumer == m.For && slices.Equal(u.Fields, m.Fields) && u.Claims == "" {
				materials[i].Use, materials[i].Status = u.ID, u.Status
			}
		}
	}
	return materials, nil
}

// consentFor finds a live consent that covers a material.
func (a *App) consentFor(ctx context.Context, consents []exchange.Consent, m collaboration.Material) (exchange.Consent, bool, error) {
	now := a.now()
	for _, c := range consents {
		t := c.Terms
		if c.Status != exchange.Given || t.Dataset != m.Dataset || t.Consumer != m.For || !covers(t.Fields, m.Fields) || !now.Before(t.Until) {
			continue
		}
		tally, _, err := find[exchange.Tally](ctx, a, exchange.Tallies.Noun, c.ID)
		if err != nil || tally.Uses < t.MaxUses {
			return c, err == nil, err
		}
	}
	return exchange.Consent{}, false, nil
}

func covers(wide, narrow []string) bool {
	return !slices.ContainsFunc(narrow, func(name string) bool { return !slices.Contains(wide, name) })
}
