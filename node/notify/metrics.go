package notify

import (
	"time"

	"dusthub/schema"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what /metrics tells of the calls.
type metrics struct {
	planned   *prometheus.CounterVec
	attempts  *prometheus.CounterVec
	took      *prometheus.HistogramVec
	full      prometheus.Counter
	forgotten prometheus.Counter
}

func newMetrics(r prometheus.Registerer, n *Notifier) *metrics {
	m := &metrics{
		planned:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dusthub_notify_planned_total", Help: "Deliveries that were made, by kind of channel and first stage."}, []string{"kind", "stage"}),
		attempts:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dusthub_notify_attempts_total", Help: "Attempts at deliveries, by kind of channel and the stage after."}, []string{"kind", "stage"}),
		took:      prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "dusthub_notify_attempt_seconds", Help: "How long an attempt took.", Buckets: prometheus.ExponentialBuckets(0.005, 4, 8)}, []string{"kind"}),
		full:      prometheus.NewCounter(prometheus.CounterOpts{Name: "dusthub_notify_queue_full_total", Help: "Deliveries given up because too many waited."}),
		forgotten: prometheus.NewCounter(prometheus.CounterOpts{Name: "dusthub_notify_forgotten_total", Help: "Finished deliveries that were deleted because they are old."}),
	}
	r.MustRegister(m.planned, m.attempts, m.took, m.full, m.forgotten,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "dusthub_notify_waiting", Help: "Deliveries that wait, as the leader counts them."}, func() float64 { return float64(n.waiting.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "dusthub_notify_sending", Help: "Deliveries on their way."}, func() float64 { return float64(n.busy.count()) }))
	return m
}

func (m *metrics) done(d *schema.Delivery, took time.Duration) {
	m.attempts.WithLabelValues(d.GetKind(), d.GetStage()).Inc()
	m.took.WithLabelValues(d.GetKind()).Observe(took.Seconds())
}
