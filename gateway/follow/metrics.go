package follow

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hutong-gov/hutong/network/block"
)

type metrics struct {
	blocks       prometheus.Counter
	transactions *prometheus.CounterVec // result: valid, conflict, invalid
	reconnects   prometheus.Counter
	batches      prometheus.Histogram
	seconds      prometheus.Histogram
}

func newMetrics(registry prometheus.Registerer, f *Follower) (*metrics, error) {
	m := &metrics{
		blocks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hutong_follow_blocks_total", Help: "Blocks received from the peer."}),
		transactions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hutong_follow_transactions_total", Help: "Transactions in blocks received, by what the peer found of them."}, []string{"result"}),
		reconnects: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hutong_follow_reconnects_total", Help: "Times the block stream was lost and taken up again."}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hutong_projection_batch_blocks", Help: "Blocks applied together.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128}}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hutong_projection_apply_seconds", Help: "Time to apply the blocks that waited.", Buckets: prometheus.ExponentialBuckets(.001, 2, 13)}),
	}
	gauge := func(name, help string, value func(Status) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(f.Status()) })
	}
	for _, c := range []prometheus.Collector{
		m.blocks, m.transactions, m.reconnects, m.batches, m.seconds,
		gauge("hutong_follow_received_block", "Number of the last block received.", func(s Status) float64 { return float64(s.Received) }),
		gauge("hutong_projection_applied_block", "Number of the last block in the projection.", func(s Status) float64 { return float64(s.Applied) }),
		gauge("hutong_projection_lag_blocks", "Blocks known to be on the ledger but not yet in the projection.", func(s Status) float64 { return float64(s.Known - min(s.Applied, s.Known)) }),
		gauge("hutong_projection_lag_seconds", "Time for which the oldest block received is not readable yet; while none waits, the time it took with the last.",
			func(s Status) float64 { return max(s.Waiting, s.Took).Seconds() }),
		gauge("hutong_follow_streaming", "1 while the block stream is open.", func(s Status) float64 {
			if s.Streaming {
				return 1
			}
			return 0
		}),
	} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) received(outcomes []block.Outcome) {
	m.blocks.Inc()
	for _, o := range outcomes {
		switch o.Code {
		case block.Valid:
			m.transactions.WithLabelValues("valid").Inc()
		case block.MVCCConflict, block.PhantomRead:
			m.transactions.WithLabelValues("conflict").Inc()
		default:
			m.transactions.WithLabelValues("invalid").Inc()
		}
	}
}

func (m *metrics) applied(blocks int, took time.Duration) {
	m.batches.Observe(float64(blocks))
	m.seconds.Observe(took.Seconds())
}
