package reload

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of reloading. The label name is a setting of the configuration.
type metrics struct {
	registry prometheus.Registerer
	reloads  *prometheus.CounterVec
	failing  *prometheus.GaugeVec
}

// NewSet makes a set without values. registry nil counts nothing.
func NewSet(log *slog.Logger, registry prometheus.Registerer) (*Set, error) {
	m := &metrics{
		registry: registry,
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hutong_reloads_total", Help: "Replaced files that were taken into use (done) or were not sound (failed), by setting.",
		}, []string{"name", "result"}),
		failing: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hutong_reload_failing", Help: "1 while replaced files are not sound and the old ones stay in use, by setting.",
		}, []string{"name"}),
	}
	if registry == nil {
		return &Set{log: log, metrics: m}, nil
	}
	for _, c := range []prometheus.Collector{m.reloads, m.failing} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return &Set{log: log, metrics: m}, nil
}

func (m *metrics) done(name string, sound bool) {
	result, failing := "done", 0.0
	if !sound {
		result, failing = "failed", 1
	}
	m.reloads.WithLabelValues(name, result).Inc()
	m.failing.WithLabelValues(name).Set(failing)
}

// expiring makes the time left a metric. A second value of the same name keeps the first's.
func (m *metrics) expiring(name string, end func() time.Time) {
	if m.registry == nil {
		return
	}
	_ = m.registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hutong_certificate_expires_seconds", Help: "Seconds until a certificate in use expires, by setting; negative afterwards.",
		ConstLabels: prometheus.Labels{"name": name},
	}, func() float64 { return time.Until(end()).Seconds() }))
}
