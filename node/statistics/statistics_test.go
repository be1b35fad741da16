package statistics_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"dusthub/node/statistics"
	"dusthub/node/store"
	"dusthub/schema"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

const (
	minute = int64(60_000)
	hour   = 60 * minute
	begin  = int64(1_700_000_400_000) // 06:20 in China, a whole multiple of ten minutes
)

// failer is a test, or a property.
type failer interface {
	Helper()
	Fatal(args ...any)
}

// fill writes records as their site does.
func fill(t failer, list ...schema.Record) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{Dir: "db", FS: vfs.NewMem(), Site: "jiangsu", Partition: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range slices.Collect(slices.Chunk(list, 1000)) {
		b := s.Begin(uint64(i+1), begin)
		if i == 0 {
			if err = b.SetEpoch(7); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range part {
			if _, err = b.Own(store.Change{Type: schema.TypeOf(r), Key: schema.KeyOf(r), Record: r}); err != nil {
				t.Fatal(err)
			}
		}
		if err = b.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// alarm makes one, at a time after begin.
func alarm(i int, plant, metric string, at int64, change ...func(*schema.Alarm)) *schema.Alarm {
	a := &schema.Alarm{
		Id: fmt.Sprintf("AL-%06d", i), Enterprise: plant, Metric: metric, Kind: "T01", Rule: "H", Level: 1, Onset: begin + at, Raised: begin + at, Since: begin + at, Condition: "active", Stage: "raised", Priority: "low",
	}
	for _, c := range change {
		c(a)
	}
	return a
}

func returned(after int64) func(*schema.Alarm) {
	return func(a *schema.Alarm) { a.Condition, a.Returned = "returned", a.GetOnset()+after }
}

func many(n int, plant string, from, every int64) (out []schema.Record) {
	for i := range n {
		out = append(out, alarm(int(from)+i, plant, fmt.Sprint(plant, "M", i), from+int64(i)*every))
	}
	return out
}

func collect(t testing.TB, q statistics.Query, list ...schema.Record) *statistics.Result {
	t.Helper()
	if q.To == 0 {
		q.From, q.To = begin, begin+24*hour
	}
	s := fill(t, list...)
	defer s.Close()
	r, err := statistics.Collect(context.Background(), s, q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestFigures: each figure of EEMUA 191 / ISA-18.2 by a history that shows it.
func TestFigures(t *testing.T) {
	shelved := func(id string) func(*schema.Alarm) {
		return func(a *schema.Alarm) { a.Suppressed, a.Shelf = true, id }
	}
	stepped := func(a *schema.Alarm) {
		a.Steps = []*schema.Step{{Action: "acknowledge", Actor: "m", Time: a.GetRaised() + 60_000}, {Action: "dispose", Actor: "m", Time: a.GetRaised() + 600_000}, {Action: "close", Actor: "r", Time: a.GetRaised() + hour}}
		a.Stage, a.Escalation = "closed", 1
	}
	for _, c := range []struct {
		name string
		q    statistics.Query
		list []schema.Record
		got  func(r *statistics.Result) any
		want string
	}{
		{"average by position", statistics.Query{Positions: 2}, many(48, "A", 0, 20*minute), func(r *statistics.Result) any { return r.PerOperatorHour }, "1"},
		{"peak is of one plant", statistics.Query{}, append(many(8, "A", 0, 1000), many(7, "B", 100, 1000)...), func(r *statistics.Result) any { return []any{r.Peak.Count, r.Peak.Enterprise, r.Peak.At - begin} }, "[8 A 0]"},
		{"ten are no flood", statistics.Query{}, many(10, "A", 0, 1000), func(r *statistics.Result) any { return []any{r.FloodCount, r.FloodShare} }, "[0 0]"},
		{"eleven are", statistics.Query{}, many(11, "A", 0, 1000), func(r *statistics.Result) any {
			return []any{r.FloodCount, r.Floods[0].Count, r.Floods[0].To - r.Floods[0].From, r.FloodShare * 144}
		}, "[1 11 600000 1]"},
		{"two plants are no flood together", statistics.Query{}, append(many(6, "A", 0, 1000), many(6, "B", 100, 1000)...), func(r *statistics.Result) any { return r.FloodCount }, "0"},
		{"a flood lasts until fewer than five", statistics.Query{}, slices.Concat(many(12, "A", 0, 1000), many(6, "A", 10*minute, 1000), many(4, "A", 20*minute, 1000)), func(r *statistics.Result) any {
			return []any{r.FloodCount, r.Floods[0].Count, r.Floods[0].Peak, (r.Floods[0].To - begin) / minute}
		}, "[1 18 12 20]"},
		{"three within a minute chatter", statistics.Query{}, []schema.Record{alarm(1, "A", "M", 0), alarm(2, "A", "M", 20_000), alarm(3, "A", "M", 50_000), alarm(4, "A", "N", 0), alarm(5, "A", "N", 61_000), alarm(6, "A", "N", 122_000)}, func(r *statistics.Result) any {
			return []any{r.ChatteringCount, r.Chattering[0].Metric, r.Chattering[0].ShortestMs}
		}, "[1 M 20000]"},
		{"an open alarm that comes again and again chatters", statistics.Query{}, []schema.Record{alarm(1, "A", "M", 0, func(a *schema.Alarm) { a.Rule = "frequent" })}, func(r *statistics.Result) any { return r.ChatteringCount }, "1"},
		{"fleeting", statistics.Query{}, []schema.Record{alarm(1, "A", "M", 0, returned(59_000)), alarm(2, "A", "N", 0, returned(60_000))}, func(r *statistics.Result) any {
			return []any{r.FleetingCount, r.Fleeting[0].Metric, r.Fleeting[0].ShortestMs}
		}, "[1 M 59000]"},
		{"standing began before", statistics.Query{From: begin, To: begin + hour}, []schema.Record{alarm(1, "A", "M", -25*hour), alarm(2, "A", "N", -25*hour, returned(hour)), alarm(3, "A", "O", -22*hour)}, func(r *statistics.Result) any {
			return []any{r.Alarms, r.StandingCount, r.Standing[0].Metric, r.Standing[0].Hours}
		}, "[0 1 M 26]"},
		{"suppressed are listed and not counted", statistics.Query{}, []schema.Record{
			&schema.Shelf{Id: "S1", Enterprise: "A", Kind: "design", From: 1, Until: 2, Stage: "approved", Reason: "x", Actor: "m"}, &schema.Shelf{Id: "S2", Enterprise: "A", Kind: "maintenance", From: 1, Until: 2, Stage: "approved", Reason: "x", Actor: "m"},
			alarm(1, "A", "M", 0, shelved("S1")), alarm(2, "A", "M", 1, shelved("S2")), alarm(3, "A", "M", 2, shelved("S2")), alarm(4, "A", "M", 3),
		}, func(r *statistics.Result) any { return []any{r.Alarms, r.Suppressed} }, "[1 {2 0 1}]"},
		{"responses within 2.5 %", statistics.Query{}, []schema.Record{alarm(1, "A", "M", 0, stepped)}, func(r *statistics.Result) any {
			near := func(got, want int64) bool { return got > want*975/1000 && got < want*1025/1000 }
			return []any{near(r.Responses.Acknowledge.P50, 60_000), near(r.Responses.Dispose.P99, 600_000), near(r.Responses.Close.P90, hour), r.Responses.Close.N, r.Responses.Escalated}
		}, "[true true true 1 1]"},
		{"actors by role", statistics.Query{}, []schema.Record{&schema.User{Login: "m", Name: "陈", Role: "plant_manager", Password: "x"}, alarm(1, "A", "M", 0, stepped)}, func(r *statistics.Result) any { return r.Actors }, "[{plant_manager 企业安全管理人员 2} {elsewhere 其他站点人员 1}]"},
		{"hours of the day in China", statistics.Query{}, []schema.Record{alarm(1, "A", "M", 0), alarm(2, "A", "M", hour)}, func(r *statistics.Result) any { return []any{r.ByHour[6], r.ByHour[7]} }, "[1 1]"},
		{"to is not included", statistics.Query{From: begin, To: begin + 1000}, []schema.Record{alarm(1, "A", "M", 0), alarm(2, "A", "M", 1000), alarm(3, "A", "M", -1)}, func(r *statistics.Result) any { return r.Alarms }, "1"},
		{"one plant", statistics.Query{Enterprise: "B"}, append(many(3, "A", 0, 1000), many(2, "B", 100, 1000)...), func(r *statistics.Result) any { return []any{r.Alarms, len(r.ByEnterprise)} }, "[2 1]"},
		{"the plants that are let in", statistics.Query{Keep: func(e string) bool { return e == "A" }}, append(many(3, "A", 0, 1000), many(2, "B", 100, 1000)...), func(r *statistics.Result) any { return []any{r.Alarms, r.ByEnterprise[0].Enterprise} }, "[3 A]"},
		{"nothing", statistics.Query{}, nil, func(r *statistics.Result) any { return []any{r.Alarms, r.PerOperatorHour, bad(r)} }, "[0 0 []]"},
		{"verdicts", statistics.Query{}, many(200, "A", 0, 1000), func(r *statistics.Result) any { return bad(r) }, "[average peak]"},
		{"old alarms have a priority", statistics.Query{}, []schema.Record{alarm(1, "A", "M", 0, func(a *schema.Alarm) { a.Priority, a.Level = "", 2 })}, func(r *statistics.Result) any { return r.ByPriority[0].Count }, "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := fmt.Sprint(c.got(collect(t, c.q, c.list...))); got != c.want {
				t.Errorf("got %s, wanted %s", got, c.want)
			}
		})
	}
}

// bad are the figures that are not well.
func bad(r *statistics.Result) []string {
	out := []string{}
	for _, v := range r.Verdicts {
		if !v.OK {
			out = append(out, v.Code)
		}
		if v.Source == "" || v.Confidence == "" || v.Name == "" {
			out = append(out, "no source of "+v.Code)
		}
	}
	return out
}

// TestSumsAgree: however alarms fall, every way of dividing them gives all of them, and so do the steps of a series.
func TestSumsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 60).Draw(t, "n")
		var list []schema.Record
		announced, suppressed := 0, 0
		for i := range n {
			a := alarm(i, rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "plant"), rapid.SampledFrom([]string{"", "M", "N"}).Draw(t, "metric"), rapid.Int64Range(0, 3*hour).Draw(t, "at"), func(a *schema.Alarm) {
				a.Priority = rapid.SampledFrom(schema.PriorityOrder).Draw(t, "priority")
				a.Kind = rapid.SampledFrom([]string{"", "T01", "P01"}).Draw(t, "kind")
				a.Suppressed = rapid.Bool().Draw(t, "suppressed")
			})
			if a.GetSuppressed() {
				suppressed++
			} else {
				announced++
			}
			list = append(list, a)
		}
		s := fill(t, list...)
		defer s.Close()
		q := statistics.Query{From: begin, To: begin + 3*hour + 1}
		r, err := statistics.Collect(context.Background(), s, q)
		if err != nil {
			t.Fatal(err)
		}
		sums := map[string]int{"alarms": r.Alarms}
		for _, c := range r.ByPriority {
			sums["priority"] += c.Count
		}
		for _, c := range r.ByKind {
			sums["kind"] += c.Count
		}
		for _, c := range r.ByMetric {
			sums["metric"] += c.Count
		}
		for _, c := range r.ByEnterprise {
			sums["enterprise"] += c.Count
		}
		for _, c := range r.ByHour {
			sums["hour"] += c
		}
		series, err := statistics.Over(context.Background(), s, q, "hour")
		if err != nil {
			t.Fatal(err)
		}
		windows := 0
		for _, p := range series.Points {
			sums["series"] += p.Count
			windows += p.Flood
		}
		for name, sum := range sums {
			if sum != announced {
				t.Errorf("%s: %d, wanted %d", name, sum, announced)
			}
		}
		if got := r.Suppressed.Shelved + r.Suppressed.OutOfService + r.Suppressed.Design; got != suppressed {
			t.Errorf("suppressed: %d, wanted %d", got, suppressed)
		}
		if n := len(r.ByMetric); n > 0 && r.ByMetric[n-1].Cumulative < 0.999 {
			t.Errorf("cumulative: %v", r.ByMetric)
		}
		if r.FloodCount > windows {
			t.Errorf("%d floods in %d windows", r.FloodCount, windows)
		}
	})
}

func TestSeries(t *testing.T) {
	s := fill(t, append(many(11, "A", 0, 1000), alarm(99, "A", "M", 25*hour, func(a *schema.Alarm) { a.Priority = "high" }))...)
	defer s.Close()
	got, err := statistics.Over(context.Background(), s, statistics.Query{From: begin, To: begin + 26*hour}, "day")
	if err != nil || len(got.Points) != 2 || got.Points[0].Count != 11 || got.Points[0].Flood != 1 || got.Points[1].High != 1 || got.Points[0].At != begin-6*hour-20*minute {
		t.Errorf("%+v %v", got, err)
	}
	for name, q := range map[string]statistics.Query{"backwards": {From: begin, To: begin - 1}, "too long": {From: 0, To: begin}} {
		if _, err := statistics.Over(context.Background(), s, q, "hour"); !errors.Is(err, statistics.ErrSteps) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// BenchmarkCollect counts 100,000 alarms of 2,000 plants, each with the steps of its handling. Wanted: half a second.
func BenchmarkCollect(b *testing.B) {
	const n = 100_000
	list := make([]schema.Record, 0, n)
	for i := range n {
		plant := fmt.Sprintf("3205050%05d", i%2000)
		list = append(list, alarm(i, plant, fmt.Sprintf("%sC001T%04d", plant, i%7), int64(i)*25_000, returned(int64(i%9)*20_000), func(a *schema.Alarm) {
			a.Steps = []*schema.Step{{Action: "acknowledge", Actor: "m", Time: a.GetRaised() + int64(i)}, {Action: "dispose", Actor: "m", Time: a.GetRaised() + 2*int64(i)}}
			if i%20 != 0 {
				a.Stage = "closed"
			}
		}))
	}
	s := fill(b, list...)
	defer s.Close()
	b.ReportAllocs()
	for b.Loop() {
		r, err := statistics.Collect(context.Background(), s, statistics.Query{From: begin, To: begin + 30*24*hour, Positions: 2000})
		if err != nil || r.Alarms != n {
			b.Fatal(r.Alarms, err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "alarms/s")
}
