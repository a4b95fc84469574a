package serve

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hutong-gov/hutong/gateway/app"
)

// announceTick is how often it is seen which datasets are to be looked at.
const announceTick = time.Second

// announcer looks at subscribed records of the datasets whose connectors ask for it.
type announcer struct {
	app     *app.App
	gateway *Gateway
	looks   *prometheus.CounterVec
	seconds prometheus.Histogram
}

func (g *Gateway) newAnnouncer(application *app.App) (*announcer, error) {
	a := &announcer{app: application, gateway: g,
		looks:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hutong_subscription_looks_total", Help: "Looks at records that are subscribed to, by result: same, announced, ended, waiting (for the selector), failed."}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hutong_subscription_round_seconds", Help: "Time of a look at all subscribed records of a dataset.", Buckets: []float64{.01, .1, 1, 10, 60, 300}}),
	}
	for _, result := range []string{"same", "announced", "ended", "waiting", "failed"} {
		a.looks.WithLabelValues(result)
	}
	return a, errors.Join(g.registry.Register(a.looks), g.registry.Register(a.seconds))
}

// run looks until ctx ends. A dataset is looked at again so long after the last look ended, so that a slow department is
// not asked twice at once.
func (a *announcer) run(ctx context.Context) {
	due := map[string]time.Time{}
	tick := time.NewTicker(announceTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for dataset, every := range a.gateway.connectors.Watched() {
			if time.Now().Before(due[dataset]) {
				continue
			}
			a.round(ctx, dataset)
			due[dataset] = time.Now().Add(every)
		}
	}
}

func (a *announcer) round(ctx context.Context, dataset string) {
	begin := time.Now()
	sum, err := a.app.Announce(ctx, dataset)
	a.seconds.Observe(time.Since(begin).Seconds())
	for result, n := range map[string]int{"same": sum.Same, "announced": sum.Announced, "ended": sum.Ended, "waiting": sum.Waiting, "failed": sum.Failed} {
		a.looks.WithLabelValues(result).Add(float64(n))
	}
	if ctx.Err() == nil && (err != nil || sum.Failed > 0) {
		a.gateway.log.WarnContext(ctx, "subscribed records could not all be looked at; the next look tries again", "dataset", dataset, "failed", sum.Failed, "error", err)
	}
}
