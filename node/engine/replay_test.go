package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"dusthub/schema"
	"dusthub/schema/frame"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// everything is a world whose plant has every kind of rule.
func everything(t tester) *world {
	w := newWorld(t, Config{})
	spark := &schema.Limits{FaultState: ptr(int32(1)), FaultLevel: 1}
	w.put(
		&schema.Metric{Code: s01, Enterprise: code, Collector: collector, Gateway: code + "G01", Kind: "S01", Name: "火花", Unit: "0/1", RangeHi: 1, Limits: spark, PeriodS: 1},
		&schema.Metric{Code: s02, Enterprise: code, Collector: collector, Gateway: code + "G01", Kind: "S02", Name: "熄灭", Unit: "0/1", RangeHi: 1, PeriodS: 1},
		limited(t01, &schema.Limits{H: ptr(60.0), Hh: ptr(70.0), Deadband: 2, Rate: ptr(20.0), StuckMs: 600_000, GraveAfterMs: 300_000}),
		&schema.CombinedRule{Id: code + "-C1", Enterprise: code, Name: "升温且压差低", Expression: "C001T0101 > 50 && (C001P0101 < 500 || !(C001R0101 == 1))", Level: 2, OnDelayMs: 2000, OffDelayMs: 1000},
		&schema.CombinedRule{Id: code + "-C2", Enterprise: code, Name: "和", Expression: "C001T0101 + C001P0101 / 100.0 > 70", Level: 1},
	)
	return w
}

const (
	s01 = collector + "S0101"
	s02 = collector + "S0201"
)

// limited is the temperature of the world's collector with other limits.
func limited(metric string, l *schema.Limits) *schema.Metric {
	m := &schema.Metric{Code: metric, Enterprise: code, Collector: collector, Gateway: code + "G01", Kind: "T01", Name: "T01", Unit: "°C", RangeLo: -20, RangeHi: 200, Limits: l, PeriodS: 1}
	if metric == p01 {
		m.Kind, m.Name, m.Unit, m.RangeLo, m.RangeHi = "P01", "P01", "Pa", 0, 5000
	}
	return m
}

// written makes puts of shelves, rules and limits, by who may and by who may not.
func written(t *rapid.T, w *world) *schema.Put {
	role := rapid.SampledFrom([]string{"", "plant_manager", "province_regulator", "site_admin", "plant_worker"}).Draw(t, "role")
	var put *schema.Put
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0, 1:
		h := &schema.Shelf{
			Id: fmt.Sprintf("%s-H%d", code, w.n), Enterprise: code, Kind: rapid.SampledFrom([]string{"maintenance", "design"}).Draw(t, "kind"), Reason: "x", Actor: "x", From: w.now,
			Until: w.now + rapid.SampledFrom([]int64{10 * minute, hour, 80 * hour}).Draw(t, "long"), Stage: rapid.SampledFrom([]string{shelfRequested, shelfApproved}).Draw(t, "stage"),
			Metric: rapid.SampledFrom([]string{"", t01, p01}).Draw(t, "metric"),
		}
		if h.GetKind() == "design" && rapid.Bool().Draw(t, "conditioned") {
			h.Condition = "C001R0101 == 0"
		}
		put = changes(h)
	case 2:
		put = changes(limited(t01, &schema.Limits{H: ptr(rapid.SampledFrom([]float64{50, 60, 65}).Draw(t, "h")), Hh: ptr(70.0), Rate: ptr(20.0), GraveAfterMs: 300_000}))
	default:
		put = changes(&schema.CombinedRule{Id: code + "-C1", Enterprise: code, Name: "x", Expression: "C001T0101 > 50", Level: 1, Disabled: rapid.Bool().Draw(t, "disabled")})
		if rapid.Bool().Draw(t, "deleted") {
			put = &schema.Put{Changes: []*schema.Change{{Type: "CombinedRule", Key: code + "-C1", Deleted: true}}}
		}
	}
	put.Role = role
	return put
}

// acted makes acts on what is open, and on nothing.
func acted(t *rapid.T, w *world) *schema.Act {
	act := &schema.Act{Type: "Alarm", Key: "?", Role: rapid.SampledFrom([]string{"province_regulator", "plant_manager"}).Draw(t, "role"), Text: "x", Cause: "01", Attachments: []string{"p"}}
	p := w.e.plants[code]
	switch rapid.IntRange(0, 4).Draw(t, "on") {
	case 0:
		act.Type = "Warning"
		if len(p.warnings) > 0 {
			act.Key = p.warnings[0].GetId()
		}
	case 1:
		act.Type, act.Action = "Shelf", rapid.SampledFrom([]string{"approve", "refuse", "end", "nonsense"}).Draw(t, "action")
		if len(p.shelves) > 0 {
			act.Key = p.shelves[rapid.IntRange(0, len(p.shelves)-1).Draw(t, "shelf")].rec.GetId()
		}
		return act
	default:
		if len(p.alarms) > 0 {
			act.Key = p.alarms[rapid.IntRange(0, len(p.alarms)-1).Draw(t, "alarm")].GetId()
		}
	}
	act.Action = rapid.SampledFrom([]string{"acknowledge", "dispose", "feed_back", "close", "reject", "false_alarm"}).Draw(t, "action")
	return act
}

// story makes a command stream: readings of all kinds, ticks, acts that fit and acts that do not, shelves, rules and limits.
func story(t *rapid.T, w *world) []*schema.Command {
	metrics := []string{t01, p01, k01, r01, r02, s01, s02}
	values := map[string][]float64{t01: {25, 55, 61, 72, 250}, p01: {900, 1600, 2100, 300, 100}, k01: {0, 1}, r01: {0, 1}, r02: {0, 1}, s01: {0, 1}, s02: {0, 1}}
	var out []*schema.Command
	n := rapid.IntRange(1, 200).Draw(t, "n")
	for range n {
		w.now += int64(rapid.SampledFrom([]int{0, 200, 1000, 5000, 60_000, 700_000}).Draw(t, "dt"))
		w.n++
		var c *schema.Command
		switch rapid.IntRange(0, 10).Draw(t, "kind") {
		case 0, 1:
			c = w.command(&schema.Tick{})
		case 2:
			c = w.command(&schema.Heard{Gateway: code + "G01", SourceLost: rapid.Bool().Draw(t, "lost")})
		case 3, 4:
			c = w.command(acted(t, w))
		case 5:
			c = w.command(written(t, w))
		default:
			m := rapid.SampledFrom(metrics).Draw(t, "metric")
			c = w.command(frame.Append(nil, []frame.Sample{{Series: w.series(m), Time: w.now - int64(rapid.IntRange(0, 2000).Draw(t, "late")), Value: rapid.SampledFrom(values[m]).Draw(t, "v"), Quality: uint8(rapid.SampledFrom([]int{0, 0, 0, 3, 5}).Draw(t, "q"))}}))
		}
		out = append(out, c)
		w.e.Apply(c)
	}
	return out
}

func sameEffects(t *rapid.T, i int, a, b Effects) {
	if len(a.Changes) != len(b.Changes) || len(a.Violations) != len(b.Violations) || a.SealBefore != b.SealBefore {
		t.Fatalf("command %d: %+v against %+v", i, a, b)
	}
	for k := range a.Changes {
		if a.Changes[k].Key != b.Changes[k].Key || !proto.Equal(a.Changes[k].Record, b.Changes[k].Record) {
			t.Fatalf("command %d change %d: %v against %v", i, k, a.Changes[k], b.Changes[k])
		}
	}
}

// TestReplayFromAnyCheckpoint: an engine restored from the state at any command goes on exactly as the one that never stopped,
// with one processor as with four.
func TestReplayFromAnyCheckpoint(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	rapid.Check(t, func(t *rapid.T) {
		runtime.GOMAXPROCS(1)
		tape := story(t, everything(t))
		cut := rapid.IntRange(0, len(tape)).Draw(t, "cut")
		one, two := everything(t).e, New(Config{Site: "jiangsu", Level: "province", Region: "320000"})
		for _, c := range tape[:cut] {
			one.Apply(c)
		}
		state, err := one.MarshalState()
		if err != nil {
			t.Fatal(err)
		}
		if err := two.UnmarshalState(state); err != nil {
			t.Fatal(err)
		}
		runtime.GOMAXPROCS(4)
		for i, c := range tape[cut:] {
			sameEffects(t, cut+i, one.Apply(c), two.Apply(c))
		}
		a, _ := one.MarshalState()
		b, _ := two.MarshalState()
		if !bytes.Equal(a, b) {
			t.Fatalf("states differ at the end: %s", apart(a, b))
		}
	})
}

// apart shows the first lines in which two states differ.
func apart(a, b []byte) string {
	lines := func(raw []byte) []string {
		st := &schema.EngineState{}
		if err := proto.Unmarshal(raw, st); err != nil {
			return []string{err.Error()}
		}
		return strings.Split(prototext.Format(st), "\n")
	}
	x, y := lines(a), lines(b)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("%s\nagainst\n%s", strings.Join(x[max(0, i-12):i+1], "\n"), y[i])
		}
	}
	return "in length alone"
}

// TestLifeCycleNeverLeavesItsPath: whatever comes, stages move along allowed steps alone, and nothing closed moves again.
func TestLifeCycleNeverLeavesItsPath(t *testing.T) {
	next := map[string]map[string]bool{
		"": {stageRaised: true}, stageRaised: {stageAcknowledged: true, stageClosed: true}, stageAcknowledged: {stageDisposed: true, stageClosed: true},
		stageDisposed: {stageFedBack: true, stageClosed: true}, stageFedBack: {stageClosed: true, stageAcknowledged: true},
	}
	rapid.Check(t, func(t *rapid.T) {
		w := everything(t)
		tape := story(t, everything(t))
		stage, shelfStage, escalation := map[string]string{}, map[string]string{}, map[string]int32{}
		for _, c := range tape {
			eff := w.e.Apply(c)
			for _, h := range ofType[*schema.Shelf](eff) {
				was := shelfStage[h.GetId()]
				if allowed := map[string]string{"": "requested approved", shelfRequested: "approved refused ended", shelfApproved: "ended"}[was]; !strings.Contains(allowed, h.GetStage()) || h.GetStage() == "" {
					t.Fatalf("shelf %s went from %q to %q", h.GetId(), was, h.GetStage())
				}
				shelfStage[h.GetId()] = h.GetStage()
			}
			for _, a := range ofType[*schema.Alarm](eff) {
				was := stage[a.GetId()]
				if was != a.GetStage() && !next[was][a.GetStage()] {
					t.Fatalf("alarm %s went from %q to %q", a.GetId(), was, a.GetStage())
				}
				if a.GetSuppressed() != (a.GetShelf() != "") || a.GetSuppressed() && (a.GetStageDue() != 0 || a.GetEscalateDue() != 0 || a.GetOverdue()) {
					t.Fatalf("suppressed alarm with duties: %v", a)
				}
				if d := a.GetEscalation() - escalation[a.GetId()]; d < 0 || d > 1 {
					t.Fatalf("alarm %s escalated from %d to %d", a.GetId(), escalation[a.GetId()], a.GetEscalation())
				}
				escalation[a.GetId()] = a.GetEscalation()
				if was == stageClosed {
					t.Fatalf("closed alarm %s was written again", a.GetId())
				}
				stage[a.GetId()] = a.GetStage()
			}
		}
		for _, a := range w.alarms() {
			if stage[a.GetId()] != a.GetStage() {
				t.Fatalf("open alarm %s stands at %s, written as %s", a.GetId(), a.GetStage(), stage[a.GetId()])
			}
		}
	})
}

// TestNoAlarmLostOrDoubled: readings that arrive out of order within the lateness window, and again, raise the alarms that readings
// in order raise, each once.
func TestNoAlarmLostOrDoubled(t *testing.T) {
	raised := func(w *world, list []frame.Sample) map[string]int {
		out := map[string]int{}
		for _, s := range list {
			for _, a := range ofType[*schema.Alarm](w.apply(frame.Append(nil, []frame.Sample{s}))) {
				if a.GetRule() != "frequent" {
					out[a.GetRule()+" "+a.GetId()]++
				}
			}
		}
		rules := map[string]int{}
		for key := range out {
			rule, _, _ := strings.Cut(key, " ")
			rules[rule]++
		}
		return rules
	}
	rapid.Check(t, func(t *rapid.T) {
		straight, mixed := newWorld(t, Config{}), newWorld(t, Config{})
		n := rapid.IntRange(1, 40).Draw(t, "n")
		list := make([]frame.Sample, n)
		for i := range list {
			list[i] = frame.Sample{Series: straight.series(t01), Time: straight.now + int64(i+1)*1000, Value: rapid.SampledFrom([]float64{25, 30, 61, 72}).Draw(t, "v")}
		}
		order := append(rapid.Permutation(list).Draw(t, "order"), list...) // and all of it once more
		straight.now += int64(n+1) * 1000
		mixed.now = straight.now
		want, got := raised(straight, list), raised(mixed, order)
		for _, rule := range []string{"H", "HH"} {
			if want[rule] != got[rule] {
				t.Fatalf("%s: %d alarms in order, %d out of order", rule, want[rule], got[rule])
			}
		}
	})
}

func FuzzUnmarshalState(f *testing.F) {
	w := newWorld(f, Config{})
	w.read(t01, 75)
	state, _ := w.e.MarshalState()
	f.Add(state)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		e := New(Config{Site: "x"})
		if e.UnmarshalState(b) != nil {
			return
		}
		e.Apply(&schema.Command{Time: 1, Body: &schema.Command_Tick{Tick: &schema.Tick{}}})
	})
}

// BenchmarkQuietFrame is the hot path: a frame of samples within limits. Wanted: no allocation a sample.
func BenchmarkQuietFrame(b *testing.B) {
	w := newWorld(b, Config{})
	w.read(t01, 25)
	const n = 4096
	samples := make([]frame.Sample, n)
	rnd := rand.New(rand.NewPCG(1, 2))
	var frames [][]byte
	for k := range 16 {
		for i := range samples {
			samples[i] = frame.Sample{Series: w.series(t01), Time: w.now + int64(k*n+i) + 1, Value: 20 + rnd.Float64()}
		}
		frames = append(frames, frame.Append(nil, samples))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if i%len(frames) == 0 {
			w.e.point(w.series(t01)).st.Time = 0
		}
		w.e.Apply(&schema.Command{Time: w.now, Body: &schema.Command_Frame{Frame: frames[i%len(frames)]}})
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "samples/s")
}

// BenchmarkQuiet is the hot path with the rate of change, a stuck value and a combined rule watched besides. Wanted: no allocation a sample.
func BenchmarkQuiet(b *testing.B) {
	benchSamples(b, func(i int) float64 { return 20 + float64(i%7)/10 })
}

// BenchmarkFlood is one sample in a hundred out of limits and back, on the same point.
func BenchmarkFlood(b *testing.B) {
	benchSamples(b, func(i int) float64 {
		if i%100 == 0 {
			return 75
		}
		return 20 + float64(i%7)/10
	})
}

func benchSamples(b *testing.B, value func(i int) float64) {
	w := newWorld(b, Config{})
	w.put(limited(t01, &schema.Limits{H: ptr(60.0), Hh: ptr(70.0), Deadband: 2, Rate: ptr(50.0), StuckMs: 21_600_000, GraveAfterMs: 1_800_000}))
	w.put(&schema.CombinedRule{Id: code + "-C1", Enterprise: code, Name: "x", Expression: "C001T0101 > 50 && (C001P0101 < 500 || !(C001R0101 == 1))", Level: 2})
	w.read(p01, 900)
	w.read(r01, 1)
	w.read(t01, 20)
	const n = 4096
	samples := make([]frame.Sample, n)
	var raw []byte
	b.ReportAllocs()
	for range b.N {
		b.StopTimer()
		for i := range samples {
			w.now += 1000
			samples[i] = frame.Sample{Series: w.series(t01), Time: w.now, Value: value(i)}
		}
		raw = frame.Append(raw[:0], samples)
		cmd := &schema.Command{Time: w.now - n*500, Body: &schema.Command_Frame{Frame: raw}}
		w.e.st.Now, w.e.cfg.LiveWithin = cmd.GetTime(), 2*n*1000
		b.StartTimer()
		w.e.Apply(cmd)
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "samples/s")
}
