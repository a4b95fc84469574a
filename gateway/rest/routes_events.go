package rest

import (
	"net/http"

	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/feed"
)

// subscribers may have events sent to an address: programs that are always there, and the administrators who run them.
var subscribers = []string{app.AgencyAdmin, app.Portal, app.Auditor}

// Reasons of one webhook: of reading, and of changing it.
var (
	webhookReasons = []string{"webhook.missing", "gateway.not_served"}
	changeReasons  = append([]string{"webhook.conflict"}, webhookReasons...)
)

func eventRoutes(a *app.App) []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/v1/events", Roles: []string{app.Citizen, app.Officer, app.AgencyAdmin, app.Portal, app.Auditor}, Handler: Handle(a.Events),
			Stream: Follow(a.FollowEvents,
				Sends[feed.Event]("", "An event."),
				Sends[app.Checkpoint]("checkpoint", "The end of a block, at least every 15 seconds: nothing is missing up to here.")),
			Doc: Doc{Tag: "events", Summary: "What happened, in the ledger's order",
				Detail: "A citizen sees what is about them; an officer or administrator what their agency has a part in, as owner, as the other party, or through a case; a portal what happens in cases opened there; an auditor everything. " +
					"Who accepts `text/event-stream` is told as it happens, and goes on after an interruption with `Last-Event-ID`; everybody else gets a page."},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodPost, Path: "/v1/webhooks", Roles: subscribers, Status: http.StatusCreated, Writes: Nothing, Handler: Handle(a.RegisterWebhook),
			Doc: Doc{Tag: "webhooks", Summary: "Have events sent to an address",
				Detail: "Events that the caller may see are sent to the address by POST, signed (RFC 9421), one at a time and in the ledger's order, again and again until it answers 2xx. A webhook is the calling client's."},
			Reasons: []string{"webhook.conflict", "webhook.too_many", "gateway.not_served"},
		},
		{
			Method: http.MethodGet, Path: "/v1/webhooks", Roles: subscribers, Handler: Handle(a.ListWebhooks),
			Doc:     Doc{Tag: "webhooks", Summary: "List my webhooks", Detail: "Those of the calling client, and how each stands."},
			Reasons: []string{"gateway.not_served"},
		},
		{
			Method: http.MethodGet, Path: "/v1/webhooks/{id}", Roles: subscribers, Handler: Handle(a.Webhook),
			Doc:     Doc{Tag: "webhooks", Summary: "Show how a webhook stands"},
			Reasons: webhookReasons,
		},
		{
			Method: http.MethodDelete, Path: "/v1/webhooks/{id}", Roles: subscribers, Status: http.StatusNoContent, Writes: Nothing, Handler: Handle(a.RemoveWebhook),
			Doc:     Doc{Tag: "webhooks", Summary: "End a webhook", Detail: "Its dead letters go with it."},
			Reasons: changeReasons,
		},
		{
			Method: http.MethodPut, Path: "/v1/webhooks/{id}/pause", Roles: subscribers, Writes: Nothing, Handler: Handle(a.PauseWebhook),
			Doc:     Doc{Tag: "webhooks", Summary: "Pause a webhook", Detail: "What happens meanwhile is sent when it is resumed."},
			Reasons: changeReasons,
		},
		{
			Method: http.MethodPut, Path: "/v1/webhooks/{id}/resumption", Roles: subscribers, Writes: Nothing, Handler: Handle(a.ResumeWebhook),
			Doc:     Doc{Tag: "webhooks", Summary: "Resume a webhook", Detail: "Also ends the wait for the next attempt."},
			Reasons: append([]string{"webhook.full"}, changeReasons...),
		},
		{
			Method: http.MethodGet, Path: "/v1/webhooks/{id}/dead-letters", Roles: subscribers, Handler: Handle(a.DeadLetters),
			Doc:     Doc{Tag: "webhooks", Summary: "List what could not be delivered", Detail: "In the ledger's order."},
			Reasons: webhookReasons,
		},
		{
			Method: http.MethodPost, Path: "/v1/webhooks/{id}/dead-letters/replay", Roles: subscribers, Writes: Nothing, Handler: Handle(a.ReplayDeadLetters),
			Doc:     Doc{Tag: "webhooks", Summary: "Send all dead letters once more", Detail: "In the ledger's order, each once; what fails again stays."},
			Reasons: changeReasons,
		},
		{
			Method: http.MethodPost, Path: "/v1/webhooks/{id}/dead-letters/{event}/replay", Roles: subscribers, Writes: Nothing, Handler: Handle(a.ReplayDeadLetter),
			Doc:     Doc{Tag: "webhooks", Summary: "Send a dead letter once more"},
			Reasons: append([]string{"dead_letter.missing"}, changeReasons...),
		},
		{
			Method: http.MethodDelete, Path: "/v1/webhooks/{id}/dead-letters/{event}", Roles: subscribers, Status: http.StatusNoContent, Writes: Nothing, Handler: Handle(a.RemoveDeadLetter),
			Doc:     Doc{Tag: "webhooks", Summary: "Remove a dead letter"},
			Reasons: append([]string{"dead_letter.missing"}, changeReasons...),
		},
		{
			Method: http.MethodGet, Path: "/v1/signing-keys", Roles: []string{app.Public}, Handler: Handle(a.SigningKeys),
			Doc: Doc{Tag: "webhooks", Summary: "The keys that verify deliveries", Detail: "A JWK set (RFC 7517); a signature names its key as `keyid`."},
		},
	}
}
