package node

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dusthub/deploy/demo/plants"
	"dusthub/node/notify"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"
)

// Measured values of a plant that are too high raise an alarm, which calls the manager through a webhook, once; and the site
// remembers that (F1.2, F2.2).
func TestAnAlarmCallsThroughAWebhook(t *testing.T) {
	called := make(chan string, 16)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		called <- r.Header.Get("Idempotency-Key")
	}))
	defer hook.Close()
	cfg := configure(t, 1)[0]
	secret := filepath.Join(t.TempDir(), "webhook")
	if err := os.WriteFile(secret, []byte("hush-hush"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Notify.Webhook.SecretFile, cfg.Notify.Private = secret, true
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	n := run(t, cfg)
	wait(t, "ready", func() bool { return n.Ready() == nil })
	calls, err := notify.New(notify.Options{Site: n.Node, ID: cfg.Site.ID, Config: cfg.Notify, Keys: n.Keys(), KeysDir: cfg.KeysDir, Registerer: n.Metrics()})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { defer close(done); _ = calls.Run(ctx) }()
	defer func() { cancel(); <-done }()
	address, err := calls.Seal(notify.KindWebhook, []byte(hook.URL))
	if err != nil {
		t.Fatal(err)
	}
	p := plants.All()[0]
	records, value := hot(p)
	n.write(t, records...)
	n.write(t, &schema.User{Login: "manager", Name: "M", Role: "plant_manager", Enterprise: p.Code, Password: "x"})
	n.write(t, &schema.Channel{Id: "N1", Login: "manager", Kind: notify.KindWebhook, AddressSealed: address})
	now := time.Now().UnixMilli()
	sample := frame.Append(nil, []frame.Sample{{Series: 1, Time: now - now%100, Value: value}})
	if _, err := n.Propose(t.Context(), &schema.Command{Actor: p.GatewayCode(), Body: &schema.Command_Frame{Frame: sample}}); err != nil {
		t.Fatal(err)
	}
	var d *schema.Delivery
	wait(t, "a delivery by webhook that is sent", func() bool {
		err = n.Store().Each(t.Context(), store.Query{Type: "Delivery"}, func(r store.Row) (bool, error) {
			if x := r.Record.(*schema.Delivery); x.GetKind() == notify.KindWebhook {
				d = x
			}
			return true, nil
		})
		return err == nil && d.GetStage() == "sent"
	})
	if key := <-called; key != d.GetId() || !strings.HasPrefix(d.GetSubject(), "Alarm/") || d.GetTries() != 1 || d.GetLogin() != "manager" || d.GetTemplate() != "alarm_raised" || len(called) != 0 {
		t.Errorf("called as %q, %d times more, %v", key, len(called), d)
	}
	back := &schema.Delivery{Id: d.GetId(), Subject: d.GetSubject(), Login: d.GetLogin(), Channel: "N1", Kind: d.GetKind(), Stage: "queued", At: d.GetAt(), Template: d.GetTemplate(), Title: d.GetTitle(), Next: 1}
	if err := n.put(t, "site", back); err == nil {
		t.Error("it was queued again")
	}
}

// hot is a plant with one metric that has a limit at which an alarm rises, and a value above it.
func hot(p plants.Plant) (records []schema.Record, value float64) {
	u := p.Units[0]
	at := u.Points[slices.IndexFunc(u.Points, func(pt plants.Point) bool { return pt.Limits["hh"] > 0 })]
	limit := at.Limits["hh"]
	return []schema.Record{
		&schema.Enterprise{
			Code: p.Code, Uscc: p.USCC, Name: p.Name, Region: p.Region, Industry: p.Industry, MemIndustry: p.MemInd, Scale: p.Scale, Employees: p.Staff, DustWorkers: p.Workers,
			ProductionState: "normal", AccessState: "connected", ShouldAccess: true, Dusts: []*schema.Dust{{Dust: p.Dust}},
		},
		&schema.Workshop{Code: p.WorkshopCode(), Enterprise: p.Code, Name: "W", Building: p.Building},
		&schema.DustSystem{Code: p.SystemCode(u), Enterprise: p.Code, Workshop: p.WorkshopCode(), Name: "S", Mode: u.Mode, Dusts: []string{p.Dust}},
		&schema.Collector{Code: p.CollectorCode(u), Enterprise: p.Code, System: p.SystemCode(u), Name: "C", Type: u.Type},
		&schema.Gateway{Code: p.GatewayCode(), Enterprise: p.Code, Door: "frames"},
		&schema.Metric{
			Code: p.MetricCode(u, at), Enterprise: p.Code, Collector: p.CollectorCode(u), Gateway: p.GatewayCode(), Kind: at.Kind, Name: at.Name, Unit: at.Unit, RangeLo: at.Lo, RangeHi: at.Hi,
			Limits: &schema.Limits{Hh: &limit},
		},
	}, (limit + at.Hi) / 2
}

func (r *running) write(t *testing.T, records ...schema.Record) {
	t.Helper()
	if err := r.put(t, "admin", records...); err != nil {
		t.Fatal(err)
	}
}

// put writes records through the site's log; the error says why they were refused.
func (r *running) put(t *testing.T, actor string, records ...schema.Record) error {
	t.Helper()
	put := &schema.Put{Role: roleSystem}
	for _, rec := range records {
		raw, err := schema.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		put.Changes = append(put.Changes, &schema.Change{Type: schema.TypeOf(rec), Record: raw})
	}
	res, err := r.Propose(t.Context(), &schema.Command{Actor: actor, Body: &schema.Command_Put{Put: put}})
	for _, v := range res.GetViolations() {
		if schema.Refuses([]*schema.Violation{v}) {
			err = errors.Join(err, errors.New(v.String()))
		}
	}
	return err
}
