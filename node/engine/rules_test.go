package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dusthub/schema"
	"dusthub/schema/frame"
)

// short names of the world's metrics, for scripts.
var short = map[string]string{"T": t01, "P": p01, "K": k01, "R": r01, "W": r02, "S": s01, "Q": s02, "V": collector + "V0101"}

// play runs a script and tells what became of alarms. A script is words: T=61 is a reading of T a second after the last command,
// T=61@-5s one that is so much older, T? one that its sensor calls faulty, +10s that time passes with a tick each second,
// and gw- and gw+ a gateway whose source is lost and that speaks again. What happened is words too: H! raised, H- returned, H+ active
// again, H* became grave, H~ shelved, H= freed, H^1 escalated to 1, H:high priority.
func (w *world) play(script string) string {
	w.t.Helper()
	var told []string
	known := map[string]*schema.Alarm{}
	for _, a := range w.alarms() {
		known[a.GetId()] = a
	}
	hear := func(eff Effects) {
		for _, v := range eff.Violations {
			w.t.Fatalf("%s: refused: %v", script, v)
		}
		for _, a := range ofType[*schema.Alarm](eff) {
			told = append(told, tell(known[a.GetId()], a)...)
			known[a.GetId()] = a
		}
	}
	for _, word := range strings.Fields(script) {
		if d, ok := strings.CutPrefix(word, "+"); ok {
			for range w.duration(d) / 1000 {
				hear(w.tick(1000))
			}
			continue
		}
		hear(w.say(word))
	}
	return strings.Join(told, " ")
}

func (w *world) duration(s string) int64 {
	d, err := time.ParseDuration(s)
	if err != nil {
		w.t.Fatalf("script: %v", err)
	}
	return d.Milliseconds()
}

// say runs one word of a script that is no time.
func (w *world) say(word string) Effects {
	w.now += 1000
	if word == "gw-" || word == "gw+" {
		return w.apply(&schema.Heard{Gateway: code + "G01", SourceLost: word == "gw-"})
	}
	s := frame.Sample{Time: w.now}
	name, value, valued := strings.Cut(word, "=")
	if !valued {
		name, s.Quality = strings.TrimSuffix(word, "?"), frame.Fault
	}
	if v, age, old := strings.Cut(value, "@-"); old {
		value, s.Time = v, w.now-w.duration(age)
	}
	if valued {
		var err error
		if s.Value, err = strconv.ParseFloat(value, 64); err != nil {
			w.t.Fatalf("script: %v", err)
		}
	}
	s.Series = w.series(short[name])
	return w.apply(frame.Append(nil, []frame.Sample{s}))
}

// tell says in words how an alarm changed.
func tell(was, a *schema.Alarm) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, a.GetRule()+fmt.Sprintf(format, args...)) }
	if was == nil {
		say("!")
		was = &schema.Alarm{Condition: active, Level: a.GetLevel(), Priority: a.GetPriority()}
	}
	switch {
	case a.GetCondition() == returned && was.GetCondition() == active:
		say("-")
	case a.GetCondition() == active && was.GetCondition() == returned:
		say("+")
	}
	if a.GetLevel() > was.GetLevel() {
		say("*")
	}
	if a.GetSuppressed() != was.GetSuppressed() {
		say("%s", map[bool]string{true: "~", false: "="}[a.GetSuppressed()])
	}
	if a.GetEscalation() != was.GetEscalation() {
		say("^%d", a.GetEscalation())
	}
	if a.GetPriority() != was.GetPriority() {
		say(":%s", a.GetPriority())
	}
	return out
}

// only keeps the words that do not tell of priority and escalation.
func only(told string) string {
	return strings.Join(slices.DeleteFunc(strings.Fields(told), func(s string) bool { return strings.ContainsAny(s, ":^") }), " ")
}

func times(script string, n int) string { return strings.TrimSpace(strings.Repeat(script+" ", n)) }

// TestEveryRule shows each kind of rule (F1.1, F2.2; domain 3, 5): what comes in, what comes of it.
func TestEveryRule(t *testing.T) {
	limits := func(l *schema.Limits) func(*world) { return func(w *world) { w.put(limited(t01, l)) } }
	rule := func(expression string, on, off int32) func(*world) {
		return func(w *world) {
			w.put(&schema.CombinedRule{Id: code + "-C9", Enterprise: code, Name: "x", Expression: expression, Level: 2, OnDelayMs: on, OffDelayMs: off})
		}
	}
	sparks := func(w *world) {
		metric := func(code, kind string, l *schema.Limits) *schema.Metric {
			return &schema.Metric{Code: code, Enterprise: code[:12], Collector: collector, Gateway: code[:12] + "G01", Kind: kind, Name: kind, Unit: "0/1", RangeHi: 1, Limits: l, PeriodS: 1}
		}
		w.put(metric(s01, "S01", &schema.Limits{FaultState: ptr(int32(1)), FaultLevel: 1}), metric(s02, "S02", &schema.Limits{}))
	}
	for _, c := range []struct {
		name   string
		setup  func(*world)
		script string
		want   string
	}{
		{"high, high-high, deadband", nil, "T=59 T=60 T=71 T=69 T=57", "H! HH! HH- H-"},
		{"low, low-low with delays", nil, "R=1 " + times("P=300", 5) + " " + times("P=100", 4) + " " + times("P=900", 3), "L! LL! L- LL-"},
		{"running-state aware: the fan stands", nil, "R=0 " + times("P=100", 6) + " R=1 " + times("P=100", 4), "L! LL!"},
		{"digital state that is sent once", nil, "K=1 +4s", "DI!"},
		{"digital state shorter than its delay", nil, "K=1 K=0 +4s", ""},
		{"over range is not high", limits(&schema.Limits{H: ptr(60.0)}), "T=250 T=20", "over_range! over_range-"},
		{"sensor fault", nil, "T=20 T? T=20", "fault! fault-"},
		{"a faulty value alarms nothing else", nil, "T? T?", "fault!"},
		{"no data for one metric", nil, "T=20 R=1 " + times("+60s R=1", 4), "no_data!"},
		{"no data for one metric comes back", nil, "T=20 R=1 " + times("+60s R=1", 4) + " T=20", "no_data! no_data-"},
		{"no data for the only gateway", nil, "T=20 +11m T=20", "no_data! no_data-"},
		{"source lost", nil, "T=20 gw- gw+ T=20", "source_lost! source_lost-"},
		{"rate of change", limits(&schema.Limits{Rate: ptr(10.0)}), times("T=20", 20) + " T=23 T=30", "rate!"},
		{"rate below its limit", limits(&schema.Limits{Rate: ptr(10.0)}), "T=20 +20s T=21 +20s T=22 +20s T=23", ""},
		{"rate returns when samples stop", limits(&schema.Limits{Rate: ptr(10.0)}), times("T=20", 20) + " T=40 +150s", "rate! rate-"},
		{"noise of one sample is no rate", limits(&schema.Limits{Rate: ptr(10.0)}), "T=20 T=25 T=20", ""},
		{"stuck while the fan runs", limits(&schema.Limits{StuckMs: 60_000}), "R=1 T=20 " + times("T=20", 70) + " +2s T=21 +2s", "stuck! stuck-"},
		{"stuck is judged at ticks", limits(&schema.Limits{StuckMs: 60_000}), "R=1 T=20 T=20 +70s", "stuck!"},
		{"standing fan, standing value", limits(&schema.Limits{StuckMs: 60_000}), "R=0 T=20 " + times("T=20", 70) + " +2s", ""},
		{"fan before production", nil, "R=0 W=1 +4s R=1", "fan_before_production! fan_before_production-"},
		{"fan stops too early", nil, "R=1 W=1 W=0 R=0", "fan_delay_stop!"},
		{"frequent", nil, times("T=61 T=20", 5) + " +1s", times("H! H-", 1) + " " + times("H+ H-", 4) + " frequent!"},
		{"frequent no more after an hour", nil, times("T=61 T=20", 5) + " " + times("+2m T=20", 31), times("H! H-", 1) + " " + times("H+ H-", 4) + " frequent! frequent-"},
		{"twenty in a day are frequent", nil, times("T=61 T=20 "+times("+2m T=20", 8), 20), "H! H- " + times("H+ H-", 19) + " frequent!"},
		{"three sparks", sparks, "Q=0 " + times("S=1 Q=1 S=0 Q=0", 3), "DI! DI- DI+ DI- DI+ spark_repeat! DI-"},
		{"a spark that is quenched", sparks, "Q=0 S=1 Q=1 +6s S=0", "DI! DI-"},
		{"a spark that burns on", sparks, "Q=0 S=1 +6s", "DI! spark_unquenched!"},
		{"a general alarm that lasts", limits(&schema.Limits{H: ptr(60.0), GraveAfterMs: 30_000}), "T=61 +31s", "H! H*"},
		{"grave stays grave", limits(&schema.Limits{H: ptr(60.0), GraveAfterMs: 30_000}), "T=61 +31s T=20 T=61", "H! H* H- H+"},
		{"combined: and, or, not", rule("C001T0101 > 50 && (C001P0101 < 600 || !(C001R0101 == 1))", 0, 0), "P=900 R=1 T=55 R=0 R=1 P=500 T=40", "combined! combined- combined+ combined-"},
		{"combined: on-delay by ticks", rule("C001T0101 > 50 && C001P0101 > 0", 5000, 5000), "P=900 T=55 +6s T=40 +6s", "combined! combined-"},
		{"combined: not judged while a value is missing", rule("C001T0101 > 50 || C001P0101 < 100", 0, 0), "T=55 T=56", ""},
		{"combined: nor while one is faulty", rule("C001T0101 > 50 && C001P0101 > 0", 0, 0), "P=900 T? P=901 T=55", "fault! fault- combined!"},
		{"combined: arithmetic", rule("C001T0101 + C001P0101 / 100.0 > 60", 0, 0), "P=900 T=50 T=52 P=700", "combined! combined-"},
		{"late but within the window", nil, "T=20 T=75@-30s", "HH! HH- H! H-"},
		{"late and shown already", nil, "T=20 T=61 T=20 T=20 T=61@-2s", "H! H-"},
		{"too late", nil, "T=20 T=75@-11m", ""},
		{"a disabled metric", func(w *world) { m := limited(t01, &schema.Limits{H: ptr(60.0)}); m.Disabled = true; w.put(m) }, "T=75 T=250 T?", ""},
		{"a limit that is taken away", nil, "T=61", "H!"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			if c.setup != nil {
				c.setup(w)
			}
			if got := only(w.play(c.script)); got != c.want {
				t.Errorf("%s\ngave   %q\nwanted %q", c.script, got, c.want)
			}
		})
	}
}

// TestPriority: it rises while a condition lasts, and falls after it returned (ISA-18.2; tables/alarm.yaml).
func TestPriority(t *testing.T) {
	w := newWorld(t, Config{})
	told := strings.Fields(w.play("T=61 +6m T=61 T=20 +2m T=20 +31m T=20"))
	var got []string
	for _, s := range told {
		if strings.HasPrefix(s, "H") && !strings.Contains(s, "^") {
			got = append(got, s)
		}
	}
	if strings.Join(got, " ") != "H! H:high H- H:medium H:low" {
		t.Errorf("%v", got)
	}
}

// TestEscalation: each deadline that passes calls the next, with a reminder at half of the time (domain 5.2).
func TestEscalation(t *testing.T) {
	w := newWorld(t, Config{})
	w.play("T=61")
	a := func() *schema.Alarm { return w.alarms()[0] }
	if a().GetCalls() != 1 || a().GetEscalateDue() != a().GetStageDue() || a().GetRemindDue() != a().GetRaised()+15*minute {
		t.Fatalf("raised: %v", a())
	}
	w.play("+16m T=61")
	if a().GetCalls() != 2 || a().GetEscalation() != 0 || a().GetRemindDue() != 0 {
		t.Fatalf("at half of the time: %v", a())
	}
	w.play("+15m T=61")
	if a().GetEscalation() != 1 || !a().GetOverdue() || a().GetCalls() != 3 || a().GetEscalateDue() <= w.now {
		t.Fatalf("missed: %v", a())
	}
	for range 40 {
		w.play("+10m T=61")
	}
	if a().GetEscalation() != highestEscalation || a().GetCalls() > 30 {
		t.Fatalf("nobody cares: %v", a())
	}
	w.act("Alarm", a().GetId(), "acknowledge", "plant_worker", nil)
	if a().GetOverdue() || a().GetStageDue() != a().GetRaised()+24*hour || a().GetEscalateDue() != a().GetStageDue() || a().GetEscalation() != highestEscalation {
		t.Fatalf("acknowledged: %v", a())
	}
	w.act("Alarm", a().GetId(), "dispose", "plant_worker", nil)
	w.act("Alarm", a().GetId(), "feed_back", "plant_manager", nil)
	if a().GetStageDue() != 0 || a().GetEscalateDue() != 0 || a().GetRemindDue() != 0 {
		t.Fatalf("fed back: %v", a())
	}
	w.act("Alarm", a().GetId(), "reject", "province_regulator", nil)
	if a().GetStageDue() != w.now+24*hour || a().GetOverdue() {
		t.Fatalf("sent back: %v", a())
	}
}

// TestPrevious: an alarm of the same rule and thing names the one that was closed before it.
func TestPrevious(t *testing.T) {
	w := newWorld(t, Config{})
	w.play("T=61 T=20")
	first := w.alarms()[0].GetId()
	w.act("Alarm", first, "false_alarm", "province_regulator", nil)
	w.play("T=61")
	if a := w.alarms()[0]; a.GetPrevious() != first {
		t.Fatalf("%v", a)
	}
}

// TestShelving: what is shelved is raised and listed, calls nobody, weighs nothing, and becomes a normal alarm when the shelf ends.
func TestShelving(t *testing.T) {
	w := newWorld(t, Config{})
	put := changes(&schema.Shelf{Id: code + "-H1", Enterprise: code, Collector: collector, Kind: "maintenance", Reason: "换袋", From: w.now, Until: w.now + hour, Stage: shelfRequested, Actor: "m"})
	put.Role = "plant_manager"
	if eff := w.apply(put); len(eff.Violations) > 0 {
		t.Fatal(eff.Violations)
	}
	if got := only(w.play("T=61 T=20")); got != "H! H-" {
		t.Fatalf("a shelf that only was asked for: %q", got)
	}
	if eff := w.act("Shelf", code+"-H1", "approve", "plant_manager", nil); len(eff.Violations) == 0 {
		t.Fatal("a plant approved its own shelf")
	}
	w.act("Shelf", code+"-H1", "approve", "province_regulator", nil)
	if got := only(w.play("T=75")); got != "HH! HH~ H+ H~" {
		t.Fatalf("shelved: %q", got)
	}
	for _, a := range w.alarms() {
		if a.GetStageDue() != 0 || a.GetEscalateDue() != 0 || a.GetShelf() != code+"-H1" || a.GetRule() == "HH" && a.GetCalls() != 0 {
			t.Errorf("suppressed: %v", a)
		}
	}
	if p := w.e.plants[code].point(t01); p.score != 0 || w.e.plants[code].risk.GetFloor() != "" {
		t.Errorf("a shelved point weighs %v", p.score)
	}
	var told string
	for range 61 {
		told += " " + only(w.play("+1m T=75"))
	}
	if !strings.Contains(told, "H=") || !strings.Contains(told, "HH=") || len(w.e.plants[code].shelves) != 0 {
		t.Fatalf("when it ended by itself: %q", told)
	}
	for _, a := range w.alarms() {
		if a.GetSuppressed() || a.GetShelf() != "" || a.GetStageDue() <= w.now || a.GetCalls() == 0 || a.GetOverdue() {
			t.Errorf("freed: %v", a)
		}
	}
}

// TestSuppressedByDesign: only while its condition holds.
func TestSuppressedByDesign(t *testing.T) {
	w := newWorld(t, Config{})
	w.put(&schema.Shelf{Id: code + "-H1", Enterprise: code, Metric: t01, Kind: "design", Reason: "停机", From: w.now, Until: w.now + 365*day, Stage: shelfApproved, Actor: "x", Condition: "C001R0101 == 0"})
	if got := only(w.play("R=1 T=61 T=20 R=0 T=61 R=1 +1s")); got != "H! H- H+ H~ H=" {
		t.Errorf("%q", got)
	}
}

func TestShelfRefusals(t *testing.T) {
	ok := func() *schema.Shelf {
		return &schema.Shelf{Id: code + "-H1", Enterprise: code, Kind: "maintenance", Reason: "x", From: 1_700_000_000_000, Until: 1_700_000_000_000 + hour, Stage: shelfRequested, Actor: "m"}
	}
	for _, c := range []struct {
		name, role string
		change     func(*schema.Shelf)
		rule       string
	}{
		{"as it should be", "plant_manager", func(*schema.Shelf) {}, ""},
		{"72 h", "plant_manager", func(h *schema.Shelf) { h.Until = h.GetFrom() + 72*hour }, ""},
		{"longer", "plant_manager", func(h *schema.Shelf) { h.Until = h.GetFrom() + 72*hour + 1 }, "max"},
		{"approved by itself", "plant_manager", func(h *schema.Shelf) { h.Stage = shelfApproved }, "life_cycle"},
		{"by a worker", "plant_worker", func(*schema.Shelf) {}, "role"},
		{"by an administrator", "site_admin", func(*schema.Shelf) {}, "role"},
		{"out of service by a plant", "plant_manager", func(h *schema.Shelf) { h.Kind = "out_of_service" }, "role"},
		{"out of service for a year", "province_regulator", func(h *schema.Shelf) { h.Kind, h.Stage, h.Until = "out_of_service", shelfApproved, h.GetFrom()+365*day }, ""},
		{"out of service for ever", "province_regulator", func(h *schema.Shelf) { h.Kind, h.Stage, h.Until = "out_of_service", shelfApproved, h.GetFrom()+400*day }, "max"},
		{"backwards", "plant_manager", func(h *schema.Shelf) { h.Until = h.GetFrom() - 1 }, "time"},
		{"next year", "plant_manager", func(h *schema.Shelf) { h.From += 365 * day; h.Until += 365 * day }, "time"},
		{"another's id", "plant_manager", func(h *schema.Shelf) { h.Id = "320505030002-H1" }, "prefix"},
		{"condition without design", "plant_manager", func(h *schema.Shelf) { h.Condition = "C001T0101 > 1" }, "kind"},
		{"bad condition", "province_regulator", func(h *schema.Shelf) { h.Kind, h.Stage, h.Condition = "design", shelfApproved, "C001T0101 >" }, "expression"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			h := ok()
			c.change(h)
			put := changes(h)
			put.Role = c.role
			eff := w.apply(put)
			found := c.rule == "" && len(eff.Violations) == 0
			for _, v := range eff.Violations {
				found = found || v.GetRule() == c.rule
			}
			if !found {
				t.Errorf("violations %v, wanted %q", eff.Violations, c.rule)
			}
		})
	}
}

// TestRelax: who may do what to limits, and that each change is kept with what was before and after.
func TestRelax(t *testing.T) {
	base := func() *schema.Limits {
		return &schema.Limits{H: ptr(60.0), Hh: ptr(70.0), L: ptr(0.0), Deadband: 2, OnDelayMs: 1000, StuckMs: 600_000, GraveAfterMs: 300_000, Rate: ptr(10.0)}
	}
	for _, c := range []struct {
		field, result string // of a relaxation, or the audit's result
		change        func(*schema.Metric)
	}{
		{"limits.hh", "relaxed", func(m *schema.Metric) { m.Limits.Hh = ptr(75.0) }},
		{"limits.h", "relaxed", func(m *schema.Metric) { m.Limits.H = nil }},
		{"limits.l", "relaxed", func(m *schema.Metric) { m.Limits.L = ptr(-5.0) }},
		{"limits.rate", "relaxed", func(m *schema.Metric) { m.Limits.Rate = ptr(11.0) }},
		{"limits.deadband", "relaxed", func(m *schema.Metric) { m.Limits.Deadband = 5 }},
		{"limits.on_delay_ms", "relaxed", func(m *schema.Metric) { m.Limits.OnDelayMs = 5000 }},
		{"limits.off_delay_ms", "relaxed", func(m *schema.Metric) { m.Limits.OffDelayMs = 1 }},
		{"limits.stuck_ms", "relaxed", func(m *schema.Metric) { m.Limits.StuckMs = 0 }},
		{"limits.grave_after_ms", "relaxed", func(m *schema.Metric) { m.Limits.GraveAfterMs = 300_001 }},
		{"disabled", "relaxed", func(m *schema.Metric) { m.Disabled = true }},
		{"limits.hh", "relaxed", func(m *schema.Metric) { m.Limits.H, m.Limits.Hh = ptr(50.0), ptr(80.0) }},
		{"range_hi", "relaxed", func(m *schema.Metric) { m.RangeHi++ }},
		{"range_hi", "relaxed", func(m *schema.Metric) { m.RangeHi-- }},
		{"range_lo", "relaxed", func(m *schema.Metric) { m.RangeLo-- }},
		{"", "tightened", func(m *schema.Metric) { m.Limits.Hh = ptr(65.0) }},
		{"", "tightened", func(m *schema.Metric) { m.Limits.Ll = ptr(-10.0) }},
		{"", "tightened", func(m *schema.Metric) { m.Limits.OnDelayMs = 0 }},
		{"", "tightened", func(m *schema.Metric) { m.Limits.StuckMs = 1000 }},
		{"", "", func(*schema.Metric) {}},
	} {
		for _, role := range []string{"plant_manager", "site_admin", "province_regulator", ""} {
			w := newWorld(t, Config{})
			w.put(limited(t01, base()))
			m := limited(t01, base())
			c.change(m)
			put := changes(m)
			put.Role, put.Reason = role, "评估"
			eff := w.apply(put)
			if refused := c.field != "" && !MayRelax(role); refused {
				if len(eff.Violations) != 1 || eff.Violations[0].GetRule() != "relax" || eff.Violations[0].GetField() != c.field || len(eff.Changes) > 0 {
					t.Errorf("%s by %q: %v", c.field, role, eff.Violations)
				}
				continue
			}
			audit := ofType[*schema.AuditEntry](eff)
			if c.result == "" && len(audit) == 0 && len(eff.Violations) == 0 {
				continue
			}
			if len(eff.Violations) > 0 || len(audit) != 1 || audit[0].GetResult() != c.result || audit[0].GetReason() != "评估" || audit[0].GetBefore() == audit[0].GetAfter() {
				t.Errorf("%s by %q: %v %v", c.field, role, eff.Violations, audit)
			}
		}
	}
}

// TestDefaults: a metric that is written without limits gets those of its kind, its collector and its dusts (domain 3).
func TestDefaults(t *testing.T) {
	w := newWorld(t, Config{})
	w.put(&schema.Metric{Code: collector + "V0101", Enterprise: code, Collector: collector, Gateway: code + "G01", Kind: "V01", Name: "风速", Unit: "m/s", RangeHi: 40, PeriodS: 1})
	if l := w.e.plants[code].point(collector + "V0101").st.GetMetric().GetLimits(); l.GetL() != 23 || l.GetLl() != 21 {
		t.Errorf("duct of aluminium dust: %v", l)
	}
	lax := changes(&schema.Metric{Code: collector + "T0102", Enterprise: code, Collector: collector, Gateway: code + "G01", Kind: "T01", Name: "x", Unit: "°C", RangeLo: -20, RangeHi: 200, Limits: &schema.Limits{H: ptr(60.0), Hh: ptr(95.0), StuckMs: 1, Deadband: 1}})
	lax.Role = "plant_manager"
	if eff := w.apply(lax); len(eff.Violations) != 1 || eff.Violations[0].GetField() != "limits.hh" {
		t.Errorf("a plant began laxer than the standard: %v", eff.Violations)
	}
	lax.Role = "site_admin"
	if eff := w.apply(lax); len(eff.Violations) > 0 {
		t.Errorf("commissioning: %v", eff.Violations)
	}
}
