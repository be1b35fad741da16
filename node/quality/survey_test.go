package quality

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"

	"google.golang.org/protobuf/proto"
)

// testSite is a real store and hub that take every record as it comes.
type testSite struct {
	t      *testing.T
	store  *store.Store
	hub    *live.Hub
	mu     sync.Mutex
	index  uint64
	clock  int64
	leader bool
}

func newSite(t *testing.T) *testSite {
	t.Helper()
	st, err := store.Open(store.Options{Dir: filepath.Join(t.TempDir(), "store"), Site: "jiangsu"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	noon := DayStart(1_790_000_000_000) + 12*hourMs
	return &testSite{t: t, store: st, hub: live.New(0), clock: noon, leader: true}
}

func (s *testSite) Store() *store.Store { return s.store }
func (s *testSite) Hub() *live.Hub      { return s.hub }
func (s *testSite) IsLeader() bool      { return s.leader }
func (s *testSite) now() time.Time      { return time.UnixMilli(s.clock) }

func (s *testSite) Propose(_ context.Context, cmd *schema.Command) (*schema.Result, error) {
	var changes []store.Change
	for _, c := range cmd.GetPut().GetChanges() {
		if c.GetDeleted() {
			changes = append(changes, store.Change{Type: c.GetType(), Key: c.GetKey(), Deleted: true})
			continue
		}
		rec, err := schema.Decode(c.GetType(), c.GetRecord())
		if err != nil {
			return nil, err
		}
		if vs := schema.ValidateAt(rec, s.clock); schema.Refuses(vs) {
			return &schema.Result{Violations: vs}, nil
		}
		changes = append(changes, store.Change{Type: c.GetType(), Key: schema.KeyOf(rec), Record: rec})
	}
	return s.write(changes, cmd.GetFrame())
}

func (s *testSite) write(changes []store.Change, raw []byte) (*schema.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index++
	b := s.store.Begin(s.index, s.clock)
	if s.store.Epoch() == 0 {
		if err := b.SetEpoch(1); err != nil {
			return nil, err
		}
	}
	for _, c := range changes {
		if _, err := b.Own(c); err != nil {
			return nil, err
		}
	}
	if raw != nil {
		if _, err := b.Frame("jiangsu", raw); err != nil {
			return nil, err
		}
	}
	rows := b.Rows()
	if err := b.Commit(); err != nil {
		return nil, err
	}
	s.hub.Publish(live.Event{Index: s.index, Time: s.clock, Rows: rows})
	return &schema.Result{Index: s.index}, nil
}

func (s *testSite) put(list ...schema.Record) {
	s.t.Helper()
	var changes []store.Change
	for _, r := range list {
		changes = append(changes, store.Change{Type: schema.TypeOf(r), Key: schema.KeyOf(r), Record: r})
	}
	if _, err := s.write(changes, nil); err != nil {
		s.t.Fatal(err)
	}
}

func (s *testSite) remove(typ, key string) {
	s.t.Helper()
	if _, err := s.write([]store.Change{{Type: typ, Key: key, Deleted: true}}, nil); err != nil {
		s.t.Fatal(err)
	}
}

// plant writes a good plant under another code; its gateway is heard.
func (s *testSite) plant(c string) *Plant {
	p := goodPlant()
	out := &Plant{}
	var list []schema.Record
	p.Each(func(r schema.Record) {
		raw, err := proto.Marshal(r)
		if err != nil {
			s.t.Fatal(err)
		}
		for i := 0; i+len(code) <= len(raw); i++ { // the same length, so that the form stays
			if string(raw[i:i+len(code)]) == code {
				copy(raw[i:], c)
			}
		}
		x, err := schema.Decode(schema.TypeOf(r), raw)
		if err != nil {
			s.t.Fatal(err)
		}
		out.Add(x)
		list = append(list, x)
	})
	out.Enterprise.Region = c[:6]
	for i, m := range out.Metrics {
		m.Series = uint32(i + 1)
	}
	s.put(append(list, &schema.GatewayState{Gateway: c + "G01", Enterprise: c, State: "online", Since: s.clock}, &schema.RiskResult{Id: c, Enterprise: c, Time: s.clock, Model: "m", Level: "yellow"})...)
	return out
}

func (s *testSite) sync(k *Keeper) {
	s.t.Helper()
	if err := k.Sync(context.Background()); err != nil {
		s.t.Fatal(err)
	}
}

func TestKeeperFollows(t *testing.T) {
	s := newSite(t)
	k := NewKeeper(s.store, s.hub, s.now)
	defer k.Close()
	a := s.plant("320505030001")
	b := s.plant("320281030002")
	s.plant("330106030003")
	s.sync(k)
	area, _ := RuleOf("workshop_area")
	check := func(step, prefix string, want *schema.Standing, plants, records int) {
		t.Helper()
		s.sync(k)
		f := k.Region(prefix)
		got := &schema.Standing{
			Plants: f.Standing.GetPlants(), PlantsDue: f.Standing.GetPlantsDue(), PlantsConnected: f.Standing.GetPlantsConnected(), PlantsOnline: f.Standing.GetPlantsOnline(),
			SystemsDue: f.Standing.GetSystemsDue(), SystemsConnected: f.Standing.GetSystemsConnected(), SystemsOnline: f.Standing.GetSystemsOnline(), Red: f.Standing.GetRed(), Yellow: f.Standing.GetYellow(),
		}
		if !proto.Equal(got, want) || f.Rules[area] != (Count{plants, records}) {
			t.Errorf("%s: %q is %v %v, want %v", step, prefix, got, f.Rules[area], want)
		}
	}
	check("three good plants", "", &schema.Standing{Plants: 3, PlantsDue: 3, PlantsConnected: 3, PlantsOnline: 3, SystemsDue: 3, SystemsConnected: 3, SystemsOnline: 3, Yellow: 3}, 0, 0)
	check("of a province", "32", &schema.Standing{Plants: 2, PlantsDue: 2, PlantsConnected: 2, PlantsOnline: 2, SystemsDue: 2, SystemsConnected: 2, SystemsOnline: 2, Yellow: 2}, 0, 0)
	a.Workshops[0].AreaM2 = 0
	s.put(a.Workshops[0], &schema.GatewayState{Gateway: a.Gateways[0].GetCode(), Enterprise: a.Enterprise.GetCode(), State: "offline", Since: s.clock})
	check("one offline, a workshop without area", "3205", &schema.Standing{Plants: 1, PlantsDue: 1, PlantsConnected: 1, SystemsDue: 1, SystemsConnected: 1, Yellow: 1}, 1, 1)
	s.put(&schema.RiskResult{Id: "320505030001", Enterprise: "320505030001", Time: s.clock, Model: "m", Level: "red"})
	check("graver", "320505", &schema.Standing{Plants: 1, PlantsDue: 1, PlantsConnected: 1, SystemsDue: 1, SystemsConnected: 1, Red: 1}, 1, 1)
	b.Enterprise.AccessState = "due"
	s.put(b.Enterprise)
	check("one is not connected", "3202", &schema.Standing{Plants: 1, PlantsDue: 1, SystemsDue: 1, SystemsConnected: 1, SystemsOnline: 1, Yellow: 1}, 0, 0)
	s.remove("Enterprise", "330106030003")
	check("one is gone", "33", &schema.Standing{}, 0, 0)
	if codes, next := k.Wanting("32", area, "", 10); len(codes) != 1 || codes[0] != "320505030001" || next != "" {
		t.Errorf("wanting %v %q", codes, next)
	}
	if parts := k.Parts(""); len(parts) != 1 || parts["32"].GetPlants() != 2 {
		t.Errorf("parts %v", parts)
	}
	fresh := NewKeeper(s.store, s.hub, s.now) // after a restart
	defer fresh.Close()
	s.sync(fresh)
	if !proto.Equal(fresh.Region("").Standing, k.Region("").Standing) {
		t.Errorf("anew %v, kept up %v", fresh.Region("").Standing, k.Region("").Standing)
	}
}

func TestWantingIsPaged(t *testing.T) {
	s := newSite(t)
	k := NewKeeper(s.store, s.hub, s.now)
	defer k.Close()
	for i := range 7 {
		p := s.plant(fmt.Sprintf("32050503%04d", i+1))
		if i != 3 {
			p.Workshops[0].AreaM2 = 0
			s.put(p.Workshops[0])
		}
	}
	s.sync(k)
	rule, _ := RuleOf("workshop_area")
	var all []string
	for after, pages := "", 0; ; pages++ {
		codes, next := k.Wanting("", rule, after, 2)
		if all = append(all, codes...); next == "" {
			if pages != 2 {
				t.Errorf("%d pages", pages+1)
			}
			break
		}
		after = next
	}
	if len(all) != 6 || all[0] != "320505030001" || all[5] != "320505030007" {
		t.Errorf("%v", all)
	}
}

func TestSurveySamples(t *testing.T) {
	s := newSite(t)
	s.plant("320505030001")
	b := s.plant("320281030002")
	survey := New(Options{Site: s, Now: s.now})
	defer survey.keeper.Close()
	turn := func(q *Survey) {
		t.Helper()
		s.sync(q.keeper)
		if err := q.Turn(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	turn(survey)
	turn(survey) // the same hour: nothing more
	s.put(&schema.GatewayState{Gateway: b.Gateways[0].GetCode(), Enterprise: b.Enterprise.GetCode(), State: "offline", Since: s.clock})
	s.clock += hourMs
	turn(survey)
	s.clock += hourMs
	other := New(Options{Site: s, Now: s.now}) // another leader goes on
	defer other.keeper.Close()
	s.leader = false
	turn(other)
	s.leader = true
	turn(other)
	for prefix, want := range map[string][2]int64{"": {6, 4}, "32": {6, 4}, "3205": {3, 3}, "320281": {3, 1}} {
		days, err := Days(context.Background(), s.store, prefix, DayStart(s.clock)-dayMs, DayStart(s.clock)+dayMs)
		if err != nil || len(days) != 1 || days[0].Samples != 3 {
			t.Fatalf("%q: %v %v", prefix, days, err)
		}
		if r := days[0].Row; r.GetPlantsConnectedSum() != want[0] || r.GetPlantsOnlineSum() != want[1] {
			t.Errorf("%q: connected %d online %d, want %v", prefix, r.GetPlantsConnectedSum(), r.GetPlantsOnlineSum(), want)
		}
	}
	s.clock += dayMs
	turn(other)
	if days, err := Days(context.Background(), s.store, "", 0, s.clock); err != nil || len(days) != 2 || days[0].Day >= days[1].Day {
		t.Errorf("%v %v", days, err)
	}
}

func TestJudgeReadings(t *testing.T) {
	m := &schema.Metric{Code: "m", RangeLo: 0, RangeHi: 100, PeriodS: 60}
	hours := func(n int, each uint64, low, high float64) []store.Bucket {
		var out []store.Bucket
		for i := range n {
			out = append(out, store.Bucket{Start: int64(i) * hourMs, Count: each, Min: low, Max: high})
		}
		return out
	}
	for _, c := range []struct {
		name               string
		r                  Readings
		rules              string
		expected, received int64
		worst              float64
	}{
		{"as it should be", Readings{To: dayMs, Buckets: hours(24, 60, 1, 99)}, "", 1440, 1440, 0},
		{"a tenth missing is borne", Readings{To: dayMs, Buckets: hours(24, 54, 1, 99)}, "", 1440, 1296, 0},
		{"more is missing", Readings{To: dayMs, Buckets: hours(20, 60, 1, 99)}, "gaps", 1440, 1200, 1200.0 / 1440},
		{"nothing came", Readings{To: dayMs}, "gaps", 1440, 0, 0},
		{"no time to judge", Readings{To: minuteMs}, "", 0, 0, 0},
		{"since it was there", Readings{From: 20 * hourMs, To: dayMs, Buckets: hours(4, 60, 1, 9)}, "", 240, 240, 0},
		{"above the range", Readings{To: dayMs, Buckets: append(hours(23, 60, 1, 99), hours(1, 60, -3, 130)...)}, "over_range", 1440, 1440, 130},
		{"below the range", Readings{To: dayMs, Buckets: append(hours(23, 60, 1, 101), hours(1, 60, -30, 99)...)}, "over_range", 1440, 1440, -30},
		{"stuck", Readings{To: dayMs, Buckets: hours(24, 60, 1, 99), Alarms: 1, Stuck: 1}, "stuck", 1440, 1440, 0},
		{"frequent", Readings{To: dayMs, Buckets: hours(24, 60, 1, 99), Alarms: 5}, "frequent", 1440, 1440, 0},
		{"four alarms are borne", Readings{To: dayMs, Buckets: hours(24, 60, 1, 99), Alarms: 4}, "", 1440, 1440, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.r.Metric = m
			issues, expected, received := JudgeReadings(&c.r)
			rules, worst := "", 0.0
			for _, x := range issues {
				rules += x.GetRule()
				worst = x.GetWorst()
			}
			if rules != c.rules || expected != c.expected || received != c.received || worst != c.worst {
				t.Errorf("%q %d %d %v, want %q %d %d %v", rules, expected, received, worst, c.rules, c.expected, c.received, c.worst)
			}
		})
	}
}

// TestSurveyJudgesReadings: the readings of yesterday are judged once, those of today again and again.
func TestSurveyJudgesReadings(t *testing.T) {
	s := newSite(t)
	start := DayStart(s.clock)
	s.clock = start - hourMs
	p := s.plant("320505030001")
	t01, p01 := p.Metrics[0], p.Metrics[1]
	s.clock = start
	send := func(series uint32, from, to int64, value float64) {
		var list []frame.Sample
		for at := from; at < to; at += 10_000 {
			list = append(list, frame.Sample{Series: series, Time: at, Value: value})
		}
		if _, err := s.write(nil, frame.Append(nil, list)); err != nil {
			t.Fatal(err)
		}
	}
	send(t01.GetSeries(), start, start+12*hourMs, 30)
	send(t01.GetSeries(), start+6*hourMs+5000, start+6*hourMs+6000, 250) // out of range
	send(p01.GetSeries(), start, start+3*hourMs, 900)                    // then nothing
	for i := range 6 {
		s.put(&schema.Alarm{Id: fmt.Sprint("a", i), Enterprise: code, Metric: p.Metrics[2].GetCode(), Rule: "DI", Level: 1, Onset: start + int64(i)*hourMs, Condition: "active", Stage: "raised", Suppressed: i == 5})
	}
	s.clock = start + 12*hourMs
	survey := New(Options{Site: s, Now: s.now})
	defer survey.keeper.Close()
	s.sync(survey.keeper)
	for range 2 {
		if err := survey.Turn(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	list, next, err := Issues(context.Background(), s.store, start, "32", "", IssuePlace{}, 100)
	if err != nil || next != nil {
		t.Fatal(err, next)
	}
	for _, x := range list {
		got[x.GetMetric()[len(code)+4:]] += x.GetRule() + " "
	}
	want := map[string]string{"T0101": "over_range ", "P0101": "gaps ", "K0101": "gaps frequent "}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	days, err := Days(context.Background(), s.store, "320505", start, start+dayMs)
	if err != nil || len(days) != 1 {
		t.Fatal(days, err)
	}
	if x := days[0].Row.GetSensing(); x.GetSeries() != 3 || x.GetGaps() != 2 || x.GetOverRange() != 1 || x.GetFrequent() != 1 || x.GetEnd() != s.clock-settle {
		t.Errorf("%v", x)
	}
	first, next, err := Issues(context.Background(), s.store, start, "", "gaps", IssuePlace{}, 1)
	if err != nil || len(first) != 1 || next == nil {
		t.Fatal(first, next, err)
	}
	second, next, err := Issues(context.Background(), s.store, start, "", "gaps", *next, 1)
	if err != nil || len(second) != 1 || second[0].GetMetric() == first[0].GetMetric() {
		t.Error(second, next, err)
	}
	s.clock = start + dayMs + 2*hourMs // the whole day, once
	if err := survey.Turn(context.Background()); err != nil {
		t.Fatal(err)
	}
	days, err = Days(context.Background(), s.store, "", start, start+dayMs)
	if err != nil || days[0].Row.GetSensing().GetEnd() != start+dayMs {
		t.Error(days, err)
	}
}

// TestNothingToJudge: that a day without readings was looked at is kept, so that it is not looked at again at once.
func TestNothingToJudge(t *testing.T) {
	s := newSite(t)
	survey := New(Options{Site: s, Now: s.now})
	defer survey.keeper.Close()
	s.plant("320505030001") // just now
	s.sync(survey.keeper)
	for range 3 {
		if err := survey.Turn(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.clock += 10_000
	}
	d, err := survey.day(countryID, DayStart(s.clock))
	if err != nil {
		t.Fatal(err)
	}
	if end := rowOf(d, "").GetSensing().GetEnd(); end != s.clock-30_000-settle {
		t.Errorf("judged up to %d, now is %d", end, s.clock)
	}
}

func TestPassEndsWithItsContext(t *testing.T) {
	s := newSite(t)
	s.plant("320505030001")
	survey := New(Options{Site: s, Now: s.now})
	defer survey.keeper.Close()
	s.sync(survey.keeper)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := survey.judgeDay(ctx, DayStart(s.clock), s.clock); err == nil {
		t.Error("judged all the same")
	}
	if err := survey.keeper.listAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := survey.keeper.judgeDirty(ctx); err == nil {
		t.Error("judged all the same")
	}
}

// Old days go, each kind after its time, the oldest first and not all at once; what is young enough stays.
func TestOldDaysAreForgotten(t *testing.T) {
	s := newSite(t)
	s.plant("320505030001")
	survey := New(Options{Site: s, Now: s.now})
	defer survey.keeper.Close()
	s.sync(survey.keeper)
	today := DayStart(s.clock)
	kept, gone := today-sensingKept, today-sensingKept-dayMs
	s.put(&schema.SensingDay{Id: dayName(kept) + "/320505", From: kept, End: kept + dayMs})
	for i := range forgetMost + 1 {
		s.put(&schema.SensingDay{Id: fmt.Sprintf("%s/%06d", dayName(gone), 320000+i), From: gone, End: gone + dayMs})
	}
	for _, area := range []string{countryID, "32"} {
		for _, day := range []int64{today - regionsKept, today - regionsKept - dayMs} {
			s.put(&schema.RegionDay{Id: dayID(area, day), Day: day, Samples: 1})
		}
	}
	count := func(typ string) int {
		t.Helper()
		n, err := s.store.Count(t.Context(), store.Query{Type: typ})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for hour, want := range []struct{ sensing, regions int }{{3, 4}, {2, 4}, {2, 4}} { // today's among them
		if err := survey.Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
		if sensing, regions := count("SensingDay"), count("RegionDay"); sensing != want.sensing || regions != want.regions {
			t.Errorf("after %d hours: %d lists of readings and %d of regions, want %v", hour, sensing, regions, want)
		}
		s.clock += hourMs
	}
	if _, ok, err := s.store.Get("SensingDay", dayName(kept)+"/320505"); !ok || err != nil {
		t.Errorf("a day that is to be kept is gone: %v", err)
	}
}
