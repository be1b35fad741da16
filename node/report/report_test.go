package report

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dusthub/node/quality"
	"dusthub/node/store"
	"dusthub/schema"
)

func at(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, Beijing)
	if err != nil {
		panic(err)
	}
	return t
}

func TestPeriods(t *testing.T) {
	for _, c := range []struct {
		kind        Kind
		at          string
		from, until string
		id, words   string
	}{
		{Daily, "2026-11-26 00:00", "2026-11-26 00:00", "2026-11-27 00:00", "daily-000000-2026-11-26", "2026年11月26日"},
		{Daily, "2026-11-26 23:59", "2026-11-26 00:00", "2026-11-27 00:00", "daily-000000-2026-11-26", "2026年11月26日"},
		{Weekly, "2026-11-23 00:00", "2026-11-23 00:00", "2026-11-30 00:00", "weekly-000000-2026-11-23", "2026年11月23日至2026年11月29日"}, // a Monday
		{Weekly, "2026-11-29 23:59", "2026-11-23 00:00", "2026-11-30 00:00", "weekly-000000-2026-11-23", "2026年11月23日至2026年11月29日"}, // a Sunday
		{Weekly, "2027-01-01 08:00", "2026-12-28 00:00", "2027-01-04 00:00", "weekly-000000-2026-12-28", "2026年12月28日至2027年1月3日"},
		{Monthly, "2028-02-29 12:00", "2028-02-01 00:00", "2028-03-01 00:00", "monthly-000000-2028-02-01", "2028年2月"},
		{Monthly, "2026-12-31 23:59", "2026-12-01 00:00", "2027-01-01 00:00", "monthly-000000-2026-12-01", "2026年12月"},
	} {
		t.Run(string(c.kind)+" "+c.at, func(t *testing.T) {
			p := PeriodOf(c.kind, at(c.at).UTC())
			if !p.From.Equal(at(c.from)) || !p.Until.Equal(at(c.until)) || p.ID("") != c.id || p.Words() != c.words {
				t.Errorf("%v %v %s %s", p.From, p.Until, p.ID(""), p.Words())
			}
			if b := p.Before(); !b.Until.Equal(p.From) {
				t.Errorf("before ends at %v", b.Until)
			}
			if p.Over(p.Until.Add(-time.Millisecond)) || !p.Over(p.Until) {
				t.Error("over too soon, or not at its end")
			}
		})
	}
}

func TestPrefix(t *testing.T) {
	for region, want := range map[string]string{"": "", "320000": "32", "320500": "3205", "320505": "320505", "100000": "10", "320100": "3201", "321000": "3210"} {
		if got := Prefix(region); got != want {
			t.Errorf("%q: %q, want %q", region, got, want)
		}
	}
}

// testSite is a real store that keeps the first report of an id, as the machine does.
type testSite struct {
	t      *testing.T
	store  *store.Store
	mu     sync.Mutex
	index  uint64
	clock  time.Time
	leader bool
	before func() // a command is applied
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
	return &testSite{t: t, store: st, clock: at("2026-11-16 00:00"), leader: true}
}

func (s *testSite) Store() *store.Store    { return s.store }
func (s *testSite) Leader() (string, bool) { return "r1", s.leader }

func (s *testSite) Propose(_ context.Context, cmd *schema.Command) (*schema.Result, error) {
	if s.before != nil {
		before := s.before
		s.before = nil
		before()
	}
	for _, c := range cmd.GetPut().GetChanges() {
		rec, err := schema.Decode(c.GetType(), c.GetRecord())
		if err != nil {
			return nil, err
		}
		vs := schema.ValidateAt(rec, s.clock.UnixMilli())
		if _, ok, err := s.store.Get(c.GetType(), schema.KeyOf(rec)); err != nil || ok {
			vs = append(vs, &schema.Violation{Record: schema.KeyOf(rec), Rule: "append_only"})
		}
		if schema.Refuses(vs) {
			return &schema.Result{Violations: vs}, nil
		}
		s.put(rec)
	}
	return &schema.Result{}, nil
}

func (s *testSite) put(list ...schema.Record) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index++
	b := s.store.Begin(s.index, s.clock.UnixMilli())
	if s.store.Epoch() == 0 {
		if err := b.SetEpoch(1); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, r := range list {
		if _, err := b.Own(store.Change{Type: schema.TypeOf(r), Key: schema.KeyOf(r), Record: r}); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := b.Commit(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *testSite) maker() *Maker {
	return NewMaker(Options{
		Site: s, SiteName: "江苏", Region: "320000", Now: func() time.Time { return s.clock },
		Rules: func(string) []quality.Count {
			return []quality.Count{{}, {Plants: 2, Records: 3}, {Plants: 1, Records: 9}}
		},
	})
}

// sampled writes how regions stood on a day.
func (s *testSite) sampled(day string, connected, online int64) {
	start := at(day + " 00:00").UnixMilli()
	row := func(prefix string, n int64) *schema.RegionFigures {
		return &schema.RegionFigures{
			Region: prefix, PlantsConnectedSum: n * connected, PlantsOnlineSum: n * online, Last: &schema.Standing{Plants: int32(n), PlantsDue: int32(n), PlantsConnected: int32(n), Red: int32(n), Records: 10, RecordsWrong: 1},
			Sensing: &schema.Sensing{Series: n, Expected: 100, Received: 90, Gaps: 1},
		}
	}
	s.put(
		&schema.RegionDay{Id: "00/" + day, Day: start, Samples: 2, Rows: []*schema.RegionFigures{row("", 4), row("32", 4)}},
		&schema.RegionDay{Id: "32/" + day, Day: start, Samples: 2, Rows: []*schema.RegionFigures{row("32", 4), row("3205", 3), row("3202", 1)}},
	)
}

const (
	suzhou = "320505030001"
	wuxi   = "320281030002"
	hefei  = "340104030003"
)

// week fills the week of 2026-11-16 with what a report counts, and some of the week before.
func (s *testSite) week() {
	for code, region := range map[string]string{suzhou: "320505", wuxi: "320281", hefei: "340104"} {
		s.put(
			&schema.Enterprise{Code: code, Name: "企业" + code[8:], Region: region},
			&schema.CleaningPlan{Id: code + "-d", Enterprise: code, Item: "地面", Cycle: "day", Method: "vacuum"},
		)
	}
	ms := func(t string) int64 { return at(t).UnixMilli() }
	n := 0
	alarm := func(plant, onset string, level int32, change func(*schema.Alarm)) {
		n++
		a := &schema.Alarm{Id: fmt.Sprint("a", n), Enterprise: plant, Metric: plant + "C001T0101", Kind: "T01", Rule: "H", Level: level, Onset: ms(onset), Raised: ms(onset), Condition: "active", Stage: "raised"}
		if change != nil {
			change(a)
		}
		s.put(a)
	}
	alarm(suzhou, "2026-11-15 23:59", 1, nil) // of the week before
	alarm(suzhou, "2026-11-16 00:00", 1, func(a *schema.Alarm) {
		a.Stage = "closed"
		a.Steps = []*schema.Step{{Action: "acknowledge", Actor: "m", Time: a.GetOnset() + 60_000}, {Action: "close", Actor: "r", Time: a.GetOnset() + 600_000}}
	})
	alarm(suzhou, "2026-11-18 12:00", 2, func(a *schema.Alarm) { a.Overdue, a.Escalation = true, 1 })
	alarm(wuxi, "2026-11-22 23:59", 1, nil)
	alarm(wuxi, "2026-11-20 10:00", 1, func(a *schema.Alarm) { a.Suppressed = true })
	alarm(hefei, "2026-11-20 10:00", 2, nil) // of another province
	alarm(wuxi, "2026-11-23 00:00", 1, nil)  // of the week after
	s.put(
		&schema.Warning{Id: "w1", Enterprise: suzhou, FromLevel: "blue", ToLevel: "red", Raised: ms("2026-11-17 08:00"), Closed: ms("2026-11-17 10:00"), Stage: "closed"},
		&schema.Warning{Id: "w2", Enterprise: wuxi, FromLevel: "blue", ToLevel: "orange", Raised: ms("2026-11-19 08:00"), Stage: "raised", Overdue: true},
		&schema.Warning{Id: "w3", Enterprise: hefei, FromLevel: "blue", ToLevel: "orange", Raised: ms("2026-11-19 08:00"), Stage: "raised"},
		&schema.Hazard{Id: "h1", Enterprise: suzhou, Code: "MH03", Found: ms("2026-11-17 08:00")},
		&schema.Hazard{Id: "h2", Enterprise: suzhou, Code: "MH06", Found: ms("2026-10-17 08:00"), Closed: ms("2026-11-18 08:00")},
		&schema.Hazard{Id: "h3", Enterprise: wuxi, Code: "MH06", Found: ms("2026-10-17 08:00"), Overdue: true},
		&schema.SpotCheck{Id: "s1", Enterprise: suzhou, Title: "抽查", Issued: ms("2026-11-17 08:00"), Stage: "closed", Ordered: ms("2026-11-18 08:00"), Findings: []*schema.Finding{{Text: "x", Grave: true}, {Text: "y"}}},
		&schema.SpotCheck{Id: "s2", Enterprise: wuxi, Title: "抽查", Issued: ms("2026-11-17 08:00"), Stage: "issued"},
		&schema.CleaningRecord{Id: suzhou + "-1", Enterprise: suzhou, Plan: suzhou + "-d", Item: "地面", Person: "x", Time: ms("2026-11-16 09:00"), Photos: []string{"p"}},
		&schema.CleaningRecord{Id: suzhou + "-2", Enterprise: suzhou, Plan: suzhou + "-d", Item: "地面", Person: "x", Time: ms("2026-11-16 10:00"), Photos: []string{"p"}}, // the same day again
		&schema.CleaningRecord{Id: suzhou + "-3", Enterprise: suzhou, Plan: suzhou + "-d", Item: "地面", Person: "x", Time: ms("2026-11-18 10:00"), Photos: []string{"p"}},
	)
	s.sampled("2026-11-15", 2, 1)
	s.sampled("2026-11-16", 2, 2)
	s.sampled("2026-11-22", 2, 1)
}

// words writes values with a space between any two.
func words(list ...any) string { return strings.TrimSuffix(fmt.Sprintln(list...), "\n") }

func TestCollect(t *testing.T) {
	s := newSite(t)
	s.clock = at("2026-11-01 00:00") // cleaning plans are there from then on
	s.week()
	s.clock = at("2026-11-23 02:00")
	r, err := s.maker().Make(context.Background(), PeriodOf(Weekly, at("2026-11-18 00:00")), "320000", "site")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Read(r)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string][2]any{
		"alarms":          {words(f.Alarms.Count, f.Alarms.Before, f.Alarms.Grave, f.Alarms.Closed, f.Alarms.Overdue, f.Alarms.Escalated, f.Alarms.Suppressed), "3 1 1 1 1 1 1"},
		"answers":         {words(f.Alarms.Respond.N, f.Alarms.Close.N, f.Alarms.Dispose.N), "1 1 0"},
		"kinds":           {words(len(f.Alarms.ByKind), f.Alarms.ByKind[0].Kind, f.Alarms.ByKind[0].Count), "1 T01 3"},
		"plants":          {words(len(f.Alarms.ByPlant), f.Alarms.ByPlant[0].Key, f.Alarms.ByPlant[0].Count), "2 " + suzhou + " 2"},
		"warnings":        {words(f.Warnings.Count, f.Warnings.Red, f.Warnings.Orange, f.Warnings.Closed, f.Warnings.Overdue, f.Warnings.Median), "2 1 1 1 1 7200000"},
		"hazards":         {words(f.Hazards), "{1 1 2 1}"},
		"checks":          {words(f.Checks), "{2 1 1 1 2 1}"},
		"cleaning":        {words(f.Cleaning.Plants, f.Cleaning.Slots, f.Cleaning.Done, f.Cleaning.Records), "2 14 2 3"},
		"cleaning missed": {words(len(f.Cleaning.Missed), f.Cleaning.Missed[0].Key, f.Cleaning.Missed[0].Count), "2 " + wuxi + " 7"},
		"days":            {words(len(f.Days), *f.Days[0].Online, f.Days[1].Online == nil, *f.Days[6].Online, f.Days[0].Alarms, f.Days[2].Grave, f.Days[6].Alarms, f.Days[1].Warnings), "7 1 true 0.5 1 1 1 1"},
		"now and before":  {words(f.Now.Red, f.Now.Wrong, f.Before.Red), "4 1 4"},
		"parts":           {words(len(f.Parts), f.Parts[0].Region, f.Parts[0].Alarms, f.Parts[1].Region, f.Parts[1].Alarms, f.Parts[1].Overdue, f.Parts[1].Standing.Due), "2 320200 1 320500 2 1 3"},
		"rules":           {words(len(f.Rules), f.Rules[0].Records, f.Rules[1].Records), "2 9 3"},
		"region":          {f.RegionName + f.SiteName, "江苏省江苏"},
		"by whom":         {r.GetId() + " " + r.GetActor(), "weekly-320000-2026-11-16 site"},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %v, want %v", what, c[0], c[1])
		}
	}
	city, err := Collect(context.Background(), s.store, PeriodOf(Weekly, at("2026-11-18 00:00")), "320500", nil)
	if err != nil || city.Alarms.Count != 2 || city.Now.Red != 3 || len(city.Parts) != 1 || city.Parts[0].Region != "320505" {
		t.Errorf("city %+v %v", city, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Collect(ctx, manyPlants(s), PeriodOf(Weekly, at("2026-11-18 00:00")), "", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("went on all the same: %v", err)
	}
}

// manyPlants fills the store so that a reader looks whether it is still wanted.
func manyPlants(s *testSite) *store.Store {
	var list []schema.Record
	for i := range 300 {
		list = append(list, &schema.Enterprise{Code: fmt.Sprintf("32050503%04d", i), Region: "320505"})
	}
	s.put(list...)
	return s.store
}

// TestDue: what is due is made once, in order, also what was missed while the site was down; periods it knows nothing of are left out.
func TestDue(t *testing.T) {
	s := newSite(t)
	s.week()
	ids := func() (out []string) {
		err := s.store.Each(context.Background(), store.Query{Type: "Report", Index: "from"}, func(r store.Row) (bool, error) {
			out = append(out, r.Key)
			return true, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	due := func(now string) {
		t.Helper()
		s.clock = at(now)
		if err := s.maker().Due(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	s.leader = false
	due("2026-11-23 03:00")
	if got := ids(); len(got) != 0 {
		t.Fatalf("not leading, but made %v", got)
	}
	s.leader = true
	due("2026-11-23 01:59") // the day before is not due yet
	want := "[weekly-320000-2026-11-09 daily-320000-2026-11-16]"
	if got := fmt.Sprint(ids()); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	due("2026-11-23 02:00")
	due("2026-11-23 02:10")
	want = "[weekly-320000-2026-11-09 daily-320000-2026-11-16 weekly-320000-2026-11-16 daily-320000-2026-11-22]"
	if got := fmt.Sprint(ids()); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	due("2026-12-04 09:00") // after eleven days of silence: too late for days, in time for the month
	want = "[monthly-320000-2026-11-01 weekly-320000-2026-11-09 daily-320000-2026-11-16 weekly-320000-2026-11-16 daily-320000-2026-11-22]"
	if got := fmt.Sprint(ids()); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestOneReport: two who make the same report end with the same one.
func TestOneReport(t *testing.T) {
	s := newSite(t)
	s.week()
	s.clock = at("2026-11-23 02:00")
	m, p := s.maker(), PeriodOf(Daily, at("2026-11-22 08:00"))
	s.before = func() { // somebody is faster
		if _, err := s.maker().Make(context.Background(), p, "320000", "ji01"); err != nil {
			t.Error(err)
		}
	}
	r, err := m.Make(context.Background(), p, "320000", "site")
	if err != nil || r.GetActor() != "ji01" {
		t.Errorf("%v %v", r.GetActor(), err)
	}
	if _, err := m.Make(context.Background(), PeriodOf(Daily, s.clock), "320000", "site"); !errors.Is(err, ErrNotOver) {
		t.Errorf("made of a day that is not over: %v", err)
	}
}
