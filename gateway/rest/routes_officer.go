package rest

import (
	"net/http"

	"github.com/hutong-gov/hutong/gateway/app"
)

var officers = []string{app.Officer}

// stepReasons are those of every act on a step.
var stepReasons = []string{"task.missing", "access.other_agency", "collaboration.staff_required", "collaboration.case_closed", "collaboration.claimed_by_other", "collaboration.step_returned", "collaboration.step_decided", "idempotency.conflict", "gateway.not_served"}

func officerRoutes(a *app.App) []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/v1/tasks", Roles: []string{app.Officer, app.Auditor}, Handler: Handle(a.Tasks),
			Doc:     Doc{Tag: "tasks", Summary: "List what waits for my agency"},
			Reasons: []string{"projection.behind"},
		},
		step("claim", "Take a step", Handle(a.Claim), "collaboration.already_claimed", "collaboration.step_not_ready"),
		step("release", "Give a step back", Handle(a.Release), "collaboration.step_not_claimed"),
		step("approval", "Approve a step", Handle(a.ApproveStep), "collaboration.step_not_claimed", "collaboration.step_not_ready"),
		step("return", "Ask the applicant for a correction", Handle(a.ReturnStep), "collaboration.step_not_claimed", "collaboration.step_not_ready"),
		step("rejection", "Reject, which ends the case", Handle(a.RejectStep), "collaboration.step_not_claimed", "collaboration.step_not_ready"),
		{
			Method: http.MethodGet, Path: "/v1/cases/{id}/form", Roles: officers, Handler: Handle(a.Form),
			Doc:     Doc{Tag: "cases", Summary: "Read the application form", Detail: "Opened with the agency's key, and checked against what the applicant signed."},
			Reasons: []string{"case.missing", "access.other_agency", "sealed.missing", "sealed.cannot_open", "sealed.other_content", "neighbour.unreachable", "neighbour.unknown", "gateway.not_served", "projection.behind"},
		},
		{
			Method: http.MethodPost, Path: "/v1/uses", Roles: officers, Status: http.StatusCreated, Writes: Several, Handler: Handle(a.RequestUse),
			Doc: Doc{Tag: "uses", Summary: "Fetch data for a case", Detail: "Requests the use on the ledger, gets the delivery from the provider's gateway, checks it against the ledger and acknowledges. " +
				"For a material of the case's service everything follows from the service; otherwise say dataset, fields, purpose, legal basis and selector. Where the subject looks first, the answer is `exchange.not_released` until it has. Sent again with the same key, it goes on where it stopped."},
			Reasons: []string{
				"case.missing", "material.missing", "dataset.missing", "grant.missing", "consent.missing", "use.conflict", "access.other_agency", "gateway.not_served",
				"exchange.dataset_withdrawn", "exchange.grant_missing", "exchange.grant_mismatch", "exchange.grant_pending", "exchange.grant_denied", "exchange.grant_withdrawn", "exchange.grant_not_yet_valid", "exchange.grant_expired",
				"exchange.purpose_not_granted", "exchange.field_not_granted", "exchange.mode_not_granted", "exchange.field_unknown", "exchange.case_closed", "exchange.case_mismatch", "exchange.agency_not_in_case",
				"exchange.consent_required", "exchange.consent_mismatch", "exchange.consent_revoked", "exchange.consent_not_yet_valid", "exchange.consent_expired", "exchange.field_not_consented", "exchange.consent_exhausted", "exchange.grant_suspended", "exchange.quota_exhausted", "exchange.ticket_taken",
				"exchange.delivery_late", "exchange.not_released", "exchange.use_refused", "exchange.commitment_mismatch", "use.delivery_pending", "use.purged", "file.chunk_missing", "file.too_large", "file.changed", "file.other_content", "sealed.chunk", "connector.file", "form.no_selector", "sealed.missing", "sealed.cannot_open", "sealed.other_content", "neighbour.unreachable", "neighbour.unknown",
				"schema.missing", "record.missing", "record.ambiguous", "record.other_subject", "record.off_schema", "connector.not_configured", "connector.field", "connector.holder", "connector.timeout", "connector.failed", "connector.unavailable", "connector.type",
			},
		},
		{
			Method: http.MethodGet, Path: "/v1/uses", Roles: []string{app.Officer, app.Auditor}, Handler: Handle(a.Uses),
			Doc:     Doc{Tag: "uses", Summary: "List uses", Detail: "Of others' data by my agency, or of my agency's data by others."},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/unmatched-uses", Roles: []string{app.Officer, app.Auditor}, Handler: Handle(a.Unmatched),
			Doc: Doc{Tag: "uses", Summary: "Sum up uses that do not match", Detail: "Requests without delivery and deliveries without receipt, by who owes them to whom: for officers with their agency on one side, for auditors all. " +
				"`hutong audit reconcile` gives the same numbers from blocks."},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/uses/{id}", Roles: []string{app.Citizen, app.Officer, app.Auditor}, Handler: Handle(a.Use),
			Doc:     Doc{Tag: "uses", Summary: "Show a use"},
			Reasons: []string{"use.missing", "access.other_agency", "projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/uses/{id}/payload", Roles: officers, Handler: Handle(a.Payload),
			Doc:     Doc{Tag: "uses", Summary: "Read what was delivered", Detail: "Opened with the agency's key. A file is read in chunks: name its field, and the chunk."},
			Reasons: []string{"file.chunk_missing", "sealed.chunk", "neighbour.unreachable", "neighbour.unknown", "use.missing", "access.other_agency", "exchange.not_delivered", "sealed.missing", "sealed.cannot_open", "use.purged", "gateway.not_served", "projection.behind"},
		},
		{
			Method: http.MethodPut, Path: "/v1/uses/{id}/purge", Roles: officers, Writes: Several, Handler: Handle(a.PurgeUse),
			Doc:     Doc{Tag: "uses", Summary: "Remove what was delivered", Detail: "For the provider or the consumer: from the peers, if it waited there, and from both gateways. The commitments, signatures and receipts on the ledger stay, and so does what they prove."},
			Reasons: []string{"use.missing", "access.other_agency", "exchange.not_delivered", "exchange.already_purged", "idempotency.conflict", "gateway.not_served"},
		},
		{
			Method: http.MethodPut, Path: "/v1/cases/{id}/conclusion", Roles: officers, Handler: Handle(a.Conclude),
			Doc:     Doc{Tag: "cases", Summary: "Conclude a case", Detail: "When every step is approved. Where the service issues a certificate, it is issued in the same transaction and its document sealed to the portal, where the holder gets it."},
			Reasons: []string{"case.missing", "type.missing", "access.other_agency", "collaboration.case_closed", "collaboration.steps_open", "collaboration.certificate_required", "collaboration.certificate_not_expected", "certificate.not_accredited", "certificate.end_required", "certificate.validity_too_long", "certificate.already_expired", "exchange.agency_unregistered", "idempotency.conflict", "gateway.not_served"},
		},
	}
}

// step is a row for an act on a step.
func step(what, summary string, handler Handler, reasons ...string) Route {
	return Route{
		Method: http.MethodPut, Path: "/v1/cases/{id}/steps/{step}/" + what, Roles: officers, Handler: handler,
		Doc: Doc{Tag: "tasks", Summary: summary}, Reasons: append(reasons, stepReasons...),
	}
}
