package rest

import (
	"net/http"

	"github.com/hutong-gov/hutong/gateway/app"
)

// previewRoutes are of uses whose subject looks at the data before it is delivered.
func previewRoutes(a *app.App) []Route {
	decided := append([]string{"use.missing", "access.other_agency", "exchange.channel_mismatch", "exchange.subject_mismatch", "exchange.release_mismatch", "exchange.not_prepared", "exchange.use_refused", "idempotency.conflict", "gateway.not_served"}, signatureReasons...)
	return []Route{
		{
			Method: http.MethodGet, Path: "/v1/uses/{id}/preview", Roles: submitters, Handler: Handle(a.Preview),
			Doc: Doc{Tag: "uses", Summary: "See what would be delivered", Detail: "Where the dataset, the grant or the consent asks for it, the subject looks at the data before it leaves the provider. " +
				"At a window, what is personal is masked and what is sensitive left out."},
			Reasons: []string{"use.missing", "dataset.missing", "access.other_agency", "exchange.not_prepared", "sealed.missing", "sealed.cannot_open", "sealed.other_content", "neighbour.unreachable", "neighbour.unknown", "gateway.not_served", "projection.behind"},
		},
		{
			Method: http.MethodPut, Path: "/v1/uses/{id}/release", Roles: submitters, Writes: Several, Handler: Handle(a.ReleaseUse),
			Doc:     Doc{Tag: "uses", Summary: "Have it delivered", Detail: "Signed by the subject, over the commitment of what it was shown. The provider can deliver nothing else."},
			Reasons: append([]string{"exchange.already_released", "exchange.delivery_late"}, decided...),
		},
		{
			Method: http.MethodPut, Path: "/v1/uses/{id}/refusal", Roles: submitters, Handler: Handle(a.RefuseUse),
			Doc:     Doc{Tag: "uses", Summary: "Have nothing delivered", Detail: "Signed by the subject. The use stays in the subject's log, refused. A release can be taken back in this way until it is delivered."},
			Reasons: append([]string{"exchange.already_delivered"}, decided...),
		},
	}
}
