package engine

import (
	"bytes"
	"fmt"
	"testing"

	"dusthub/node/engine/risk"
	"dusthub/schema"
	"dusthub/schema/frame"
)

// world is an engine with one plant, driven by a clock of its own.
type world struct {
	t   tester
	e   *Engine
	now int64
	n   int
}

const (
	code      = "320505030001"
	collector = code + "C001"
	t01       = collector + "T0101"
	p01       = collector + "P0101"
	k01       = collector + "K0101"
	r01       = collector + "R0101"
	r02       = collector + "R0201"
)

func ptr[T any](v T) *T { return &v }

func newWorld(t tester, cfg Config) *world {
	t.Helper()
	cfg.Site, cfg.Level, cfg.Region = "jiangsu", "province", "320000"
	if cfg.Model == nil {
		cfg.Model = risk.Shipped()
	}
	w := &world{t: t, e: New(cfg), now: 1_700_000_000_000}
	metric := func(kind, unit string, lo, hi float64, l *schema.Limits) *schema.Metric {
		return &schema.Metric{Code: collector + kind + "01", Enterprise: code, Collector: collector, Gateway: code + "G01", Kind: kind, Name: kind, Unit: unit, RangeLo: lo, RangeHi: hi, Limits: l, PeriodS: 1}
	}
	w.put(
		&schema.Enterprise{
			Code: code, Uscc: "91350100M000100Y43", Name: "苏州铝轮毂", Region: "320505", Industry: "C33", MemIndustry: "machinery", Scale: "small", Employees: 100, DustWorkers: 35, MaxShiftWorkers: 20,
			ProductionState: "normal", AccessState: "connected", Dusts: []*schema.Dust{{Dust: "2"}}, Address: "虎丘", Lng: 120.5, Lat: 31.3, SafetyHead: "陈", SafetyPhone: "138",
		},
		&schema.Workshop{Code: code + "W01", Enterprise: code, Name: "打磨", Building: "single_frame"},
		&schema.DustSystem{Code: code + "S01", Enterprise: code, Workshop: code + "W01", Name: "1", Mode: "negative", Dusts: []string{"2"}},
		&schema.Collector{Code: collector, Enterprise: code, System: code + "S01", Name: "1", Type: "dry_bag", Measures: []string{"venting"}, LockGasDevice: true},
		&schema.Gateway{Code: code + "G01", Enterprise: code, Door: "frames"},
		metric("T01", "°C", -20, 200, &schema.Limits{H: ptr(60.0), Hh: ptr(70.0), Deadband: 2}),
		metric("P01", "Pa", 0, 5000, &schema.Limits{Ll: ptr(200.0), L: ptr(400.0), H: ptr(1500.0), Hh: ptr(2000.0), OnDelayMs: 3000, OffDelayMs: 2000}),
		metric("K01", "0/1", 0, 1, &schema.Limits{FaultState: ptr(int32(1)), FaultLevel: 2, OnDelayMs: 3000}),
		metric("R01", "0/1", 0, 1, nil),
		metric("R02", "0/1", 0, 1, nil),
		&schema.CleaningPlan{Id: code + "-floor", Enterprise: code, Item: "地面", Cycle: "shift", Method: "ex_vacuum"},
	)
	return w
}

func (w *world) apply(body any) Effects {
	w.n++
	return w.e.Apply(w.command(body))
}

func (w *world) command(body any) *schema.Command {
	c := &schema.Command{Id: fmt.Sprint("c", w.n), Time: w.now, Actor: "m0001"}
	switch b := body.(type) {
	case *schema.Put:
		c.Body = &schema.Command_Put{Put: b}
	case *schema.Act:
		c.Body = &schema.Command_Act{Act: b}
	case *schema.Tick:
		c.Body = &schema.Command_Tick{Tick: b}
	case *schema.Heard:
		c.Body = &schema.Command_Heard{Heard: b}
	case []byte:
		c.Body = &schema.Command_Frame{Frame: b}
	default:
		w.t.Fatalf("no command for %T", body)
	}
	return c
}

func changes(records ...schema.Record) *schema.Put {
	p := &schema.Put{}
	for _, r := range records {
		raw, err := schema.Marshal(r)
		if err != nil {
			panic(err)
		}
		p.Changes = append(p.Changes, &schema.Change{Type: schema.TypeOf(r), Record: raw})
	}
	return p
}

func (w *world) put(records ...schema.Record) Effects {
	w.t.Helper()
	eff := w.apply(changes(records...))
	if len(eff.Violations) > 0 {
		w.t.Fatalf("put refused: %v", eff.Violations)
	}
	return eff
}

func (w *world) series(metric string) uint32 {
	for _, p := range w.e.plants[code].points {
		if codeOfPoint(p) == metric {
			return p.st.GetMetric().GetSeries()
		}
	}
	w.t.Fatalf("no metric %s", metric)
	return 0
}

// read sends one reading a second after the last.
func (w *world) read(metric string, v float64) Effects {
	w.now += 1000
	return w.apply(frame.Append(nil, []frame.Sample{{Series: w.series(metric), Time: w.now, Value: v}}))
}

func (w *world) tick(ms int64) Effects {
	w.now += ms
	return w.apply(&schema.Tick{})
}

func (w *world) alarms() []*schema.Alarm { return w.e.plants[code].alarms }

func ofType[T schema.Record](eff Effects) []T {
	var out []T
	for _, c := range eff.Changes {
		if r, ok := c.Record.(T); ok {
			out = append(out, r)
		}
	}
	return out
}

func (w *world) act(typ, key, action, role string, more func(*schema.Act)) Effects {
	a := &schema.Act{Type: typ, Key: key, Action: action, Role: role, Text: "检查并清理", Cause: "04", Attachments: []string{"photo"}}
	if more != nil {
		more(a)
	}
	return w.apply(a)
}

func TestLimitsWithDeadbandAndDelays(t *testing.T) {
	type reading struct {
		metric string
		value  float64
	}
	rep := func(metric string, v float64, n int) (out []reading) {
		for range n {
			out = append(out, reading{metric, v})
		}
		return out
	}
	cases := []struct {
		name     string
		readings []reading
		rules    string // of open alarms
		state    string // of the first
	}{
		{"at the high limit", rep(t01, 60, 1), "H", active},
		{"just below", rep(t01, 59.9, 1), "", ""},
		{"both limits", rep(t01, 75, 1), "HHH", active},
		{"back within the deadband is not back", append(rep(t01, 61, 1), rep(t01, 58.5, 1)...), "H", active},
		{"back beyond the deadband", append(rep(t01, 61, 1), rep(t01, 57.9, 1)...), "H", returned},
		{"shorter than the on-delay", append(rep(p01, 1600, 3), rep(p01, 900, 1)...), "", ""},
		{"as long as the on-delay", rep(p01, 1600, 4), "H", active},
		{"low", rep(p01, 390, 4), "L", active},
		{"low-low", rep(p01, 150, 4), "LLL", active},
		{"digital fault after its delay", rep(k01, 1, 4), "DI", active},
		{"digital fault too short", rep(k01, 1, 2), "", ""},
		{"out of range alone", rep(t01, 250, 1), "over_range", active},
		{"production without fan", append(rep(r01, 0, 1), rep(r02, 1, 5)...), "fan_before_production", active},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			for _, r := range c.readings {
				w.read(r.metric, r.value)
				w.apply(&schema.Tick{})
			}
			rules := ""
			for _, a := range w.alarms() {
				rules += a.GetRule()
			}
			if rules != c.rules {
				t.Fatalf("open alarms %q, wanted %q", rules, c.rules)
			}
			if c.state != "" && w.alarms()[0].GetCondition() != c.state {
				t.Fatalf("condition %s, wanted %s", w.alarms()[0].GetCondition(), c.state)
			}
		})
	}
}

func TestBackfillNeverAlarms(t *testing.T) {
	w := newWorld(t, Config{})
	old := w.now - 11*minute
	w.apply(frame.Append(nil, []frame.Sample{{Series: w.series(t01), Time: old, Value: 99}}))
	w.apply(frame.Append(nil, []frame.Sample{{Series: w.series(t01), Time: w.now, Value: 99, Quality: frame.Backfill}}))
	if len(w.alarms()) != 0 {
		t.Fatalf("alarms %v", w.alarms())
	}
}

func TestFanStopsTooEarly(t *testing.T) {
	for _, c := range []struct {
		name string
		ran  int // seconds the fan runs on
		want int
	}{{"at once", 0, 1}, {"after nine seconds", 8, 1}, {"after the delay", 12, 0}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Config{FanStopDelay: 10_000})
			w.read(r01, 1)
			w.read(r02, 1)
			w.read(r02, 0)
			for range c.ran {
				w.read(r01, 1)
			}
			w.read(r01, 0)
			if got := len(w.alarms()); got != c.want {
				t.Fatalf("%d alarms, wanted %d", got, c.want)
			}
		})
	}
}

// TestLifeCycle walks 报警 -> 签收 -> 处置 -> 反馈 -> 核销 (F2.2, F3.3) and tries every action at every stage.
func TestLifeCycle(t *testing.T) {
	w := newWorld(t, Config{})
	w.read(t01, 75)
	id := w.alarms()[1].GetId() // H
	all := []string{"acknowledge", "dispose", "feed_back", "reject", "close", "nonsense"}
	next := map[string]string{stageRaised: "acknowledge", stageAcknowledged: "dispose", stageDisposed: "feed_back"}
	stageOf := func() string { p, i := w.e.alarm(id); return p.alarms[i].GetStage() }
	for range 3 {
		before := stageOf()
		for _, action := range all {
			if action == next[before] {
				continue
			}
			if eff := w.act("Alarm", id, action, "province_regulator", nil); len(eff.Violations) == 0 || len(eff.Changes) > 0 || stageOf() != before {
				t.Fatalf("%s at %s was taken", action, before)
			}
		}
		if eff := w.act("Alarm", id, next[before], "plant_manager", nil); len(eff.Violations) > 0 {
			t.Fatalf("%s at %s refused: %v", next[before], before, eff.Violations)
		}
	}
	if eff := w.act("Alarm", id, "close", "province_regulator", nil); len(eff.Violations) == 0 {
		t.Fatal("closed while the temperature is still high")
	}
	w.read(t01, 30)
	if eff := w.act("Alarm", id, "close", "plant_manager", nil); len(eff.Violations) == 0 {
		t.Fatal("a plant closed its own alarm")
	}
	eff := w.act("Alarm", id, "close", "province_regulator", nil)
	if len(eff.Violations) > 0 {
		t.Fatal(eff.Violations)
	}
	closed := ofType[*schema.Alarm](eff)[0]
	if closed.GetStage() != stageClosed || len(closed.GetSteps()) != 4 || closed.GetSteps()[3].GetActor() != "m0001" {
		t.Fatalf("closed alarm %v", closed)
	}
	w.read(t01, 65)
	if again := w.alarms()[len(w.alarms())-1]; again.GetId() == id || again.GetRule() != "H" {
		t.Fatalf("a new excursion did not raise a new alarm: %v", again)
	}
}

func TestGraveAlarmNeedsPhoto(t *testing.T) {
	w := newWorld(t, Config{})
	w.read(t01, 75)
	id := w.alarms()[0].GetId()
	none := func(a *schema.Act) { a.Attachments = nil }
	w.act("Alarm", id, "acknowledge", "plant_worker", none)
	w.act("Alarm", id, "dispose", "plant_worker", none)
	if eff := w.act("Alarm", id, "feed_back", "plant_manager", none); len(eff.Violations) != 1 || eff.Violations[0].GetField() != "attachments" {
		t.Fatalf("violations %v", eff.Violations)
	}
}

// TestWarningLoop: the level jumps, a warning is made, disposed and fed back, and closes when the level is back (F1.2, F2.3).
func TestWarningLoop(t *testing.T) {
	w := newWorld(t, Config{Model: risk.Demonstration()})
	w.read(t01, 30)
	var warning *schema.Warning
	eff := w.read(t01, 75)
	for _, x := range ofType[*schema.Warning](eff) {
		warning = x
	}
	if warning == nil || warning.GetFromLevel() == warning.GetToLevel() || len(warning.GetTop()) != 3 || warning.GetDue() == 0 || len(warning.GetReceivers()) == 0 {
		t.Fatalf("warning %v", warning)
	}
	results := ofType[*schema.RiskResult](eff)
	sum := int64(0)
	for _, f := range results[len(results)-1].GetFactors() {
		sum += f.GetContributionMilli()
	}
	if sum != results[len(results)-1].GetIndexMilli() {
		t.Fatalf("contributions add up to %d, index %d", sum, results[len(results)-1].GetIndexMilli())
	}
	w.act("Warning", warning.GetId(), "dispose", "plant_manager", nil)
	w.act("Warning", warning.GetId(), "feed_back", "plant_manager", nil)
	if eff := w.act("Warning", warning.GetId(), "accept", "plant_manager", nil); len(eff.Violations) != 1 || eff.Violations[0].GetRule() != "role" {
		t.Fatalf("a plant accepts its own feedback: %v", eff.Violations)
	}
	w.read(t01, 30)
	for _, a := range append([]*schema.Alarm{}, w.alarms()...) {
		for _, step := range []string{"acknowledge", "dispose", "feed_back", "close"} {
			if eff := w.act("Alarm", a.GetId(), step, "province_regulator", nil); len(eff.Violations) > 0 {
				t.Fatal(eff.Violations)
			}
		}
	}
	for range 120 {
		w.tick(1000)
	}
	if open := w.e.plants[code].warnings; len(open) != 1 || open[0].GetLevelBack() == 0 {
		t.Fatalf("the level is back, the feedback not accepted: %v", open)
	}
	for _, step := range []struct{ action, rule string }{{"reject", ""}, {"accept", "life_cycle"}, {"dispose", ""}, {"feed_back", ""}} {
		eff := w.act("Warning", warning.GetId(), step.action, "province_regulator", nil)
		if got := len(eff.Violations); got > 0 != (step.rule != "") || got > 0 && eff.Violations[0].GetRule() != step.rule {
			t.Fatalf("%s: %v", step.action, eff.Violations)
		}
	}
	closed := false
	for _, x := range ofType[*schema.Warning](w.act("Warning", warning.GetId(), "accept", "province_regulator", nil)) {
		closed = closed || x.GetStage() == stageClosed
	}
	for range 120 {
		for _, x := range ofType[*schema.Warning](w.tick(1000)) {
			closed = closed || x.GetStage() == stageClosed
		}
	}
	if !closed || len(w.e.plants[code].warnings) != 0 {
		t.Fatalf("warning still open at level %s", w.e.plants[code].level)
	}
}

func TestGatewayFallsSilentAndComesBack(t *testing.T) {
	w := newWorld(t, Config{OfflineAfter: 20_000})
	w.read(t01, 30)
	var states []string
	for range 30 {
		for _, s := range ofType[*schema.GatewayState](w.tick(1000)) {
			states = append(states, s.GetState())
		}
	}
	if len(states) != 1 || states[0] != stateOffline || len(w.alarms()) != 1 || w.alarms()[0].GetRule() != "no_data" || w.alarms()[0].GetGateway() == "" {
		t.Fatalf("states %v alarms %v", states, w.alarms())
	}
	eff := w.read(t01, 30)
	if s := ofType[*schema.GatewayState](eff); len(s) != 1 || s[0].GetState() != stateOnline || w.alarms()[0].GetCondition() != returned {
		t.Fatalf("after readings: %v %v", s, w.alarms())
	}
}

// TestPlantFallsSilent: when the last of several gateways is lost, that is told of the plant as well.
func TestPlantFallsSilent(t *testing.T) {
	w := newWorld(t, Config{OfflineAfter: 20_000})
	second := code + "C001T0102"
	m := limited(t01, &schema.Limits{})
	m.Code, m.Gateway = second, code+"G02"
	w.put(&schema.Gateway{Code: code + "G02", Enterprise: code, Door: "http"})
	w.put(m)
	w.read(second, 30)
	for range 15 {
		w.read(t01, 30)
		w.tick(1000)
	}
	if got := w.alarms(); len(got) != 1 || got[0].GetGateway() != code+"G02" {
		t.Fatalf("one of two lost: %v", got)
	}
	for range 30 {
		w.tick(1000)
	}
	if got := w.alarms(); len(got) != 3 || got[1].GetGateway() != code+"G01" || got[2].GetGateway() != "" || got[2].GetRule() != noData {
		t.Fatalf("both lost: %v", got)
	}
	w.read(t01, 30)
	if got := w.alarms(); got[0].GetCondition() != active || got[1].GetCondition() != returned || got[2].GetCondition() != returned {
		t.Fatalf("one is back: %v", got)
	}
}

func TestDeadlinesRunOut(t *testing.T) {
	w := newWorld(t, Config{})
	w.read(t01, 75)
	w.tick(11 * minute)
	if a := w.alarms()[0]; a.GetLevel() != 2 || !a.GetOverdue() {
		t.Fatalf("grave alarm after 11 min: %v", a)
	}
	if a := w.alarms()[1]; a.GetOverdue() {
		t.Fatalf("alarm of level 1 after 11 min: %v", a)
	}
}

func TestPutRefusesWithEveryReason(t *testing.T) {
	w := newWorld(t, Config{})
	bad := func(r schema.Record) *schema.Put { return changes(r) }
	create := changes(&schema.Gateway{Code: code + "G01", Enterprise: code, Door: "frames"})
	create.Changes[0].Create = true
	cases := []struct {
		name string
		put  *schema.Put
		rule string
	}{
		{"reference that does not exist", bad(&schema.Collector{Code: code + "C002", Enterprise: code, System: code + "S09", Name: "x", Type: "dry_bag"}), "reference"},
		{"another province's plant", bad(&schema.Enterprise{
			Code: "370283030001", Uscc: "91350100M000100Y43", Name: "x", Region: "370283", Industry: "C33", MemIndustry: "machinery", Scale: "small", ProductionState: "normal", AccessState: "connected", Dusts: []*schema.Dust{{Dust: "2"}},
		}), "owner"},
		{"exists", create, "exists"},
		{"an alarm is not written by hand", bad(&schema.Alarm{Id: "A"}), "not_writable"},
		{"unknown type", &schema.Put{Changes: []*schema.Change{{Type: "Nonsense"}}}, "not_writable"},
		{"malformed", &schema.Put{Changes: []*schema.Change{{Type: "Gateway", Record: []byte{0xff}}}}, "form"},
		{"nothing", &schema.Put{}, "required"},
		{"deleting what is in use", &schema.Put{Changes: []*schema.Change{{Type: "Collector", Key: collector, Deleted: true}}}, "in_use"},
		{"deleting a metric", &schema.Put{Changes: []*schema.Change{{Type: "Metric", Key: t01, Deleted: true}}}, "not_deletable"},
		{"somebody else's cleaning record", bad(&schema.CleaningRecord{Id: "x", Enterprise: code, Plan: code + "-floor", Item: "x", Person: "x", Time: w.now, Photos: []string{"p"}}), "prefix"},
		{"an answer to no spot check", bad(&schema.SpotCheckAnswer{Id: code + "x", Enterprise: code, SpotCheck: "S", Text: "x", Actor: "x", Time: w.now}), "reference"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before, _ := w.e.MarshalState()
			eff := w.apply(c.put)
			found := false
			for _, v := range eff.Violations {
				found = found || v.GetRule() == c.rule
			}
			if !found || len(eff.Changes) > 0 {
				t.Fatalf("violations %v changes %v, wanted rule %s", eff.Violations, eff.Changes, c.rule)
			}
			if after, _ := w.e.MarshalState(); !bytes.Equal(before, after) {
				t.Fatal("a refused put changed the engine")
			}
		})
	}
}

// What became of a call says the site alone; a channel belongs to somebody who is there.
func TestWhoWritesDeliveriesAndChannels(t *testing.T) {
	w := newWorld(t, Config{})
	d := changes(&schema.Delivery{Id: "D", Subject: "Alarm/A", Login: "li", Channel: "c", Kind: "webhook", Stage: "queued", At: w.now, Template: "alarm_raised", Title: "T"})
	gone := &schema.Put{Changes: []*schema.Change{{Type: "Delivery", Key: "D", Deleted: true}}}
	channel := func(login string) *schema.Put {
		return changes(&schema.Channel{Id: "c-" + login, Login: login, Kind: "webhook", AddressSealed: []byte("x")})
	}
	by := func(actor string, put *schema.Put) *schema.Command {
		w.n++
		c := w.command(put)
		c.Actor = actor
		return c
	}
	w.e.Apply(by("admin", changes(&schema.User{Login: "manager", Name: "M", Role: "plant_manager", Enterprise: code, Password: "x"})))
	for _, c := range []struct {
		name, actor, rule string
		put               *schema.Put
	}{
		{"a delivery by a person", "admin", "not_writable", d}, {"a delivery by nobody", "", "not_writable", d}, {"a delivery by the site", "site", "", d},
		{"its deletion by a person", "admin", "not_writable", gone}, {"its deletion by the site", "site", "", gone},
		{"a channel of a person", "manager", "", channel("manager")}, {"a channel of nobody", "manager", "reference", channel("nobody")},
	} {
		eff := w.e.Apply(by(c.actor, c.put))
		rules := ""
		for _, v := range eff.Violations {
			rules += v.GetRule()
		}
		if rules != c.rule || (len(eff.Changes) > 0) != (c.rule == "") {
			t.Errorf("%s: %v, %v", c.name, eff.Violations, eff.Changes)
		}
	}
}

func TestSameCommandTwice(t *testing.T) {
	w := newWorld(t, Config{})
	c := w.command(changes(&schema.Gateway{Code: code + "G02", Enterprise: code, Door: "http"}))
	c.Id = "once"
	if eff := w.e.Apply(c); len(eff.Changes) == 0 {
		t.Fatal(eff.Violations)
	}
	if eff := w.e.Apply(c); !eff.Duplicate || len(eff.Changes) > 0 {
		t.Fatalf("second time: %+v", eff)
	}
}

// tester is what a world needs of a test, a benchmark or a property.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}
