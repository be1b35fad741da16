package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dusthub/deploy/demo/plants"
	"dusthub/node/loopback"

	"github.com/simonvetter/modbus"
)

// recordings is where recorded readings lie beside the project; a clone without them plays the demonstration's physics.
const recordings = "../../../shared/data"

// tape is a recording: rows of readings by column.
type tape struct {
	file    string // CSV to replay; empty: played by a PLC alone
	columns []string
	rows    [][]float64
}

// loop is the end-to-end test's world: a ministry, a province of three replicas, one plant of many collectors.
type loop struct {
	t        *testing.T
	dir      string
	binary   string
	sites    []*site
	plant    plants.Plant
	procs    map[string]*process
	uplink   *wire
	ministry *session
	duty     *session
}

// buildProgram: what is tested is what an operator runs.
func buildProgram(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dusthub")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, "../../cmd/dusthub").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// wire carries the uplink, and can be cut.
type wire struct {
	to    string
	l     net.Listener
	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{to: to, l: l, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { l.Close(); w.cut(true) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go w.carry(c)
		}
	}()
	return w
}

func (w *wire) carry(a net.Conn) {
	b, err := net.Dial("tcp", w.to)
	w.mu.Lock()
	if err != nil || w.down {
		w.mu.Unlock()
		a.Close()
		if err == nil {
			b.Close()
		}
		return
	}
	w.conns[a], w.conns[b] = true, true
	w.mu.Unlock()
	go func() { _, _ = io.Copy(a, b); a.Close(); b.Close() }()
	_, _ = io.Copy(b, a)
	a.Close()
	b.Close()
}

// cut drops every connection and refuses new ones, or lets them through again.
func (w *wire) cut(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
	if down {
		for c := range w.conns {
			c.Close()
		}
		w.conns = map[net.Conn]bool{}
	}
}

// closing is the recording played through the PLC: its valve closes far enough to hold the flow below 31 for five minutes on end,
// six seconds as it is played.
const closing = 9

// kinds are the metrics the recorded columns become. Flow alarms below 31: the valve is closing.
var kinds = []struct {
	column string
	point  plants.Point
}{
	{"Current", plants.Point{Kind: "A01", Name: "泵电流", Unit: "A", Lo: -500, Hi: 500, Scale: 1e-6}},
	{"Pressure", plants.Point{Kind: "P02", Name: "压力", Unit: "MPa", Lo: -10, Hi: 10, Scale: 1e-6}},
	{"Temperature", plants.Point{Kind: "T02", Name: "温度", Unit: "°C", Lo: -20, Hi: 200, Scale: 1e-6}},
	{"Thermocouple", plants.Point{Kind: "T03", Name: "热电偶", Unit: "°C", Lo: -20, Hi: 200, Scale: 1e-6}},
	{"Volume Flow RateRMS", plants.Point{Kind: "F01", Name: "循环水流量", Unit: "m³/h", Lo: 0, Hi: 60, Scale: 1e-6, Limits: map[string]float64{"ll": 10, "l": 31}, DelayMs: 1000}},
}

// loadTapes reads what is to be played: the first through a PLC, the others as files.
func loadTapes(t *testing.T) (polled tape, replayed []tape) {
	t.Helper()
	for i := range 16 {
		path, err := filepath.Abs(filepath.Join(recordings, "water-loop", fmt.Sprintf("valve-inlet-%d.csv", i)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Log("no recorded readings beside this clone (../shared/data): the demonstration's physics are played instead")
			return physics(t)
		}
		x := readCSV(t, path, ";", columnNames())
		if i == closing {
			x.file = ""
			polled = x
			continue
		}
		replayed = append(replayed, x)
	}
	machine, err := filepath.Abs(filepath.Join(recordings, "machine-temperature", "machine_temperature.csv"))
	if err != nil {
		t.Fatal(err)
	}
	return polled, append(replayed, readCSV(t, machine, ",", []string{"value"}))
}

func columnNames() []string {
	var out []string
	for _, k := range kinds {
		out = append(out, k.column)
	}
	return out
}

// readCSV reads columns, in the file's order. Rows of one time are rows of their own: the machine's clock went back an hour in
// autumn, and replaying compressed keeps such readings a millisecond apart.
func readCSV(t *testing.T, path, separator string, columns []string) tape {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(raw), "\r", "")), "\n")
	header := strings.Split(lines[0], separator)
	at := make([]int, len(columns))
	for i, c := range columns {
		at[i] = -1
		for k, h := range header {
			if h == c {
				at[i] = k
			}
		}
	}
	x := tape{file: path, columns: columns}
	for _, line := range lines[1:] {
		fields := strings.Split(line, separator)
		row := make([]float64, len(columns))
		for i, k := range at {
			if row[i], err = strconv.ParseFloat(fields[k], 64); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
		}
		x.rows = append(x.rows, row)
	}
	return x
}

// physics makes a recording of the demonstration's own: a wet collector whose inlet valve closes, and a file of the same form.
func physics(t *testing.T) (tape, []tape) {
	t.Helper()
	play := func(n int) tape {
		x := tape{columns: columnNames()}
		for i := range n {
			flow := 32.0
			if i > n/2 {
				flow = math.Max(5, 32-float64(i-n/2)*0.2)
			}
			s := float64(i)
			x.rows = append(x.rows, []float64{round6(1 + 0.2*math.Sin(s/7)), round6(0.05 + 0.01*math.Sin(s/3)), round6(70 + s/100), round6(25 + s/1000), round6(flow)})
		}
		return x
	}
	var files []tape
	for k := range 2 {
		x := play(400)
		var b strings.Builder
		b.WriteString("datetime;" + strings.Join(x.columns, ";") + "\n")
		for i, row := range x.rows {
			b.WriteString(time.Date(2026, 1, 1+k, 0, 0, i, 0, time.UTC).Format(time.DateTime))
			for _, v := range row {
				b.WriteString(";" + strconv.FormatFloat(v, 'f', -1, 64))
			}
			b.WriteString("\n")
		}
		x.file = filepath.Join(t.TempDir(), fmt.Sprintf("physics-%d.csv", k))
		if err := os.WriteFile(x.file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, x)
	}
	return play(800), files
}

func round6(v float64) float64 { return math.Round(v*1e6) / 1e6 }

// player is a PLC that holds one row of a tape after the other, as 32-bit integers: each poll reads the next.
type player struct {
	mu   sync.Mutex
	rows [][]float64
	next int
}

func (p *player) HandleHoldingRegisters(r *modbus.HoldingRegistersRequest) ([]uint16, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.IsWrite || p.next >= len(p.rows) {
		return nil, modbus.ErrServerDeviceFailure
	}
	var out []uint16
	for _, v := range p.rows[p.next] {
		n := uint32(int32(math.Round(v * 1e6)))
		out = append(out, uint16(n>>16), uint16(n))
	}
	p.next++
	return out[:r.Quantity], nil
}

func (p *player) HandleCoils(*modbus.CoilsRequest) ([]bool, error) {
	return nil, modbus.ErrIllegalFunction
}
func (p *player) HandleDiscreteInputs(*modbus.DiscreteInputsRequest) ([]bool, error) {
	return nil, modbus.ErrIllegalFunction
}
func (p *player) HandleInputRegisters(*modbus.InputRegistersRequest) ([]uint16, error) {
	return nil, modbus.ErrIllegalFunction
}

func (p *player) done() int { p.mu.Lock(); defer p.mu.Unlock(); return p.next }

func (l *loop) start(name string, args ...string) {
	l.t.Helper()
	p, err := start(l.binary, l.dir, name, args...)
	if err != nil {
		l.t.Fatal(err)
	}
	l.procs[name] = p
}

// kill ends a process as a power cut would.
func (l *loop) kill(name string) {
	l.t.Helper()
	p := l.procs[name]
	if err := p.cmd.Process.Kill(); err != nil {
		l.t.Fatal(err)
	}
	<-p.done
}

func (l *loop) startReplica(s *site, i int) {
	l.t.Helper()
	path, err := configure(l.dir, l.sites, s, i)
	if err != nil {
		l.t.Fatal(err)
	}
	args := []string{"serve", "--config", path, "--set", "store.partition=30s", "--set", "store.grace=1s", "--set", "store.checkpoint_every=3s", "--set", "ledger.checkpoint_every=1s"}
	if s.Parent != "" {
		args = append(args, "--set", "parent.addr="+l.uplink.l.Addr().String())
	}
	// The replicas differ in their processors: their ledgers must not.
	l.t.Setenv("GOMAXPROCS", []string{"4", "1", "2"}[i])
	l.start(fmt.Sprintf("%s-%d", s.ID, i+1), args...)
}

func (l *loop) wait(what string, within time.Duration, ok func() error) {
	l.t.Helper()
	deadline := time.Now().Add(within)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("%s: not within %s: %v", what, within, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (l *loop) ready(s *site) {
	l.t.Helper()
	for i := range s.Replicas {
		l.wait(fmt.Sprintf("%s-%d ready", s.ID, i+1), readyWithin, func() error { return probe(l.t.Context(), "http://"+s.Replicas[i].Ops+"/readyz") })
	}
}

// newLoop starts the sites and brings base data.
func newLoop(t *testing.T, collectors int) *loop {
	t.Helper()
	l := &loop{t: t, dir: t.TempDir(), binary: buildProgram(t), sites: world()[:2], procs: map[string]*process{}}
	l.plant = plants.All()[0]
	l.plant.Units = nil
	for n := range collectors {
		u := plants.Unit{Number: n + 1, Type: "other", Mode: "negative"}
		for i, k := range kinds {
			k.point.Address = uint16(2 * i)
			u.Points = append(u.Points, k.point)
		}
		u.Points = append(u.Points, plants.Point{Kind: "T01", Name: "机器温度", Unit: "°C", Lo: -20, Hi: 200})
		l.plant.Units = append(l.plant.Units, u)
	}
	t.Cleanup(l.stop)
	if err := place(l.sites, true); err != nil {
		t.Fatal(err)
	}
	if err := certify(l.dir, l.sites, []plants.Plant{l.plant}); err != nil {
		t.Fatal(err)
	}
	passwords, err := adminPasswords(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	l.uplink = newWire(t, l.sites[0].Replicas[0].GRPC)
	for _, s := range l.sites {
		for i := range s.Replicas {
			l.startReplica(s, i)
		}
	}
	for _, s := range l.sites {
		l.ready(s)
		if err := provision(t.Context(), newSession(s.regulator(), "admin", passwords["admin"]), newSession(s.regulator(), "security", passwords["security"]), s, []plants.Plant{l.plant}); err != nil {
			t.Fatal(err)
		}
	}
	l.ministry = newSession(l.sites[0].regulator(), regulatorLogin(l.sites[0]), Password)
	l.duty = newSession(l.sites[1].regulator(), regulatorLogin(l.sites[1]), Password)
	return l
}

func (l *loop) stop() {
	for name, p := range l.procs {
		if p.running() {
			if err := p.stop(stopWithin); err != nil {
				l.t.Errorf("stop %s: %v", name, err)
			}
		}
	}
	if l.t.Failed() {
		for name, p := range l.procs {
			if b, err := os.ReadFile(p.log); err == nil {
				l.t.Logf("--- %s\n%s", name, b[max(0, len(b)-3000):])
			}
		}
	}
}

// gatewayConfig writes the gateway's configuration; with a PLC's address it polls it.
func (l *loop) gatewayConfig(name, plc string) string {
	l.t.Helper()
	type m = map[string]any
	var targets []string
	for _, a := range l.sites[1].Replicas {
		targets = append(targets, a.GRPC)
	}
	c := m{
		"gateway": l.plant.GatewayCode(), "identity_dir": identityDir(l.dir, l.plant.GatewayCode()),
		"target": m{"site": "jiangsu", "addrs": targets}, "buffer": m{"dir": filepath.Join(l.dir, "gateway", name), "max_bytes": 64 << 20},
	}
	if plc != "" {
		var points []m
		for _, pt := range l.plant.Units[0].Points[:len(kinds)] {
			points = append(points, m{"metric": l.plant.MetricCode(l.plant.Units[0], pt), "register": "holding", "address": pt.Address, "type": "int32", "scale": pt.Scale})
		}
		c["modbus"] = []m{{"url": "tcp://" + plc, "unit": 1, "period": "20ms", "points": points}}
	}
	path, err := writeYAML(filepath.Join(l.dir, "config", name+".yaml"), c)
	if err != nil {
		l.t.Fatal(err)
	}
	return path
}

// replay sends a file to a collector's metrics.
func (l *loop) replay(n int, x tape) {
	l.t.Helper()
	u := l.plant.Units[n]
	columns := map[string]string{}
	m := map[string]any{"separator": ";", "time": map[string]string{"column": "datetime", "format": time.DateTime}, "columns": columns, "mode": "shift"}
	if len(x.columns) == 1 { // eighty days: brought within the late window
		m["separator"], m["time"] = ",", map[string]string{"column": "timestamp", "format": time.DateTime}
		m["mode"], m["anchor"], m["pace"] = "compress", "last", 600
		columns[x.columns[0]] = l.plant.MetricCode(u, u.Points[len(kinds)])
	} else {
		for i, c := range x.columns {
			columns[c] = l.plant.MetricCode(u, u.Points[i])
		}
	}
	name := fmt.Sprintf("replay-%d", n)
	mapping, err := writeYAML(filepath.Join(l.dir, "config", name+"-mapping.yaml"), m)
	if err != nil {
		l.t.Fatal(err)
	}
	l.start(name, "collect", "--config", l.gatewayConfig(name, ""), "--replay", x.file, "--mapping", mapping)
}

// leader is the province's leading replica, as its own page says.
func (l *loop) leader() int {
	l.t.Helper()
	leader := -1
	l.wait("a leader", 15*time.Second, func() error {
		var answer struct {
			Self struct {
				Leader string `json:"leader"`
			} `json:"self"`
		}
		for _, a := range l.sites[1].Replicas {
			s := newSession("http://"+a.Regulator, regulatorLogin(l.sites[1]), Password)
			if err := s.get(l.t.Context(), "/api/v1/federation", &answer); err != nil {
				continue
			}
			if _, n, ok := strings.Cut(answer.Self.Leader, "-"); ok {
				i, err := strconv.Atoi(n)
				leader = i - 1
				return err
			}
		}
		return errors.New("no replica names one")
	})
	return leader
}

// column is what a site holds of one metric, in order of time.
func (l *loop) column(at *session, metric string) []float64 {
	l.t.Helper()
	var out []float64
	from, last := int64(0), int64(math.MinInt64)
	for {
		var page struct {
			Points [][3]float64 `json:"points"`
			Next   *int64       `json:"next"`
		}
		if err := at.get(l.t.Context(), fmt.Sprintf("/api/v1/series/%s?step=0&from=%d", metric, from), &page); err != nil {
			l.t.Fatal(err)
		}
		for _, p := range page.Points {
			if int64(p[0]) <= last {
				l.t.Fatalf("%s at %s: time %v twice or out of order", metric, at.base, p[0])
			}
			last = int64(p[0])
			out = append(out, p[1])
		}
		if page.Next == nil {
			return out
		}
		from = *page.Next
	}
}

func (l *loop) same(at *session, metric string, rows [][]float64, column int) {
	l.t.Helper()
	got := l.column(at, metric)
	if len(got) != len(rows) {
		l.t.Errorf("%s at %s: %d readings, sent %d", metric, at.base, len(got), len(rows))
		return
	}
	for i, v := range got {
		if math.Float64bits(v) != math.Float64bits(rows[i][column]) {
			l.t.Errorf("%s at %s: reading %d is %v, sent %v", metric, at.base, i, v, rows[i][column])
			return
		}
	}
}

func (l *loop) samples(at *session) uint64 {
	list, err := originsOf(l.t.Context(), at)
	if err != nil {
		return 0
	}
	return list["jiangsu"].Samples
}

// TestWholeLoop (issue: main job): every recorded reading arrives at province and ministry, equal to the last bit and once,
// though the province's leader is killed in mid-stream, the uplink is cut and the ministry is restarted; closing the valve
// raises flow alarms; all ledgers verify and are the same on every replica.
func TestWholeLoop(t *testing.T) {
	if testing.Short() {
		t.Skip("starts five processes: make test-e2e")
	}
	polled, replayed := loadTapes(t)
	l := newLoop(t, 1+len(replayed))
	plc := &player{rows: polled.rows}
	addr, err := loopback.Free(1)
	if err != nil {
		t.Fatal(err)
	}
	server, err := modbus.NewServer(&modbus.ServerConfiguration{URL: "tcp://" + addr[0], Timeout: time.Minute, MaxClients: 2}, plc)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	l.start("gateway", "collect", "--config", l.gatewayConfig("gateway", addr[0]))
	for i, x := range replayed {
		l.replay(1+i, x)
	}

	played := func(share int) {
		l.wait(fmt.Sprintf("%d%% of the PLC's readings", share), time.Minute, func() error {
			if n := plc.done(); n*100 < len(polled.rows)*share {
				return fmt.Errorf("%d of %d", n, len(polled.rows))
			}
			return nil
		})
	}
	played(10)
	leader := l.leader()
	t.Logf("killing the province's leader, replica %d", leader+1)
	l.kill(fmt.Sprintf("jiangsu-%d", leader+1))
	played(30)
	t.Log("cutting the uplink, starting the killed replica again")
	l.uplink.cut(true)
	l.startReplica(l.sites[1], leader)
	played(55)
	l.uplink.cut(false)
	played(65)
	t.Log("killing and restarting the ministry")
	l.kill("ministry-1")
	played(75)
	l.startReplica(l.sites[0], 0)
	l.ready(l.sites[0])
	l.ready(l.sites[1])
	played(100)

	want := uint64(len(polled.rows) * len(kinds))
	for _, x := range replayed {
		want += uint64(len(x.rows) * len(x.columns))
	}
	for _, at := range []*session{l.duty, l.ministry} {
		l.wait("all readings at "+at.base, 90*time.Second, func() error {
			if n := l.samples(at); n != want {
				return fmt.Errorf("%d of %d", n, want)
			}
			return nil
		})
	}
	for _, at := range []*session{l.duty, l.ministry} {
		for i := range kinds {
			l.same(at, l.plant.MetricCode(l.plant.Units[0], l.plant.Units[0].Points[i]), polled.rows, i)
		}
		for n, x := range replayed {
			u := l.plant.Units[n+1]
			for i := range x.columns {
				pt := u.Points[i]
				if len(x.columns) == 1 {
					pt = u.Points[len(kinds)]
				}
				l.same(at, l.plant.MetricCode(u, pt), x.rows, i)
			}
		}
	}
	t.Logf("%d readings at province and ministry, equal to the last bit", want)
	l.flowAlarms()
	l.ledgers(t.Context())
}

// flowAlarms: the closing valve was noticed, at the province and at the ministry.
func (l *loop) flowAlarms() {
	l.t.Helper()
	metric := l.plant.MetricCode(l.plant.Units[0], l.plant.Units[0].Points[len(kinds)-1])
	for _, at := range []*session{l.duty, l.ministry} {
		l.wait("flow alarm at "+at.base, 10*time.Second, func() error {
			var list struct {
				Items []struct {
					Alarm struct{ Metric, Rule string } `json:"alarm"`
				} `json:"items"`
			}
			if err := at.get(l.t.Context(), "/api/v1/alarms?limit=200", &list); err != nil {
				return err
			}
			for _, v := range list.Items {
				if v.Alarm.Metric == metric && v.Alarm.Rule == "L" {
					return nil
				}
			}
			return fmt.Errorf("none among %d alarms", len(list.Items))
		})
	}
}

// ledgers: all three replicas and the ministry hold the same ledger of the province, the chain recomputes, its signature holds,
// and `dusthub verify` finds no difference.
func (l *loop) ledgers(ctx context.Context) {
	l.t.Helper()
	type head struct {
		Origin string `json:"origin"`
		Seq    uint64 `json:"seq"`
		Digest string `json:"digest"`
	}
	heads := func(at *session) (head, error) {
		var answer struct {
			Items []head `json:"items"`
		}
		if err := at.get(ctx, "/api/v1/ledger/heads", &answer); err != nil {
			return head{}, err
		}
		for _, h := range answer.Items {
			if h.Origin == "jiangsu" {
				return h, nil
			}
		}
		return head{}, errors.New("no ledger of jiangsu")
	}
	var replicas []*session // signed in once: every sign-in is an entry of the ledger
	for _, a := range l.sites[1].Replicas {
		replicas = append(replicas, newSession("http://"+a.Regulator, regulatorLogin(l.sites[1]), Password))
	}
	l.wait("equal ledgers everywhere", 30*time.Second, func() error {
		above, err := heads(l.ministry)
		if err != nil {
			return err
		}
		for _, at := range replicas {
			below, err := heads(at)
			if err != nil {
				return err
			}
			if below != above {
				return fmt.Errorf("%v at %s, %v at the ministry", below, at.base, above)
			}
		}
		return nil
	})
	for _, at := range []*session{l.duty, l.ministry} {
		var v struct {
			OK    bool   `json:"ok"`
			Error string `json:"error"`
		}
		l.wait("ledger verifies at "+at.base, 10*time.Second, func() error {
			if err := at.get(ctx, "/api/v1/ledger/verify?origin=jiangsu", &v); err != nil {
				return err
			}
			if !v.OK {
				return errors.New(v.Error)
			}
			return nil
		})
	}
	// Partitions seal at the next boundary, at most half a minute from here.
	l.wait("sealed partitions compared", 45*time.Second, func() error {
		out, err := exec.CommandContext(ctx, l.binary, "verify", "--identity", identityDir(l.dir, "ministry"), "--origin", "jiangsu",
			"--a", "jiangsu="+l.sites[1].Replicas[0].GRPC, "--b", "ministry="+l.sites[0].Replicas[0].GRPC).CombinedOutput()
		if err != nil {
			l.t.Fatalf("dusthub verify: %v\n%s", err, out)
		}
		var report struct {
			Compared    uint64   `json:"compared"`
			Partitions  int      `json:"partitions"`
			Differences []string `json:"differences"`
		}
		if err := json.Unmarshal(out, &report); err != nil || report.Compared == 0 || len(report.Differences) > 0 {
			l.t.Fatalf("dusthub verify said (%v):\n%s", err, out)
		}
		if report.Partitions == 0 {
			return errors.New("none is sealed at both")
		}
		l.t.Logf("dusthub verify: %d entries and %d partitions compared, no difference", report.Compared, report.Partitions)
		return nil
	})
}
