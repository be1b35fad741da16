package federation

import "github.com/prometheus/client_golang/prometheus"

// metrics of the links; all by neighbour.
type metrics struct {
	batches, bytes, refusals, skips, asked *prometheus.CounterVec
	connected                              *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "dusthub", Subsystem: "federation", Name: name, Help: help}, append([]string{"neighbour"}, labels...))
	}
	m := &metrics{
		batches:  counter("batches_total", "Batches sent and taken in.", "lane", "direction"),
		bytes:    counter("bytes_total", "Bytes of batches sent and taken in.", "lane", "direction"),
		refusals: counter("refused_total", "Batches refused at the border; each ends its stream.", "lane"),
		skips:    counter("live_skipped_total", "Indexes of the log that the live lane skipped because the log was cut."),
		asked:    counter("asked_total", "What the neighbour was asked for, and what became of it.", "what", "outcome"),
		connected: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "dusthub", Subsystem: "federation", Name: "connected", Help: "Whether the neighbour is connected with this replica.",
		}, []string{"neighbour"}),
	}
	if r != nil {
		r.MustRegister(m.batches, m.bytes, m.refusals, m.skips, m.asked, m.connected)
	}
	return m
}

func (m *metrics) sent(neighbour, lane string, bytes int) { m.moved(neighbour, lane, "out", bytes) }

func (m *metrics) taken(neighbour, lane string, bytes int) { m.moved(neighbour, lane, "in", bytes) }

func (m *metrics) moved(neighbour, lane, direction string, bytes int) {
	m.batches.WithLabelValues(neighbour, lane, direction).Inc()
	m.bytes.WithLabelValues(neighbour, lane, direction).Add(float64(bytes))
}

func (m *metrics) refused(neighbour, lane string) { m.refusals.WithLabelValues(neighbour, lane).Inc() }

func (m *metrics) skipped(neighbour string, n uint64) {
	m.skips.WithLabelValues(neighbour).Add(float64(n))
}

// Outcomes of what was asked for.
const (
	outcomeMended  = "mended"
	outcomeMissing = "missing"
	outcomeDiffers = "differs"
)

func (m *metrics) answered(neighbour, what, outcome string) {
	m.asked.WithLabelValues(neighbour, what, outcome).Inc()
}

func (m *metrics) link(neighbour string, up bool) {
	v := 0.0
	if up {
		v = 1
	}
	m.connected.WithLabelValues(neighbour).Set(v)
}
