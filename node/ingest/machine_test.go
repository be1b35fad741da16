package ingest_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"dusthub/crypto/sm"
	"dusthub/deploy/demo/plants"
	"dusthub/node/engine"
	"dusthub/node/ingest"
	"dusthub/node/live"
	"dusthub/node/machine"
	"dusthub/node/store"
	"dusthub/schema"
)

// judged is a proposer whose commands the real machine and engine take in, without raft between.
type judged struct {
	mu    sync.Mutex
	m     *machine.Machine
	index uint64
}

func (j *judged) Propose(_ context.Context, cmd *schema.Command) (*schema.Result, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.index++
	cmd.Time = time.Now().UnixMilli()
	if cmd.GetId() == "" {
		cmd.Id = fmt.Sprint(j.index)
	}
	raw, err := schema.Marshal(cmd)
	if err != nil {
		return nil, err
	}
	return j.m.Apply(j.index, raw)
}

// TestThroughMachineAndEngine: what the doors propose is what machine and engine expect.
func TestThroughMachineAndEngine(t *testing.T) {
	st, err := store.Open(store.Options{Dir: t.TempDir(), Site: "jiangsu"})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	hub := live.New(0)
	log := slog.New(slog.DiscardHandler)
	m, err := machine.New(machine.Options{Store: st, Engine: engine.New(engine.Config{Site: "jiangsu", Level: "province", Region: "320000"}), Hub: hub, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	j := &judged{m: m}
	in, err := ingest.New(ingest.Options{Store: st, Hub: hub, Proposer: j, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	defer func() { cancel(); <-done }()
	srv := httptest.NewServer(ingest.NewHTTP(in))
	defer srv.Close()

	p := plants.All()[0]
	secret := sm.SM3([]byte("s"))
	records := append(basePlant(p), &schema.Credential{Gateway: p.GatewayCode(), SecretSm3: secret[:]})
	put := &schema.Put{}
	for _, r := range records {
		raw, bad := schema.Marshal(r)
		if bad != nil {
			t.Fatal(bad)
		}
		put.Changes = append(put.Changes, &schema.Change{Type: schema.TypeOf(r), Record: raw})
	}
	if r, bad := j.Propose(ctx, &schema.Command{Actor: "admin", Body: &schema.Command_Put{Put: put}}); bad != nil || schema.Refuses(r.GetViolations()) {
		t.Fatalf("base data: %v %v", bad, r.GetViolations())
	}

	w := web{nil, srv.URL}
	send := func(body string) answer {
		return w.post(t, "/api/v1/samples", []byte(body), "Authorization", "Bearer "+p.GatewayCode()+":s")
	}
	code := p.MetricCode(p.Units[0], p.Units[0].Points[0])
	at := now()
	for _, c := range []struct {
		name, body string
		status     int
		want       string
	}{
		{"heartbeat", `{"source_lost":true}`, 200, `"stored":0`},
		{"good", fmt.Sprintf(`{"metric":%q,"time":%d,"value":25}`, code, at), 200, `"stored":1`},
		{"again", fmt.Sprintf(`{"metric":%q,"time":%d,"value":25}`, code, at), 200, `"duplicates":1`},
		{"another value", fmt.Sprintf(`{"metric":%q,"time":%d,"value":26}`, code, at), 200, `"conflicts":1`},
		{"of a stranger", fmt.Sprintf(`{"metric":%q,"time":%d,"value":26}`, nobodys(code), at), 422, "unknown_metric"},
	} {
		if a := send(c.body); a.status != c.status || !strings.Contains(a.body, c.want) {
			t.Errorf("%s: %d %s, wanted %s", c.name, a.status, a.body, c.want)
		}
	}
	row, ok, err := st.Get("GatewayState", p.GatewayCode())
	if err != nil || !ok {
		t.Fatalf("no state of the gateway: %v", err)
	}
	if s, _ := row.Record.(*schema.GatewayState); s.GetState() != "online" {
		t.Errorf("the gateway is %s after its source was lost and readings came again", s.GetState())
	}
	rules := map[string]int{}
	if err := st.Each(ctx, store.Query{Type: "Quarantine"}, func(r store.Row) (bool, error) {
		q, _ := r.Record.(*schema.Quarantine)
		for _, v := range q.GetViolations() {
			rules[v.GetRule()]++
		}
		return true, nil
	}); err != nil {
		t.Fatal(err)
	}
	if rules["unknown_metric"] != 1 || len(rules) != 2 {
		t.Errorf("quarantine holds %v, wanted the unknown metric and the conflict", rules)
	}
}

// nobodys is a code of the right form that no metric has.
func nobodys(code string) string { return code[:len(code)-2] + "99" }

// basePlant is what a site must know of a plant before its first reading.
func basePlant(p plants.Plant) []schema.Record {
	u := p.Units[0]
	out := []schema.Record{
		&schema.Enterprise{
			Code: p.Code, Uscc: p.USCC, Name: p.Name, Region: p.Region, Industry: p.Industry, MemIndustry: p.MemInd, Scale: p.Scale, Employees: p.Staff, DustWorkers: p.Workers,
			ProductionState: "normal", AccessState: "connected", ShouldAccess: true, Dusts: []*schema.Dust{{Dust: p.Dust}},
		},
		&schema.Workshop{Code: p.WorkshopCode(), Enterprise: p.Code, Name: "W", Building: p.Building},
		&schema.DustSystem{Code: p.SystemCode(u), Enterprise: p.Code, Workshop: p.WorkshopCode(), Name: "S", Mode: u.Mode, Dusts: []string{p.Dust}},
		&schema.Collector{Code: p.CollectorCode(u), Enterprise: p.Code, System: p.SystemCode(u), Name: "C", Type: u.Type},
		&schema.Gateway{Code: p.GatewayCode(), Enterprise: p.Code, Door: string(p.Door)},
	}
	for _, pt := range u.Points {
		out = append(out, &schema.Metric{
			Code: p.MetricCode(u, pt), Enterprise: p.Code, Collector: p.CollectorCode(u), Gateway: p.GatewayCode(), Kind: pt.Kind, Name: pt.Name, Unit: pt.Unit, RangeLo: pt.Lo, RangeHi: pt.Hi,
		})
	}
	return out
}
