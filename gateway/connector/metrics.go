package connector

import (
	"context"
	"errors"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics of reading sources. Labels are bounded: the sources of the definitions, a few results.
type metrics struct {
	reads    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	circuits *prometheus.GaugeVec
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hutong_connector_reads_total", Help: "Reads of departments' sources, by source and result: found, missing, ambiguous, timeout, failed, unavailable (not asked, for it failed time after time)."}, []string{"source", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hutong_connector_read_seconds", Help: "Time that departments' sources take to answer, by source.", Buckets: []float64{.001, .005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"source"}),
		circuits: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hutong_connector_open", Help: "By source: 1 while it is left alone because it failed time after time, 0.5 while one question tries it, 0 while it is asked as it should be."}, []string{"source"}),
	}
	if registry == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.reads, m.seconds, m.circuits} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) read(ctx context.Context, source string, found int, err error, took time.Duration) {
	result := "found"
	switch {
	case errors.Is(err, errLeftAlone):
		m.reads.WithLabelValues(source, "unavailable").Inc()
		return
	case err != nil && timedOut(ctx, err):
		result = "timeout"
	case err != nil:
		result = "failed"
	case found == 0:
		result = "missing"
	case found > 1:
		result = "ambiguous"
	}
	m.reads.WithLabelValues(source, result).Inc()
	m.seconds.WithLabelValues(source).Observe(took.Seconds())
}

func (m *metrics) circuit(source string, state circuitbreaker.State) {
	m.circuits.WithLabelValues(source).Set(map[circuitbreaker.State]float64{circuitbreaker.OpenState: 1, circuitbreaker.HalfOpenState: .5}[state])
}
