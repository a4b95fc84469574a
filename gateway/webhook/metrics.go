package webhook

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of deliveries. Labels are bounded: classes of failures, states. Those of webhooks together are told by the process
// that delivers; in the others they are 0.
type metrics struct {
	attempts *prometheus.CounterVec
	seconds  prometheus.Histogram
	buried   prometheus.Counter
	hooks    *prometheus.GaugeVec
	failing  prometheus.Gauge
	backlog  prometheus.Gauge
	letters  prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hutong_webhook_attempts_total", Help: "Attempts to deliver to webhooks, by result: acknowledged, or the class of failure (redirected, refused, failed, timeout, untrusted, unreachable, forbidden)."}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hutong_webhook_attempt_seconds", Help: "Time that receivers of webhooks take to answer.", Buckets: []float64{.005, .025, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		buried:  prometheus.NewCounter(prometheus.CounterOpts{Name: "hutong_webhook_dead_letters_total", Help: "Events that webhooks gave up."}),
		hooks:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hutong_webhooks", Help: "Webhooks by state: active, paused, full. Told by the gateway that delivers; 0 at others."}, []string{"state"}),
		failing: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hutong_webhooks_failing", Help: "Active webhooks whose last attempt failed."}),
		backlog: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hutong_webhook_backlog_blocks", Help: "Blocks that the active webhook furthest behind has not dealt with."}),
		letters: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hutong_webhook_dead_letters", Help: "Dead letters of webhooks that are kept."}),
	}
	for _, f := range failures {
		m.attempts.WithLabelValues(f.result())
	}
	m.idle()
	for _, c := range []prometheus.Collector{m.attempts, m.seconds, m.buried, m.hooks, m.failing, m.backlog, m.letters} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// idle is told where this process does not deliver.
func (m *metrics) idle() {
	for _, state := range []string{Active, Paused, Full} {
		m.hooks.WithLabelValues(state).Set(0)
	}
	m.failing.Set(0)
	m.backlog.Set(0)
	m.letters.Set(0)
}

// measure tells how webhooks stand.
func (d *Deliverer) measure(ctx context.Context, active []Hook) error {
	height, err := d.feed.Height(ctx)
	if err != nil {
		return err
	}
	states, err := d.book.states(ctx)
	if err != nil {
		return err
	}
	letters, err := d.book.letters(ctx)
	if err != nil {
		return err
	}
	for state, n := range states {
		d.metrics.hooks.WithLabelValues(state).Set(float64(n))
	}
	failing, backlog := 0, uint64(0)
	for _, h := range active {
		if h.Trouble.Attempts > 0 {
			failing++
		}
		backlog = max(backlog, h.Backlog(height))
	}
	d.metrics.failing.Set(float64(failing))
	d.metrics.backlog.Set(float64(backlog))
	d.metrics.letters.Set(float64(letters))
	return nil
}

// Backlog is how many blocks of a ledger up to height a webhook has not dealt with.
func (h Hook) Backlog(height uint64) uint64 {
	if h.At.Block >= height {
		return 0
	}
	return height - h.At.Block
}
