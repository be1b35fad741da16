package node

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// What /metrics tells of the site itself; replicas, doors and lanes tell their own.
var (
	ledgerSeq   = prometheus.NewDesc("dusthub_ledger_seq", "Entries of a site's ledger that are here.", []string{"origin"}, nil)
	samples     = prometheus.NewDesc("dusthub_samples", "Samples of a site that are stored here.", []string{"origin"}, nil)
	diskBytes   = prometheus.NewDesc("dusthub_store_disk_bytes", "Size of the store on the disk.", nil, nil)
	keptAt      = prometheus.NewDesc("dusthub_kept_index", "Command as of which heads and engine were kept; a start replays what came after.", nil, nil)
	watching    = prometheus.NewDesc("dusthub_live_subscribers", "Who is told of what is applied.", nil, nil)
	certificate = prometheus.NewDesc("dusthub_certificate_seconds_left", "Until the site's first certificate ends.", nil, nil)
)

// siteMetrics reads the site when it is asked.
type siteMetrics struct{ n *Node }

// Describe lists the descriptions.
func (siteMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{ledgerSeq, samples, diskBytes, keptAt, watching, certificate} {
		out <- d
	}
}

// Collect gathers the values.
func (m siteMetrics) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	s := m.n.store
	for _, origin := range s.Origins() {
		gauge(samples, float64(s.SampleCount(origin)), origin)
	}
	for _, h := range s.Heads() {
		gauge(ledgerSeq, float64(h.Seq), h.Origin)
	}
	gauge(diskBytes, float64(s.Metrics().DiskSpaceUsage()))
	gauge(keptAt, float64(s.HeadsAt()))
	gauge(watching, float64(m.n.hub.Subscribers()))
	gauge(certificate, time.Until(m.n.identity.NotAfter()).Seconds())
}

// registerMetrics makes process, Go and site metrics seen.
func (n *Node) registerMetrics() {
	n.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), siteMetrics{n})
}
