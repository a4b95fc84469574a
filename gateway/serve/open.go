package serve

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hutong-gov/hutong/gateway/app"
)

// openTick is how often it is seen which sealed uses are to be opened.
const openTick = 5 * time.Second

// opener opens sealed uses of the organisation's agencies whose date has come. What it does not get opened is owed, and the
// reconciler says so.
type opener struct {
	app      *app.App
	gateway  *Gateway
	openings *prometheus.CounterVec
	failing  bool // the last look's failure is in the log already
}

func (g *Gateway) newOpener(application *app.App) (*opener, error) {
	o := &opener{app: application, gateway: g,
		openings: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hutong_openings_total", Help: "Attempts to open sealed uses whose date has come, by result: opened, failed (every look tries again)."}, []string{"result"}),
	}
	for _, result := range []string{"opened", "failed"} {
		o.openings.WithLabelValues(result)
	}
	return o, g.registry.Register(o.openings)
}

// run looks until ctx ends.
func (o *opener) run(ctx context.Context) {
	tick := time.NewTicker(openTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		o.look(ctx)
	}
}

func (o *opener) look(ctx context.Context) {
	sum, err := o.app.OpenDue(ctx)
	if ctx.Err() != nil {
		return
	}
	o.openings.WithLabelValues("opened").Add(float64(sum.Opened))
	o.openings.WithLabelValues("failed").Add(float64(sum.Overdue))
	if err != nil && !o.failing {
		o.gateway.log.WarnContext(ctx, "sealed uses that are due could not all be opened; every look tries again", "overdue", sum.Overdue, "error", err)
	}
	o.failing = err != nil
}
