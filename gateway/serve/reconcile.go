package serve

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/pause"
)

// reconcileEvery is how often it is counted which uses do not match. They are hours and days old.
const reconcileEvery = time.Minute

// others stands for all agencies that are not the gateway's own.
const others = "others"

// reconciler counts uses that do not match, by the agency that owes the missing half.
type reconciler struct {
	app      *app.App
	gateway  *Gateway
	agencies []string // the gateway's own
	uses     *prometheus.GaugeVec
}

func (g *Gateway) newReconciler(application *app.App) (*reconciler, error) {
	r := &reconciler{app: application, gateway: g, uses: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "hutong_uses_unmatched",
		Help: "Uses that do not match, by the agency that owes it and by what is missing: delivery (72 hours after the request), receipt (24 hours after the delivery), opening (of a sealed use, from its date on).",
	}, []string{"agency", "missing"})}
	for _, id := range g.config.Identities {
		if !slices.Contains(r.agencies, id.Agency) {
			r.agencies = append(r.agencies, id.Agency)
		}
	}
	r.tell(nil)
	return r, g.registry.Register(r.uses)
}

// run counts until ctx ends.
func (r *reconciler) run(ctx context.Context) {
	for r.round(ctx); pause.For(ctx, reconcileEvery); {
		r.round(ctx)
	}
}

func (r *reconciler) round(ctx context.Context) {
	debts, err := r.app.Debts(ctx, time.Now())
	switch {
	case err == nil:
		r.tell(debts)
	case ctx.Err() == nil:
		r.gateway.log.WarnContext(ctx, "it could not be counted which uses do not match; that is tried again", "error", err.Error())
	}
}

// tell sets all numbers.
func (r *reconciler) tell(debts []exchange.Debt) {
	type owed struct{ agency, missing string }
	sums := map[owed]int64{}
	for _, d := range debts {
		if !slices.Contains(r.agencies, d.Agency) {
			d.Agency = others
		}
		sums[owed{d.Agency, d.Missing}] += d.Uses
	}
	for _, agency := range append(slices.Clone(r.agencies), others) {
		for _, missing := range exchange.Missing {
			r.uses.WithLabelValues(agency, missing).Set(float64(sums[owed{agency, missing}]))
		}
	}
}
