package engine

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dusthub/node/engine/risk"
	"dusthub/schema"
	"dusthub/schema/frame"
)

func (w *world) result() *schema.RiskResult { return w.e.plants[code].risk }

func (w *world) factor(name string) *schema.Factor {
	w.t.Helper()
	for _, f := range w.result().GetFactors() {
		if f.GetCode() == name {
			return f
		}
	}
	w.t.Fatalf("no factor %s in %v", name, w.result().GetFactors())
	return nil
}

// sparked adds spark detector and extinguisher to the plant's collector.
func (w *world) sparked(quencher bool) {
	metric := func(kind string, l *schema.Limits) *schema.Metric {
		return &schema.Metric{Code: collector + kind + "01", Enterprise: code, Collector: collector, Gateway: code + "G01", Kind: kind, Name: kind, Unit: "0/1", RangeHi: 1, Limits: l, PeriodS: 1}
	}
	w.put(metric("S01", &schema.Limits{FaultState: ptr(int32(1)), FaultLevel: 2}))
	if quencher {
		w.put(metric("S02", nil))
	}
}

// TestCauses: a result says why it is another than the last, and names the factor that moved most.
func TestCauses(t *testing.T) {
	w := newWorld(t, Config{})
	if r := w.result(); r.GetCause() != "index" && r.GetCause() != "first" {
		t.Errorf("at first: %s %s", r.GetCause(), r.GetCauseText())
	}
	for _, m := range []string{t01, p01, k01} {
		w.read(m, map[string]float64{t01: 40, p01: 800}[m])
	}
	for range 120 {
		w.tick(minute)
		for m, v := range map[string]float64{t01: 40, p01: 800, k01: 0} {
			w.read(m, v)
		}
	}
	if r := w.result(); r.GetCause() != "hourly" || !strings.Contains(r.GetCauseText(), "定时") {
		t.Errorf("two quiet hours later: %s %s", r.GetCause(), r.GetCauseText())
	}
	r := ofType[*schema.RiskResult](w.read(t01, 75))[0]
	if r.GetCause() != "up" || r.GetCauseFactor() != "D.1.T01" || !strings.Contains(r.GetCauseText(), "灰斗") || !strings.Contains(r.GetCauseText(), "+") {
		t.Errorf("a grave alarm: %s %s %s", r.GetCause(), r.GetCauseFactor(), r.GetCauseText())
	}
	f := w.factor("D.1.T01")
	if !slices.Contains(f.GetEvidence(), t01) || !slices.ContainsFunc(f.GetEvidence(), func(s string) bool { return strings.HasPrefix(s, "A-") }) || f.GetConfidence() != "P" || !strings.Contains(f.GetRaw(), "75") {
		t.Errorf("evidence: %v", f)
	}
	w.tick(9 * minute)
	if got := w.levelOf("F1"); got != "" {
		t.Errorf("unhandled for nine minutes: F1 %s", got)
	}
	w.tick(2 * minute)
	if got := w.levelOf("F1"); got != schema.Orange {
		t.Errorf("unhandled for eleven minutes: F1 %s", got)
	}
}

// TestFloors: F2 to F4 as domain 6.2 says.
func TestFloors(t *testing.T) {
	t.Run("F3 two barriers of one system", func(t *testing.T) {
		w := newWorld(t, Config{})
		w.sample6(t01, 75)
		w.sample6(k01, 1)
		if r := w.result(); r.GetFloor() != "F3" || r.GetLevel() != schema.Red {
			t.Errorf("%s %s", r.GetFloor(), r.GetLevel())
		}
	})
	t.Run("F4 nothing to quench", func(t *testing.T) {
		w := newWorld(t, Config{})
		w.sparked(false)
		w.sample6(collector+"S0101", 1)
		if r := w.result(); r.GetFloor() != "F4" || r.GetLevel() != schema.Red {
			t.Errorf("%s %s", r.GetFloor(), r.GetLevel())
		}
	})
	t.Run("F4 quenched", func(t *testing.T) {
		w := newWorld(t, Config{})
		w.sparked(true)
		w.read(collector+"S0201", 0)
		w.read(collector+"S0101", 1)
		w.read(collector+"S0201", 1)
		w.read(collector+"S0201", 0) // has acted and is at rest again
		w.tick(1000)
		if r := w.result(); r.GetFloor() == "F4" {
			t.Errorf("%s %s", r.GetFloor(), r.GetLevel())
		}
	})
	t.Run("F2 is an event, not a broken sensor", func(t *testing.T) {
		w := newWorld(t, Config{})
		w.put(&schema.Metric{Code: collector + "B0101", Enterprise: code, Collector: collector, Gateway: code + "G01", Kind: "B01", Name: "B01", Unit: "0/1", RangeHi: 1, PeriodS: 1, Limits: &schema.Limits{FaultState: ptr(int32(1)), FaultLevel: 2}})
		s := w.series(collector + "B0101")
		w.now += 1000
		w.apply(frame.Append(nil, []frame.Sample{{Series: s, Time: w.now, Value: 0, Quality: frame.Fault}}))
		if r := w.result(); len(w.alarms()) == 0 || r.GetFloor() == "F2" {
			t.Errorf("a broken sensor: %v, %s", w.alarms(), r.GetFloor())
		}
		w.sample6(collector+"B0101", 1)
		if r := w.result(); r.GetFloor() != "F2" || r.GetLevel() != schema.Red {
			t.Errorf("burst: %s %s", r.GetFloor(), r.GetLevel())
		}
	})
	t.Run("F7 a day, three days", func(t *testing.T) {
		w := newWorld(t, Config{})
		w.put(&schema.Metric{Code: collector + "Z0101", Enterprise: code, Collector: collector, Gateway: code + "G01", Kind: "Z01", Name: "Z01", Unit: "mm", RangeHi: 50, PeriodS: 1})
		w.put(&schema.CleaningPlan{Id: code + "-floor", Enterprise: code, Item: "地面", Cycle: "shift", Method: "ex_vacuum", Disabled: true})
		w.read(t01, 40)
		level := func(after int64) string {
			for range 3 {
				w.tick(after / 3)
			}
			return w.levelOf("F7")
		}
		if got := level(23 * hour); got != "" {
			t.Errorf("after 23 h: %s", got)
		}
		if got := level(2 * hour); got != schema.Yellow {
			t.Errorf("after 25 h: %s", got)
		}
		if got := level(48 * hour); got != schema.Orange {
			t.Errorf("after 73 h: %s", got)
		}
	})
}

// sample6 sends a value for six seconds.
func (w *world) sample6(metric string, v float64) {
	for range 6 {
		w.read(metric, v)
	}
}

// levelOf is the level a floor asks for now; empty when it does not hold.
func (w *world) levelOf(floor string) string {
	for _, h := range w.e.snapshot(w.e.plants[code]).Floors {
		if h.Code == floor {
			f, _ := w.e.model.Floor(floor)
			if h.Level != "" {
				return h.Level
			}
			return f.Level
		}
	}
	return ""
}

// TestDangers finds each of the ten 重大事故隐患 (部令第10号 art. 11) from base data, and closes it when they are mended.
func TestDangers(t *testing.T) {
	workshop := func(change func(*schema.Workshop)) *schema.Workshop {
		r := &schema.Workshop{Code: code + "W01", Enterprise: code, Name: "打磨", Building: "single_frame"}
		if change != nil {
			change(r)
		}
		return r
	}
	system := func(change func(*schema.DustSystem)) *schema.DustSystem {
		r := &schema.DustSystem{Code: code + "S01", Enterprise: code, Workshop: code + "W01", Name: "1", Mode: "negative", Dusts: []string{"2"}}
		if change != nil {
			change(r)
		}
		return r
	}
	dry := func(change func(*schema.Collector)) *schema.Collector {
		r := &schema.Collector{Code: collector, Enterprise: code, System: code + "S01", Name: "1", Type: "dry_bag", Measures: []string{"venting"}, LockGasDevice: true}
		if change != nil {
			change(r)
		}
		return r
	}
	const wood = "26"
	for _, c := range []struct {
		name string
		put  []schema.Record
		code string
		key  string // evidence
	}{
		{"multi-storey", []schema.Record{workshop(func(w *schema.Workshop) { w.Building = "multi_nonframe" })}, "MH01", "Workshop/" + code + "W01"},
		{"gathering places", []schema.Record{workshop(func(w *schema.Workshop) { w.GatheringPlaces = true })}, "MH01", "Workshop/" + code + "W01"},
		{"two dusts", []schema.Record{system(func(s *schema.DustSystem) { s.Dusts = []string{"2", wood} })}, "MH02", "DustSystem/" + code + "S01"},
		{"with gas", []schema.Record{system(func(s *schema.DustSystem) { s.SharedWithGas = true })}, "MH02", "DustSystem/" + code + "S01"},
		{"across fire zones", []schema.Record{system(func(s *schema.DustSystem) { s.CrossFireZone = true })}, "MH02", "DustSystem/" + code + "S01"},
		{"unprotected", []schema.Record{dry(func(c *schema.Collector) { c.Measures = nil })}, "MH03", "Collector/" + collector},
		{"isolation alone", []schema.Record{dry(func(c *schema.Collector) { c.Measures = []string{"isolation"} })}, "MH03", "Collector/" + collector},
		{"metal blown", []schema.Record{system(func(s *schema.DustSystem) { s.Mode = "positive" })}, "MH04", "DustSystem/" + code + "S01"},
		{"other dust blown", []schema.Record{system(func(s *schema.DustSystem) { s.Mode, s.Dusts = "positive", []string{"17"} })}, "MH04", "DustSystem/" + code + "S01"},
		{"settling chamber", []schema.Record{system(func(s *schema.DustSystem) { s.SettlingChamber = true })}, "MH05", "DustSystem/" + code + "S01"},
		{"masonry duct", []schema.Record{system(func(s *schema.DustSystem) { s.MasonryDuct = true })}, "MH05", "DustSystem/" + code + "S01"},
		{"no lock-air", []schema.Record{dry(func(c *schema.Collector) { c.LockGasDevice = false })}, "MH06", "Collector/" + collector},
		{"electrical", []schema.Record{workshop(func(w *schema.Workshop) { w.UnsuitedElectrical = true })}, "MH07", "Workshop/" + code + "W01"},
		{"no tramp removal", []schema.Record{system(func(s *schema.DustSystem) { s.NoTrampRemoval = true })}, "MH08", "DustSystem/" + code + "S01"},
		{"sander without spark device", []schema.Record{system(func(s *schema.DustSystem) { s.Dusts, s.Process = []string{wood}, "砂光" })}, "MH08", "Collector/" + collector},
		{"unventilated", []schema.Record{workshop(func(w *schema.Workshop) { w.StorageUnventilated = true })}, "MH09", "Workshop/" + code + "W01"},
		{"damp", []schema.Record{workshop(func(w *schema.Workshop) { w.StorageUnprotected = true })}, "MH09", "Workshop/" + code + "W01"},
		{"wet without hydrogen metric", []schema.Record{dry(func(c *schema.Collector) { c.Type = "wet_curtain" })}, "MH09", "Collector/" + collector},
		{"cleaning neglected", []schema.Record{workshop(func(w *schema.Workshop) { w.CleaningNeglected = true })}, "MH10", "Workshop/" + code + "W01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			if open := w.e.plants[code].hazards; len(open) != 0 {
				t.Fatalf("found before: %v", open)
			}
			found := ofType[*schema.Hazard](w.put(c.put...))
			if len(found) != 1 || found[0].GetCode() != c.code || !slices.Contains(found[0].GetEvidence(), c.key) || found[0].GetFound() != w.now || found[0].GetDue() != w.now+30*day || schema.Refuses(schema.Validate(found[0])) {
				t.Fatalf("found %v", found)
			}
			r := w.result()
			if r.GetFloor() != "F6" || risk.Rank(r.GetLevel()) < 2 {
				t.Errorf("floor %s, level %s", r.GetFloor(), r.GetLevel())
			}
			if f := w.factor("M6"); f.GetScoreMilli() != 50_000 || f.GetRaw() != c.code || f.GetEvidence()[0] != found[0].GetId() {
				t.Errorf("M6: %v", f)
			}
			mended := ofType[*schema.Hazard](w.put(workshop(nil), system(nil), dry(nil)))
			if len(mended) != 1 || mended[0].GetId() != found[0].GetId() || mended[0].GetClosed() != w.now || len(w.e.plants[code].hazards) != 0 {
				t.Errorf("mended: %v", mended)
			}
		})
	}
}

// TestOverdueDanger: past its deadline a hazard is overdue and the plant red (F6); state keeps it.
func TestOverdueDanger(t *testing.T) {
	w := newWorld(t, Config{})
	w.put(&schema.Workshop{Code: code + "W01", Enterprise: code, Name: "打磨", Building: "single_frame", GatheringPlaces: true})
	var last Effects
	for range 31 {
		last = w.tick(day)
		w.read(t01, 40)
	}
	_ = last
	h := w.e.plants[code].hazards
	if len(h) == 0 || !h[0].GetOverdue() || w.levelOf("F6") != schema.Red || w.result().GetLevel() != schema.Red {
		t.Fatalf("%v, F6 %s, level %s", h, w.levelOf("F6"), w.result().GetLevel())
	}
	b, err := w.e.MarshalState()
	if err != nil {
		t.Fatal(err)
	}
	again := New(w.e.cfg)
	if err := again.UnmarshalState(b); err != nil || len(again.plants[code].hazards) != len(h) {
		t.Errorf("after a restart: %v, %v", again.plants[code].hazards, err)
	}
}

// TestNeglectedCleaning: a week without cleaning is MH10, unless a measured layer says that no dust lies; a thick layer is it at once.
func TestNeglectedCleaning(t *testing.T) {
	has := func(w *world) bool {
		return slices.ContainsFunc(w.e.plants[code].hazards, func(h *schema.Hazard) bool { return h.GetCode() == "MH10" })
	}
	week := func(w *world) {
		for range 8 * 24 {
			w.tick(hour)
		}
	}
	layer := &schema.Metric{Code: collector + "Z0101", Enterprise: code, Collector: collector, Gateway: code + "G01", Kind: "Z01", Name: "Z01", Unit: "mm", RangeHi: 50, PeriodS: 1, Limits: &schema.Limits{H: ptr(0.8), Hh: ptr(3.2)}}
	w := newWorld(t, Config{})
	w.tick(6 * day)
	if has(w) {
		t.Error("before a week")
	}
	week(w)
	if !has(w) {
		t.Error("a week without cleaning")
	}
	w = newWorld(t, Config{})
	w.put(layer)
	w.sample6(layer.GetCode(), 4)
	if has(w) {
		t.Error("a thick layer before any cleaning was due")
	}
	w.tick(12 * hour)
	w.sample6(layer.GetCode(), 4.1)
	w.tick(11 * hour)
	w.sample6(layer.GetCode(), 4)
	if !has(w) {
		t.Error("a thick layer, and cleaning missed")
	}
}

// signedModel is a model as the root's portal makes it.
func signedModel(document, site string, active bool) *schema.RiskModel {
	version, _, _ := strings.Cut(document[strings.Index(document, "version: ")+9:], "\n")
	return &schema.RiskModel{Version: version, Document: []byte(document), Active: active, Publisher: site, Signature: []byte("s"), Certificate: []byte("c"), Published: 1}
}

func model(version, from, to string) string {
	return strings.Replace(strings.Replace(string(risk.Shipped().Document()), "version: DUST-RISK-1.0", "version: "+version, 1), from, to, 1)
}

// TestModelsChange: only the root publishes; versions never change; one is in force; a change shows as cause "model".
func TestModelsChange(t *testing.T) {
	second := model("X-2", "management: 0.25", "management: 0.25 ")
	for _, c := range []struct {
		name, rule string
		cfg        Config
		m          *schema.RiskModel
	}{
		{"below a parent", "root", Config{Parent: "ministry"}, signedModel(second, "jiangsu", true)},
		{"another's", "owner", Config{}, signedModel(second, "anhui", true)},
		{"not signed", "required", Config{}, &schema.RiskModel{Version: "X-2", Document: []byte(second), Publisher: "jiangsu"}},
		{"bad", "model", Config{}, signedModel(model("X-2", "red: 75", "red: 5"), "jiangsu", true)},
		{"another version within", "model", Config{}, func() *schema.RiskModel { m := signedModel(second, "jiangsu", true); m.Version = "X-3"; return m }()},
		{"the configured version", "immutable", Config{}, signedModel(model("DUST-RISK-1.0", "red: 75", "red: 76"), "jiangsu", true)},
	} {
		w := newWorld(t, c.cfg)
		if eff := w.apply(changes(c.m)); len(eff.Violations) == 0 || !slices.ContainsFunc(eff.Violations, func(v *schema.Violation) bool { return v.GetRule() == c.rule }) {
			t.Errorf("%s: %v", c.name, eff.Violations)
		}
	}
	w := newWorld(t, Config{})
	if eff := w.put(signedModel(second, "jiangsu", false)); len(ofType[*schema.RiskResult](eff)) != 0 || w.e.model.Version != "DUST-RISK-1.0" {
		t.Error("one that is not active changes nothing")
	}
	eff := w.put(signedModel(second, "jiangsu", true))
	if r := ofType[*schema.RiskResult](eff); len(r) != 1 || r[0].GetCause() != "model" || r[0].GetModel() != "X-2" || !strings.Contains(r[0].GetCauseText(), "X-2") {
		t.Errorf("results %v", r)
	}
	third := signedModel(model("X-3", "weight: 25", "weight: 25 "), "jiangsu", true)
	var active []string
	for _, m := range ofType[*schema.RiskModel](w.put(third)) {
		active = append(active, fmt.Sprint(m.GetVersion(), m.GetActive()))
	}
	if !slices.Equal(active, []string{"X-2false", "X-3true"}) {
		t.Errorf("written: %v", active)
	}
	if eff := w.apply(changes(signedModel(model("X-3", "red: 75", "red: 76"), "jiangsu", true))); len(eff.Violations) == 0 || eff.Violations[0].GetRule() != "immutable" {
		t.Errorf("a version with another document: %v", eff.Violations)
	}
	if eff := w.apply(changes(signedModel(string(third.GetDocument()), "jiangsu", false))); len(eff.Violations) == 0 {
		t.Error("the one in force was taken out, and nothing put in its place")
	}
	w.put(signedModel(second, "jiangsu", true))
	b, err := w.e.MarshalState()
	if err != nil {
		t.Fatal(err)
	}
	again := New(w.e.cfg)
	if err := again.UnmarshalState(b); err != nil || again.model.Version != "X-2" || len(again.st.GetModels()) != 2 {
		t.Errorf("after a restart: %s %v", again.model.Version, err)
	}
	if c, err := again.MarshalState(); err != nil || !bytes.Equal(b, c) {
		t.Error("state is not the same")
	}
}

// TestMinJump: a model may warn of a rise by two levels only.
func TestMinJump(t *testing.T) {
	m, err := risk.Parse([]byte(model("X-2", "min_jump: 1", "min_jump: 3")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		model *risk.Model
		want  int
	}{{risk.Shipped(), 1}, {m, 0}} {
		w := newWorld(t, Config{Model: c.model})
		w.sample6(t01, 65)
		if got := len(w.e.plants[code].warnings); got != c.want {
			t.Errorf("%s: %d warnings, level %s", c.model.Version, got, w.result().GetLevel())
		}
	}
}

// TestOneInputCostsOnePlant: what changes at one plant judges no other; a sweep judges all, every five minutes.
func TestOneInputCostsOnePlant(t *testing.T) {
	w := newWorld(t, Config{})
	nation(w, 100)
	w.tick(6 * minute)
	for _, c := range []struct {
		name string
		do   func()
		most uint64
	}{
		{"a reading that alarms", func() { w.sample6(t01, 75) }, 6},
		{"a reading that says nothing", func() { w.read(p01, 800); w.read(p01, 801) }, 1},
		{"base data", func() {
			w.put(&schema.Workshop{Code: code + "W01", Enterprise: code, Name: "打磨", Building: "multi_frame"})
		}, 1},
		{"a second", func() { w.tick(1000) }, 1}, // the plant whose alarm is open
	} {
		before := w.e.evaluations
		c.do()
		if n := w.e.evaluations - before; n > c.most {
			t.Errorf("%s: %d plants judged", c.name, n)
		}
	}
	before := w.e.evaluations
	w.tick(6 * minute)
	if n := w.e.evaluations - before; n != 101 {
		t.Errorf("a sweep judged %d plants", n)
	}
}

// nation adds plants of one system, one collector and seven metrics each.
func nation(w *world, n int) {
	w.t.Helper()
	for i := range n {
		c := fmt.Sprintf("%s03%04d", []string{"320506", "320507", "320508", "320509", "320581"}[i/10000], i%10000)
		col := c + "C001"
		list := []schema.Record{
			&schema.Enterprise{
				Code: c, Uscc: "91350100M000100Y43", Name: "企业", Region: c[:6], Industry: "C33", MemIndustry: "machinery", Scale: "small", Employees: 100, DustWorkers: 35,
				ProductionState: "normal", AccessState: "connected", Dusts: []*schema.Dust{{Dust: "2"}}, Address: "x", Lng: 120, Lat: 31, SafetyHead: "x", SafetyPhone: "1",
			},
			&schema.Workshop{Code: c + "W01", Enterprise: c, Name: "1", Building: "single_frame"},
			&schema.DustSystem{Code: c + "S01", Enterprise: c, Workshop: c + "W01", Name: "1", Mode: "negative", Dusts: []string{"2"}},
			&schema.Collector{Code: col, Enterprise: c, System: c + "S01", Name: "1", Type: "dry_bag", Measures: []string{"venting"}, LockGasDevice: true},
			&schema.Gateway{Code: c + "G01", Enterprise: c, Door: "frames"},
			&schema.CleaningPlan{Id: c + "-floor", Enterprise: c, Item: "地面", Cycle: "shift", Method: "ex_vacuum"},
		}
		for _, kind := range []string{"T01", "P01", "K01", "R01", "R02", "T02", "A01"} {
			k, _ := schema.MetricKind(kind)
			list = append(list, &schema.Metric{Code: col + kind + "01", Enterprise: c, Collector: col, Gateway: c + "G01", Kind: kind, Name: kind, Unit: k.Unit, RangeHi: 5000, PeriodS: 1, Limits: &schema.Limits{H: ptr(1000.0), Hh: ptr(2000.0)}})
		}
		w.put(list...)
	}
}

// BenchmarkNation: as many judgements as the country has plants, 43,000, made of real plants as at a sweep; the target is 2
// CPU-seconds. A tenth of the plants is judged ten times, since writing all of them takes minutes.
func BenchmarkNation(b *testing.B) {
	const plants, rounds = 4_300, 10
	w := newWorld(b, Config{})
	nation(w, plants)
	w.tick(6 * minute)
	b.ReportAllocs()
	for b.Loop() {
		for range rounds {
			for _, c := range w.e.codes {
				w.e.touch(w.e.plants[c])
			}
			w.e.begin(w.now)
			w.e.finish()
		}
	}
}
