// Package portal is how people reach a site: two listeners, one for regulators and one for plants, over one HTTP API
// (/api/v1) whose OpenAPI 3.1 description is generated from the handlers' own types, and the front end's files.
//
// Who may do what stands in one place, the table in access.go: a route that has no entry there cannot be registered.
// Whatever changes goes through Backend.Propose as a command; a mutation is answered when this replica has applied it,
// so that a client reads its own writes. The portal keeps nothing of its own but a read model (world.go) that is built
// from rows and kept up by the hub.
package portal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"dusthub/crypto/keys"
	"dusthub/node/engine/risk"
	"dusthub/node/live"
	"dusthub/node/model"
	"dusthub/node/personal"
	"dusthub/node/quality"
	"dusthub/node/replay"
	"dusthub/node/report"
	"dusthub/node/statistics"
	"dusthub/node/store"
	"dusthub/schema"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// Backend is the site the portal belongs to.
type Backend interface {
	// Propose has a command applied by the site. Errors mean that nothing is known of the outcome, in most cases
	// because there is no leader; a refusal is a Result with violations.
	Propose(ctx context.Context, cmd *schema.Command) (*schema.Result, error)
	Store() *store.Store
	Hub() *live.Hub
	// Leader is the id of the leading replica, empty when there is none, and whether it is this one.
	Leader() (id string, self bool)
}

// Replica is one of the site's replicas, as the federation page shows it.
type Replica struct {
	ID      string `json:"id"`
	Address string `json:"address,omitempty"`
	Leader  bool   `json:"leader,omitempty"`
	Self    bool   `json:"self,omitempty"`
	State   string `json:"state,omitempty" enum:"online,offline" doc:"as seen from this replica"`
}

// Site is who the site is.
type Site struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Level  string `json:"level" enum:"ministry,province,city"`
	Region string `json:"region,omitempty" doc:"GB/T 2260; empty is the whole country"`
	Parent string `json:"parent,omitempty" doc:"id of the site above; empty at the root"`
}

// Options of a portal. Site, Backend and Keys are needed.
type Options struct {
	Site    Site
	Backend Backend
	Keys    keys.Provider
	// Personal seals and opens personal data that travels; nil is one that knows the site's own key only.
	Personal *personal.Ring
	// Federation is the state of the links to parent and children: anything whose JSON has the form of Links.
	Federation func(context.Context) any
	// Replicas lists the site's replicas; nil shows none.
	Replicas func() []Replica
	// Model is the risk model in force; nil is the shipped one.
	Model func() *risk.Model
	// Configured is the risk model in force as long as none is published; nil is the shipped one.
	Configured *risk.Model
	// Publish signs a risk model as this site; nil where a parent publishes.
	Publish func(version string, document []byte) (certificate, signature []byte, err error)
	// Signed checks the signature of a published risk model; nil means that none can be checked.
	Signed func(*schema.RiskModel) error
	// Service is the risk model as a service; nil: one that knows no plant and whose usage log is not written.
	Service *model.Service
	// Rehearser tries changes of base data before they are made; nil: a preview says what the schema refuses, and shows no effects.
	Rehearser Rehearser
	// Replayer judges the past again; nil: one that judges as a site with default settings.
	Replayer *replay.Replayer
	// Quality is what was found in base data, kept up by whoever gives it; nil: the portal's own, brought up when it is asked.
	Quality *quality.Keeper
	// Reports makes reports when somebody asks; nil: the portal's own.
	Reports *report.Maker
	// Verify checks the signature of a ledger checkpoint; nil means that none can be checked.
	Verify func(*schema.Checkpoint) error
	// Notifier checks and tests notification channels; nil means that there are none but the portal.
	Notifier Notifier
	// Assets holds the built front end: regulator.html, enterprise.html, assets/. nil or empty: a page says how to build it.
	Assets fs.FS
	// FirstChange makes people change a password that an administrator gave them before anything else is open to them.
	FirstChange bool
	// SecondFactor makes regulators and administrators set up a second factor before anything else is open to them.
	SecondFactor bool
	// Providers are the OpenID providers by which people may log in, one a portal; where there is none, with passwords alone.
	Providers map[Portal]Provider
	// Proxies are the reverse proxies that stand before the portals: their X-Forwarded-For is believed, for failed logins, sessions and
	// the audit. Without any, whoever connects is who asks.
	Proxies []netip.Prefix
	// Secure says that browsers reach the portal over TLS, so that cookies are sent over it only.
	Secure     bool
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

func (o *Options) fill() error {
	if o.Site.ID == "" || o.Backend == nil || o.Keys == nil {
		return errors.New("portal: site, backend and keys are needed")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Personal == nil {
		o.Personal = personal.New(o.Backend, o.Keys, nil, o.Logger)
		o.Personal.Now = o.Now
	}
	if o.Model == nil {
		o.Model = sync.OnceValue(risk.Shipped)
	}
	if o.Configured == nil {
		o.Configured = risk.Shipped()
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Replayer == nil {
		var err error
		if o.Replayer, err = replay.New(replay.Options{Store: o.Backend.Store(), Configured: o.Configured}); err != nil {
			return err
		}
	}
	if o.Service == nil {
		var err error
		o.Service, err = model.New(model.Options{Store: o.Backend.Store(), Proposer: o.Backend, Running: o.Model, Configured: o.Configured, Now: o.Now})
		return err
	}
	return nil
}

// Server is the portal of a site.
type Server struct {
	opt       Options
	log       *slog.Logger
	world     *world
	throttle  *throttle
	tests     *allowance    // of channels
	hashing   chan struct{} // slots for slow password hashes
	drawing   chan struct{} // slots for captchas
	verify    chan struct{} // one ledger verification at a time
	scan      int           // rows a list looks at for one answer
	patience  time.Duration // of a request
	streams   *streams
	fanout    *fanout
	metrics   *metrics
	overviews *shared[[2]string, *Overview]
	reads     reads

	counted     *shared[statisticsKey, *statistics.Result]
	countedOver *shared[seriesKey, *statistics.Series]
	latencies   *shared[latencyInput, *LatencyView]
	doors       map[Portal]*door

	printing   chan struct{} // slots for making PDFs
	ownQuality bool          // Options.Quality is the portal's own

	revealed, keysUsed, keysFailed *allowance // records shown in clear by person, calls by key, wrong keys by address
}

// Limits of one listener.
const (
	requestTimeout = 20 * time.Second
	readTimeout    = 30 * time.Second
	writeTimeout   = time.Minute // streams push it on with every event
	idleTimeout    = 2 * time.Minute
	shutdownWithin = 3 * time.Second
	maxConnections = 8192
	maxBody        = 2 << 20 // all but attachments
	maxHeader      = 16 << 10
)

// New makes a portal; it listens when Serve is called.
func New(opt Options) (*Server, error) {
	if err := opt.fill(); err != nil {
		return nil, err
	}
	m, err := newMetrics(opt.Registerer)
	if err != nil {
		return nil, err
	}
	s := &Server{
		opt: opt, log: opt.Logger, metrics: m, throttle: newThrottle(opt.Now), tests: newAllowance(1, testEvery), hashing: make(chan struct{}, hashSlots), drawing: make(chan struct{}, captchaSlots), verify: make(chan struct{}, 1), scan: maxScan, patience: requestTimeout,
		streams: newStreams(m), overviews: newShared[[2]string, *Overview](opt.Now, overviewFor, overviewsKept), doors: map[Portal]*door{},
	}
	s.revealed, s.keysUsed, s.keysFailed = newAllowance(revealsMost, revealsWithin), newAllowance(keyCalls, keyWindow), newAllowance(keyFailures, keyWindow)
	s.printing = make(chan struct{}, printSlots)
	s.counted = newShared[statisticsKey, *statistics.Result](opt.Now, statisticsFor, statisticsKept)
	s.countedOver = newShared[seriesKey, *statistics.Series](opt.Now, statisticsFor, statisticsKept)
	s.latencies = newShared[latencyInput, *LatencyView](opt.Now, statisticsFor, statisticsKept)
	s.counted.stale, s.countedOver.stale, s.latencies.stale = statisticsStale, statisticsStale, statisticsStale
	s.fanout = newFanout(s)
	if s.ownQuality = opt.Quality == nil; s.ownQuality {
		s.opt.Quality = quality.NewKeeper(opt.Backend.Store(), opt.Backend.Hub(), opt.Now)
	}
	if opt.Reports == nil {
		s.opt.Reports = report.NewMaker(report.Options{Site: opt.Backend, SiteName: opt.Site.Name, Region: opt.Site.Region, Logger: opt.Logger, Now: opt.Now})
	}
	if s.world, err = newWorld(opt.Backend.Store(), opt.Backend.Hub(), opt.Now); err != nil {
		return nil, err
	}
	for _, p := range []Portal{Regulator, Enterprise} {
		d, err := s.open(p)
		if err != nil {
			s.world.close()
			return nil, err
		}
		s.doors[p] = d
	}
	return s, nil
}

// App is the listener's application, for tests and for embedding.
func (s *Server) App(p Portal) *fiber.App { return s.doors[p].app }

// Listen opens the portals' addresses, for ServeOn: whoever is told that the site is ready must be able to connect. An empty
// address leaves that portal out.
func Listen(ctx context.Context, regulator, enterprise string) (map[Portal]net.Listener, error) {
	listeners := map[Portal]net.Listener{}
	for p, addr := range map[Portal]string{Regulator: regulator, Enterprise: enterprise} {
		if addr == "" {
			continue
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err != nil {
			for _, open := range listeners {
				open.Close()
			}
			return nil, fmt.Errorf("listen for the %s portal: %w", p, err)
		}
		listeners[p] = l
	}
	return listeners, nil
}

// ServeOn serves on listeners that are open already, for instance TLCP ones, until the context ends.
func (s *Server) ServeOn(ctx context.Context, listeners map[Portal]net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	failed := make(chan error, len(listeners)+1)
	wg.Go(func() { s.world.run(ctx) })
	events, stop := s.opt.Backend.Hub().Subscribe(fanoutHeld)
	defer stop()
	wg.Go(func() { s.fanout.run(ctx, events) })
	for p, l := range listeners {
		wg.Go(func() {
			if err := s.doors[p].app.Listener(l); err != nil && ctx.Err() == nil {
				failed <- fmt.Errorf("serve the %s portal: %w", p, err)
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	cancel()
	s.streams.close()
	s.fanout.end()
	s.streams.wait(shutdownWithin) // they read the store, which is closed after the portal
	for p, l := range listeners {
		if e := s.doors[p].app.ShutdownWithTimeout(shutdownWithin); e != nil && !errors.Is(e, context.DeadlineExceeded) {
			err = errors.Join(err, fmt.Errorf("shut the %s portal down: %w", p, e))
		}
		l.Close() // a portal that had not begun to serve knows nothing of the shutdown
	}
	wg.Wait()
	s.close()
	return err
}

// close ends what reads the store, which is closed after the portal.
func (s *Server) close() {
	s.counted.close()
	s.countedOver.close()
	s.latencies.close()
	s.world.close()
}

// nowMs is the portal's clock in ms.
func (s *Server) nowMs() int64 { return s.opt.Now().UnixMilli() }
