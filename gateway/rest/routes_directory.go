package rest

import (
	"net/http"

	"github.com/hutong-gov/hutong/gateway/app"
)

var admins = []string{app.AgencyAdmin}

func directoryRoutes(a *app.App) []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/v1/agencies", Roles: []string{app.Public}, Handler: Handle(a.Agencies),
			Doc:     Doc{Tag: "agencies", Summary: "List agencies", Detail: "With their duties, gateways, and the keys to seal to."},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodPut, Path: "/v1/agencies/me", Roles: admins, Handler: Handle(a.RegisterAgency),
			Doc:     Doc{Tag: "agencies", Summary: "Register my agency, or bring its record up to date", Detail: "The exchange key and the gateway's address are those of this gateway."},
			Reasons: []string{"agency.conflict", "idempotency.conflict", "gateway.not_served"},
		},
		{
			Method: http.MethodPut, Path: "/v1/agencies/{id}/duties", Roles: admins, Handler: Handle(a.AssignDuties),
			Doc:     Doc{Tag: "agencies", Summary: "Assign duties to an agency", Detail: "For the coordinating organisation. The list replaces what was assigned before."},
			Reasons: []string{"agency.missing", "access.organisation", "idempotency.conflict", "gateway.not_served"},
		},
		{
			Method: http.MethodGet, Path: "/v1/statistics/uses", Roles: []string{app.Public}, Handler: Handle(a.Statistics),
			Doc:     Doc{Tag: "datasets", Summary: "How often data is used", Detail: "Counts of what happened to uses, by day (Beijing time), dataset, provider, consumer, purpose. Each number is rounded down to a multiple of five, and what rounds to nothing is left out, so that none singles anybody out."},
			Reasons: []string{"request.too_large", "projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/datasets", Roles: []string{app.Public}, Handler: Handle(a.Datasets),
			Doc:     Doc{Tag: "datasets", Summary: "List the directory", Detail: "What agencies hold and may share, field by field; never the data. Filters narrow the list together."},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/datasets/{agency}/{code}", Roles: []string{app.Public}, Handler: Handle(a.Dataset),
			Doc:     Doc{Tag: "datasets", Summary: "Show a dataset", Detail: "The edition in force."},
			Reasons: []string{"dataset.missing", "projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/datasets/{agency}/{code}/editions", Roles: []string{app.Public}, Handler: Handle(a.DatasetEditions),
			Doc:     Doc{Tag: "datasets", Summary: "List a dataset's editions", Detail: "All it has said, oldest first; a withdrawal too."},
			Reasons: []string{"dataset.missing", "projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/datasets/{agency}/{code}/editions/{edition}/schema", Roles: []string{app.Public}, Handler: Handle(a.DatasetSchema),
			Doc:     Doc{Tag: "datasets", Summary: "Show the schema of an edition", Detail: "JSON Schema 2020-12, in canonical form."},
			Reasons: []string{"schema.missing", "projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/datasets/{agency}/{code}/grants", Roles: []string{app.Public}, Handler: Handle(a.DatasetGrants),
			Doc:     Doc{Tag: "datasets", Summary: "List who uses a dataset", Detail: "Grants asked for, given, denied and ended, with their terms."},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodPost, Path: "/v1/datasets", Roles: admins, Status: http.StatusCreated, Handler: Handle(a.PublishDataset),
			Doc:     Doc{Tag: "datasets", Summary: "Publish a dataset of my agency"},
			Reasons: []string{"dataset.conflict", "exchange.agency_unregistered", "gateway.not_served"},
		},
		{
			Method: http.MethodPost, Path: "/v1/datasets/{agency}/{code}/editions", Roles: admins, Status: http.StatusCreated, Handler: Handle(a.ReviseDataset),
			Doc:     Doc{Tag: "datasets", Summary: "Make the next edition of a dataset", Detail: "Fields keep their names and types; one that is not given any more is marked as withdrawn. What protects the subject more holds at once, for running grants too."},
			Reasons: []string{"dataset.missing", "access.other_agency", "exchange.dataset_withdrawn", "exchange.edition_gap", "exchange.classification_fixed", "exchange.selector_changed", "exchange.field_dropped", "idempotency.conflict", "gateway.not_served"},
		},
		{
			Method: http.MethodPut, Path: "/v1/datasets/{agency}/{code}/withdrawal", Roles: admins, Handler: Handle(a.WithdrawDataset),
			Doc:     Doc{Tag: "datasets", Summary: "Withdraw a dataset", Detail: "For good. It stays in the directory as withdrawn."},
			Reasons: []string{"dataset.missing", "access.other_agency", "exchange.dataset_withdrawn", "idempotency.conflict", "gateway.not_served"},
		},
		{
			Method: http.MethodGet, Path: "/v1/grants", Roles: []string{app.Officer, app.AgencyAdmin, app.Auditor}, Handler: Handle(a.Grants),
			Doc:     Doc{Tag: "grants", Summary: "List grants", Detail: "My agency's, or those it gave."},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodPost, Path: "/v1/grants", Roles: admins, Status: http.StatusCreated, Handler: Handle(a.RequestGrant),
			Doc:     Doc{Tag: "grants", Summary: "Ask for a grant to use a dataset"},
			Reasons: []string{"dataset.missing", "grant.conflict", "exchange.agency_unregistered", "exchange.dataset_withdrawn", "exchange.own_dataset", "exchange.field_unknown", "exchange.purpose_not_offered", "exchange.basis_not_offered", "exchange.period_over", "gateway.not_served"},
		},
		{
			Method: http.MethodPut, Path: "/v1/grants/{id}/approval", Roles: admins, Handler: Handle(a.ApproveGrant),
			Doc:     Doc{Tag: "grants", Summary: "Grant a request", Detail: "On the terms sent, which lie within what was wanted; on all that was wanted if none are sent."},
			Reasons: []string{"grant.missing", "access.other_agency", "exchange.grant_decided", "exchange.dataset_withdrawn", "exchange.terms_exceed_request", "exchange.consent_dropped", "exchange.period_over", "idempotency.conflict", "gateway.not_served"},
		},
		{
			Method: http.MethodPut, Path: "/v1/grants/{id}/denial", Roles: admins, Handler: Handle(a.DenyGrant),
			Doc:     Doc{Tag: "grants", Summary: "Deny a request"},
			Reasons: []string{"grant.missing", "access.other_agency", "exchange.grant_decided", "idempotency.conflict", "gateway.not_served"},
		},
		{
			Method: http.MethodPut, Path: "/v1/grants/{id}/withdrawal", Roles: admins, Handler: Handle(a.WithdrawGrant),
			Doc:     Doc{Tag: "grants", Summary: "End a grant"},
			Reasons: []string{"grant.missing", "access.other_agency", "exchange.grant_pending", "exchange.grant_denied", "exchange.grant_withdrawn", "idempotency.conflict", "gateway.not_served"},
		},
		{
			Method: http.MethodGet, Path: "/v1/services", Roles: []string{app.Public}, Handler: Handle(a.Services),
			Doc:     Doc{Tag: "services", Summary: "List services"},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/services/{code}", Roles: []string{app.Public}, Handler: Handle(a.Service),
			Doc:     Doc{Tag: "services", Summary: "Show a service with its editions"},
			Reasons: []string{"service.missing", "projection.behind"},
		},
		{
			Method: http.MethodPost, Path: "/v1/services", Roles: admins, Status: http.StatusCreated, Handler: Handle(a.ProposeService),
			Doc:     Doc{Tag: "services", Summary: "Propose an edition of a service", Detail: "For the agency that leads it. The agencies with a step approve it; with the last approval it becomes active."},
			Reasons: []string{"definition.conflict", "access.other_agency", "collaboration.edition_gap", "collaboration.field_unknown", "collaboration.dataset_withdrawn", "collaboration.requirement_withdrawn", "collaboration.not_evidence", "dataset.missing", "requirement.missing", "type.missing", "gateway.not_served"},
		},
		{
			Method: http.MethodPut, Path: "/v1/services/{code}/editions/{edition}/approval", Roles: admins, Handler: Handle(a.ApproveService),
			Doc:     Doc{Tag: "services", Summary: "Approve an edition of a service"},
			Reasons: []string{"definition.missing", "collaboration.not_responsible", "collaboration.already_approved", "collaboration.not_proposed", "collaboration.definition_changed", "idempotency.conflict", "gateway.not_served"},
		},
	}
}
