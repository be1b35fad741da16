package federation

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"dusthub/crypto/pki"
	"dusthub/node"
	"dusthub/node/config"
	"dusthub/node/loopback"
	"dusthub/schema"
	"dusthub/schema/frame"

	"google.golang.org/grpc"
)

// replicaOf is one running replica of a real site, with its federation.
type replicaOf struct {
	*node.Node
	cfg  *config.Config
	fed  *Federation
	addr string
	stop func()
}

func freeAddr(t testing.TB) string {
	t.Helper()
	addr, err := loopback.Free(1)
	must(t, err)
	return addr[0]
}

// configs are those of the replicas of a site.
func configs(t testing.TB, ca *pki.CA, id, level string, replicas int, parent config.Parent) []*config.Config {
	t.Helper()
	dir := t.TempDir()
	must(t, ca.Issue(filepath.Join(dir, "pki"), id, pki.UnitSite, []string{"127.0.0.1"}, time.Hour))
	var peers []config.Peer
	for i := range replicas {
		peers = append(peers, config.Peer{ID: fmt.Sprint(id, "-", i+1), Raft: freeAddr(t), RPC: freeAddr(t)})
	}
	var out []*config.Config
	for _, p := range peers {
		c := config.Defaults()
		c.Site = config.Site{ID: id, Name: id, Level: level}
		if level == "province" {
			c.Site.Region = "320000"
		}
		c.DataDir, c.IdentityDir, c.KeysDir = filepath.Join(dir, p.ID), filepath.Join(dir, "pki"), filepath.Join(dir, "pki", "keys")
		c.Replica = config.Replica{ID: p.ID, Raft: p.Raft, RPC: p.RPC, Peers: peers, Bootstrap: true, Heartbeat: 300 * time.Millisecond}
		c.Ledger.CheckpointEvery, c.Parent = time.Second, parent
		must(t, c.Validate())
		out = append(out, &c)
	}
	return out
}

// start runs a replica; addr is where it serves children, if it does.
func start(t testing.TB, cfg *config.Config, addr string) *replicaOf {
	t.Helper()
	n, err := node.Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	must(t, err)
	r := &replicaOf{Node: n, cfg: cfg, addr: addr}
	opt := Options{Site: n, Version: node.Version, Logger: slog.New(slog.DiscardHandler), Metrics: n.Metrics()}
	if cfg.Parent.Site != "" {
		opt.Parent = Parent{Site: cfg.Parent.Site, Addrs: []string{cfg.Parent.Addr}}
	}
	r.fed, err = New(opt)
	must(t, err)
	g := newGroup(context.Background())
	server := grpc.NewServer(ServerOptions(n.Identity(), nil, slog.New(slog.DiscardHandler))...)
	r.fed.Register(server)
	if addr != "" {
		l, err := net.Listen("tcp", addr)
		must(t, err)
		go func() { _ = server.Serve(l) }()
	}
	g.run(r.fed.Run)
	ended := make(chan struct{})
	go func() { defer close(ended); g.run(n.Run); _ = g.wait() }()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		r.fed.Close()
		server.Stop()
		g.cancel(nil)
		<-ended
	}
	t.Cleanup(r.stop)
	return r
}

// TestRealSites: a province of three replicas loses its leader and the ministry is restarted while samples and records go up; all
// arrives, once.
func TestRealSites(t *testing.T) {
	ca := newCA(t)
	addr := freeAddr(t)
	top := start(t, configs(t, ca, "ministry", "ministry", 1, config.Parent{})[0], addr)
	var province []*replicaOf
	for _, c := range configs(t, ca, "jiangsu", "province", 3, config.Parent{Site: "ministry", Addr: addr}) {
		province = append(province, start(t, c, ""))
	}
	var lead *replicaOf
	eventually(t, "a leader", func() bool {
		for _, r := range province {
			if r.IsLeader() {
				lead = r
			}
		}
		return lead != nil
	})
	asked := province[0] // not the one that will be stopped
	if lead == asked {
		asked = province[1]
	}
	begun := time.Now().UnixMilli()
	sent := 0
	send := func(n int) {
		t.Helper()
		for range n {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			raw, err := schema.Marshal(enterprise(fmt.Sprintf("3205050300%02d", sent%90+1)))
			must(t, err)
			_, err = asked.Propose(ctx, &schema.Command{Actor: "site", Body: &schema.Command_Put{Put: &schema.Put{Changes: []*schema.Change{{Type: "Enterprise", Record: raw}}}}})
			must(t, err)
			f := frame.Append(nil, []frame.Sample{{Series: 1, Time: begun + int64(sent), Value: float64(sent)}, {Series: 2, Time: begun + int64(sent), Value: 0.5}})
			_, err = asked.Propose(ctx, &schema.Command{Actor: "gw", Body: &schema.Command_Frame{Frame: f}})
			must(t, err)
			cancel()
			sent++
		}
	}
	arrived := func() bool {
		h, _ := asked.Store().Head("jiangsu")
		got, _ := top.Store().Head("jiangsu")
		signed, _, _ := top.Store().Signed("jiangsu", h.Epoch, 0)
		return got == h && signed.GetSeq() == h.Seq && top.Store().SampleCount("jiangsu") == uint64(2*sent)
	}
	send(20)
	eventually(t, "all is at the ministry", arrived)
	lead.stop()
	send(20)
	eventually(t, "all is at the ministry, by the new leader", arrived)
	top.stop()
	send(20)
	top = start(t, top.cfg, addr)
	send(5)
	eventually(t, "all is at the ministry, restarted", arrived)
	if s := top.fed.Status(); len(s.Children) != 1 || !s.Children[0].Connected || s.Children[0].Site.GetName() != "jiangsu" {
		t.Errorf("status %+v", s)
	}
}

// BenchmarkUplinkRealSites is how many samples a second a ministry takes in from a province's backlog: TLCP, raft and fsync at both ends.
func BenchmarkUplinkRealSites(b *testing.B) {
	ca := newCA(b)
	addr := freeAddr(b)
	below := start(b, configs(b, ca, "jiangsu", "province", 1, config.Parent{Site: "ministry", Addr: addr})[0], "")
	eventually(b, "a leader", func() bool { return below.IsLeader() })
	begun := time.Now().UnixMilli() - 3600_000
	for i := range b.N {
		f := frame.Append(nil, samples(begun+int64(i)*8000, 8, 1000))
		_, err := below.Propose(b.Context(), &schema.Command{Actor: "gw", Body: &schema.Command_Frame{Frame: f}})
		must(b, err)
	}
	top := start(b, configs(b, ca, "ministry", "ministry", 1, config.Parent{})[0], addr)
	eventually(b, "connected", func() bool { return top.Store().SampleCount("jiangsu") > 0 })
	already := top.Store().SampleCount("jiangsu")
	b.ResetTimer()
	for top.Store().SampleCount("jiangsu") < below.Store().SampleCount("jiangsu") {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64(below.Store().SampleCount("jiangsu")-already)/b.Elapsed().Seconds(), "samples/s")
}
