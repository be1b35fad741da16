package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"dusthub/crypto/pki"
	"dusthub/node/live"
	"dusthub/node/machine"
	"dusthub/node/store"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
)

// Errors a caller decides on.
var (
	// ErrNoLeader says that no leader was found, or that it could not be reached, before the context ended.
	ErrNoLeader = errors.New("replica: no leader")
	// ErrTruncated says that the log no longer holds the index asked for.
	ErrTruncated = errors.New("replica: log is cut behind this index")
	// ErrBehind says that the log of the other replicas begins after what this one holds: start it again, and it fetches their state.
	ErrBehind = errors.New("replica: too far behind the others, to be started again")
	// ErrClosed says that the replica is shut down.
	ErrClosed = errors.New("replica: closed")
)

// Peer is a replica of the site.
type Peer struct {
	ID   string
	Raft string // address of its raft listener
	RPC  string // address of its rpc.Replica service
}

// Options of a replica. Zero values mean the defaults of fill.
type Options struct {
	Self      Peer
	Peers     []Peer // all replicas of the site; with or without this one
	Bootstrap bool   // begin a new log with these peers when there is none
	Dir       string // of the log and the manifests
	Site      string
	Identity  *pki.Identity
	Store     *store.Store
	Machine   *machine.Machine
	Hub       *live.Hub

	Heartbeat       time.Duration // without one for this long, a follower stands for election: 500 ms
	CheckpointEvery time.Duration // heads and engine are kept, 5 min to twice that
	LogBytes        uint64        // of the log are kept for lagging replicas and the live lane, about: 1 GiB
	Logger          *slog.Logger
	Metrics         prometheus.Registerer // nil: none

	segmentBytes int // of a file of the log; 0: as raft-wal has it, 64 MB
}

const (
	maxInFlight      = 1024            // commands proposed and not committed
	maxAppendEntries = 128             // commands in one message: at most 32 MB of frames
	cacheEntries     = 256             // newest commands kept in memory for followers
	transportTimeout = 5 * time.Second // of one message between replicas
	connectionPool   = 3               // connections kept to each replica
	manifestsKept    = 2
	enqueueTimeout   = 5 * time.Second      // until raft takes a command
	commitTimeout    = 5 * time.Millisecond // until followers hear that the last command is committed
)

// requestsInFlight is how many messages to a replica await their answers. More than one turns on raft's pipelined
// replication, which can lock up (v1.8.0 and before): when a follower refuses entries or knows a newer term, the reader of
// answers ends, and a sender that meanwhile chose to send once more waits for it for ever. That follower then gets
// heartbeats but no commands, and Shutdown never returns. One message carries all that has gathered (BenchmarkPropose).
const requestsInFlight = 1

func (o *Options) fill() error {
	if o.Self.ID == "" || o.Site == "" || o.Identity == nil || o.Store == nil || o.Machine == nil || o.Hub == nil {
		return errors.New("replica: id, site, identity, store, machine and hub are needed")
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 500 * time.Millisecond
	}
	if o.CheckpointEvery == 0 {
		o.CheckpointEvery = 5 * time.Minute
	}
	if o.LogBytes == 0 {
		o.LogBytes = 1 << 30
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	known := false
	for _, p := range o.Peers {
		known = known || p.ID == o.Self.ID
	}
	if !known {
		o.Peers = append([]Peer{o.Self}, o.Peers...)
	}
	return nil
}

// Replica is one replica of a site, at work.
type Replica struct {
	opt       Options
	log       *slog.Logger
	wal       *wal.WAL
	meta      metadb.BoltMetaDB // of the log, which does not close it
	transport *raft.NetworkTransport
	raft      *raft.Raft
	server    *grpc.Server
	peers     map[string]*grpc.ClientConn // to the other replicas, by id

	started  chan struct{} // closed when raft is set
	inFlight chan struct{}
	lastTime atomic.Int64 // ms, of the newest command stamped here
	leading  atomic.Bool  // leader, and everything before was applied
	metrics  *metrics
	size     logSize
	tell     atomic.Pointer[func() ([]byte, error)] // how the links stand, while this is the leader

	mu       sync.Mutex
	watchers map[chan bool]struct{}

	fetching  sync.Mutex // one checkpoint is read at a time
	keeping   sync.Mutex // heads and engine are being kept for a manifest
	heldUntil time.Time  // no manifest before; guarded by keeping
	failOnce  sync.Once
	failed    chan struct{}
	failure   error
	closeOnce sync.Once
	closed    chan struct{}
	wg        sync.WaitGroup
}

// Open starts a replica. The store must not be behind its manifests: CatchUp sees to that.
func Open(ctx context.Context, opt Options) (*Replica, error) {
	if err := opt.fill(); err != nil {
		return nil, err
	}
	r := &Replica{
		opt: opt, log: opt.Logger.With("part", "replica"), peers: map[string]*grpc.ClientConn{}, started: make(chan struct{}), inFlight: make(chan struct{}, maxInFlight),
		watchers: map[chan bool]struct{}{}, failed: make(chan struct{}), closed: make(chan struct{}),
	}
	if err := r.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open replica %s: %w", opt.Self.ID, err), r.Close())
	}
	return r, nil
}

func (r *Replica) open(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(r.opt.Dir, walFolder), 0o700); err != nil {
		return fmt.Errorf("make log folder: %w", err)
	}
	logger := hcLogger(r.log)
	log, err := wal.Open(filepath.Join(r.opt.Dir, walFolder), wal.WithLogger(logger), wal.WithMetaStore(&r.meta), wal.WithSegmentSize(r.opt.segmentBytes))
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	r.wal = log
	manifests, err := openManifests(r.opt.Dir, logger)
	if err != nil {
		return err
	}
	if err = r.reconcile(manifests); err != nil {
		return err
	}
	stream, err := r.listen(ctx)
	if err != nil {
		return err
	}
	r.transport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: stream, MaxPool: connectionPool, MaxRPCsInFlight: requestsInFlight, Timeout: transportTimeout, Logger: logger, ServerAddressProvider: r,
	})
	conf := r.config()
	conf.Logger = logger
	r.metrics = newMetrics(r)
	watched := &watchedLog{WAL: r.wal, seconds: r.metrics.writes}
	cached, err := raft.NewLogCache(cacheEntries, watched)
	if err != nil {
		return fmt.Errorf("log cache: %w", err)
	}
	if err = r.bootstrap(conf, manifests); err != nil {
		return err
	}
	if r.raft, err = raft.NewRaft(conf, (*fsm)(r), cached, r.wal, manifests, r.transport); err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	close(r.started)
	r.metrics.register()
	r.wg.Add(2)
	go r.followLeadership()
	go r.watchLog(watched)
	if err := r.connect(); err != nil {
		return err
	}
	return r.serve(ctx)
}

func (r *Replica) config() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(r.opt.Self.ID)
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = r.opt.Heartbeat, r.opt.Heartbeat, r.opt.Heartbeat
	c.CommitTimeout = commitTimeout
	c.MaxAppendEntries, c.BatchApplyCh = maxAppendEntries, true
	c.SnapshotInterval, c.SnapshotThreshold = r.opt.CheckpointEvery, 1
	c.TrailingLogs = maxTrailing
	c.NoSnapshotRestoreOnStart = true
	c.NoLegacyTelemetry = true
	return c
}

// bootstrap writes the first entry of a new log: who takes part. All replicas write the same.
func (r *Replica) bootstrap(conf *raft.Config, manifests raft.SnapshotStore) error {
	has, err := raft.HasExistingState(r.wal, r.wal, manifests)
	if err != nil {
		return fmt.Errorf("look for a log: %w", err)
	}
	if has || !r.opt.Bootstrap {
		return nil
	}
	var servers []raft.Server
	for _, p := range r.opt.Peers {
		servers = append(servers, raft.Server{Suffrage: raft.Voter, ID: raft.ServerID(p.ID), Address: raft.ServerAddress(p.Raft)})
	}
	if err := raft.BootstrapCluster(conf, r.wal, r.wal, manifests, r.transport, raft.Configuration{Servers: servers}); err != nil {
		return fmt.Errorf("begin a new log: %w", err)
	}
	return nil
}

// ServerAddr is where a replica's raft listens: the configuration says so, not the log, so that addresses may change.
func (r *Replica) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	if p, ok := r.peer(string(id)); ok {
		return raft.ServerAddress(p.Raft), nil
	}
	return "", fmt.Errorf("replica %s is not configured", id)
}

func (r *Replica) peer(id string) (Peer, bool) {
	for _, p := range r.opt.Peers {
		if p.ID == id {
			return p, true
		}
	}
	return Peer{}, false
}

// fail ends the replica's work for good; Failed tells.
func (r *Replica) fail(err error) {
	r.failOnce.Do(func() {
		r.failure = err
		r.log.Error("replica cannot go on", "err", err)
		close(r.failed)
	})
}

// Failed is closed when the replica cannot go on; Err says why. The process must end.
func (r *Replica) Failed() <-chan struct{} { return r.failed }

// Err is why Failed was closed; nil before.
func (r *Replica) Err() error {
	select {
	case <-r.failed:
		return r.failure
	default:
		return nil
	}
}

// Shutdown ends the replica in good order: leadership is handed over, heads and engine are kept, the store is flushed, so
// that the next start replays nothing.
func (r *Replica) Shutdown() error {
	if r.IsLeader() && len(r.opt.Peers) > 1 {
		if err := r.raft.LeadershipTransfer().Error(); err != nil {
			r.log.Warn("leadership not handed over", "err", err)
		}
	}
	err := r.Close()
	if r.Err() != nil {
		return err
	}
	if kept := r.opt.Machine.Checkpoint(); kept != nil && !errors.Is(kept, machine.ErrReplaying) {
		return errors.Join(err, kept)
	}
	return errors.Join(err, r.opt.Store.Flush())
}

// Close ends the replica at once. Nothing is lost: what the store did not keep is in the log.
func (r *Replica) Close() error {
	var err error
	r.closeOnce.Do(func() {
		close(r.closed)
		if r.server != nil {
			r.server.Stop()
		}
		if r.raft != nil {
			err = r.raft.Shutdown().Error()
		}
		if r.transport != nil {
			err = errors.Join(err, r.transport.Close())
		}
		for _, c := range r.peers {
			err = errors.Join(err, c.Close())
		}
		r.wg.Wait()
		if r.wal != nil {
			err = errors.Join(err, r.wal.Close(), r.meta.Close())
		}
		if r.metrics != nil {
			r.metrics.unregister()
		}
		if err != nil {
			err = fmt.Errorf("close replica: %w", err)
		}
	})
	return err
}
