package rest

import (
	"net/http"

	"github.com/hutong-gov/hutong/gateway/app"
)

func subscriptionRoutes(a *app.App) []Route {
	readers := []string{app.Citizen, app.Officer, app.Auditor}
	return []Route{
		{
			Method: http.MethodPut, Path: "/v1/uses/{id}/subscription", Roles: officers, Writes: Several, Handler: Handle(a.Subscribe),
			Doc: Doc{Tag: "subscriptions", Summary: "Be told when a delivered record changes", Detail: "The provider looks at the record from now on and announces changes by commitment, without values, for as long as what the use rested on holds. " +
				"They come with the agency's events; what the record says then is asked for with a new use. Sent again with the same key, it goes on where it stopped."},
			Reasons: []string{
				"use.missing", "use.selector_mismatch", "access.other_agency", "subscription.conflict", "subscription.missing", "dataset.missing", "grant.missing", "consent.missing", "exchange.not_delivered", "exchange.already_purged", "exchange.dataset_withdrawn", "exchange.field_unknown",
				"exchange.grant_withdrawn", "exchange.grant_suspended", "exchange.grant_expired", "exchange.purpose_not_granted", "exchange.field_not_granted", "exchange.mode_not_granted", "exchange.consent_revoked", "exchange.consent_expired", "exchange.agency_unregistered", "sealed.missing", "sealed.cannot_open", "sealed.other_content",
				"neighbour.unreachable", "neighbour.unknown", "gateway.not_served", "projection.behind",
			},
		},
		{
			Method: http.MethodGet, Path: "/v1/subscriptions", Roles: readers, Handler: Handle(a.Subscriptions),
			Doc:     Doc{Tag: "subscriptions", Summary: "List subscriptions", Detail: "An agency's own, or those to its datasets; a citizen's those to their records."},
			Reasons: []string{"projection.behind"},
		},
		{
			Method: http.MethodGet, Path: "/v1/subscriptions/{id}", Roles: readers, Handler: Handle(a.Subscription),
			Doc:     Doc{Tag: "subscriptions", Summary: "Show a subscription", Detail: "Its id is that of the use it follows."},
			Reasons: []string{"subscription.missing", "access.other_agency", "projection.behind"},
		},
		{
			Method: http.MethodPut, Path: "/v1/subscriptions/{id}/end", Roles: officers, Handler: Handle(a.Unsubscribe),
			Doc:     Doc{Tag: "subscriptions", Summary: "End a subscription", Detail: "As its consumer or its provider, for good."},
			Reasons: []string{"subscription.missing", "access.other_agency", "exchange.subscription_ended", "idempotency.conflict", "gateway.not_served"},
		},
	}
}
