package rest

import (
	"net/http"
	"slices"

	"github.com/hutong-gov/hutong/gateway/app"
)

// verifyReasons are those of every verification by an agency: of a use, and of the provider's answer where it is asked.
var verifyReasons = []string{
	"case.missing", "dataset.missing", "grant.missing", "consent.missing", "use.conflict", "access.other_agency", "gateway.not_served", "subject.missing",
	"exchange.dataset_withdrawn", "exchange.grant_missing", "exchange.grant_mismatch", "exchange.grant_pending", "exchange.grant_denied", "exchange.grant_withdrawn", "exchange.grant_not_yet_valid", "exchange.grant_expired",
	"exchange.purpose_not_granted", "exchange.field_not_granted", "exchange.mode_not_granted", "exchange.field_unknown", "exchange.case_closed", "exchange.case_mismatch", "exchange.agency_not_in_case",
	"exchange.consent_required", "exchange.consent_mismatch", "exchange.consent_revoked", "exchange.consent_not_yet_valid", "exchange.consent_expired", "exchange.field_not_consented", "exchange.consent_exhausted", "exchange.grant_suspended", "exchange.quota_exhausted", "exchange.ticket_taken",
	"exchange.delivery_late", "exchange.commitment_mismatch", "exchange.agency_unregistered", "use.delivery_pending", "use.claims_mismatch", "use.selector_mismatch", "sealed.missing", "sealed.cannot_open", "sealed.other_content",
	"neighbour.unreachable", "neighbour.unknown", "connector.not_configured", "connector.field",
}

func verifyRoutes(a *app.App) []Route {
	return []Route{
		{
			Method: http.MethodPost, Path: "/v1/verifications", Roles: officers, Status: http.StatusCreated, Writes: Several, Handler: Handle(a.VerifyClaims),
			Doc: Doc{Tag: "verifications", Summary: "Verify claims about a subject's record for a case", Detail: "Answers yes, no or unknown for each claim, and never a value. With a selector the provider judges them from its database. " +
				"With fields that the subject has shown, nobody is asked: the contracts of several organisations judge whether they are of the commitment on the ledger. Either way it is a use: it needs a grant that allows to verify, and takes a number in the subject's log."},
			Reasons: verifyReasons,
		},
		{
			Method: http.MethodPost, Path: "/v1/verification-batches", Roles: officers, Writes: Several, Handler: Handle(a.VerifyMany),
			Doc: Doc{Tag: "verifications", Summary: "Verify many at once", Detail: "Each item is a verification of its own: with its verdicts, its number in its subject's log, or its problem. The same request again with the same key gives the same answers."},
		},
		{
			Method: http.MethodPost, Path: "/v1/subjects/me/verifications", Roles: citizens, Writes: Nothing, Handler: Handle(a.VerifyMine),
			Doc:     Doc{Tag: "verifications", Summary: "Check my own record", Detail: "What somebody who verifies the fields against the ledger would be told. Nothing is written."},
			Reasons: []string{"dataset.missing"},
		},
		{
			Method: http.MethodGet, Path: "/v1/subjects/me/records/{agency}/{code}", Roles: citizens, Handler: Handle(a.MyRecord),
			Doc:     Doc{Tag: "verifications", Summary: "Get my record with its salts", Detail: "As the agency has committed to it on the ledger: each field with what it takes to show it alone."},
			Reasons: []string{"commitment.missing", "sealed.missing", "sealed.cannot_open", "sealed.other_content", "neighbour.unreachable", "neighbour.unknown", "gateway.not_served", "projection.behind"},
		},
		{
			Method: http.MethodPost, Path: "/v1/commitments", Roles: officers, Status: http.StatusCreated, Handler: Handle(a.CommitRecord),
			Doc: Doc{Tag: "verifications", Summary: "Commit to a subject's record", Detail: "Reads it from the agency's database, salts every field, and puts the root on the ledger; the subject gets the salted record at the portal. From then on fields can be verified without the agency."},
			Reasons: slices.Concat([]string{"dataset.missing", "commitment.missing", "commitment.conflict", "subject.missing", "access.other_agency", "gateway.not_served", "idempotency.conflict",
				"exchange.dataset_withdrawn", "exchange.field_unknown", "exchange.commitment_over", "exchange.commitment_moved", "exchange.commitment_known", "exchange.no_portal", "exchange.agency_unregistered"}, recordReasons),
		},
		{
			Method: http.MethodPut, Path: "/v1/commitments/{agency}/{code}/{subject}/withdrawal", Roles: officers, Handler: Handle(a.WithdrawCommitment),
			Doc:     Doc{Tag: "verifications", Summary: "Withdraw a commitment", Detail: "The agency does not vouch for the record any more. What is verified against it from now on is unknown."},
			Reasons: []string{"commitment.missing", "access.other_agency", "exchange.commitment_withdrawn", "idempotency.conflict", "gateway.not_served"},
		},
	}
}

// recordReasons are those of reading a record from a department's database.
var recordReasons = []string{"schema.missing", "record.missing", "record.ambiguous", "record.other_subject", "record.off_schema", "connector.not_configured", "connector.field", "connector.holder", "connector.timeout", "connector.failed", "connector.type"}
