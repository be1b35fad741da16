package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dusthub/crypto/chain"
	"dusthub/crypto/pki"
	"dusthub/crypto/sm"
	"dusthub/node/config"
	"dusthub/node/loopback"
	"dusthub/node/store"
	"dusthub/schema"
)

// running is a node at work.
type running struct {
	*Node
	stop func() error
}

// run opens and runs a node.
func run(t *testing.T, cfg *config.Config) *running {
	t.Helper()
	n, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	r := &running{Node: n}
	r.stop = func() error {
		cancel()
		err := <-done
		done <- err
		return err
	}
	t.Cleanup(func() { _ = r.stop() }) // tests that care ask themselves
	return r
}

// wait polls until something holds.
func wait(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// configure makes the configurations of a site's replicas, with certificates and a first administrator.
func configure(t *testing.T, replicas int) []*config.Config {
	t.Helper()
	dir := t.TempDir()
	ca, err := pki.NewCA(filepath.Join(dir, "ca"), "test CA")
	if err != nil {
		t.Fatal(err)
	}
	identity, password := filepath.Join(dir, "pki"), filepath.Join(dir, "password")
	if err := errors.Join(ca.Issue(identity, "jiangsu", pki.UnitSite, []string{"127.0.0.1"}, time.Hour), os.WriteFile(password, []byte("Secret-12345\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	var peers []config.Peer
	for i := range replicas {
		addr, err := loopback.Free(2)
		if err != nil {
			t.Fatal(err)
		}
		peers = append(peers, config.Peer{ID: fmt.Sprint("jiangsu-", i+1), Raft: addr[0], RPC: addr[1]})
	}
	var out []*config.Config
	for _, p := range peers {
		c := config.Defaults()
		c.Site = config.Site{ID: "jiangsu", Name: "江苏", Level: "province", Region: "320000"}
		c.DataDir, c.IdentityDir, c.KeysDir = filepath.Join(dir, p.ID), identity, filepath.Join(identity, "keys")
		c.Replica = config.Replica{ID: p.ID, Raft: p.Raft, RPC: p.RPC, Peers: peers, Bootstrap: true, Heartbeat: 500 * time.Millisecond}
		c.Ledger.CheckpointEvery = time.Second
		c.Bootstrap = config.Bootstrap{AdminLogin: "admin", AdminPasswordFile: password}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		out = append(out, &c)
	}
	return out
}

func TestASiteIntroducesItselfAndSigns(t *testing.T) {
	cfg := configure(t, 1)[0]
	n := run(t, cfg)
	wait(t, "ready", func() bool { return n.Ready() == nil })
	wait(t, "an administrator", func() bool { _, ok, _ := n.Store().Get("User", "admin"); return ok })
	row, ok, err := n.Store().Get("User", "admin")
	if err != nil || !ok || !sm.CheckPassword("Secret-12345", row.Record.(*schema.User).GetPassword()) || row.Record.(*schema.User).GetRole() != roleSystem {
		t.Errorf("%v, %v", row.Record, err)
	}
	if row, ok, err = n.Store().Get("Site", "jiangsu"); !ok || err != nil || row.Record.(*schema.Site).GetRegion() != "320000" {
		t.Errorf("%v, %v", row.Record, err)
	}
	var signed *schema.Checkpoint
	wait(t, "a signature", func() bool {
		head, _ := n.Store().Head("jiangsu")
		signed, _, err = n.Store().Signed("jiangsu", head.Epoch, 0)
		return err == nil && signed.GetSeq() == head.Seq
	})
	msg := chain.CheckpointMessage("jiangsu", signed.GetEpoch(), signed.GetSeq(), chain.Digest(signed.GetDigest()), signed.GetTime())
	if err = n.Identity().Pool().VerifyBySite(signed.GetCertificate(), "jiangsu", msg, signed.GetSignature(), time.Now()); err != nil {
		t.Error(err)
	}
	d, err := n.Store().ChainAt(t.Context(), "jiangsu", signed.GetEpoch(), signed.GetSeq())
	if err != nil || d != chain.Digest(signed.GetDigest()) {
		t.Errorf("signed %x, chain %x, %v", signed.GetDigest(), d, err)
	}
	begun, applied := time.Now(), n.Store().Applied()
	if err = n.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("took %s to stop", took)
	}
	again := run(t, cfg)
	wait(t, "ready again", func() bool { return again.Ready() == nil })
	if kept := again.Store().HeadsAt(); kept < applied {
		t.Errorf("kept %d of %d", kept, applied)
	}
	users, err := again.Store().Count(t.Context(), store.Query{Type: "User"})
	if err != nil || users != 1 {
		t.Errorf("%d users, %v", users, err)
	}
}

func TestReplicasOfASite(t *testing.T) {
	var all []*running
	for _, cfg := range configure(t, 3) {
		all = append(all, run(t, cfg))
	}
	for _, n := range all {
		wait(t, "ready", func() bool { return n.Ready() == nil })
	}
	wait(t, "an administrator everywhere", func() bool {
		for _, n := range all {
			if _, ok, _ := n.Store().Get("User", "admin"); !ok {
				return false
			}
		}
		return true
	})
	leaders := 0
	for _, n := range all {
		if n.IsLeader() {
			leaders++
		}
		wait(t, "all replicas alive", func() bool {
			alive := 0
			for _, r := range n.Replicas() {
				if r.Alive {
					alive++
				}
			}
			return alive == 3
		})
		sealed, err := n.Keys().Seal("test", []byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range all {
			if b, err := other.Keys().Open("test", sealed); err != nil || string(b) != "secret" {
				t.Errorf("replicas have different keys: %v", err)
			}
		}
	}
	if leaders != 1 {
		t.Errorf("%d leaders", leaders)
	}
	for _, n := range all { // the leader goes; another takes over at once
		if !n.IsLeader() {
			continue
		}
		begun := time.Now()
		if err := n.stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("took %s to stop", took)
		}
		break
	}
	wait(t, "another leader that ticks", func() bool {
		for _, n := range all {
			if n.replica.Err() == nil && n.IsLeader() {
				return true
			}
		}
		return false
	})
}

func TestOps(t *testing.T) {
	n := run(t, configure(t, 1)[0])
	wait(t, "ready", func() bool { return n.Ready() == nil })
	srv := httptest.NewServer(n.Ops())
	defer srv.Close()
	for _, c := range [][2]string{
		{"/healthz", "ok"}, {"/readyz", "ok"}, {"/metrics", "dusthub_raft_leader 1"}, {"/metrics", `dusthub_ledger_seq{origin="jiangsu"}`}, {"/metrics", "dusthub_store_disk_bytes"},
	} {
		path, want := c[0], c[1]
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(b), want) {
			t.Errorf("%s: %d, %v, without %q", path, resp.StatusCode, err, want)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	good := configure(t, 1)[0]
	for _, c := range []struct {
		name, want string
		spoil      func(*config.Config)
	}{
		{"no identity", "read certificate", func(c *config.Config) { c.IdentityDir = t.TempDir() }},
		{"somebody else's identity", `not of site "shandong"`, func(c *config.Config) { c.Site.ID = "shandong" }},
		{"risk model", "risk model", func(c *config.Config) { c.Engine.Model = c.Bootstrap.AdminPasswordFile }},
		{"address taken", "listen on", func(c *config.Config) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			c.Replica.RPC = l.Addr().String()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := *good
			cfg.DataDir = t.TempDir()
			c.spoil(&cfg)
			n, err := Open(t.Context(), &cfg, slog.New(slog.DiscardHandler))
			if err == nil {
				n.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, wanted %q", err, c.want)
			}
		})
	}
}
