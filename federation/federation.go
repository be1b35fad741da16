// Package federation links a site to its neighbours: it serves its children, dials its parent, and says how far every
// lane is. What travels and how it is judged is said in docs/protocol.md; what is read of this site is sync/lane's, what is
// let in sync/border's. Here are the stream, its windows, and what is asked for to mend gaps.
//
// A link is one Exchange stream. Each end reads it in one goroutine that never waits: a batch goes into the inbox of its
// lane, which has as many places as the sender may have batches under way. Each lane is taken in by one goroutine, which
// judges a batch, has it committed, and acknowledges it; each origin's ledger, and the live lane, is sent by one. So a lane
// that is slow holds up no other, and memory is bounded by windows times batches.
package federation

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"dusthub/crypto/pki"
	"dusthub/crypto/tlcp"
	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/rpc"
	"dusthub/sync/border"
	"dusthub/sync/lane"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// Site is what the federation needs of the site it belongs to; package node has it.
type Site interface {
	lane.Log
	// Propose has a command applied by the site; its effects are visible in Store when it returns.
	Propose(ctx context.Context, cmd *schema.Command) (*schema.Result, error)
	Store() *store.Store
	Hub() *live.Hub
	Identity() *pki.Identity
	// Leadership gives a channel that holds whether this replica leads, at first and whenever that changes, and a function that ends it.
	Leadership() (<-chan bool, func())
}

// Options of a federation. Zero values mean the defaults of fill.
type Options struct {
	Site    Site
	Record  *schema.Site // this site's own record, told to the parent
	Version string       // of the program
	Parent  Parent       // none at the root
	// Joined works beside the link to the parent, which is the peer, until the link's context ends; nil: nothing does.
	Joined func(ctx context.Context, parent tlcp.Peer) error
	// Grace is how long after its sealing here a partition may differ from its owner's before it is asked for: live frames may still be under way. 5 s
	Grace   time.Duration
	Logger  *slog.Logger
	Metrics prometheus.Registerer // nil: none
}

// Parent is where the parent is found.
type Parent struct {
	Site  string
	Addrs []string // of its replicas; tried in turn
}

const defaultGrace = 5 * time.Second

func (o *Options) fill() error {
	if o.Site == nil || o.Site.Identity() == nil || o.Site.Store() == nil {
		return errors.New("federation: no site")
	}
	if (o.Parent.Site == "") != (len(o.Parent.Addrs) == 0) {
		return errors.New("federation: the parent needs both its id and its address")
	}
	if o.Record == nil {
		o.Record = &schema.Site{Id: o.Site.Store().Site()}
	}
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Federation is a site's links to its neighbours.
type Federation struct {
	opt     Options
	self    string
	store   *store.Store
	border  *border.Border
	log     *slog.Logger
	metrics *metrics
	closed  context.Context // ends with Close
	close   context.CancelFunc

	mu       sync.Mutex
	children map[string]*child
	up       *link // to the parent, while there is one
	ended    error // why the last link to the parent ended
}

// New makes the federation of a site. Register serves its children; Run dials its parent.
func New(opt Options) (*Federation, error) {
	if err := opt.fill(); err != nil {
		return nil, err
	}
	f := &Federation{
		opt: opt, self: opt.Site.Store().Site(), store: opt.Site.Store(), log: opt.Logger.With("part", "federation"), metrics: newMetrics(opt.Metrics), children: map[string]*child{},
		border: &border.Border{Store: opt.Site.Store(), Pool: opt.Site.Identity().Pool()},
	}
	f.closed, f.close = context.WithCancel(context.Background())
	return f, nil
}

// Close ends every link, telling children to come again. Stop the server next: with ServerOptions it waits until nothing here
// reads the store any more. Run ends with its context.
func (f *Federation) Close() { f.close() }

// Register serves rpc.Federation.
func (f *Federation) Register(s grpc.ServiceRegistrar) {
	rpc.RegisterFederationServer(s, &server{f: f})
}

// Limits of the gRPC connections between sites.
const (
	maxMessage    = 4 << 20
	maxStreams    = 64 // of one connection
	streamWindow  = 4 << 20
	connWindow    = 8 << 20
	keepaliveTime = 20 * time.Second
	keepaliveWait = 10 * time.Second
	keepaliveMin  = 5 * time.Second
)

// ServerOptions are those of a gRPC server that other sites and gateways reach: TLCP, bounded messages and streams, dead
// connections noticed. allow may refuse peers with good certificates.
func ServerOptions(id *pki.Identity, allow tlcp.Allow, log *slog.Logger) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.Creds(tlcp.ServerCredentials(id, allow, log)), grpc.WaitForHandlers(true), // they read the store, which is closed next
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage), grpc.MaxConcurrentStreams(maxStreams),
		grpc.InitialWindowSize(streamWindow), grpc.InitialConnWindowSize(connWindow),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveTime, Timeout: keepaliveWait}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveMin, PermitWithoutStream: true}),
	}
}

// DialOptions are those of a connection to a site.
func DialOptions(id *pki.Identity, site string) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithTransportCredentials(tlcp.ClientCredentials(id, site)), grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithInitialWindowSize(streamWindow), grpc.WithInitialConnWindowSize(connWindow),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveWait, PermitWithoutStream: true}),
	}
}

// major is the part of a schema version that must be equal.
func major(version string) string { m, _, _ := strings.Cut(version, "."); return m }

// above lists the sites whose ledgers came from the parent: the parent, and the sites above it.
func (f *Federation) above() []string {
	if f.opt.Parent.Site == "" {
		return nil
	}
	return f.heldFrom(f.opt.Parent.Site)
}

// below lists the sites whose ledgers are here and came from children.
func (f *Federation) below() []string {
	up := map[string]bool{f.self: true, f.opt.Parent.Site: true}
	for _, o := range f.above() {
		up[o] = true
	}
	var out []string
	for _, h := range f.store.Heads() {
		if !up[h.Origin] {
			out = append(out, h.Origin)
		}
	}
	return out
}

// heldFrom lists the origins whose ledgers a neighbour has sent.
func (f *Federation) heldFrom(site string) []string {
	positions, err := f.store.Positions(site)
	if err != nil {
		f.log.Error("read positions", "neighbour", site, "err", err)
		return nil
	}
	var out []string
	for _, p := range positions {
		if p.GetLane() == lane.Events {
			out = append(out, p.GetOrigin())
		}
	}
	return out
}
