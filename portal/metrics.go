package portal

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	streams  prometheus.Gauge
	resyncs  prometheus.Counter
	dropped  prometheus.Counter
	fanout   prometheus.Histogram
	logins   *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dusthub_http_requests_total", Help: "Requests answered by the portals."}, []string{"portal", "route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "dusthub_http_request_seconds", Help: "Time to answer a request; streams until their headers.", Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10},
		}, []string{"portal", "route"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{Name: "dusthub_http_event_streams", Help: "Event streams that are open."}),
		resyncs: prometheus.NewCounter(prometheus.CounterOpts{Name: "dusthub_http_event_resyncs_total", Help: "Times a stream was too slow and was told to read anew."}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "dusthub_http_event_streams_dropped_total", Help: "Streams that were ended because their browser took nothing for too long."}),
		fanout: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "dusthub_http_event_fanout_seconds", Help: "Time to hand a batch of changes to the queues of all streams.", Buckets: []float64{.0003, .001, .003, .01, .03, .1, .3, 1},
		}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dusthub_logins_total", Help: "Logins by result."}, []string{"portal", "result"}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.streams, m.resyncs, m.dropped, m.fanout, m.logins} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register portal metrics: %w", err)
		}
	}
	return m, nil
}
