package rest

import (
	"slices"

	"github.com/hutong-gov/hutong/gateway/app"
)

// Routes is the whole API. Groups of rows stand in files routes_{group}.go; a new group is added here. a may be nil where
// only the table is wanted (documents, matrices): rows name its methods without calling them.
func Routes(a *app.App) []Route {
	return slices.Concat(
		directoryRoutes(a), requirementRoutes(a), grantRoutes(a), citizenRoutes(a), officerRoutes(a), certificateRoutes(a), auditRoutes(a), betweenRoutes(a), eventRoutes(a), offlineRoutes(a), anchorRoutes(a), subscriptionRoutes(a), verifyRoutes(a), previewRoutes(a), disclosureRoutes(a),
	)
}
