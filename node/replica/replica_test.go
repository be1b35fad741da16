package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"dusthub/crypto/pki"
	"dusthub/node/engine"
	"dusthub/node/live"
	"dusthub/node/loopback"
	"dusthub/node/machine"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"

	"github.com/hashicorp/raft"
)

const site = "jiangsu"

// identity makes certificates of a member of a new CA.
func identities(t testing.TB, names ...string) []*pki.Identity {
	t.Helper()
	ca, err := pki.NewCA(t.TempDir(), "test CA")
	if err != nil {
		t.Fatal(err)
	}
	var out []*pki.Identity
	for _, name := range names {
		dir := t.TempDir()
		if err := ca.Issue(dir, name, pki.UnitSite, []string{"127.0.0.1"}, time.Hour); err != nil {
			t.Fatal(err)
		}
		id, err := pki.LoadIdentity(dir)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, id)
	}
	return out
}

// addresses finds n free addresses of loopback.
func addresses(t testing.TB, n int) []string {
	t.Helper()
	out, err := loopback.Free(n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// member is one replica of a test's site; it can be ended and started again.
type member struct {
	opt   Options
	dir   string
	store *store.Store
	m     *machine.Machine
	r     *Replica
}

type cluster struct {
	members []*member
}

func newCluster(t testing.TB, n int, tune func(*Options)) *cluster {
	t.Helper()
	id := identities(t, site)[0]
	addr := addresses(t, 2*n)
	var peers []Peer
	for i := range n {
		peers = append(peers, Peer{ID: fmt.Sprintf("%s-%d", site, i+1), Raft: addr[2*i], RPC: addr[2*i+1]})
	}
	c := &cluster{}
	base := t.TempDir()
	for i := range n {
		dir := filepath.Join(base, peers[i].ID)
		m := &member{dir: dir, opt: Options{
			Self: peers[i], Peers: peers, Bootstrap: true, Dir: filepath.Join(dir, "raft"), Site: site, Identity: id, CheckpointEvery: time.Hour,
			Heartbeat: 200 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn})),
		}}
		if tune != nil {
			tune(&m.opt)
		}
		c.members = append(c.members, m)
		m.start(t)
	}
	t.Cleanup(func() {
		for _, m := range c.members {
			m.kill(t)
		}
	})
	return c
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) { w.t.Logf("%s", b); return len(b), nil }

// start opens a member, as package node does.
func (m *member) start(t testing.TB) {
	t.Helper()
	dir := filepath.Join(m.dir, "store")
	for {
		s, err := store.Open(store.Options{Dir: dir, Site: site, Partition: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		behind, err := Behind(m.opt, s.HeadsAt())
		if err != nil {
			t.Fatal(err)
		}
		if behind == 0 {
			m.store = s
			break
		}
		if err := errors.Join(s.Close(), CatchUp(t.Context(), m.opt, dir, behind)); err != nil {
			t.Fatal(err)
		}
	}
	hub := live.New(m.store.Applied())
	var err error
	if m.m, err = machine.New(machine.Options{Store: m.store, Engine: engine.New(engine.Config{Site: site, Level: "province", Region: "320000"}), Hub: hub, Logger: m.opt.Logger}); err != nil {
		t.Fatal(err)
	}
	opt := m.opt
	opt.Store, opt.Machine, opt.Hub = m.store, m.m, hub
	if m.r, err = Open(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
}

// kill ends a member at once: its store loses what was not flushed.
func (m *member) kill(t testing.TB) {
	t.Helper()
	if m.r == nil {
		return
	}
	if err := errors.Join(m.r.Close(), m.store.Close()); err != nil {
		t.Error(err)
	}
	m.r = nil
}

func (c *cluster) leader(t testing.TB) *member {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		for _, m := range c.members {
			if m.r != nil && m.r.IsLeader() {
				return m
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("no leader")
	return nil
}

// follower is a member that runs and does not lead.
func (c *cluster) follower(t testing.TB) *member {
	t.Helper()
	leader := c.leader(t)
	for _, m := range c.members {
		if m.r != nil && m != leader {
			return m
		}
	}
	t.Fatal("no follower")
	return nil
}

func (m *member) propose(t testing.TB, cmd *schema.Command) *schema.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	res, err := m.r.Propose(ctx, cmd)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// put writes a record that makes the ledger grow.
func put(t testing.TB, i int) *schema.Command {
	t.Helper()
	raw, err := schema.Marshal(&schema.AuditEntry{Id: fmt.Sprintf("a%06d", i), Actor: "test", Action: "count"})
	if err != nil {
		t.Fatal(err)
	}
	return &schema.Command{Actor: "test", Body: &schema.Command_Put{Put: &schema.Put{Changes: []*schema.Change{{Type: "AuditEntry", Record: raw}}}}}
}

func samples(i int) *schema.Command {
	now := time.Now().UnixMilli()
	return &schema.Command{Actor: "gateway", Body: &schema.Command_Frame{Frame: frame.Append(nil, []frame.Sample{{Series: 1, Time: now - 60_000 + int64(i), Value: float64(i)}})}}
}

// agree waits until all running members have the same, and fails when they never do.
func (c *cluster) agree(t testing.TB) store.LedgerHead {
	t.Helper()
	var seen []string
	const patience = 30 * time.Second // a leader waits up to 10 s before it tries one again that was long away
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		seen = seen[:0]
		var head store.LedgerHead
		want := c.leader(t).r.Stats().Last
		all := true
		for _, m := range c.members {
			if m.r == nil {
				continue
			}
			head, _ = m.store.Head(site)
			seen = append(seen, fmt.Sprintf("%d %x, epoch %d, %d samples", head.Seq, head.Digest, m.store.Epoch(), m.store.SampleCount(site)))
			all = all && m.r.Stats().Applied >= want && m.m.Replayed()
		}
		if all && len(slices.Compact(slices.Clone(seen))) == 1 {
			return head
		}
	}
	t.Fatalf("the members differ: %q", seen)
	return store.LedgerHead{}
}

func TestThreeReplicasSurviveTheLoss(t *testing.T) {
	c := newCluster(t, 3, nil)
	for i := range 20 {
		c.follower(t).propose(t, put(t, i))
		c.follower(t).propose(t, samples(i))
	}
	follower := c.follower(t)
	follower.propose(t, put(t, 20))
	if _, ok, err := follower.store.Get("AuditEntry", "a000020"); !ok || err != nil {
		t.Errorf("a follower does not see what it proposed: %v", err)
	}
	old := c.leader(t)
	old.kill(t)
	begun := time.Now()
	c.follower(t).propose(t, put(t, 21))
	t.Logf("a command went through %s after the leader was gone", time.Since(begun))
	for i := range 20 {
		c.follower(t).propose(t, put(t, 30+i))
		c.leader(t).propose(t, samples(30+i))
	}
	old.start(t)
	if h := c.agree(t); h.Seq < 42 {
		t.Errorf("ledger at %d", h.Seq)
	}
	if n := old.store.SampleCount(site); n != 40 {
		t.Errorf("the one that was gone has %d samples", n)
	}
}

// TestNothingAcknowledgedIsLost: leaders die while many propose; every command that was acknowledged is there, once.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.leader(t)
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	var wg sync.WaitGroup
	survivor := c.follower(t)
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				cmd := put(t, w*100_000+i)
				res, err := survivor.r.Propose(ctx, cmd)
				if err == nil && len(res.GetViolations()) == 0 {
					mu.Lock()
					acknowledged[fmt.Sprintf("a%06d", w*100_000+i)] = true
					mu.Unlock()
				}
			}
		})
	}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(acknowledged) }
	more := func(n int) {
		deadline := time.Now().Add(15 * time.Second)
		for from := count(); count() < from+n; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("no progress")
			}
		}
	}
	more(200)
	if leader := c.leader(t); leader != survivor {
		leader.kill(t)
		more(200)
		leader.start(t)
	}
	more(100)
	if err := survivor.r.raft.LeadershipTransfer().Error(); err != nil && c.leader(t) == survivor {
		t.Log(err)
	}
	more(200)
	cancel()
	wg.Wait()
	c.agree(t)
	for id := range acknowledged {
		if _, ok, err := c.leader(t).store.Get("AuditEntry", id); !ok || err != nil {
			t.Fatalf("%s was acknowledged and is not there: %v", id, err)
		}
	}
	n, err := survivor.store.Count(ctx0(t), store.Query{Type: "AuditEntry"})
	h, _ := survivor.store.Head(site)
	if err != nil || uint64(n) != h.Seq {
		t.Errorf("%d rows, %d ledger entries (each is written once), %v", n, h.Seq, err)
	}
}

func ctx0(t testing.TB) context.Context { t.Helper(); return t.Context() }

func TestSingleReplicaContinues(t *testing.T) {
	c := newCluster(t, 1, nil)
	m := c.leader(t)
	for i := range 10 {
		m.propose(t, put(t, i))
		m.propose(t, samples(i))
	}
	before, _ := m.store.Head(site)
	m.kill(t)
	m.start(t)
	c.leader(t).propose(t, put(t, 10))
	after, _ := m.store.Head(site)
	if after.Seq != before.Seq+1 || m.store.SampleCount(site) != 10 {
		t.Errorf("%+v became %+v, %d samples", before, after, m.store.SampleCount(site))
	}
	if err := m.r.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if m.store.HeadsAt() != m.store.Applied() {
		t.Errorf("kept %d of %d", m.store.HeadsAt(), m.store.Applied())
	}
	must(t, m.store.Close())
	m.start(t)
	if !m.m.Replayed() {
		t.Error("something is to be replayed after an end in good order")
	}
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// TestLaggingReplicaFetchesTheStore: the others have cut their logs; the one that was away ends, is started again, and has everything.
func TestLaggingReplicaFetchesTheStore(t *testing.T) {
	c := newCluster(t, 3, func(o *Options) { o.CheckpointEvery = 100 * time.Millisecond; o.LogBytes, o.segmentBytes = 1, 64<<10 })
	lagging := c.follower(t)
	for i := range 50 {
		c.leader(t).propose(t, put(t, i))
	}
	c.agree(t)
	lagging.kill(t)
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := range 400 {
				c.leader(t).propose(t, put(t, 1000+w*1000+i))
			}
		})
	}
	wg.Wait()
	c.leader(t).propose(t, samples(1))
	cut := func() bool { return c.leader(t).r.Stats().First > lagging.store.Applied()+1 }
	for deadline := time.Now().Add(10 * time.Second); !cut(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("log not cut: %+v", c.leader(t).r.Stats())
		}
		c.leader(t).propose(t, put(t, 0))
	}
	lagging.start(t)
	select {
	case <-lagging.r.Failed():
	case <-time.After(30 * time.Second):
		t.Fatalf("did not notice: %+v", lagging.r.Stats())
	}
	if err := lagging.r.Err(); !errors.Is(err, ErrBehind) {
		t.Fatal(err)
	}
	lagging.kill(t)
	lagging.start(t)
	c.leader(t).propose(t, put(t, 1))
	if h := c.agree(t); h.Seq < 6400 {
		t.Errorf("ledger at %d", h.Seq)
	}
	if lagging.store.SampleCount(site) != 1 {
		t.Error("the sample is missing")
	}
	head, _ := lagging.store.Head(site)
	if d, err := lagging.store.ChainAt(t.Context(), site, head.Epoch, head.Seq); err != nil || d != head.Digest {
		t.Errorf("chain: %v", err)
	}
}

func TestFramesOfTheLog(t *testing.T) {
	c := newCluster(t, 1, func(o *Options) { o.segmentBytes = 64 << 10 })
	m := c.leader(t)
	for i := range 10 {
		m.propose(t, put(t, i))
		m.propose(t, samples(i))
	}
	seen, next := 0, uint64(0)
	for {
		before := seen
		to, err := m.r.Frames(next, 1, func(_ uint64, raw []byte) error {
			seen++
			n, err := frame.Count(raw)
			if n != 1 {
				t.Errorf("%d samples", n)
			}
			return err
		})
		must(t, err)
		if to == next || seen == before {
			break
		}
		if seen > before+1 {
			t.Errorf("%d frames at once, asked for one", seen-before)
		}
		next = to
	}
	if seen != 10 || next == 0 {
		t.Errorf("%d frames", seen)
	}
	if _, err := m.r.Frames(next, 1<<20, func(uint64, []byte) error { t.Error("a frame twice"); return nil }); err != nil {
		t.Error(err)
	}
	for i := range 2000 { // several files of the log, the first of which goes
		_ = m.r.raft.Apply(bytes.Repeat([]byte{byte(i)}, 100), 0)
	}
	must(t, m.r.raft.Barrier(0).Error(), m.r.wal.DeleteRange(1, m.r.Stats().Last-10))
	if _, err := m.r.Frames(5, 1<<20, nil); !errors.Is(err, ErrTruncated) {
		t.Error(err)
	}
}

func TestStrangersAreNotLetIn(t *testing.T) {
	c := newCluster(t, 1, nil)
	m := c.leader(t)
	other := identities(t, site, "shandong") // of another CA
	opt := m.opt
	opt.Identity = other[0]
	if err := opt.fetch(t.Context(), m.opt.Self, 0, filepath.Join(t.TempDir(), "x")); err == nil {
		t.Error("a replica with a certificate of another CA was served")
	}
}

func TestWithoutLeaderTheContextEndsIt(t *testing.T) {
	c := newCluster(t, 3, nil)
	m := c.follower(t)
	for _, other := range c.members {
		if other != m {
			other.kill(t)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := m.r.Propose(ctx, put(t, 1)); !errors.Is(err, ErrNoLeader) && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// BenchmarkPropose: commands of one record from many callers.
func BenchmarkPropose(b *testing.B) {
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprint(n, " replicas"), func(b *testing.B) {
			c := newCluster(b, n, func(o *Options) { o.Heartbeat = time.Second })
			m := c.leader(b)
			var i int
			var mu sync.Mutex
			b.SetParallelism(32)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					mu.Lock()
					i++
					cmd := put(b, i)
					mu.Unlock()
					m.propose(b, cmd)
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
		})
	}
}

// silence is a future that raft never answers.
type silence struct{}

func (silence) Error() error { select {} }

// TestClosedInMidQueue: a command that lay in raft's queue when it shut down is never answered, and holds up nobody.
func TestClosedInMidQueue(t *testing.T) {
	r := &Replica{closed: make(chan struct{})}
	ended := make(chan error)
	go func() { ended <- r.settled(silence{}) }()
	close(r.closed)
	if err := r.fromRaft(<-ended); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestReplicationIsNotPipelined: raft's pipelining can lock up a follower and Shutdown; see requestsInFlight.
func TestReplicationIsNotPipelined(t *testing.T) {
	m := newCluster(t, 1, nil).leader(t)
	self := raft.ServerID(m.opt.Self.ID)
	if _, err := m.r.transport.AppendEntriesPipeline(self, raft.ServerAddress(m.opt.Self.Raft)); !errors.Is(err, raft.ErrPipelineReplicationNotSupported) {
		t.Errorf("%v", err)
	}
}
