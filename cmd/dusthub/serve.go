package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"dusthub/crypto/chain"
	"dusthub/crypto/publish"
	"dusthub/crypto/tlcp"
	"dusthub/federation"
	"dusthub/node"
	"dusthub/node/config"
	"dusthub/node/engine"
	"dusthub/node/ingest"
	"dusthub/node/model"
	"dusthub/node/notify"
	"dusthub/node/personal"
	"dusthub/node/quality"
	"dusthub/node/replay"
	"dusthub/node/report"
	"dusthub/portal"
	"dusthub/portal/web"
	"dusthub/schema"
	"dusthub/schema/rpc"

	"google.golang.org/grpc"
)

type configFlags struct {
	Config string            `short:"c" type:"path" help:"Configuration file (YAML). Environment variables DUSTHUB_SECTION__KEY and --set go over it."`
	Set    map[string]string `help:"Set one key, such as --set engine.tick=2s." placeholder:"KEY=VALUE"`
}

func (f configFlags) load() (*config.Config, error) {
	over := map[string]any{}
	for k, v := range f.Set {
		over[k] = v
	}
	return config.Load(f.Config, os.Environ(), over)
}

type configCmd struct {
	Print configPrintCmd `cmd:"" help:"Print the configuration in force, with defaults; it names the files of secrets and holds none."`
}

type configPrintCmd struct{ configFlags }

// Run prints the configuration in force.
func (c *configPrintCmd) Run(out io.Writer) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	return cfg.Print(out)
}

type serveCmd struct{ configFlags }

// Run runs one replica until the process is told to stop. A replica that was away for longer than the others keep their
// log begins anew, and then fetches their state.
func (c *serveCmd) Run(ctx context.Context) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	log, err := newLogger(os.Stderr, cfg.Log.Level, cfg.Log.Format)
	if err != nil {
		return err
	}
	for {
		err := serve(ctx, cfg, log)
		if !errors.Is(err, node.ErrRestart) || ctx.Err() != nil {
			return err
		}
		log.Warn("beginning anew, to fetch the state of the other replicas", "err", err)
	}
}

func serve(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	n, err := node.Open(ctx, cfg, log)
	if err != nil {
		return err
	}
	s, err := newSite(ctx, n)
	if err != nil {
		return errors.Join(err, n.Close())
	}
	return s.run(ctx)
}

const (
	headerTimeout  = 10 * time.Second
	requestTimeout = time.Minute
	stopWithin     = time.Second
	askWithin      = 2 * time.Second // another replica
)

// site is a node with everything that stands on it. Its parts end before the node does.
type site struct {
	node     *node.Node
	personal *personal.Ring
	log      *slog.Logger
	parts    []part
}

// part is something that runs until its context ends.
type part struct {
	name string
	run  func(context.Context) error
}

func (s *site) add(name string, run func(context.Context) error) {
	s.parts = append(s.parts, part{name, run})
}

func newSite(ctx context.Context, n *node.Node) (*site, error) {
	s := &site{node: n, log: n.Logger(), personal: personal.New(n, n.Keys(), n.Identity(), n.Logger())}
	intake, err := s.intake()
	if err != nil {
		return nil, err
	}
	links, err := s.links()
	if err != nil {
		return nil, err
	}
	service, err := s.model()
	if err != nil {
		return nil, err
	}
	calls, err := s.notifier()
	if err != nil {
		return nil, err
	}
	for _, open := range []func() error{
		func() error { return s.ops(ctx) },
		func() error { return s.doors(ctx, intake) },
		func() error { return s.grpc(ctx, intake, links, service) },
		func() error { return s.portals(ctx, links, service, calls) },
	} {
		if err := open(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// run runs the node and the parts until ctx ends or one of them fails.
func (s *site) run(ctx context.Context) error {
	parts, stopParts := context.WithCancel(ctx)
	defer stopParts()
	base, stopNode := context.WithCancel(context.WithoutCancel(ctx))
	defer stopNode()
	ended := make(chan error, 1)
	go func() { ended <- s.node.Run(base); stopParts() }()
	var group sync.WaitGroup
	errs := make([]error, len(s.parts))
	for i, p := range s.parts {
		group.Go(func() {
			if err := p.run(parts); err != nil && parts.Err() == nil {
				errs[i] = fmt.Errorf("%s: %w", p.name, err)
				s.log.Error("a part of the site failed", "part", p.name, "err", err)
				stopParts()
			}
		})
	}
	group.Wait()
	stopNode()
	return errors.Join(errors.Join(errs...), <-ended)
}

func (s *site) listen(ctx context.Context, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	return l, nil
}

// http serves a handler on an address until ctx ends.
func (s *site) http(ctx context.Context, name, addr string, h http.Handler) error {
	if addr == "" {
		return nil
	}
	l, err := s.listen(ctx, addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout}
	s.add(name, func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() {
			down, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
			defer cancel()
			if err := server.Shutdown(down); err != nil {
				server.Close()
			}
		})
		defer stop()
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	return nil
}

func (s *site) ops(ctx context.Context) error {
	return s.http(ctx, "ops", s.node.Config().Listen.Ops, s.node.Ops())
}

func (s *site) intake() (*ingest.Intake, error) {
	cfg := s.node.Config()
	opt := ingest.Options{
		Store: s.node.Store(), Hub: s.node.Hub(), Proposer: s.node, Keys: s.node.Keys(), LateWindow: cfg.Store.LateWindow, LiveWithin: cfg.Store.LiveWithin,
		Rate: float64(cfg.Doors.RatePerGateway), MaxBody: int64(cfg.Doors.MaxBody), Logger: s.log, Registerer: s.node.Metrics(),
	}
	if path := cfg.Doors.CompatMapping; path != "" {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("mapping of the SM4 door: %w", err)
		}
		if opt.Mapping, err = ingest.ParseMapping(raw); err != nil {
			return nil, err
		}
	}
	in, err := ingest.New(opt)
	if err == nil {
		s.add("intake", in.Run)
	}
	return in, err
}

func (s *site) doors(ctx context.Context, in *ingest.Intake) error {
	cfg := s.node.Config().Listen
	if err := s.http(ctx, "access doors", cfg.Access, ingest.NewHTTP(in)); err != nil {
		return err
	}
	if cfg.MQTT == "" {
		return nil
	}
	l, err := s.listen(ctx, cfg.MQTT)
	if err != nil {
		return err
	}
	broker, err := ingest.NewMQTT(in, l)
	if err == nil {
		s.add("mqtt", broker.Run)
	}
	return err
}

func (s *site) links() (*federation.Federation, error) {
	cfg := s.node.Config()
	opt := federation.Options{
		Site: s.node, Version: version, Logger: s.log, Metrics: s.node.Metrics(),
		Record: &schema.Site{Id: cfg.Site.ID, Name: cfg.Site.Name, Level: cfg.Site.Level, Region: cfg.Site.Region, Parent: cfg.Parent.Site, Version: version, SchemaVersion: schema.Version},
	}
	opt.Joined = func(ctx context.Context, parent tlcp.Peer) error {
		return s.personal.Share(ctx, parent.Name, parent.Encryption)
	}
	if cfg.Parent.Site != "" {
		opt.Parent = federation.Parent{Site: cfg.Parent.Site, Addrs: []string{cfg.Parent.Addr}}
	}
	f, err := federation.New(opt)
	if err == nil {
		s.add("federation", f.Run)
	}
	return f, err
}

// model is the risk model as a service.
func (s *site) model() (*model.Service, error) {
	n, q := s.node, s.node.Config().Model
	m, err := model.New(model.Options{
		Store: n.Store(), Proposer: n, Running: n.Model, Configured: n.ConfiguredModel(), Inspect: n.Inspect, Replica: n.Config().Replica.ID,
		Quota: model.Quota{Rate: float64(q.Rate), Burst: float64(q.Burst), Concurrent: q.Concurrent, Batch: q.Batch}, Logger: s.log, Registerer: n.Metrics(),
	})
	if err == nil {
		s.add("model usage", m.Run)
	}
	return m, err
}

// replayer judges the past again as the site judges.
func (s *site) replayer() (*replay.Replayer, error) {
	n, cfg := s.node, s.node.Config()
	const day = 24 * time.Hour
	return replay.New(replay.Options{
		Store: n.Store(), Configured: n.ConfiguredModel(), Tick: cfg.Engine.Tick, Longest: time.Duration(cfg.Model.ReplayDays) * day, Plants: cfg.Model.Plants,
		Engine: engine.Config{LiveWithin: cfg.Store.LiveWithin.Milliseconds(), OfflineAfter: cfg.Engine.OfflineAfter.Milliseconds(), FanStopDelay: cfg.Engine.FanStopDelay.Milliseconds()},
	})
}

// grpc serves children, frame gateways and callers of the risk model, over TLCP.
func (s *site) grpc(ctx context.Context, in *ingest.Intake, links *federation.Federation, service *model.Service) error {
	addr := s.node.Config().Listen.GRPC
	if addr == "" {
		return nil
	}
	l, err := s.listen(ctx, addr)
	if err != nil {
		return err
	}
	anyMember := func(tlcp.Peer) error { return nil } // each service looks at who calls
	server := grpc.NewServer(federation.ServerOptions(s.node.Identity(), anyMember, s.log)...)
	rpc.RegisterAccessServer(server, ingest.NewAccess(in))
	rpc.RegisterModelServer(server, model.NewServer(service))
	links.Register(server)
	s.add("grpc", func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() {
			links.Close()
			hard := time.AfterFunc(stopWithin, server.Stop)
			defer hard.Stop()
			server.GracefulStop()
		})
		defer stop()
		return server.Serve(l)
	})
	return nil
}

// notifier calls people when an alarm or a warning needs them.
func (s *site) notifier() (*notify.Notifier, error) {
	cfg := s.node.Config()
	n, err := notify.New(notify.Options{
		Site: s.node, ID: cfg.Site.ID, Config: cfg.Notify, Keys: s.node.Keys(), KeysDir: cfg.KeysDir, Logger: s.log, Registerer: s.node.Metrics(),
	})
	if err == nil {
		s.add("notifications", n.Run)
	}
	return n, err
}

// survey judges base data on this replica, and on the leader writes how regions stand.
func (s *site) survey() *quality.Survey {
	n, cfg := s.node, s.node.Config().Analysis
	q := quality.New(quality.Options{Site: n, SampleEvery: cfg.SampleEvery, ReadingsEvery: cfg.ReadingsEvery, Logger: s.log})
	s.add("survey", q.Run)
	return q
}

// reports makes the site's regular reports.
func (s *site) reports(known *quality.Keeper) *report.Maker {
	n, cfg := s.node, s.node.Config()
	m := report.NewMaker(report.Options{
		Site: n, SiteName: cfg.Site.Name, Region: cfg.Site.Region, Back: cfg.Analysis.ReportsBack, Logger: s.log,
		Rules: func(prefix string) []quality.Count { return known.Region(prefix).Rules },
	})
	s.add("reports", m.Run)
	return m
}

func (s *site) portals(ctx context.Context, links *federation.Federation, service *model.Service, calls *notify.Notifier) error {
	n, cfg := s.node, s.node.Config()
	opt := portal.Options{
		Site:    portal.Site{ID: cfg.Site.ID, Name: cfg.Site.Name, Level: cfg.Site.Level, Region: cfg.Site.Region, Parent: cfg.Parent.Site},
		Backend: n, Keys: n.Keys(), Personal: s.personal, Federation: s.linksOf(links), Replicas: s.replicas, Model: n.Model, Verify: s.signed, Notifier: calls,
		Configured: n.ConfiguredModel(), Signed: s.signedModel, Assets: web.Dist(), Logger: s.log, Registerer: n.Metrics(),
		Secure: cfg.Portal.TLS, FirstChange: cfg.Portal.FirstChange, SecondFactor: cfg.Portal.SecondFactor == "required",
	}
	opt.Service, opt.Quality, opt.Rehearser = service, s.survey().Keeper(), n
	opt.Reports = s.reports(opt.Quality)
	var err error
	for _, p := range cfg.Portal.Proxies {
		opt.Proxies = append(opt.Proxies, netip.MustParsePrefix(p)) // judged with the configuration
	}
	if opt.Providers, err = providers(cfg.Portal.OIDC); err != nil {
		return err
	}
	if opt.Replayer, err = s.replayer(); err != nil {
		return err
	}
	if cfg.Parent.Site == "" {
		opt.Publish = s.publish
	}
	p, err := portal.New(opt)
	if err != nil {
		return err
	}
	listeners, err := portal.Listen(ctx, cfg.Listen.Regulator, cfg.Listen.Enterprise)
	if err != nil {
		return err
	}
	s.add("portals", func(ctx context.Context) error { return p.ServeOn(ctx, listeners) })
	return nil
}

// providers are the OpenID providers by which people log in, with their secrets read.
func providers(cfg config.OIDC) (map[portal.Portal]portal.Provider, error) {
	out := map[portal.Portal]portal.Provider{}
	for door, p := range map[portal.Portal]config.Provider{portal.Regulator: cfg.Regulator, portal.Enterprise: cfg.Enterprise} {
		if p.Issuer == "" {
			continue
		}
		secret, err := config.Secret(p.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("secret of the client at %s: %w", p.Issuer, err)
		}
		var roots *x509.CertPool
		if p.CAFile != "" {
			pem, err := os.ReadFile(p.CAFile)
			if err != nil {
				return nil, fmt.Errorf("authorities of %s: %w", p.Issuer, err)
			}
			if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("authorities of %s: no certificate in %s", p.Issuer, p.CAFile)
			}
		}
		out[door] = portal.Provider{
			Issuer: p.Issuer, ClientID: p.ClientID, Secret: secret, NameZH: p.NameZH, NameEN: p.NameEN, URL: p.URL, Scopes: p.Scopes, LinkClaim: p.LinkClaim,
			TrustAMR: p.TrustAMR, TrustACR: p.TrustACR, Hosts: p.Hosts, Logout: p.Logout, Roots: roots,
		}
	}
	return out, nil
}

// linksOf is how the links to parent and children stand. The leader holds them, so it is asked; without one, what this replica itself
// remembers is shown, as not connected.
func (s *site) linksOf(links *federation.Federation) func(context.Context) any {
	s.node.TellLinks(func() ([]byte, error) { return json.Marshal(links.Status()) })
	return func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, askWithin)
		defer cancel()
		told, err := s.node.Links(ctx)
		if err != nil {
			s.log.Warn("ask the leader for the site's links", "err", err)
			return links.Status()
		}
		return json.RawMessage(told)
	}
}

func (s *site) replicas() []portal.Replica {
	var out []portal.Replica
	for _, r := range s.node.Replicas() {
		state := map[bool]string{true: "online", false: "offline"}[r.Alive || r.Self]
		out = append(out, portal.Replica{ID: r.ID, Address: r.Raft, Leader: r.Leader, Self: r.Self, State: state})
	}
	return out
}

// signed checks a ledger checkpoint's signature.
func (s *site) signed(c *schema.Checkpoint) error {
	if len(c.GetDigest()) != chain.Size {
		return errors.New("checkpoint without a digest")
	}
	msg := chain.CheckpointMessage(c.GetOrigin(), c.GetEpoch(), c.GetSeq(), chain.Digest(c.GetDigest()), c.GetTime())
	return s.node.Identity().Pool().VerifyBySite(c.GetCertificate(), c.GetOrigin(), msg, c.GetSignature(), time.UnixMilli(c.GetTime()))
}

// publish signs a risk model as this site.
func (s *site) publish(version string, document []byte) (certificate, signature []byte, err error) {
	signed, err := publish.Sign(s.node.Identity(), version, document)
	return signed.Certificate, signed.Signature, err
}

// signedModel checks a published risk model's signature.
func (s *site) signedModel(m *schema.RiskModel) error {
	signed := publish.Signed{Certificate: m.GetCertificate(), Signature: m.GetSignature()}
	return publish.Verify(s.node.Identity().Pool(), m.GetPublisher(), m.GetVersion(), m.GetDocument(), signed, time.UnixMilli(m.GetPublished()))
}
