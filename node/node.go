// Package node wires one replica of a site together: identity, keys, store, engine, machine, raft. Everything else of a
// site (doors, lanes, portals) is built on a Node and its few methods: Propose to change something, Store to read, Hub to
// be told.
package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"dusthub/crypto/keys"
	"dusthub/crypto/pki"
	"dusthub/node/config"
	"dusthub/node/engine"
	"dusthub/node/engine/risk"
	"dusthub/node/live"
	"dusthub/node/machine"
	"dusthub/node/replica"
	"dusthub/node/store"
	"dusthub/schema"

	"github.com/prometheus/client_golang/prometheus"
)

// Version of the program, as the site's record tells the other sites.
const Version = "0.1.0"

// Folders of data_dir.
const (
	storeFolder   = "store"
	replicaFolder = "raft"
)

// ErrRestart says that the process is to be started again, to fetch the state of the other replicas: this one was away for too long.
var ErrRestart = replica.ErrBehind

// Node is one replica of a site.
type Node struct {
	cfg      *config.Config
	log      *slog.Logger
	identity *pki.Identity
	keys     keys.Provider
	store    *store.Store
	hub      *live.Hub
	machine  *machine.Machine
	replica  *replica.Replica
	model    *risk.Model                // as configured
	parsed   atomic.Pointer[risk.Model] // the published one that was asked for last
	metrics  *prometheus.Registry
	closing  sync.Once // of the store
}

// Open opens a node; Run makes it work. A node that is not run is closed with Close. When the other replicas are far
// ahead, their state is fetched first; ctx bounds that.
func Open(ctx context.Context, cfg *config.Config, log *slog.Logger) (*Node, error) {
	n := &Node{cfg: cfg, log: log, metrics: prometheus.NewRegistry()}
	if err := n.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open site %s: %w", cfg.Site.ID, err), n.Close())
	}
	return n, nil
}

func (n *Node) open(ctx context.Context) error {
	var err error
	if n.identity, err = pki.LoadIdentity(n.cfg.IdentityDir); err != nil {
		return err
	}
	if n.identity.Name() != n.cfg.Site.ID || n.identity.Unit() != pki.UnitSite {
		return fmt.Errorf("identity in %s is of %s %q, not of site %q", n.cfg.IdentityDir, n.identity.Unit(), n.identity.Name(), n.cfg.Site.ID)
	}
	if n.keys, err = openKeys(ctx, n.cfg.KeysDir); err != nil {
		return err
	}
	if n.model, err = configuredModel(n.cfg.Engine.Model); err != nil {
		return err
	}
	judge := newEngine(n.cfg, n.model)
	opt := n.replicaOptions()
	if err = n.openStore(ctx, opt); err != nil {
		return err
	}
	n.hub = live.New(n.store.Applied())
	if n.machine, err = machine.New(machine.Options{Store: n.store, Engine: judge, Hub: n.hub, Logger: n.log, Parent: n.cfg.Parent.Site}); err != nil {
		return err
	}
	n.registerMetrics()
	opt.Store, opt.Machine, opt.Hub = n.store, n.machine, n.hub
	n.replica, err = replica.Open(ctx, opt)
	return err
}

// openKeys opens the site's keys. Replicas that share a folder may make the first key at the same moment: one does, and the
// others must let it finish before they can read it.
func openKeys(ctx context.Context, dir string) (keys.Provider, error) {
	const attempts, pause = 10, 50 * time.Millisecond
	for i := 1; ; i++ {
		k, err := keys.OpenSoftware(dir)
		if err == nil {
			return k, nil
		}
		if i == attempts || errors.Is(err, fs.ErrPermission) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// configuredModel is the shipped risk model, the demonstration's, or one of a file.
func configuredModel(name string) (*risk.Model, error) {
	switch name {
	case "":
		return risk.Shipped(), nil
	case config.ModelDemo:
		return risk.Demonstration(), nil
	}
	document, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("risk model: %w", err)
	}
	m, err := risk.Parse(document)
	if err != nil {
		return nil, fmt.Errorf("risk model %s: %w", name, err)
	}
	return m, nil
}

func newEngine(cfg *config.Config, model *risk.Model) *engine.Engine {
	return engine.New(engine.Config{
		Site: cfg.Site.ID, Parent: cfg.Parent.Site, Level: cfg.Site.Level, Region: cfg.Site.Region, LiveWithin: cfg.Store.LiveWithin.Milliseconds(), Partition: cfg.Store.Partition.Milliseconds(),
		Grace: cfg.Store.Grace.Milliseconds(), OfflineAfter: cfg.Engine.OfflineAfter.Milliseconds(), FanStopDelay: cfg.Engine.FanStopDelay.Milliseconds(), Model: model,
	})
}

func (n *Node) replicaOptions() replica.Options {
	c := n.cfg.Replica
	opt := replica.Options{
		Self: replica.Peer{ID: c.ID, Raft: c.Raft, RPC: c.RPC}, Bootstrap: c.Bootstrap, Dir: filepath.Join(n.cfg.DataDir, replicaFolder), Site: n.cfg.Site.ID,
		Identity: n.identity, Heartbeat: c.Heartbeat, CheckpointEvery: n.cfg.Store.CheckpointEvery, LogBytes: uint64(n.cfg.Store.LogMB) << 20, Logger: n.log, Metrics: n.metrics,
	}
	for _, p := range c.Peers {
		opt.Peers = append(opt.Peers, replica.Peer{ID: p.ID, Raft: p.Raft, RPC: p.RPC})
	}
	return opt
}

// openStore opens the store, after fetching another replica's when this one is too far behind.
func (n *Node) openStore(ctx context.Context, opt replica.Options) error {
	dir := filepath.Join(n.cfg.DataDir, storeFolder)
	if err := os.MkdirAll(n.cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	for {
		s, err := store.Open(store.Options{Dir: dir, Site: n.cfg.Site.ID, Partition: n.cfg.Store.Partition, CacheBytes: int64(n.cfg.Store.CacheMB) << 20, Logger: n.log})
		if err != nil {
			return err
		}
		behind, err := replica.Behind(opt, s.HeadsAt())
		if err == nil && behind == 0 {
			n.store = s
			return nil
		}
		if err = errors.Join(err, s.Close()); err != nil {
			return err
		}
		if err = replica.CatchUp(ctx, opt, dir, behind); err != nil {
			return err
		}
	}
}

// Propose has a command applied by the site and returns what became of it. See replica.Propose.
func (n *Node) Propose(ctx context.Context, cmd *schema.Command) (*schema.Result, error) {
	return n.replica.Propose(ctx, cmd)
}

// Store is where the site's state is read.
func (n *Node) Store() *store.Store { return n.store }

// Hub tells what is applied here.
func (n *Node) Hub() *live.Hub { return n.hub }

// Inspect tells what a plant of this site is judged by. See machine.Inspect.
func (n *Node) Inspect(plant string) (engine.Inspection, bool) { return n.machine.Inspect(plant) }

// Check says why a put would be refused. See machine.Check.
func (n *Node) Check(actor string, put *schema.Put) ([]*schema.Violation, bool) {
	return n.machine.Check(actor, put)
}

// Copy is an engine of one plant alone. See machine.Copy.
func (n *Node) Copy(plant string) (*engine.Engine, bool) { return n.machine.Copy(plant) }

// Identity is the site's certificates.
func (n *Node) Identity() *pki.Identity { return n.identity }

// Keys are the site's keys.
func (n *Node) Keys() keys.Provider { return n.keys }

// Config is the configuration in force; it must not be changed.
func (n *Node) Config() *config.Config { return n.cfg }

// Logger is the node's log.
func (n *Node) Logger() *slog.Logger { return n.log }

// Leader is the id of the leading replica, empty when none is known, and whether it is this one.
func (n *Node) Leader() (id string, self bool) { return n.replica.Leader() }

// IsLeader says whether this replica leads and has applied everything before its leadership.
func (n *Node) IsLeader() bool { return n.replica.IsLeader() }

// TellLinks sets what this replica says of the site's links to parent and children while it leads: JSON.
func (n *Node) TellLinks(tell func() ([]byte, error)) { n.replica.TellLinks(tell) }

// Links is what the leader says of the site's links. Errors: replica.ErrNoLeader.
func (n *Node) Links(ctx context.Context) ([]byte, error) { return n.replica.Links(ctx) }

// Leadership tells whether this replica leads, at first and whenever that changes. See replica.Leadership.
func (n *Node) Leadership() (<-chan bool, func()) { return n.replica.Leadership() }

// Replicas lists the replicas of the site.
func (n *Node) Replicas() []replica.Info { return n.replica.Replicas() }

// Frames gives the frames among the applied commands. See replica.Frames.
func (n *Node) Frames(from uint64, maxBytes int, fn func(index uint64, frame []byte) error) (uint64, error) {
	return n.replica.Frames(from, maxBytes, fn)
}

// Metrics is where the parts of the site register what /metrics tells.
func (n *Node) Metrics() *prometheus.Registry { return n.metrics }

// Ready says why the node does not answer rightly yet; nil when it does: it knows a leader and keeps up, what it had
// applied before its start is whole again, and the first administrator can log in.
func (n *Node) Ready() error {
	if err := n.replica.Err(); err != nil {
		return err
	}
	if leader, _ := n.replica.Leader(); leader == "" {
		return replica.ErrNoLeader
	}
	if !n.machine.Replayed() {
		return fmt.Errorf("%w: at %d of %d", machine.ErrReplaying, n.machine.At(), n.store.Applied())
	}
	if n.replica.Lagging() {
		return fmt.Errorf("behind the leader: at %d", n.machine.At())
	}
	return n.introduced()
}

// errNew says that a new site has not written its own records yet: nobody can log in.
var errNew = errors.New("the site's own records are not written yet")

func (n *Node) introduced() error {
	b := n.cfg.Bootstrap
	for _, row := range [][2]string{{"Site", n.cfg.Site.ID}, {"User", b.AdminLogin}, {"User", b.SecurityLogin}, {"User", b.AuditLogin}} {
		if row[1] == "" {
			continue
		}
		if _, ok, err := n.store.Get(row[0], row[1]); err != nil || !ok {
			return errors.Join(errNew, err)
		}
	}
	return nil
}

// Close ends the node at once. Nothing is lost; the next start replays more than after Run has ended.
func (n *Node) Close() error {
	var err error
	if n.replica != nil {
		err = n.replica.Close()
	}
	return errors.Join(err, n.closeStore())
}

func (n *Node) closeStore() (err error) {
	n.closing.Do(func() {
		if n.store != nil {
			err = n.store.Close()
		}
	})
	return err
}
