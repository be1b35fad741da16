package collect

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dusthub/crypto/pki"
	"dusthub/crypto/tlcp"
	"dusthub/node/ingest"
	. "dusthub/node/ingest/ingesttest"
	"dusthub/schema/rpc"

	"github.com/simonvetter/modbus"
	"google.golang.org/grpc"
)

// plc is a real Modbus server whose register 0 counts its reads: every reading there is differs from the one before.
type plc struct {
	mu      sync.Mutex
	reads   uint16
	fail    bool
	queries int
	server  *modbus.ModbusServer
	url     string
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func startPLC(t *testing.T) *plc {
	t.Helper()
	p := &plc{url: "tcp://" + freeAddr(t)}
	p.start(t)
	t.Cleanup(func() { _ = p.server.Stop() })
	return p
}

func (p *plc) start(t *testing.T) {
	t.Helper()
	var err error
	p.server, err = modbus.NewServer(&modbus.ServerConfiguration{URL: p.url, Timeout: time.Minute, MaxClients: 4, Logger: slog.NewLogLogger(slog.DiscardHandler, 0)}, p)
	if err == nil {
		err = p.server.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (p *plc) break_(fail bool) { p.mu.Lock(); defer p.mu.Unlock(); p.fail = fail }

func (p *plc) HandleHoldingRegisters(r *modbus.HoldingRegistersRequest) ([]uint16, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queries++
	if p.fail {
		return nil, modbus.ErrServerDeviceFailure
	}
	out := make([]uint16, r.Quantity)
	for i := range out {
		switch a := int(r.Addr) + i; a {
		case 0:
			p.reads++
			out[i] = p.reads
		case 1:
			out[i] = 235
		case 2, 3:
			out[i] = []uint16{0x41B8, 0xCCCD}[a-2] // 23.1
		}
	}
	return out, nil
}

func (p *plc) HandleCoils(r *modbus.CoilsRequest) ([]bool, error) {
	return make([]bool, r.Quantity), nil
}

func (p *plc) HandleDiscreteInputs(r *modbus.DiscreteInputsRequest) ([]bool, error) {
	out := make([]bool, r.Quantity)
	for i := range out {
		out[i] = true
	}
	return out, nil
}

func (p *plc) HandleInputRegisters(*modbus.InputRegistersRequest) ([]uint16, error) {
	return nil, modbus.ErrIllegalFunction
}

// place is a site with its gRPC door, behind a relay that can cut connections.
type place struct {
	*Site
	dir   string // of the gateway's identity
	addr  string
	relay *relay
	ca    *pki.CA
}

func identity(t testing.TB, ca *pki.CA, name, unit string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "id")
	if err := ca.Issue(dir, name, unit, []string{"127.0.0.1"}, time.Hour); err != nil {
		t.Fatal(err)
	}
	return dir
}

func newPlace(t testing.TB) *place {
	t.Helper()
	ca, err := pki.NewCA(t.TempDir(), "test CA")
	if err != nil {
		t.Fatal(err)
	}
	p := &place{Site: New(t, nil), ca: ca, dir: identity(t, ca, Gateway, pki.UnitGateway)}
	id, err := pki.LoadIdentity(identity(t, ca, ID, pki.UnitSite))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(grpc.Creds(tlcp.ServerCredentials(id, nil, quiet)))
	rpc.RegisterAccessServer(srv, ingest.NewAccess(p.Intake))
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(srv.Stop)
	p.relay = newRelay(t, l.Addr().String())
	p.addr = p.relay.addr
	return p
}

// relay passes connections on until it is told to cut them.
type relay struct {
	addr  string
	mu    sync.Mutex
	conns map[net.Conn]bool
	shut  bool
}

func newRelay(t testing.TB, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{addr: l.Addr().String(), conns: map[net.Conn]bool{}}
	t.Cleanup(func() { l.Close(); r.cut(true) })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			if !r.add(in, out) {
				continue
			}
			go func() { _, _ = io.Copy(out, in); out.Close() }()
			go func() { _, _ = io.Copy(in, out); in.Close() }()
		}
	}()
	return r
}

func (r *relay) add(cs ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range cs {
		if r.shut {
			c.Close()
		} else {
			r.conns[c] = true
		}
	}
	return !r.shut
}

// cut ends all connections; shut keeps new ones from being made.
func (r *relay) cut(shut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shut = shut
	for c := range r.conns {
		c.Close()
		delete(r.conns, c)
	}
}

func (p *place) config(t testing.TB, url string) Config {
	t.Helper()
	return Config{
		Gateway: Gateway, IdentityDir: p.dir, Ops: freeAddr(t), Target: Target{Site: ID, Addrs: []string{p.addr}},
		Buffer: BufferConfig{Dir: filepath.Join(t.TempDir(), "buffer"), MaxBytes: 8 << 20},
		Modbus: []Source{{URL: url, Unit: 1, Period: 10 * time.Millisecond, Points: []Point{
			{Metric: Pressure, Register: "holding", Address: 0, Type: "uint16"},
			{Metric: Temperature, Register: "holding", Address: 1, Type: "int16", Scale: 0.1},
			{Metric: Fan, Register: "discrete", Address: 7},
		}}},
	}
}

// running is a gateway that runs.
type running struct {
	stop func()
	ops  string
}

func start(t testing.TB, cfg Config) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, cfg, quiet) }()
	once := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(5 * time.Second):
			t.Error("does not stop within five seconds")
		}
	})
	t.Cleanup(once)
	return &running{once, cfg.Ops}
}

// counter reads one of the gateway's metrics the way the demonstration does.
func (r *running) counter(name string) (float64, error) {
	res, err := http.Get("http://" + r.ops + "/metrics")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	for s := bufio.NewScanner(res.Body); s.Scan(); {
		if k, v, ok := strings.Cut(s.Text(), " "); ok && k == name {
			return strconv.ParseFloat(v, 64)
		}
	}
	return 0, errors.New("no metric " + name)
}

func (r *running) mustCount(t *testing.T, name string) int {
	t.Helper()
	v, err := r.counter(name)
	if err != nil {
		t.Fatal(err)
	}
	return int(v)
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("in 15 s: not %s", what)
}

func (p *place) count(t *testing.T) int { return len(p.Points(t, Pressure)) }

// whole fails unless the counting register's readings are there one after the other, each once. The controller counts reads, so a
// reading that is missing or doubled shows. Polls whose answer the gateway never got may be missing: allowed says how many.
func (p *place) whole(t *testing.T, allowed int) {
	t.Helper()
	points := p.Points(t, Pressure)
	missing := 0
	for i := 1; i < len(points); i++ {
		d := int(points[i].Value) - int(points[i-1].Value)
		if d < 1 || points[i].Time <= points[i-1].Time {
			t.Errorf("reading %v at %d follows %v at %d", points[i].Value, points[i].Time, points[i-1].Value, points[i-1].Time)
		}
		missing += d - 1
	}
	if missing > allowed {
		t.Errorf("%d readings are missing of %d, allowed %d", missing, len(points), allowed)
	}
}

func TestPollsAndSends(t *testing.T) {
	p, c := newPlace(t), startPLC(t)
	cfg := p.config(t, c.url)
	cfg.Modbus[0].Points = append(cfg.Modbus[0].Points, Point{Metric: Unknown, Register: "holding", Address: 2, Type: "float32"})
	g := start(t, cfg)
	until(t, "ten readings at the site", func() bool { return p.count(t) >= 10 })
	health, err := http.Get("http://" + cfg.Ops + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(health.Body)
	health.Body.Close()
	if health.StatusCode != http.StatusOK || !strings.Contains(string(body), `"status":"ok"`) || strings.Contains(string(body), "lost\":\"") {
		t.Errorf("health %d %s", health.StatusCode, body)
	}
	until(t, "refused what the site does not know", func() bool { return g.mustCount(t, "dusthub_collect_readings_refused_total") >= 10 })
	g.stop()
	p.whole(t, 0)
	if v := p.Points(t, Temperature)[0].Value; v != 23.5 {
		t.Errorf("235 at scale 0.1 is %v", v)
	}
	if v := p.Points(t, Fan)[0].Value; v != 1 {
		t.Errorf("the discrete input is %v", v)
	}
}

func TestStopSendsWhatWaits(t *testing.T) {
	p, c := newPlace(t), startPLC(t)
	g := start(t, p.config(t, c.url))
	until(t, "readings", func() bool { return p.count(t) > 0 })
	p.Slow(50 * time.Millisecond)
	until(t, "more readings", func() bool { return p.count(t) > 20 })
	g.stop()
	if n, reads := p.count(t), int(c.reads); n != reads {
		t.Errorf("%d readings at the site of %d read", n, reads)
	}
	p.whole(t, 0)
}

// TestConnectionCutInMidStream: cut connections, a site without leader and lost acknowledgements lose nothing and double nothing.
func TestConnectionCutInMidStream(t *testing.T) {
	p, c := newPlace(t), startPLC(t)
	g := start(t, p.config(t, c.url))
	for i := range 4 {
		n := p.count(t)
		until(t, "more readings", func() bool { return p.count(t) > n+10 })
		switch i {
		case 0:
			p.relay.cut(false)
		case 1:
			p.relay.cut(true)
			time.Sleep(100 * time.Millisecond)
			p.relay.cut(false)
		case 2:
			p.Down(true)
			time.Sleep(50 * time.Millisecond)
			p.Down(false)
		case 3:
			p.Forget(1)
		}
	}
	n := p.count(t)
	until(t, "more readings at the end", func() bool { return p.count(t) > n+10 })
	g.stop()
	p.whole(t, 0)
	if n, reads := p.count(t), int(c.reads); n != reads {
		t.Errorf("%d readings at the site of %d read", n, reads)
	}
}

func TestSecondAddress(t *testing.T) {
	p, c := newPlace(t), startPLC(t)
	cfg := p.config(t, c.url)
	cfg.Target.Addrs = []string{freeAddr(t), p.addr}
	start(t, cfg)
	until(t, "readings over the second address", func() bool { return p.count(t) > 3 })
}

func TestWaitsForItsSite(t *testing.T) {
	p, c := newPlace(t), startPLC(t)
	p.relay.cut(true)
	cfg := p.config(t, c.url)
	g := start(t, cfg)
	until(t, "thirty readings waiting", func() bool { n, err := g.counter("dusthub_collect_readings_buffered"); return err == nil && n >= 90 })
	g.stop() // with the site away: what waits stays on disk
	if p.count(t) != 0 {
		t.Fatal("readings came through a cut line")
	}
	p.relay.cut(false)
	g = start(t, cfg)
	until(t, "all that waited", func() bool {
		n, err := g.counter("dusthub_collect_readings_buffered")
		return err == nil && n == 0 && p.count(t) >= 30
	})
	g.stop()
	p.whole(t, 0)
	if n, reads := p.count(t), int(c.reads); n != reads {
		t.Errorf("%d readings at the site of %d read", n, reads)
	}
}

func TestLostSourceIsTold(t *testing.T) {
	p, c := newPlace(t), startPLC(t)
	start(t, p.config(t, c.url))
	until(t, "readings", func() bool { return p.count(t) > 0 })
	lost := func(want bool) func() bool {
		return func() bool { h := p.Heard(); return len(h) > 0 && h[len(h)-1].GetSourceLost() == want }
	}
	if err := c.server.Stop(); err != nil {
		t.Fatal(err)
	}
	until(t, "told of the lost source", lost(true))
	n := p.count(t)
	c.start(t)
	until(t, "readings again", func() bool { return p.count(t) > n })
	c.break_(true)
	// the controller answers errors on holding registers, but its discrete inputs are there: the source lives
	n = len(p.Points(t, Fan))
	until(t, "the other points of a controller that refuses some", func() bool { return len(p.Points(t, Fan)) > n })
	p.whole(t, 1000)
}

func TestOtherSiteIsNotTold(t *testing.T) {
	p, c := newPlace(t), startPLC(t)
	cfg := p.config(t, c.url)
	cfg.Target.Site = "shandong"
	g := start(t, cfg)
	until(t, "readings waiting", func() bool { n, err := g.counter("dusthub_collect_readings_buffered"); return err == nil && n > 10 })
	if p.count(t) != 0 {
		t.Error("a site of another name got readings")
	}
}

func TestRunRefuses(t *testing.T) {
	p := newPlace(t)
	good := func() Config { return p.config(t, "tcp://127.0.0.1:1") }
	for name, change := range map[string]func(*Config){
		"no configuration":           func(c *Config) { *c = Config{} },
		"no identity":                func(c *Config) { c.IdentityDir = t.TempDir() },
		"another gateway's identity": func(c *Config) { c.Gateway = OtherGateway },
		"a site's identity":          func(c *Config) { c.IdentityDir = identity(t, p.ca, Gateway, pki.UnitSite) },
		"taken ops address":          func(c *Config) { c.Ops = p.addr },
		"buffer is a file": func(c *Config) {
			c.Buffer.Dir = filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(c.Buffer.Dir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		cfg := good()
		change(&cfg)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		if err := Run(ctx, cfg, quiet); err == nil || ctx.Err() != nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}

// TestReplayOfRecordedData sends the recorded files and finds every reading at the site, equal to the last bit.
func TestReplayOfRecordedData(t *testing.T) {
	data := filepath.Join("..", "..", "..", "shared", "data")
	if _, err := os.Stat(data); err != nil {
		t.Skip("no ../shared/data beside this clone: recorded readings are not tried")
	}
	for _, c := range []struct {
		name, file string
		m          CSVMapping
	}{
		{"water loop", "water-loop/valve-inlet-0.csv", CSVMapping{Separator: ";", Time: CSVTime{"datetime", "2006-01-02 15:04:05", "UTC"}, Columns: map[string]string{"Temperature": Temperature, "Pressure": Pressure}, Mode: ModeShift}},
		{"machine temperature", "machine-temperature/machine_temperature.csv", CSVMapping{Time: CSVTime{"timestamp", "2006-01-02 15:04:05", "+08:00"}, Columns: map[string]string{"value": Temperature}, Mode: ModeCompress, Pace: 300, Anchor: "last"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			if err := c.m.Check(); err != nil {
				t.Fatal(err)
			}
			var r ReplayReport
			rows, metrics, err := c.m.read(filepath.Join(data, c.file), &r)
			if err != nil {
				t.Fatal(err)
			}
			report, err := Replay(context.Background(), ReplayConfig{Config: p.config(t, ""), File: filepath.Join(data, c.file), Mapping: c.m})
			if err != nil {
				t.Fatal(err)
			}
			if report.Rows != len(rows) || report.Readings != len(rows)*len(metrics) || report.Stored != report.Readings || report.Refused != 0 {
				t.Errorf("report %+v of %d rows", report, len(rows))
			}
			for i, metric := range metrics {
				points := p.Points(t, metric)
				if len(points) != len(rows) {
					t.Fatalf("%d points of %d rows", len(points), len(rows))
				}
				for k := range rows {
					if math.Float64bits(points[k].Value) != math.Float64bits(rows[k].values[i]) {
						t.Fatalf("reading %d is %v, wanted %v", k, points[k].Value, rows[k].values[i])
					}
				}
			}
			t.Logf("%+v", report)
		})
	}
}

func TestReplayGoesOnAfterACut(t *testing.T) {
	p := newPlace(t)
	text := &strings.Builder{}
	text.WriteString("t,v\n")
	at := time.Now().Add(-time.Hour).UnixMilli()
	for i := range 20000 {
		fmt.Fprintf(text, "%d,%d.25\n", at+int64(i), i%200)
	}
	file := filepath.Join(t.TempDir(), "f.csv")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Slow(5 * time.Millisecond)
	go func() {
		for range 5 {
			time.Sleep(30 * time.Millisecond)
			p.relay.cut(false)
		}
	}()
	report, err := Replay(context.Background(), ReplayConfig{Config: p.config(t, ""), File: file, Mapping: CSVMapping{Time: CSVTime{Column: "t", Format: "ms"}, Columns: map[string]string{"v": Temperature}}})
	if err != nil || report.Stored != 20000 {
		t.Errorf("%+v, %v", report, err)
	}
	if n := len(p.Points(t, Temperature)); n != 20000 {
		t.Errorf("%d readings at the site", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Replay(ctx, ReplayConfig{Config: p.config(t, ""), File: file, Mapping: CSVMapping{Time: CSVTime{Column: "t", Format: "ms"}, Columns: map[string]string{"v": Temperature}}}); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped replay: %v", err)
	}
}
