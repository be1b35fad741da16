package ingest_test

import (
	"context"
	"fmt"
	"testing"

	"dusthub/node/ingest"
	. "dusthub/node/ingest/ingesttest"
	"dusthub/schema"

	"github.com/prometheus/client_golang/prometheus"
)

// TestBaseDataChanges: what the directory keeps follows the rows, within the time a caller can be made to wait for.
func TestBaseDataChanges(t *testing.T) {
	w := newWeb(t, nil)
	body := func(metric string) string {
		return fmt.Sprintf(`{"metric":%q,"time":%d,"value":36.5}`, metric, now())
	}
	until := func(what string, status int, body func() answer) {
		t.Helper()
		var a answer
		for range 1000 {
			if a = body(); a.status == status {
				return
			}
		}
		t.Errorf("%s: %d %s", what, a.status, a.body)
	}
	w.jsonDoor(t, body(Temperature))
	w.Put(t, &schema.Metric{Code: Unknown, Enterprise: Enterprise, Gateway: Gateway, Series: 9, RangeLo: 0, RangeHi: 100})
	if a := w.jsonDoor(t, body(Unknown)); a.status != 200 {
		t.Errorf("a new metric is not taken at once: %d %s", a.status, a.body)
	}
	w.Put(t, &schema.Metric{Code: Temperature, Enterprise: Enterprise, Gateway: OtherGateway, Series: 1, RangeLo: -20, RangeHi: 200})
	until("a metric that moved to another gateway", 422, func() answer { return w.jsonDoor(t, body(Temperature)) })
	w.Put(t, &schema.Gateway{Code: Gateway, Enterprise: Enterprise, Door: "http", Disabled: true})
	until("a disabled gateway", 401, func() answer { return w.jsonDoor(t, body(Pressure)) })
}

func TestDirectoryKnowsItsOwnSiteOnly(t *testing.T) {
	s := New(t, nil)
	d := ingest.NewDirectory(s.Store, s.Hub)
	ctx := context.Background()
	g, ok, err := d.Gateway(ctx, Gateway)
	if err != nil || !ok || len(g.Metrics) != 4 || g.Metrics[Temperature].Series != 1 || g.Metrics[OtherMetric] != nil {
		t.Errorf("gateway %+v, %v, %v", g, ok, err)
	}
	again, _, _ := d.Gateway(ctx, Gateway)
	if again != g {
		t.Error("looked up twice")
	}
	if g, ok, err := d.ByAppID(ctx, AppID); err != nil || !ok || g.Record.GetCode() != Gateway {
		t.Errorf("by appid: %v, %v, %v", g, ok, err)
	}
	if _, ok, _ := d.ByAppID(ctx, ""); ok {
		t.Error("the empty appid belongs to somebody")
	}
	if _, ok, err := d.Gateway(ctx, "320505039999G01"); ok || err != nil {
		t.Errorf("unknown gateway: %v, %v", ok, err)
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	w := newWeb(t, func(o *ingest.Options) { o.Registerer = reg })
	w.jsonDoor(t, fmt.Sprintf(`[{"metric":%q,"time":%d,"value":1},{"metric":%q,"time":1,"value":1}]`, Temperature, now(), Temperature))
	w.post(t, "/api/v1/samples", nil, "Authorization", "Bearer x:y")
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, f := range families {
		got[f.GetName()] = len(f.GetMetric())
	}
	for name, want := range map[string]int{"dusthub_ingest_readings_total": 2, "dusthub_ingest_denied_total": 1, "dusthub_ingest_frames_total": 1, "dusthub_ingest_queue_depth": 1} {
		if got[name] != want {
			t.Errorf("%s: %d series, wanted %d", name, got[name], want)
		}
	}
}
