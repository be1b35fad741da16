package portal

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dusthub/crypto/keys"
	"dusthub/node/engine"
	"dusthub/node/live"
	"dusthub/node/machine"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"
)

// judged is a site of one replica with the real engine and machine; only raft is left out.
type judged struct {
	mu      sync.Mutex
	store   *store.Store
	hub     *live.Hub
	machine *machine.Machine
	index   uint64
	now     func() time.Time
}

func (j *judged) Store() *store.Store    { return j.store }
func (j *judged) Hub() *live.Hub         { return j.hub }
func (j *judged) Leader() (string, bool) { return "r1", true }
func (j *judged) Propose(_ context.Context, cmd *schema.Command) (*schema.Result, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.index++
	cmd.Time = j.now().UnixMilli()
	if cmd.GetId() == "" {
		cmd.Id = strconv.FormatUint(j.index, 10)
	}
	b, err := schema.Marshal(cmd)
	if err != nil {
		return nil, err
	}
	return j.machine.Apply(j.index, b)
}

func newJudged(t *testing.T, change ...func(*Options, *engine.Engine)) *site {
	t.Helper()
	s := &site{t: t, tokens: map[string]string{}, clock: time.UnixMilli(1_790_000_000_000)}
	st, err := store.Open(store.Options{Dir: t.TempDir(), Site: siteID})
	if err != nil {
		t.Fatal(err)
	}
	j := &judged{store: st, hub: live.New(0), now: s.now}
	judge := engine.New(engine.Config{Site: siteID, Level: "province", Region: "320000"})
	if j.machine, err = machine.New(machine.Options{Store: st, Engine: judge, Hub: j.hub, Logger: slog.New(slog.DiscardHandler), Parent: "ministry"}); err != nil {
		t.Fatal(err)
	}
	kp, err := keys.OpenSoftware(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	opt := Options{Site: Site{ID: siteID, Name: "江苏", Level: "province", Region: "320000"}, Backend: j, Keys: kp, Now: s.now, Rehearser: j.machine}
	for _, f := range change {
		f(&opt, judge)
	}
	if s.server, err = New(opt); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.server.close()
		if bad := st.Close(); bad != nil {
			t.Error(bad)
		}
	})
	for login, role := range map[string]string{"admin": siteAdmin, "security": securityAdmin, "audit": auditAdmin} {
		b, err := schema.Marshal(&schema.User{Login: login, Name: "管理员", Role: role, Password: quickHash(t, rightPassword)})
		if err != nil {
			t.Fatal(err)
		}
		res, err := j.Propose(t.Context(), &schema.Command{Actor: "site", Body: &schema.Command_Put{Put: &schema.Put{Changes: []*schema.Change{{Type: "User", Record: b}}}}})
		if err != nil || len(res.GetViolations()) > 0 {
			t.Fatal(err, res.GetViolations())
		}
	}
	return s
}

// enter logs somebody in through the API.
func (s *site) enter(p Portal, login, password string) {
	s.t.Helper()
	got := s.on(p, "", http.MethodPost, "/api/v1/session", object{"login": login, "password": password})
	if got.status != http.StatusOK {
		s.t.Fatalf("login of %s: %d %s", login, got.status, got.body)
	}
	s.tokens[login] = (&http.Response{Header: got.header}).Cookies()[0].Value
}

func (s *site) must(p Portal, login, method, path string, body any) reply {
	s.t.Helper()
	got := s.on(p, login, method, path, body)
	if got.status/100 != 2 {
		s.t.Fatalf("%s %s as %s: %d %s", method, path, login, got.status, got.body)
	}
	return got
}

// The loop of a plant at its own site, through the API alone and judged by the real engine: base data, people, readings,
// an alarm worked to its end, a spot check answered, a cleaning checked in.
func TestLoop(t *testing.T) {
	s := provisioned(t)
	s.alarmToItsEnd()
	s.management()
	s.must(Enterprise, "m0001", http.MethodDelete, "/api/v1/session", nil)
}

// provisioned is a site with one plant, its regulator and its manager, brought in through the API.
func provisioned(t *testing.T) *site {
	s := newJudged(t)
	s.enter(Regulator, "admin", rightPassword)
	s.enter(Regulator, "security", rightPassword)
	c := plantA + "C001"
	change := func(typ string, record object) object { return object{"type": typ, "record": record} }
	base := object{"changes": []object{
		change("Enterprise", object{
			"code": plantA, "uscc": "91320505MA1000371T", "uscc_override": "测试", "name": "明辉", "region": "320505", "industry": "C33", "mem_industry": "machinery", "scale": "small", "employees": 126,
			"dust_workers": 35, "max_shift_workers": 18, "production_state": "normal", "access_state": "connected", "should_access": true, "dusts": []object{{"dust": "2", "daily_yield_kg": 40}},
		}),
		change("Workshop", object{"code": plantA + "W01", "enterprise": plantA, "name": "车间", "building": "single_frame", "area_m2": 1200}),
		change("Gateway", object{"code": plantA + "G01", "enterprise": plantA, "name": "网关", "door": "mqtt"}),
		change("DustSystem", object{"code": plantA + "S01", "enterprise": plantA, "workshop": plantA + "W01", "name": "1号", "mode": "negative", "dusts": []string{"2"}}),
		change("Collector", object{"code": c, "enterprise": plantA, "system": plantA + "S01", "name": "1号除尘器", "type": "dry_bag", "measures": []string{"venting"}}),
		change("Metric", object{
			"code": c + "T0101", "enterprise": plantA, "collector": c, "gateway": plantA + "G01", "kind": "T01", "name": "灰斗温度", "unit": "°C", "range_lo": -20, "range_hi": 200,
			"limits": object{"h": 60, "hh": 70, "deadband": 2.2, "on_delay_ms": 0, "off_delay_ms": 2000}, "period_s": 1, "required_class": "required",
		}),
		change("CleaningPlan", object{"id": plantA + "-floor", "enterprise": plantA, "workshop": plantA + "W01", "item": "地面", "cycle": "shift", "method": "ex_vacuum"}),
	}}
	for range 2 { // again changes nothing
		s.must(Regulator, "admin", http.MethodPost, "/api/v1/records", base)
	}
	for _, u := range []object{
		{"login": "js01", "name": "钱", "role": provinceRegulator, "region": "320000", "enterprise": "", "password": rightPassword},
		{"login": "m0001", "name": "陈", "role": plantManager, "region": "", "enterprise": plantA, "password": rightPassword},
	} {
		s.must(Regulator, "security", http.MethodPost, "/api/v1/users", u)
		if got := s.on(Regulator, "security", http.MethodPost, "/api/v1/users", u); got.status != http.StatusConflict {
			t.Errorf("a user again: %d %s", got.status, got.body)
		}
	}
	s.must(Regulator, "admin", http.MethodPost, "/api/v1/gateways/"+plantA+"G01/credential", object{"kind": "token"})
	s.must(Regulator, "admin", http.MethodPost, "/api/v1/gateways/"+plantA+"G01/credential", object{"kind": "sm4"})
	s.enter(Regulator, "js01", rightPassword)
	s.enter(Enterprise, "m0001", rightPassword)
	return s
}

func (s *site) sample(value float64) {
	s.t.Helper()
	s.pass(time.Second)
	b := s.server.opt.Backend
	for _, cmd := range []*schema.Command{
		{Actor: plantA + "G01", Body: &schema.Command_Frame{Frame: frame.Append(nil, []frame.Sample{{Series: 1, Time: s.now().UnixMilli(), Value: value}})}},
		{Actor: "site", Body: &schema.Command_Tick{Tick: &schema.Tick{}}},
	} {
		if _, err := b.Propose(s.t.Context(), cmd); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *site) alarmToItsEnd() {
	t := s.t
	t.Helper()
	for _, v := range []float64{40, 65, 65, 65} {
		s.sample(v)
	}
	var list Page[*AlarmView]
	s.must(Regulator, "js01", http.MethodGet, "/api/v1/alarms?stage=open&limit=200", nil).into(t, &list)
	if len(list.Items) != 1 || list.Items[0].Alarm.GetRule() != "H" {
		t.Fatalf("alarms: %+v", list)
	}
	id := list.Items[0].Alarm.GetId()
	var photo schema.Attachment
	s.must(Enterprise, "m0001", http.MethodPost, "/api/v1/attachments", picture(t)).into(t, &photo)
	path := "/api/v1/alarms/" + id + "/actions"
	s.must(Enterprise, "m0001", http.MethodPost, path, object{"action": "acknowledge", "cause": "04"})
	if got := s.on(Enterprise, "m0001", http.MethodPost, path, object{"action": "acknowledge"}); got.status != http.StatusUnprocessableEntity || !strings.Contains(string(got.body), "life_cycle") {
		t.Errorf("acknowledged twice: %d %s", got.status, got.body)
	}
	s.must(Enterprise, "m0001", http.MethodPost, path, object{"action": "dispose", "text": "停机清理", "cause": "04"})
	s.must(Enterprise, "m0001", http.MethodPost, path, object{"action": "feed_back", "text": "已恢复", "attachments": []string{photo.GetId()}})
	for range 5 {
		s.sample(40)
	}
	s.must(Regulator, "js01", http.MethodPost, path, object{"action": "close", "text": "核销"})
	if got := s.on(Regulator, "js01", http.MethodPost, path, object{"action": "close"}); got.status != http.StatusUnprocessableEntity || !strings.Contains(string(got.body), "life_cycle") {
		t.Errorf("closed twice: %d %s", got.status, got.body)
	}
	var c CountsView
	s.must(Regulator, "js01", http.MethodGet, "/api/v1/counts", nil).into(t, &c)
	if o := c.Origins[0]; o.Alarms != 1 || o.AlarmsClosed != 1 || o.Samples != 9 {
		t.Errorf("counts: %+v", c)
	}
	var l LatencyView
	s.must(Regulator, "js01", http.MethodGet, "/api/v1/latency?type=Alarm&origin="+siteID, nil).into(t, &l)
	if l.Count != 1 || l.P99 > 1 {
		t.Errorf("latency: %+v", l)
	}
}

func (s *site) management() {
	t := s.t
	t.Helper()
	var check SpotCheckView
	s.must(Regulator, "js01", http.MethodPost, "/api/v1/spot-checks", object{"enterprise": plantA, "title": "抽查", "text": "请反馈", "due": s.now().UnixMilli() + 3_600_000}).into(t, &check)
	s.must(Enterprise, "m0001", http.MethodPost, "/api/v1/spot-checks/"+check.SpotCheck.GetId()+"/answer", object{"text": "正常"}).into(t, &check)
	if check.SpotCheck.GetStage() != "answered" || len(check.Answers) != 1 {
		t.Errorf("answered: %+v", check)
	}
	path := "/api/v1/spot-checks/" + check.SpotCheck.GetId()
	for _, step := range []object{
		{"action": "find", "text": "除尘器未泄爆", "clause": "GB 15577-2018 7.1.3", "grave": true}, {"action": "order", "text": "三日内整改", "due": s.now().UnixMilli() + 3_600_000},
	} {
		s.must(Regulator, "js01", http.MethodPost, path+"/actions", step)
	}
	s.must(Enterprise, "m0001", http.MethodPost, path+"/answer", object{"text": "已加装泄爆片"})
	s.must(Regulator, "js01", http.MethodPost, path+"/actions", object{"action": "close", "text": "合格"})
	s.must(Enterprise, "m0001", http.MethodGet, path, nil).into(t, &check)
	if f := check.SpotCheck.GetFindings(); check.SpotCheck.GetStage() != "closed" || len(check.Answers) != 2 || len(f) != 1 || !f[0].GetGrave() || check.SpotCheck.GetOrder() != "三日内整改" {
		t.Errorf("rectified: %+v", check)
	}
	var drawn DrawView
	s.must(Regulator, "js01", http.MethodPost, "/api/v1/spot-checks/draw", object{"count": 1, "title": "双随机抽查", "seed": "20261124", "inspectors": []string{"甲", "乙", "丙"}}).into(t, &drawn)
	s.must(Regulator, "js01", http.MethodGet, "/api/v1/spot-checks/"+drawn.Drawn[0].SpotCheck, nil).into(t, &check)
	if d := check.SpotCheck.GetDraw(); d.GetSeed() != "20261124" || d.GetPool() != int32(drawn.Pool) || d.GetPlace() != 1 || len(check.SpotCheck.GetInspectors()) != 2 {
		t.Errorf("drawn: %+v %+v", drawn, check)
	}
	var photo schema.Attachment
	s.must(Enterprise, "m0001", http.MethodPost, "/api/v1/attachments", picture(t)).into(t, &photo)
	now := s.now().UnixMilli()
	s.must(Enterprise, "m0001", http.MethodPost, "/api/v1/cleaning/records", object{"id": plantA + "-1", "plan": plantA + "-floor", "item": "地面", "person": "李", "time": now, "photos": []string{photo.GetId()}})
	var v VerifyView
	s.must(Regulator, "js01", http.MethodGet, "/api/v1/ledger/verify?origin="+siteID, nil).into(t, &v)
	if !v.OK || v.Seq == 0 {
		t.Errorf("ledger: %+v", v)
	}
	for _, path := range []string{"/api/v1/overview", "/api/v1/federation", "/api/v1/enterprises/" + plantA, "/api/v1/enterprises/" + plantA + "/risk", "/api/v1/ledger", "/api/v1/quarantine", "/api/v1/warnings"} {
		s.must(Regulator, "js01", http.MethodGet, path, nil)
	}
}
