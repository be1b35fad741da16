package model

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dusthub/crypto/pki"
	"dusthub/crypto/tlcp"
	"dusthub/node/engine"
	"dusthub/node/engine/risk"
	"dusthub/node/live"
	"dusthub/node/machine"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"
	"dusthub/schema/rpc"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	plantCode = "320505030001"
	gatewayA  = plantCode + "G01"
	t01       = plantCode + "C001T0101"
)

// site is a store with the real engine and machine; only raft is left out.
type site struct {
	t       *testing.T
	mu      sync.Mutex
	store   *store.Store
	machine *machine.Machine
	judge   *engine.Engine
	index   uint64
	now     int64
	puts    int // commands of type Put
}

func (s *site) Propose(_ context.Context, cmd *schema.Command) (*schema.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index++
	if cmd.GetPut() != nil {
		s.puts++
	}
	cmd.Id, cmd.Time = fmt.Sprint("c", s.index), s.now
	b, err := schema.Marshal(cmd)
	if err != nil {
		return nil, err
	}
	return s.machine.Apply(s.index, b)
}

func ptr[T any](v T) *T { return &v }

func newSite(t *testing.T) *site {
	t.Helper()
	st, err := store.Open(store.Options{Dir: t.TempDir(), Site: "jiangsu"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &site{t: t, store: st, judge: engine.New(engine.Config{Site: "jiangsu", Level: "province", Region: "320000"}), now: 1_790_000_000_000}
	if s.machine, err = machine.New(machine.Options{Store: st, Engine: s.judge, Hub: live.New(0), Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	c := plantCode + "C001"
	s.put(
		&schema.Enterprise{
			Code: plantCode, Uscc: "91350100M000100Y43", Name: "铝", Region: "320505", Industry: "C33", MemIndustry: "machinery", Scale: "small", Employees: 100, DustWorkers: 35, MaxShiftWorkers: 20,
			ProductionState: "normal", AccessState: "connected", Dusts: []*schema.Dust{{Dust: "2"}},
		},
		&schema.Workshop{Code: plantCode + "W01", Enterprise: plantCode, Name: "打磨", Building: "single_frame"},
		&schema.DustSystem{Code: plantCode + "S01", Enterprise: plantCode, Workshop: plantCode + "W01", Name: "1", Mode: "negative", Dusts: []string{"2"}},
		&schema.Collector{Code: c, Enterprise: plantCode, System: plantCode + "S01", Name: "1", Type: "dry_bag", Measures: []string{"venting"}, LockGasDevice: true},
		&schema.Gateway{Code: gatewayA, Enterprise: plantCode, Door: "frames"},
		&schema.Metric{
			Code: t01, Enterprise: plantCode, Collector: c, Gateway: gatewayA, Kind: "T01", Name: "灰斗温度", Unit: "°C", RangeLo: -20, RangeHi: 200, PeriodS: 1,
			Limits: &schema.Limits{H: ptr(60.0), Hh: ptr(70.0), Deadband: 2},
		},
	)
	return s
}

func (s *site) put(records ...schema.Record) {
	s.t.Helper()
	p := &schema.Put{}
	for _, r := range records {
		raw, err := schema.Marshal(r)
		if err != nil {
			s.t.Fatal(err)
		}
		p.Changes = append(p.Changes, &schema.Change{Type: schema.TypeOf(r), Record: raw})
	}
	res, err := s.Propose(s.t.Context(), &schema.Command{Actor: "site", Body: &schema.Command_Put{Put: p}})
	if err != nil || schema.Refuses(res.GetViolations()) {
		s.t.Fatal(err, res.GetViolations())
	}
}

func (s *site) sample(v float64) {
	s.t.Helper()
	s.now += 1000
	if _, err := s.Propose(s.t.Context(), &schema.Command{Body: &schema.Command_Frame{Frame: frame.Append(nil, []frame.Sample{{Series: 1, Time: s.now, Value: v}})}}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) service(change func(*Options)) *Service {
	s.t.Helper()
	opt := Options{Store: s.store, Proposer: s, Running: s.judge.Model, Inspect: s.machine.Inspect, Replica: "r1"}
	if change != nil {
		change(&opt)
	}
	m, err := New(opt)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

var given1 = Inputs{Dusts: []string{"2"}, Workers: 35, Building: "single_frame", Systems: 1, Measures: "one", Signals: [][]Signal{{{Kind: "T01", Score: 60}}}}

// TestEvaluate: what the service says is what the model says, by any model; contributions add up.
func TestEvaluate(t *testing.T) {
	s := newSite(t)
	m := s.service(nil)
	draft := strings.NewReplacer("version: DUST-RISK-1.0", "version: DRAFT-2", "red: 75", "red: 20", "orange: 55", "orange: 15", "yellow: 35", "yellow: 10").Replace(string(risk.Shipped().Document()))
	a, err := m.Evaluate("x", Choice{}, &given1)
	if err != nil {
		t.Fatal(err)
	}
	sum := int64(0)
	for _, f := range a.Factors {
		sum += f.GetContributionMilli()
	}
	if a.Model != "DUST-RISK-1.0" || sum != a.IndexMilli || a.IndexMilli == 0 {
		t.Errorf("%+v, contributions %d", a, sum)
	}
	b, err := m.Evaluate("x", Choice{Document: draft}, &given1)
	if err != nil {
		t.Fatal(err)
	}
	if b.Model != "DRAFT-2" || b.IndexMilli != a.IndexMilli || b.Level == a.Level {
		t.Errorf("by a draft: %s %s %d, before %s %d", b.Model, b.Level, b.IndexMilli, a.Level, a.IndexMilli)
	}
	if _, err := m.Evaluate("x", Choice{Version: "NONE-1"}, &given1); !errors.Is(err, ErrModel) {
		t.Errorf("a version nobody knows: %v", err)
	}
	if _, err := m.Evaluate("x", Choice{Document: "version: 1"}, &given1); !errors.Is(err, risk.ErrModel) {
		t.Errorf("a bad draft: %v", err)
	}
	bad := Inputs{Dusts: []string{"no"}, Signals: [][]Signal{{{Kind: "Z99", Score: 101}}}, Management: []float64{-1}, Variables: map[string]any{"nonsense": 1.0}}
	var inputs *InputError
	if _, err := m.Evaluate("x", Choice{}, &bad); !errors.As(err, &inputs) || len(inputs.Reasons) != 5 {
		t.Errorf("bad inputs: %v", err)
	}
	list, err := m.Batch("x", Choice{}, []Item{{"1", given1}, {"2", bad}, {"3", given1}})
	if err != nil || len(list) != 3 || list[0].Result.IndexMilli != a.IndexMilli || list[1].Error == "" || list[2].Key != "3" {
		t.Errorf("batch: %+v, %v", list, err)
	}
}

// TestWhatIfAndExplain: of a real plant, against what the engine itself wrote.
func TestWhatIfAndExplain(t *testing.T) {
	s := newSite(t)
	m := s.service(nil)
	s.sample(40)
	s.sample(75)
	ex, err := m.Explain("x", plantCode, Choice{})
	if err != nil {
		t.Fatal(err)
	}
	row, _, err := s.store.Get("RiskResult", plantCode)
	if err != nil {
		t.Fatal(err)
	}
	if r := row.Record.(*schema.RiskResult); ex.Result.IndexMilli != r.GetIndexMilli() || ex.Level != r.GetLevel() || ex.Result.Floor != r.GetFloor() {
		t.Errorf("explained %+v, written %v", ex.Result, r)
	}
	var evidence []string
	for _, g := range ex.Inputs {
		if g.Name == "T01" {
			evidence = g.Evidence
		}
	}
	if len(evidence) < 2 || evidence[0] != t01 {
		t.Errorf("evidence of the temperature: %v", evidence)
	}
	if len(ex.Lowers) == 0 || len(ex.Sentences) < 3 || !strings.Contains(strings.Join(ex.Sentences, ""), "灰斗内部温度") {
		t.Errorf("%v %v", ex.Sentences, ex.Lowers)
	}
	for _, l := range ex.Lowers { // each really does what it says
		if strings.HasPrefix(l.Factor, "F") || l.Factor == "floors" || l.Factor == "measures" {
			continue
		}
		w, err := m.WhatIf("x", plantCode, Choice{}, map[string]any{l.Factor: 0.0})
		if err != nil || w.Before.IndexMilli-w.After.IndexMilli != l.By {
			t.Errorf("%s: said %d, is %d, %v", l.Factor, l.By, w.Before.IndexMilli-w.After.IndexMilli, err)
		}
	}
	w, err := m.WhatIf("x", plantCode, Choice{}, map[string]any{"measures": "none", "T01": 0.0})
	if err != nil || len(w.Changed) < 2 || w.Before.IndexMilli != ex.Result.IndexMilli {
		t.Errorf("what if: %+v, %v", w, err)
	}
	if _, err := m.WhatIf("x", plantCode, Choice{}, map[string]any{"floor.F99": true}); err == nil {
		t.Error("a floor that no model has was taken")
	}
	if _, err := m.Explain("x", "320505039999", Choice{}); !errors.Is(err, ErrPlant) {
		t.Errorf("a plant nobody has: %v", err)
	}
	again, _ := m.Explain("x", plantCode, Choice{})
	if again.Result.IndexMilli != ex.Result.IndexMilli {
		t.Error("looking changed it")
	}
}

// TestQuota: rate and concurrency, each by caller, with the time to wait.
func TestQuota(t *testing.T) {
	s := newSite(t)
	now := time.UnixMilli(s.now)
	m := s.service(func(o *Options) {
		o.Quota = Quota{Rate: 2, Burst: 3, Concurrent: 1, Batch: 10}
		o.Now = func() time.Time { return now }
	})
	var quota *QuotaError
	for range 3 {
		if _, err := m.Evaluate("x", Choice{}, &given1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Evaluate("x", Choice{}, &given1); !errors.As(err, &quota) || quota.RetryAfter != 500*time.Millisecond || RetryAfter(quota) != 1 {
		t.Errorf("the fourth: %v", err)
	}
	if _, err := m.Evaluate("y", Choice{}, &given1); err != nil {
		t.Errorf("another caller: %v", err)
	}
	now = now.Add(500 * time.Millisecond)
	if _, err := m.Evaluate("x", Choice{}, &given1); err != nil {
		t.Errorf("after the wait: %v", err)
	}
	now = now.Add(time.Minute)
	st, err := m.OpenStream("x", Choice{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Evaluate("x", Choice{}, &given1); !errors.As(err, &quota) {
		t.Errorf("a second call beside the stream: %v", err)
	}
	st.Close()
	if _, err := m.Evaluate("x", Choice{}, &given1); err != nil {
		t.Errorf("after the stream: %v", err)
	}
}

// TestUsage: a stream of a thousand is one line, lines add up over flushes, and nobody but the site writes them.
func TestUsage(t *testing.T) {
	s := newSite(t)
	m := s.service(func(o *Options) { o.Quota = Quota{Rate: 1e6, Burst: 1e6, Concurrent: 2, Batch: 10} })
	for range 2 {
		st, err := m.OpenStream("x", Choice{})
		if err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			if _, err := st.Judge(&Item{Inputs: given1}); err != nil {
				t.Fatal(err)
			}
		}
		st.Close()
		before := s.puts
		if err := m.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.puts != before+1 {
			t.Errorf("%d commands for one flush", s.puts-before)
		}
	}
	page, err := s.store.List(t.Context(), store.Query{Type: "ModelUse"})
	if err != nil || len(page.Rows) != 1 {
		t.Fatal(page.Rows, err)
	}
	if u := page.Rows[0].Record.(*schema.ModelUse); u.GetPlants() != 2000 || u.GetCalls() != 2 || u.GetOperation() != OpStream || u.GetCaller() != "x" || u.GetModel() != "DUST-RISK-1.0" {
		t.Errorf("%v", u)
	}
	raw, err := schema.Marshal(page.Rows[0].Record)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Propose(t.Context(), &schema.Command{Actor: "admin", Body: &schema.Command_Put{Put: &schema.Put{Role: "site_admin", Changes: []*schema.Change{{Type: "ModelUse", Record: raw}}}}})
	if err != nil || !schema.Refuses(res.GetViolations()) {
		t.Errorf("an administrator wrote usage: %v %v", res, err)
	}
}

// callers are connections to a real gRPC server over TLCP, by certificate.
func callers(t *testing.T, m *Service, members map[string]string) map[string]rpc.ModelClient {
	t.Helper()
	ca, err := pki.NewCA(filepath.Join(t.TempDir(), "ca"), "national")
	if err != nil {
		t.Fatal(err)
	}
	identity := func(name, unit string) *pki.Identity {
		dir := filepath.Join(t.TempDir(), name)
		if err := ca.Issue(dir, name, unit, nil, time.Hour); err != nil {
			t.Fatal(err)
		}
		id, err := pki.LoadIdentity(dir)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(tlcp.ServerCredentials(identity("jiangsu", pki.UnitSite), func(tlcp.Peer) error { return nil }, slog.New(slog.DiscardHandler))))
	rpc.RegisterModelServer(server, NewServer(m))
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	out := map[string]rpc.ModelClient{}
	for name, unit := range members {
		c, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(tlcp.ClientCredentials(identity(name, unit), "jiangsu")))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		out[name] = rpc.NewModelClient(c)
	}
	return out
}

// TestGRPC: over real TLCP; gateways reach their own plant alone, a quota says when to come again.
func TestGRPC(t *testing.T) {
	s := newSite(t)
	now := time.UnixMilli(s.now)
	m := s.service(func(o *Options) {
		o.Quota = Quota{Rate: 1, Burst: 20, Concurrent: 2, Batch: 10}
		o.Now = func() time.Time { return now }
	})
	c := callers(t, m, map[string]string{gatewayA: pki.UnitGateway, "320505030009G01": pki.UnitGateway, "suzhou": pki.UnitSite})
	ctx := t.Context()
	in := &rpc.Inputs{Dusts: []string{"2"}, Workers: 35, Building: "single_frame", Systems: 1, Measures: "one", Signals: []*rpc.SystemSignals{{Signals: []*rpc.SignalScore{{Kind: "T01", Score: 60}}}}}
	want, err := m.Evaluate("test", Choice{}, &given1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c["suzhou"].Evaluate(ctx, &rpc.EvaluateRequest{Key: "k", Inputs: in})
	if err != nil || got.GetKey() != "k" || got.GetResult().GetIndexMilli() != want.IndexMilli {
		t.Fatalf("%v %v", got, err)
	}
	batch, err := c["suzhou"].EvaluateBatch(ctx, &rpc.EvaluateBatchRequest{Items: []*rpc.EvaluateRequest{{Key: "1", Inputs: in}, {Key: "2", Inputs: &rpc.Inputs{Measures: "no", Variables: map[string]*rpc.InputValue{"measures": {Value: &rpc.InputValue_Text{Text: "prayer"}}}}}}})
	if err != nil || len(batch.GetItems()) != 2 || batch.GetItems()[0].GetResult() == nil || batch.GetItems()[1].GetError() == "" {
		t.Errorf("batch: %v %v", batch, err)
	}
	if _, err := c["320505030009G01"].Evaluate(ctx, &rpc.EvaluateRequest{Inputs: in}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("a gateway this site does not have: %v", err)
	}
	for name, code := range map[string]codes.Code{gatewayA: codes.OK, "suzhou": codes.PermissionDenied} {
		if _, err := c[name].Explain(ctx, &rpc.ExplainRequest{Enterprise: plantCode}); status.Code(err) != code {
			t.Errorf("%s explains: %v", name, err)
		}
		if _, err := c[name].WhatIf(ctx, &rpc.WhatIfRequest{Enterprise: plantCode, Changes: map[string]*rpc.InputValue{"workers": {Value: &rpc.InputValue_Number{Number: 5}}}}); status.Code(err) != code {
			t.Errorf("%s asks what if: %v", name, err)
		}
	}
	if _, err := c[gatewayA].Explain(ctx, &rpc.ExplainRequest{Enterprise: "320505030002"}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("another's plant: %v", err)
	}
	stream, err := c[gatewayA].EvaluateStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	answered := 0
	for {
		if err = stream.Send(&rpc.EvaluateRequest{Key: fmt.Sprint(answered), Inputs: in}); err == nil {
			_, err = stream.Recv()
		} else if errors.Is(err, io.EOF) {
			_, err = stream.Recv()
		}
		if err != nil {
			break
		}
		answered++
	}
	if status.Code(err) != codes.ResourceExhausted || answered != 17 || len(stream.Trailer().Get("retry-after")) != 1 {
		t.Errorf("%d answered, then %v, trailer %v", answered, err, stream.Trailer())
	}
}
