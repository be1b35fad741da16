package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"dusthub/crypto/pki"
	"dusthub/schema/rpc"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

const (
	stopWithin  = 3 * time.Second // a controller that is being connected to holds a stop no longer
	drainWithin = 2 * time.Second // what waits at a stop is still sent for so long; the rest stays in the buffer
	opsTimeout  = 5 * time.Second
)

// metrics of a gateway.
type metrics struct {
	registry                           *prometheus.Registry
	acked, duplicates, refused, polled prometheus.Counter
	unwritten, pollErrors              prometheus.Counter
	connected                          prometheus.Gauge
}

func newMetrics(levels func() (readings int, bytes int64, lost, acked uint64)) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "dusthub_collect_" + name, Help: help})
	}
	m := &metrics{
		registry:   prometheus.NewRegistry(),
		acked:      counter("readings_acked_total", "Readings the site acknowledged as stored."),
		duplicates: counter("readings_duplicate_total", "Acknowledged readings that the site had already."),
		refused:    counter("readings_refused_total", "Readings the site refused for good."),
		polled:     counter("readings_total", "Readings taken from controllers or files."),
		unwritten:  counter("readings_unwritten_total", "Readings that could not be written to the buffer."),
		pollErrors: counter("poll_errors_total", "Requests to controllers that failed."),
		connected:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "dusthub_collect_connected", Help: "1 while the site acknowledges."}),
	}
	m.registry.MustRegister(m.acked, m.duplicates, m.refused, m.polled, m.unwritten, m.pollErrors, m.connected,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "dusthub_collect_readings_buffered", Help: "Readings not acknowledged yet."}, func() float64 { n, _, _, _ := levels(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "dusthub_collect_buffer_bytes", Help: "Bytes of the buffer."}, func() float64 { _, n, _, _ := levels(); return float64(n) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "dusthub_collect_readings_lost_total", Help: "Readings given up because the buffer was full."}, func() float64 { _, _, n, _ := levels(); return float64(n) }),
	)
	return m
}

// gateway is a running edge gateway.
type gateway struct {
	cfg     Config
	buffer  *buffer
	pollers []*poller
	sender  *sender
	m       *metrics
	log     *slog.Logger
}

// Run polls and sends until ctx ends; then it sends what it still can for two seconds. What is left stays in the buffer for the next start.
// Errors: a configuration, identity or buffer that cannot be used, an address that is taken. Controllers and sites that do not answer are none.
func Run(ctx context.Context, cfg Config, log *slog.Logger) error {
	if err := cfg.Check(); err != nil {
		return fmt.Errorf("configuration:\n%w", err)
	}
	g, err := newGateway(cfg, cfg.Buffer.Dir, log)
	if err != nil {
		return err
	}
	for _, src := range cfg.Modbus {
		p, err := newPoller(src, g.take, g.m, log)
		if err != nil {
			return errors.Join(err, g.buffer.Close())
		}
		g.pollers = append(g.pollers, p)
	}
	return errors.Join(g.run(ctx), g.buffer.Close())
}

func newGateway(cfg Config, bufferDir string, log *slog.Logger) (*gateway, error) {
	id, err := pki.LoadIdentity(cfg.IdentityDir)
	if err != nil {
		return nil, fmt.Errorf("identity of %s: %w", cfg.Gateway, err)
	}
	if id.Name() != cfg.Gateway || id.Unit() != pki.UnitGateway {
		return nil, fmt.Errorf("identity in %s is of %s %q, wanted gateway %q", cfg.IdentityDir, id.Unit(), id.Name(), cfg.Gateway)
	}
	b, err := openBuffer(bufferDir, cfg.Buffer.MaxBytes, log)
	if err != nil {
		return nil, err
	}
	g := &gateway{cfg: cfg, buffer: b, m: newMetrics(b.levels), log: log}
	g.sender = &sender{gateway: cfg.Gateway, target: cfg.Target, id: id, buffer: b, lost: g.lost, m: g.m, log: log}
	return g, nil
}

// lost says whether none of the gateway's controllers answers.
func (g *gateway) lost() bool {
	for _, p := range g.pollers {
		if !p.lost.Load() {
			return false
		}
	}
	return len(g.pollers) > 0
}

// take keeps what was read. A disk that does not take it costs these readings, not the gateway.
func (g *gateway) take(s *rpc.Samples) error {
	n := float64(count(s))
	g.m.polled.Add(n)
	if err := g.buffer.Append(s); err != nil {
		g.m.unwritten.Add(n)
		g.log.Error("readings are not kept", "readings", n, "err", err)
	}
	return nil
}

func (g *gateway) run(ctx context.Context) error {
	stopOps, err := g.ops(ctx)
	if err != nil {
		return err
	}
	defer stopOps()
	sendCtx, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	var sending sync.WaitGroup
	sending.Go(func() { g.sender.run(sendCtx) })
	var polling sync.WaitGroup
	for _, p := range g.pollers {
		polling.Go(func() {
			if err := p.run(ctx); err != nil {
				g.log.Error("polling ended", "source", p.src.URL, "err", err)
			}
		})
	}
	g.log.Info("gateway runs", "gateway", g.cfg.Gateway, "site", g.cfg.Target.Site, "controllers", len(g.pollers))
	<-ctx.Done()
	polled := make(chan struct{})
	go func() { polling.Wait(); close(polled) }()
	select {
	case <-polled:
	case <-time.After(stopWithin):
	}
	g.drain(drainWithin)
	stopSending()
	sending.Wait()
	return nil
}

const drainLook = 20 * time.Millisecond

// drain waits until the buffer is empty, for so long and while the site answers.
func (g *gateway) drain(within time.Duration) {
	for end := time.Now().Add(within); g.sender.up.Load() && time.Now().Before(end); time.Sleep(drainLook) {
		if n, _, _, _ := g.buffer.levels(); n == 0 {
			return
		}
	}
}

// ops serves /healthz and /metrics.
func (g *gateway) ops(ctx context.Context) (stop func(), err error) {
	if g.cfg.Ops == "" {
		return func() {}, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", g.cfg.Ops)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", g.cfg.Ops, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(g.m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", g.health)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: opsTimeout, WriteTimeout: opsTimeout}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			g.log.Error("operations listener ended", "err", err)
		}
	}()
	return func() { _ = s.Close(); <-done }, nil // a close of idle connections has nothing to say
}

// health says how the gateway is; it lives as long as it answers.
func (g *gateway) health(w http.ResponseWriter, _ *http.Request) {
	buffered, bytes, lost, acked := g.buffer.levels()
	sources := map[string]string{}
	for _, p := range g.pollers {
		sources[p.src.URL] = "ok"
		if p.lost.Load() {
			sources[p.src.URL] = "lost"
		}
	}
	w.Header().Set("Content-Type", "application/json")
	b, err := json.Marshal(map[string]any{
		"status": "ok", "gateway": g.cfg.Gateway, "site": g.cfg.Target.Site, "buffered": buffered, "buffer_bytes": bytes, "lost": lost, "acked": acked, "sources": sources,
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(b) // whoever asked went away
}

// value reads a counter.
func value(c prometheus.Counter) float64 {
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		return 0
	}
	return m.GetCounter().GetValue()
}
