package rest

import (
	"net/http"

	"github.com/hutong-gov/hutong/gateway/app"
)

// selfSigners may sign what they ask for with a key of their own.
var selfSigners = []string{app.Officer, app.AgencyAdmin, app.Portal}

// offlineReasons are those of every stage.
var offlineReasons = []string{"offline.form", "offline.certificate", "offline.creator"}

// offlineRoutes are the stages of a write that an agency signs with a key the gateway does not have. All stages of one write
// are sent with one Idempotency-Key.
func offlineRoutes(a *app.App) []Route {
	return []Route{
		offlineStage(Nothing, "proposals", "Prepare a write for signing", Handle(a.Propose),
			"Answers the bytes of the proposal and the digest to sign. Nothing is sent to the ledger. The next stage must follow within five minutes: the proposal has its time in it.",
			"offline.function", "gateway.not_served"),
		offlineStage(Nothing, "endorsements", "Send the signed proposal", Handle(a.Endorse),
			"The peers carry the command out and sign the answer, but nothing is written. Answers the transaction with that answer in it, and the digest to sign next. What the contract refuses is answered with the contract's reason.",
			"offline.function", "offline.foreign", "offline.signature", "offline.untrusted", "ledger.unreadable"),
		offlineStage(Several, "submissions", "Send the signed transaction", Handle(a.SubmitSigned),
			"Has the transaction ordered and answers once a block has it. A transaction that lost a race is answered transaction.contention: begin again with a new proposal and the same key.",
			"offline.function", "offline.foreign", "offline.changed", "offline.signature", "transaction.unorderable", "transaction.invalid"),
		offlineStage(Nothing, "status", "Ask for a transaction with a signed request", Handle(a.AskStatus),
			"The peer itself answers, to the agency's own signature. GET /v1/transactions/{id} answers the same from the gateway's tables.",
			"offline.signature", "offline.untrusted"),
	}
}

// offlineStage is a row for a stage. Nothing of it is answered before its end: what has no key here cannot be waited for here.
func offlineStage(writes Writes, path, summary string, handler Handler, detail string, reasons ...string) Route {
	return Route{
		Method: http.MethodPost, Path: "/v1/offline/" + path, Roles: selfSigners, Writes: writes, Handler: handler,
		Doc: Doc{Tag: "offline signing", Summary: summary, Detail: detail}, Reasons: append(append([]string{}, offlineReasons...), reasons...),
	}
}
