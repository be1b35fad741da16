package replica

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what /metrics tells of a replica.
type metrics struct {
	registry prometheus.Registerer
	all      []prometheus.Collector
	seconds  prometheus.Histogram
	writes   prometheus.Histogram
	failures prometheus.Counter
}

func newMetrics(r *Replica) *metrics {
	m := &metrics{registry: r.opt.Metrics}
	m.seconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "dusthub_propose_seconds", Help: "From proposing a command to its result.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
	})
	m.writes = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "dusthub_raft_log_write_seconds", Help: "One write to the log, with its sync.", Buckets: prometheus.ExponentialBuckets(0.0001, 2, 18),
	})
	m.failures = prometheus.NewCounter(prometheus.CounterOpts{Name: "dusthub_propose_failures_total", Help: "Commands that were proposed and got no result."})
	gauge := func(name, help string, value func(Stats) float64) {
		m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "dusthub_raft_" + name, Help: help}, func() float64 { return value(r.Stats()) }))
	}
	gauge("leader", "1 when this replica leads.", func(s Stats) float64 { return one(s.State == "Leader") })
	gauge("has_leader", "1 when a leader is known.", func(s Stats) float64 { return one(s.Leader != "") })
	gauge("term", "Raft term.", func(s Stats) float64 { return float64(s.Term) })
	gauge("first_index", "Oldest command in the log.", func(s Stats) float64 { return float64(s.First) })
	gauge("last_index", "Newest command in the log.", func(s Stats) float64 { return float64(s.Last) })
	gauge("commit_index", "Newest committed command.", func(s Stats) float64 { return float64(s.Commit) })
	gauge("applied_index", "Newest applied command.", func(s Stats) float64 { return float64(s.Applied) })
	m.all = append(m.all, m.seconds, m.writes, m.failures, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "dusthub_propose_in_flight", Help: "Commands this replica proposed as leader and that are not committed.",
	}, func() float64 { return float64(len(r.inFlight)) }))
	return m
}

// register makes them seen, once raft is there to be asked.
func (m *metrics) register() {
	if m.registry != nil {
		m.registry.MustRegister(m.all...)
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (m *metrics) proposed(begun time.Time, err error) {
	m.seconds.Observe(time.Since(begun).Seconds())
	if err != nil {
		m.failures.Inc()
	}
}

func (m *metrics) unregister() {
	if m.registry == nil {
		return
	}
	for _, c := range m.all {
		m.registry.Unregister(c)
	}
}
