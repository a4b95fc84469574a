package rest

import (
	"net/http"

	"github.com/hutong-gov/hutong/gateway/app"
)

// betweenRoutes are what gateways ask of each other. They need no token: the ledger and the seals authorise them.
func betweenRoutes(a *app.App) []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/v1/sealed/{commitment}/{agency}", Roles: []string{app.Public}, Handler: Handle(a.Sealed),
			Doc:     Doc{Tag: "between gateways", Summary: "Get a sealed payload", Detail: "Ciphertext that only the agency it is sealed to can open."},
			Reasons: []string{"sealed.missing"},
		},
		{
			Method: http.MethodPost, Path: "/v1/uses/{id}/delivery", Roles: []string{app.Public}, Writes: Several, Handler: Handle(a.Deliver),
			Doc: Doc{Tag: "between gateways", Summary: "Deliver a use", Detail: "The use must be on the ledger with a provider of this gateway, and the selector must be the one it committed to. The answer is sealed to the consumer's registered key: " +
				"whoever asks, nobody else can open it. Where the subject looks first, what it shall see is prepared, and the answer is `exchange.not_released` until it has released it."},
			Reasons: []string{
				"use.missing", "use.selector_mismatch", "use.claims_mismatch", "access.other_agency", "dataset.missing", "exchange.delivery_late", "exchange.dataset_withdrawn", "exchange.field_unknown", "exchange.grant_withdrawn", "exchange.grant_expired", "exchange.consent_revoked", "exchange.consent_expired", "exchange.not_released", "exchange.use_refused", "use.purged", "exchange.use_sealed", "exchange.not_sealed", "exchange.details_mismatch",
				"exchange.agency_unregistered", "sealed.missing", "sealed.cannot_open", "sealed.other_content", "schema.missing", "record.missing", "record.ambiguous", "record.other_subject", "record.off_schema", "connector.not_configured", "connector.field", "connector.holder", "connector.timeout", "connector.failed", "connector.unavailable", "connector.type",
				"gateway.not_served", "projection.behind",
			},
		},
		{
			Method: http.MethodGet, Path: "/v1/uses/{id}/chunks/{stream}/{number}", Roles: []string{app.Public}, Handler: Handle(a.Chunk),
			Doc:     Doc{Tag: "between gateways", Summary: "Get a sealed chunk of a file", Detail: "Of a use that was delivered. It opens with the consumer's key, in its place in its stream."},
			Reasons: []string{"use.missing", "use.purged", "exchange.not_delivered", "file.chunk_missing"},
		},
		{
			Method: http.MethodPost, Path: "/v1/codes/{id}/opening", Roles: []string{app.Public}, Handler: Handle(a.OpenCode),
			Doc:     Doc{Tag: "between gateways", Summary: "Judge the digits of a one-time code", Detail: "The attempt must be the last that the ledger has counted. The answer, the salt with which the code is redeemed, is sealed to the agency that made it."},
			Reasons: []string{"code.missing", "code.other_attempt", "exchange.code_wrong", "exchange.agency_unregistered", "sealed.cannot_open", "sealed.other_content", "gateway.not_served", "projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/transactions/{id}", Roles: []string{app.Citizen, app.Officer, app.AgencyAdmin, app.Portal, app.Auditor}, Polls: true, Handler: Handle(a.Transaction),
			Stream:  Follow(a.FollowTransaction, Sends[app.Transaction]("", "What is known now; the last message is final.")),
			Doc:     Doc{Tag: "transactions", Summary: "What became of a write", Detail: "Where a write was answered 202. With `Prefer: wait=N` the answer waits for the outcome. Who accepts `text/event-stream` is told until the outcome is final."},
			Reasons: []string{"projection.behind"},
		},
	}
}
