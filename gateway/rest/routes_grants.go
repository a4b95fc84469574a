package rest

import (
	"net/http"

	"github.com/hutong-gov/hutong/gateway/app"
)

// grantRoutes are what happens to a grant after it was decided.
func grantRoutes(a *app.App) []Route {
	parties := []string{app.Officer, app.AgencyAdmin, app.Auditor}
	stands := []string{"grant.missing", "access.other_agency", "exchange.grant_pending", "exchange.grant_denied", "exchange.grant_withdrawn", "idempotency.conflict", "gateway.not_served"}
	change := func(what, summary, detail string, handler Handler, reasons ...string) Route {
		return Route{
			Method: http.MethodPut, Path: "/v1/grants/{id}/" + what, Roles: admins, Handler: handler,
			Doc: Doc{Tag: "grants", Summary: summary, Detail: detail}, Reasons: append(reasons, stands...),
		}
	}
	return []Route{
		{
			Method: http.MethodGet, Path: "/v1/grants/{id}", Roles: parties, Handler: Handle(a.Grant),
			Doc:     Doc{Tag: "grants", Summary: "Show a grant", Detail: "To its two agencies and auditors: what was wanted, and the terms in force."},
			Reasons: []string{"grant.missing", "access.other_agency", "projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/grants/{id}/quota", Roles: parties, Handler: Handle(a.Quota),
			Doc:     Doc{Tag: "grants", Summary: "Show how much of a grant's quota is used", Detail: "In the present period, as the organisation's peer has it."},
			Reasons: []string{"grant.missing", "access.other_agency"},
		},
		change("terms", "Amend a grant", "Replaces the terms, within what was wanted. Uses requested before are delivered only if the new terms cover them.", Handle(a.AmendGrant),
			"exchange.dataset_withdrawn", "exchange.terms_exceed_request", "exchange.consent_dropped", "exchange.period_over"),
		change("suspension", "Suspend a grant", "Until it is resumed nothing is requested on it and nothing delivered.", Handle(a.SuspendGrant), "exchange.grant_suspended"),
		change("resumption", "Resume a suspended grant", "", Handle(a.ResumeGrant), "exchange.grant_not_suspended"),
	}
}
