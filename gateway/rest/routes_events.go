package rest

import (
	"net/http"

	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/feed"
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
	}
}
