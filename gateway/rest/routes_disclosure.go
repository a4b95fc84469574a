package rest

import (
	"net/http"

	"github.com/hutong-gov/hutong/gateway/app"
)

// disclosureRoutes are those of uses that are sealed now and opened later.
func disclosureRoutes(a *app.App) []Route {
	return []Route{
		{
			Method: http.MethodPost, Path: "/v1/sealed-uses", Roles: officers, Status: http.StatusCreated, Writes: Several, Handler: Handle(a.SealUse),
			Doc: Doc{Tag: "sealed uses", Summary: "Fetch data and tell its subject later", Detail: "For an inquiry, on a grant that allows a delay. The use takes its number in the subject's log at once; the entry shows no more than the date on which it is opened, which cannot be put off. " +
				"What needs consent or a preview cannot be sealed. The same request with the same key goes on where it stopped."},
			Reasons: []string{
				"subject.missing", "dataset.missing", "grant.missing", "use.conflict", "access.other_agency", "gateway.not_served",
				"exchange.dataset_withdrawn", "exchange.grant_missing", "exchange.grant_mismatch", "exchange.grant_pending", "exchange.grant_denied", "exchange.grant_withdrawn", "exchange.grant_suspended", "exchange.grant_not_yet_valid", "exchange.grant_expired",
				"exchange.purpose_not_granted", "exchange.field_not_granted", "exchange.mode_not_granted", "exchange.field_unknown", "exchange.opening_past", "exchange.delay_not_granted", "exchange.seal_excluded", "exchange.quota_exhausted", "exchange.ticket_taken",
				"exchange.delivery_late", "exchange.commitment_mismatch", "exchange.agency_unregistered", "exchange.details_gone", "exchange.not_sealed", "use.delivery_pending", "use.selector_mismatch", "use.purged", "sealed.missing", "sealed.cannot_open", "sealed.other_content",
				"neighbour.unreachable", "neighbour.unknown", "record.missing", "record.ambiguous", "record.other_subject", "record.off_schema", "connector.not_configured", "connector.field", "file.other_content",
			},
		},
		{
			Method: http.MethodGet, Path: "/v1/uses/{id}/details", Roles: officers, Handler: Handle(a.SealedDetails),
			Doc:     Doc{Tag: "sealed uses", Summary: "Show what a sealed use is about", Detail: "To officers of the agency that sealed it: as the peers of its organisation keep it, and nobody else."},
			Reasons: []string{"use.missing", "access.other_agency", "exchange.not_sealed", "exchange.details_gone", "gateway.not_served", "projection.behind"},
		},
		{
			Method: http.MethodPut, Path: "/v1/uses/{id}/opening", Roles: officers, Handler: Handle(a.OpenUse),
			Doc:     Doc{Tag: "sealed uses", Summary: "Open a sealed use", Detail: "Before its date, or after. At its date the gateway opens it by itself. From then on the subject's log says what it was about, and anybody can check that this is what was sealed."},
			Reasons: []string{"use.missing", "access.other_agency", "exchange.not_sealed", "exchange.already_opened", "exchange.details_gone", "idempotency.conflict", "gateway.not_served"},
		},
		{
			Method: http.MethodPost, Path: "/v1/uses/{id}/opening-demand", Roles: []string{app.Public}, Writes: Several, Handler: Handle(a.DemandOpening),
			Doc:     Doc{Tag: "sealed uses", Summary: "Demand that a sealed use is opened", Detail: "Anybody may, once its date has come. The gateway of the agency that owes it opens it; another passes the demand on."},
			Reasons: []string{"use.missing", "use.not_due", "exchange.not_sealed", "exchange.details_gone", "gateway.not_served", "neighbour.unreachable", "neighbour.unknown"},
		},
	}
}
