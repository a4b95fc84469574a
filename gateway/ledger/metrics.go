package ledger

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// buckets suit calls that take a millisecond up to a commit that takes a minute.
var buckets = []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// metrics of the ledger client. Labels are bounded: chaincodes are chosen by the application, states, causes and stages
// are closed lists.
type metrics struct {
	submits   *prometheus.CounterVec   // chaincode, state
	retries   *prometheus.CounterVec   // chaincode, cause
	stages    *prometheus.HistogramVec // stage
	inFlight  prometheus.Gauge
	queued    prometheus.Gauge
	sizes     prometheus.Histogram
	peerUp    *prometheus.GaugeVec // peer: the endpoints of the configuration
	peerMoves prometheus.Counter
}

// stateUnsent counts, beside the states of an outcome, writes that did not get as far as the ledger.
const stateUnsent = "unsent"

// stageGather is the time a write waits for others.
const stageGather = "gather"

// causeUnheard counts, beside the verdicts for which a write is run again, transactions that were handed over again.
const causeUnheard = "unheard"

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		submits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hutong_ledger_submits_total", Help: "Writes by chaincode and by what became of them.",
		}, []string{"chaincode", "state"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hutong_ledger_retries_total", Help: "Writes sent again, by chaincode and cause.",
		}, []string{"chaincode", "cause"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hutong_ledger_stage_seconds", Help: "Duration of each stage of a request to the ledger.", Buckets: buckets,
		}, []string{"stage"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hutong_ledger_writes_in_flight", Help: "Writes under way, those that wait for a transaction among them.",
		}),
		queued: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hutong_ledger_writes_queued", Help: "Writes that wait for a transaction.",
		}),
		sizes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hutong_ledger_commands_per_transaction", Help: "Commands that travelled in one transaction.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512},
		}),
		peerUp: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hutong_ledger_peer_up", Help: "1 while a peer of the organisation answers.",
		}, []string{"peer"}),
		peerMoves: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hutong_ledger_peer_moves_total", Help: "Times another peer of the organisation took over.",
		}),
	}
	for _, c := range []prometheus.Collector{m.submits, m.retries, m.stages, m.inFlight, m.queued, m.sizes, m.peerUp, m.peerMoves} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) stage(stage string, since time.Time) {
	m.stages.WithLabelValues(stage).Observe(time.Since(since).Seconds())
}
