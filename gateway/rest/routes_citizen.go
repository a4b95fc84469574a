package rest

import (
	"net/http"

	"github.com/hutong-gov/hutong/gateway/app"
)

var (
	citizens = []string{app.Citizen}
	// submitters: the citizen's own token, or a portal's for what the citizen signed.
	submitters = []string{app.Citizen, app.Portal}
)

// Reasons of signed content, besides those of each rule.
var signatureReasons = []string{"signature.forged", "signature.kind", "signature.malformed", "subject.unregistered", "access.other_subject"}

func citizenRoutes(a *app.App) []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/v1/subjects/me", Roles: citizens, Handler: Handle(a.Me),
			Doc:     Doc{Tag: "subjects", Summary: "Who am I on the ledger", Detail: "The pseudonym, the channel that everything signed names, and the registered key if there is one."},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodPut, Path: "/v1/subjects/me", Roles: citizens, Handler: Handle(a.RegisterKey),
			Doc:     Doc{Tag: "subjects", Summary: "Register my signing key", Detail: "The key is the citizen's own: made and kept where the citizen is. The proof shows that the citizen holds it."},
			Reasons: []string{"subject.conflict", "exchange.key_mismatch", "exchange.subject_mismatch", "exchange.channel_mismatch", "signature.forged", "signature.kind", "signature.malformed", "gateway.not_served"},
		},
		{
			Method: http.MethodPut, Path: "/v1/subjects/me/key", Roles: citizens, Handler: Handle(a.RotateKey),
			Doc:     Doc{Tag: "subjects", Summary: "Put a new key in the place of mine", Detail: "The key in use names its successor, and the new one shows that it is held. Consents given before stay, and what the old key signed stays verifiable."},
			Reasons: []string{"subject.missing", "exchange.key_used", "exchange.too_many_keys", "exchange.key_mismatch", "exchange.subject_mismatch", "exchange.channel_mismatch", "idempotency.conflict", "signature.forged", "signature.kind", "signature.malformed", "gateway.not_served"},
		},
		{
			Method: http.MethodPut, Path: "/v1/subjects/{pseudonym}/key-recovery", Roles: []string{app.Officer}, Handler: Handle(a.RecoverKey),
			Doc: Doc{Tag: "subjects", Summary: "Put a new key in the place of one that was lost", Detail: "For an officer of an agency with the duty identity who has seen that it is the subject who asks. It is recorded as a recovery, with the reason and the officer. " +
				"With end_consents the consents in force end at once, up to 64, the latest first."},
			Reasons: []string{"subject.missing", "consent.missing", "exchange.agency_unregistered", "exchange.not_identity_agency", "exchange.staff_required", "exchange.key_used", "exchange.too_many_keys", "exchange.key_mismatch", "exchange.subject_mismatch", "exchange.channel_mismatch", "idempotency.conflict", "signature.forged", "signature.kind", "signature.malformed", "gateway.not_served"},
		},
		{
			Method: http.MethodGet, Path: "/v1/subjects/{pseudonym}/keys", Roles: []string{app.Citizen, app.Officer, app.Portal, app.Auditor}, Handler: Handle(a.SubjectKeys),
			Doc:     Doc{Tag: "subjects", Summary: "List a subject's keys", Detail: "All it has had, with when each was in use and how it ended: with it, what the subject signed at any time can be verified. A citizen sees their own."},
			Reasons: []string{"subject.missing"},
		},
		{
			Method: http.MethodGet, Path: "/v1/subjects/me/uses", Roles: citizens, Handler: Handle(a.MyUses),
			Doc:     Doc{Tag: "subjects", Summary: "Who used my data", Detail: "Newest first, in plain words, numbered from 1 without a gap. The log is a Merkle tree (RFC 9162): with `count` a page proves that its entries are those of the log."},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/subjects/me/log", Roles: citizens, Handler: Handle(a.MyLog),
			Doc:     Doc{Tag: "subjects", Summary: "Export my access log, with proof", Detail: "The entries, and what several organisations' peers sign of the log. `hutong audit log` verifies it offline, with the certificates of the channel's organisations alone. A log of more than 10,000 entries comes in parts."},
			Reasons: []string{"log.missing", "transaction.disagreed", "projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/subjects/me/log/statement", Roles: citizens, Handler: Handle(a.MyLogStatement),
			Doc:     Doc{Tag: "subjects", Summary: "Have the head of my access log stated", Detail: "Peers of several organisations sign how many entries there are and the root over all of them. Ask for pages with its `count`: each proves itself against it."},
			Reasons: []string{"log.missing", "transaction.disagreed", "projection.behind"},
		},
		{
			Method: http.MethodPost, Path: "/v1/drafts", Roles: citizens, Writes: Nothing, Handler: Handle(a.Draft),
			Doc:     Doc{Tag: "cases", Summary: "Prepare an application", Detail: "Shows which materials are fetched instead of asked, and gives the exact texts to sign. Nothing is written. Send the same Idempotency-Key with the application."},
			Reasons: []string{"service.missing", "gateway.not_served"},
		},
		{
			Method: http.MethodPost, Path: "/v1/cases", Roles: submitters, Status: http.StatusCreated, Writes: Several, Handler: Handle(a.Apply),
			Doc:     Doc{Tag: "cases", Summary: "Apply, once", Detail: "The signed application, the answers and the signed consents. The answers are sealed to the agencies of the service and are not on the ledger."},
			Reasons: append([]string{"form.commitment_mismatch", "collaboration.case_mismatch", "collaboration.channel_mismatch", "collaboration.definition_changed", "collaboration.definition_not_active", "collaboration.duplicate_application", "collaboration.correction_number", "definition.missing", "case.conflict", "consent.conflict", "exchange.consent_mismatch", "exchange.subject_mismatch", "exchange.channel_mismatch", "exchange.agency_unregistered", "gateway.not_served"}, signatureReasons...),
		},
		{
			Method: http.MethodGet, Path: "/v1/cases", Roles: []string{app.Citizen, app.Officer, app.Auditor}, Handler: Handle(a.Cases),
			Doc:     Doc{Tag: "cases", Summary: "List cases", Detail: "A citizen's own, those an officer's agency leads, all for an auditor."},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/cases/{id}", Roles: []string{app.Citizen, app.Officer, app.Portal, app.Auditor}, Handler: Handle(a.Case),
			Doc:     Doc{Tag: "cases", Summary: "Show a case", Detail: "With its tasks, and of each material where it comes from and how far it has come."},
			Reasons: []string{"case.missing", "access.other_agency", "projection.behind"},
		},
		{
			Method: http.MethodPut, Path: "/v1/cases/{id}/withdrawal", Roles: submitters, Handler: Handle(a.Withdraw),
			Doc:     Doc{Tag: "cases", Summary: "Withdraw an application"},
			Reasons: append([]string{"case.missing", "collaboration.case_closed", "collaboration.case_mismatch", "collaboration.subject_mismatch", "collaboration.channel_mismatch", "idempotency.conflict", "gateway.not_served"}, signatureReasons...),
		},
		{
			Method: http.MethodPut, Path: "/v1/cases/{id}/resubmission", Roles: submitters, Handler: Handle(a.Resubmit),
			Doc:     Doc{Tag: "cases", Summary: "Answer a return with a corrected application"},
			Reasons: append([]string{"case.missing", "form.commitment_mismatch", "collaboration.case_closed", "collaboration.case_mismatch", "collaboration.subject_mismatch", "collaboration.channel_mismatch", "collaboration.correction_number", "collaboration.definition_changed", "collaboration.nothing_returned", "idempotency.conflict", "gateway.not_served"}, signatureReasons...),
		},
		{
			Method: http.MethodPost, Path: "/v1/consents", Roles: submitters, Status: http.StatusCreated, Handler: Handle(a.GiveConsent),
			Doc:     Doc{Tag: "consents", Summary: "Give a consent"},
			Reasons: append([]string{"consent.conflict", "exchange.channel_mismatch", "exchange.consent_expired", "exchange.dataset_withdrawn", "exchange.field_unknown", "dataset.missing", "subject.missing", "gateway.not_served"}, signatureReasons...),
		},
		{
			Method: http.MethodGet, Path: "/v1/consents", Roles: []string{app.Citizen, app.Officer, app.Auditor}, Handler: Handle(a.Consents),
			Doc:     Doc{Tag: "consents", Summary: "List consents", Detail: "A citizen's own, those given to an officer's agency, all for an auditor."},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodPost, Path: "/v1/code-drafts", Roles: citizens, Writes: Nothing, Handler: Handle(a.DraftCode),
			Doc:     Doc{Tag: "codes", Summary: "Prepare a one-time code", Detail: "Gives the terms to sign and the salt with which the eight digits are hashed. The digits are the citizen's own. Nothing is written."},
			Reasons: []string{"gateway.not_served"},
		},
		{
			Method: http.MethodPost, Path: "/v1/codes", Roles: submitters, Status: http.StatusCreated, Handler: Handle(a.GiveCode),
			Doc:     Doc{Tag: "codes", Summary: "Give a one-time code", Detail: "Of which an officer at a window can make consents, once and within minutes: one for each dataset it names."},
			Reasons: append([]string{"code.conflict", "exchange.channel_mismatch", "exchange.code_expired", "exchange.dataset_withdrawn", "exchange.field_unknown", "dataset.missing", "subject.missing", "gateway.not_served"}, signatureReasons...),
		},
		{
			Method: http.MethodGet, Path: "/v1/codes", Roles: []string{app.Citizen, app.Auditor}, Handler: Handle(a.Codes),
			Doc:     Doc{Tag: "codes", Summary: "List one-time codes", Detail: "What they allow, how often digits were entered for them, and what they were redeemed for."},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodPut, Path: "/v1/codes/{id}/cancellation", Roles: submitters, Handler: Handle(a.CancelCode),
			Doc:     Doc{Tag: "codes", Summary: "Cancel a one-time code", Detail: "In force from the next block: whoever is shown it cannot redeem it any more. One that was redeemed is a consent: revoke that."},
			Reasons: append([]string{"code.missing", "exchange.channel_mismatch", "exchange.subject_mismatch", "exchange.cancellation_mismatch", "exchange.code_redeemed", "exchange.code_cancelled", "idempotency.conflict", "gateway.not_served"}, signatureReasons...),
		},
		{
			Method: http.MethodPost, Path: "/v1/code-pictures", Roles: citizens, Writes: Nothing, Handler: Handle(a.PictureCode),
			Doc: Doc{Tag: "codes", Summary: "Draw a one-time code as a QR code", Detail: "Nothing is kept."},
		},
		{
			Method: http.MethodPost, Path: "/v1/codes/redemption", Roles: []string{app.Officer}, Status: http.StatusCreated, Writes: Several, Handler: Handle(a.RedeemCode),
			Doc: Doc{Tag: "codes", Summary: "Redeem a one-time code at the window", Detail: "Makes a consent for each of its datasets, for the officer's agency and the case. By the digits the citizen says, or by the text of the QR code they show. " +
				"Digits are an attempt each time they are sent: a code has five. Sent again with the same key, it goes on where it stopped."},
			Reasons: []string{
				"case.missing", "code.missing", "code.ambiguous", "code.other_attempt", "access.other_agency", "idempotency.conflict", "exchange.agency_unregistered", "exchange.code_redeemed", "exchange.code_cancelled", "exchange.code_not_yet_valid", "exchange.code_expired",
				"exchange.code_key_retired", "exchange.code_mismatch", "exchange.code_dead", "exchange.code_wrong", "exchange.case_closed", "exchange.case_mismatch", "exchange.agency_not_in_case",
				"sealed.cannot_open", "sealed.other_content", "neighbour.unreachable", "neighbour.unknown", "gateway.not_served", "projection.behind",
			},
		},
		{
			Method: http.MethodGet, Path: "/v1/consents/{id}/signatures", Roles: []string{app.Citizen, app.Officer, app.Auditor}, Handler: Handle(a.ConsentSignatures),
			Doc:     Doc{Tag: "consents", Summary: "Verify a consent's signatures", Detail: "What the citizen signed, each with the key of its time. For the citizen, the two agencies concerned, and auditors."},
			Reasons: []string{"consent.missing", "key.missing", "access.other_agency", "signature.forged"},
		},
		{
			Method: http.MethodPut, Path: "/v1/consents/{id}/revocation", Roles: submitters, Handler: Handle(a.RevokeConsent),
			Doc:     Doc{Tag: "consents", Summary: "Revoke a consent", Detail: "In force from the next block: what was requested and not yet delivered will not be delivered."},
			Reasons: append([]string{"consent.missing", "exchange.channel_mismatch", "exchange.subject_mismatch", "exchange.revocation_mismatch", "exchange.consent_revoked", "idempotency.conflict", "gateway.not_served"}, signatureReasons...),
		},
	}
}
