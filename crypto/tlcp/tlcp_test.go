package tlcp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dusthub/crypto/pki"

	"github.com/tjfoc/gmsm/gmtls"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// party makes an identity of a CA.
func party(t *testing.T, ca *pki.CA, name, unit string, life time.Duration) *pki.Identity {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := ca.Issue(dir, name, unit, []string{"127.0.0.1"}, life); err != nil {
		t.Fatal(err)
	}
	id, err := pki.LoadIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newCA(t *testing.T) *pki.CA {
	t.Helper()
	ca, err := pki.NewCA(t.TempDir(), "test CA")
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// logged collects what is logged.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

type harness struct {
	ca     *pki.CA
	server *pki.Identity
	addr   string
	log    *logged
	peers  chan Peer
}

// serve starts a grpc server that answers health checks.
func serve(t *testing.T, allow Allow) *harness {
	t.Helper()
	h := &harness{ca: newCA(t), log: &logged{}, peers: make(chan Peer, 16)}
	h.server = party(t, h.ca, "jiangsu", pki.UnitSite, time.Hour)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = l.Addr().String()
	s := grpc.NewServer(grpc.Creds(ServerCredentials(h.server, allow, slog.New(slog.NewTextHandler(h.log, nil)))), grpc.UnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			p, ok := PeerFrom(ctx)
			if !ok {
				return nil, status.Error(codes.Unauthenticated, "no peer")
			}
			h.peers <- p
			return next(ctx, req)
		}))
	healthpb.RegisterHealthServer(s, health.NewServer())
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return h
}

func (h *harness) check(t *testing.T, id *pki.Identity, site string) error {
	t.Helper()
	c, err := grpc.NewClient(h.addr, grpc.WithTransportCredentials(ClientCredentials(id, site)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err = healthpb.NewHealthClient(c).Check(ctx, &healthpb.HealthCheckRequest{})
	return err
}

func TestGRPCOverTLCPKnowsThePeer(t *testing.T) {
	h := serve(t, nil)
	if err := h.check(t, party(t, h.ca, "320505030001G01", pki.UnitGateway, time.Hour), "jiangsu"); err != nil {
		t.Fatal(err)
	}
	if p := <-h.peers; p.Name != "320505030001G01" || p.Unit != pki.UnitGateway {
		t.Errorf("peer %+v", p)
	}
}

func TestRefusedPeers(t *testing.T) {
	h := serve(t, func(p Peer) error {
		if p.Name == "stranger" {
			return errors.New("not enrolled here")
		}
		return nil
	})
	other := newCA(t)
	cases := []struct {
		name         string
		id           *pki.Identity
		site         string
		client, logs string // words that must be seen on each side
	}{
		{"client of another CA", party(t, other, "shandong", pki.UnitSite, time.Hour), "jiangsu", "not trusted", ""},
		{"client expired", party(t, h.ca, "shandong", pki.UnitSite, time.Millisecond-5*time.Minute), "jiangsu", "bad certificate", "not trusted"},
		{"client not allowed", party(t, h.ca, "stranger", pki.UnitSite, time.Hour), "jiangsu", "", "not enrolled here"},
		{"server is somebody else", party(t, h.ca, "shandong", pki.UnitSite, time.Hour), "ministry", "wanted site", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := h.check(t, c.id, c.site)
			if err == nil {
				t.Fatal("let in")
			}
			if !strings.Contains(err.Error(), c.client) {
				t.Errorf("client sees %v, wanted %q", err, c.client)
			}
			deadline := time.Now().Add(2 * time.Second)
			for !strings.Contains(h.log.String(), c.logs) && time.Now().Before(deadline) {
				time.Sleep(5 * time.Millisecond)
			}
			if !strings.Contains(h.log.String(), c.logs) {
				t.Errorf("server logs %s, wanted %q", h.log.String(), c.logs)
			}
		})
	}
	if err := h.check(t, party(t, h.ca, "shandong", pki.UnitSite, time.Hour), "jiangsu"); err != nil {
		t.Errorf("afterwards a good client is refused: %v", err)
	}
}

// TestForeignProtocols: whoever does not speak TLCP with our suite is refused, and the server lives on. The ECDHE-only
// ClientHello is the one that makes gmtls's server panic under its default suites.
func TestForeignProtocols(t *testing.T) {
	h := serve(t, nil)
	good := party(t, h.ca, "shandong", pki.UnitSite, time.Hour)
	attack := func(t *testing.T, f func(c net.Conn) error) {
		t.Helper()
		c, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		if err := f(c); err == nil {
			t.Error("let in")
		}
	}
	t.Run("plain TLS", func(t *testing.T) {
		attack(t, func(c net.Conn) error { return tls.Client(c, &tls.Config{InsecureSkipVerify: true}).Handshake() })
	})
	t.Run("plain text", func(t *testing.T) {
		attack(t, func(c net.Conn) error {
			if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
				return err
			}
			b, err := io.ReadAll(c)
			if err == nil && !bytes.Contains(b, []byte("HTTP")) {
				return io.EOF
			}
			return err
		})
	})
	t.Run("ECDHE only", func(t *testing.T) {
		attack(t, func(c net.Conn) error {
			cfg := config(good, func([][]byte) error { return nil })
			cfg.CipherSuites = []uint16{gmtls.GMTLS_ECDHE_SM2_WITH_SM4_SM3}
			return gmtls.Client(c, cfg).Handshake()
		})
	})
	t.Run("no certificate", func(t *testing.T) {
		attack(t, func(c net.Conn) error {
			cfg := config(good, func([][]byte) error { return nil })
			cfg.Certificates = nil
			g := gmtls.Client(c, cfg)
			if err := g.Handshake(); err != nil {
				return err
			}
			_, err := g.Read(make([]byte, 1))
			return err
		})
	})
	t.Run("garbage", func(t *testing.T) {
		attack(t, func(c net.Conn) error {
			if _, err := c.Write(bytes.Repeat([]byte{0x16, 0x01, 0x01, 0x00, 0x05, 0xff}, 50)); err != nil {
				return err
			}
			_, err := io.ReadAll(c)
			if err == nil {
				return io.EOF
			}
			return err
		})
	})
	if err := h.check(t, good, "jiangsu"); err != nil {
		t.Fatalf("afterwards a good client is refused: %v", err)
	}
}

// TestSilentPeerKeepsNobodyWaiting: a peer that connects and says nothing does not hold the listener.
func TestSilentPeerKeepsNobodyWaiting(t *testing.T) {
	ca := newCA(t)
	id := party(t, ca, "jiangsu", pki.UnitSite, time.Hour)
	l, err := Listen(t.Context(), "127.0.0.1:0", id, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	silent, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	go func() {
		c, err := Dial(t.Context(), l.Addr().String(), id, "jiangsu")
		if err == nil {
			_, _ = c.Write([]byte("x"))
		}
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkStream(b *testing.B) {
	dir := b.TempDir()
	ca, _ := pki.NewCA(dir, "bench CA")
	_ = ca.Issue(dir+"/a", "a", pki.UnitSite, nil, time.Hour)
	id, err := pki.LoadIdentity(dir + "/a")
	if err != nil {
		b.Fatal(err)
	}
	l, err := Listen(b.Context(), "127.0.0.1:0", id, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, _ := l.Accept()
		_, _ = io.Copy(io.Discard, c)
	}()
	c, err := Dial(b.Context(), l.Addr().String(), id, "a")
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 64<<10)
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
	}
}
