package rest

import (
	"net/http"

	"github.com/hutong-gov/hutong/gateway/app"
)

func requirementRoutes(a *app.App) []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/v1/requirements", Roles: []string{app.Public}, Handler: Handle(a.Requirements),
			Doc:     Doc{Tag: "requirements", Summary: "List requirements", Detail: "What agencies ask of applicants, and for each the datasets and certificates that show that it is met. Filters narrow the list together."},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/requirements/{agency}/{code}", Roles: []string{app.Public}, Handler: Handle(a.Requirement),
			Doc:     Doc{Tag: "requirements", Summary: "Show a requirement", Detail: "The edition in force."},
			Reasons: []string{"requirement.missing", "projection.behind"},
		},
		{
			Method: http.MethodPost, Path: "/v1/requirements", Roles: admins, Status: http.StatusCreated, Handler: Handle(a.PublishRequirement),
			Doc:     Doc{Tag: "requirements", Summary: "Publish a requirement of my agency"},
			Reasons: []string{"requirement.conflict", "exchange.agency_unregistered", "dataset.missing", "type.missing", "exchange.dataset_withdrawn", "exchange.field_unknown", "gateway.not_served"},
		},
		{
			Method: http.MethodPost, Path: "/v1/requirements/{agency}/{code}/editions", Roles: admins, Status: http.StatusCreated, Handler: Handle(a.ReviseRequirement),
			Doc:     Doc{Tag: "requirements", Summary: "Make the next edition of a requirement"},
			Reasons: []string{"requirement.missing", "dataset.missing", "type.missing", "access.other_agency", "exchange.requirement_withdrawn", "exchange.edition_gap", "exchange.dataset_withdrawn", "exchange.field_unknown", "idempotency.conflict", "gateway.not_served"},
		},
		{
			Method: http.MethodPut, Path: "/v1/requirements/{agency}/{code}/withdrawal", Roles: admins, Handler: Handle(a.WithdrawRequirement),
			Doc:     Doc{Tag: "requirements", Summary: "Withdraw a requirement", Detail: "For good. It stays in the map as withdrawn."},
			Reasons: []string{"requirement.missing", "access.other_agency", "exchange.requirement_withdrawn", "idempotency.conflict", "gateway.not_served"},
		},
		{
			Method: http.MethodGet, Path: "/v1/roster", Roles: []string{app.Public}, Handler: Handle(a.Roster),
			Doc:     Doc{Tag: "agencies", Summary: "List the city's departments and districts", Detail: "Whether they take part or not; those that do are among the agencies."},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodPut, Path: "/v1/roster/{agency}", Roles: admins, Handler: Handle(a.EnterListing),
			Doc:     Doc{Tag: "agencies", Summary: "Enter an agency in the roster", Detail: "For the coordinating organisation."},
			Reasons: []string{"listing.conflict", "access.organisation", "gateway.not_served"},
		},
		{
			Method: http.MethodPut, Path: "/v1/roster/{agency}/name", Roles: admins, Handler: Handle(a.RenameListing),
			Doc:     Doc{Tag: "agencies", Summary: "Give an agency in the roster other names", Detail: "For the coordinating organisation."},
			Reasons: []string{"listing.missing", "access.organisation", "idempotency.conflict", "gateway.not_served"},
		},
	}
}
