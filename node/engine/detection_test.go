package engine_test

import (
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dusthub/node/commissioning"
	"dusthub/node/engine"
	"dusthub/schema"
	"dusthub/schema/frame"
)

var update = flag.Bool("update", false, "write docs/detection.md anew")

const (
	plantCode = "320505030001"
	collector = plantCode + "C001"
	loopLearn = 300 // rows of each run of the water loop that limits are proposed from: its first five minutes
	tempLearn = 7 * 24 * time.Hour
)

// recorded is one stream of readings of real equipment, with what happened to it.
type recorded struct {
	rows   []row
	events []event
	learn  int64 // ms: readings before are learnt from, not judged
}

type row struct {
	t      int64
	values []float64
}

type event struct{ from, to int64 }

// sensor is how a column is configured: a metric of a plant.
type sensor struct {
	column, kind, unit string
	lo, hi             float64
	scale              float64
}

// bench is a set of recordings of one piece of equipment.
type bench struct {
	name    string
	sensors []sensor
	runs    []recorded
	delay   int32 // ms: on-delay of the combined rule
}

func (s sensor) code() string { return collector + s.kind + "01" }

// TestDetection replays recordings of real equipment through the engine with limits by the general method, and holds what it tells against the
// labels of the recordings. Nothing is tuned to them; the figures are what they are (docs/detection.md).
func TestDetection(t *testing.T) {
	data := filepath.Join("..", "..", "..", "shared", "data")
	if _, err := os.Stat(data); err != nil {
		t.Skip("no ../shared/data beside this clone: detection on recorded readings is not measured")
	}
	var out strings.Builder
	out.WriteString(preface)
	for _, b := range []bench{waterLoop(t, data), machineTemperature(t, data)} {
		proposals := b.learn(t)
		b.table(t, &out, proposals)
	}
	out.WriteString(conclusion)
	const golden = "../../docs/detection.md"
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(want) != out.String() {
		t.Errorf("docs/detection.md is not what the engine does now; look at it, then: go test ./node/engine -run Detection -update\n%s", out.String())
	}
}

const preface = `# What the alarm rules detect on recordings of real equipment

Written by ` + "`go test ./node/engine -run Detection -update`" + ` and compared on each test run that finds the recordings. The recordings are replayed through the engine as it
ships. Nothing was tuned to them. Limits come from one method for all metrics, that of the commissioning proposal (node/commissioning): from
the first, normal part of the recordings, which is then not judged. Delays and deadbands are the shipped defaults of the kind of metric.

- **threshold**: the proposed h, hh, l, ll. **rate**: the proposed rate of change. **combined**: any metric beyond p01 to p99 of its history
  while the drive's current is within its own (it runs, and what it serves is not as usual), as one expression with and, or and not; where there is one metric
  alone, beyond them for an hour.
- **detected**: an alarm was raised, or came again, between the beginning and the end of a labelled event. **delay**: from the label's beginning to the first such alarm.
- **false alarms**: raised, or come again, outside the labelled events. Also the echo of an event behind the label's end counts as false.
`

const conclusion = `
## What they say

- Threshold limits by the general method saw three of four closed valves, none of them wrongly, after about a minute, all by the flow.
- The rate of change saw nothing: limits that stand outside the noise of these sensors are not reached, and of readings five minutes apart there is no rate within two minutes.
- The combined rule saw every closed valve, with two false alarms in two hours: that the drive runs as usual while what it serves does not is knowledge of the process,
  and what an expression is for. Two forms that need no such knowledge were tried as well, on the same limits: all metrics beyond their usual values at once saw
  0 of 16, two of three 1 of 16. On the machine, where the rule watches one metric, it saw every event, late, and told many times wrongly.
- On the machine, thresholds learnt in one week do not hold for eighty days: later it runs hotter, and most readings beyond the limits outside the events are above the high one.
- Two recordings are no proof for dust collectors: a plant's own history, and people who look at the proposal, stand above these figures.
`

// learn proposes limits of each sensor from the normal beginnings.
func (b *bench) learn(t *testing.T) []*commissioning.Proposal {
	var out []*commissioning.Proposal
	for i, s := range b.sensors {
		l, err := commissioning.NewLearner(s.metric(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range b.runs {
			for _, x := range r.rows {
				if x.t < r.learn {
					l.Add(x.t, x.values[i], frame.Good, true)
				}
			}
		}
		out = append(out, l.Proposal())
	}
	return out
}

func (s sensor) metric(l *schema.Limits) *schema.Metric {
	return &schema.Metric{Code: s.code(), Enterprise: plantCode, Collector: collector, Gateway: plantCode + "G01", Kind: s.kind, Name: s.column, Unit: s.unit, RangeLo: s.lo, RangeHi: s.hi, Limits: l, PeriodS: 1}
}

// table measures each kind of rule and writes a section.
func (b *bench) table(t *testing.T, out *strings.Builder, proposals []*commissioning.Proposal) {
	fmt.Fprintf(out, "\n## %s\n\nProposed from %d normal readings of each metric:\n\n| metric | p01 | p50 | p99 | limits |\n| --- | --- | --- | --- | --- |\n", b.name, proposals[0].Used)
	for i, p := range proposals {
		var limits []string
		for _, l := range p.Limits {
			limits = append(limits, fmt.Sprintf("%s %.4g", l.Field, l.Proposed))
		}
		h := p.History
		fmt.Fprintf(out, "| %s, %s (as %s) | %.4g | %.4g | %.4g | %s |\n", b.sensors[i].column, b.sensors[i].unit, b.sensors[i].kind, h.P01, h.P50, h.P99, strings.Join(limits, ", "))
	}
	out.WriteString("\n| rule | events | detected | delay, median | missed | false alarms | normal time judged |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, kind := range []string{"threshold", "rate", "combined"} {
		var f figures
		for _, r := range b.runs {
			f.add(r, b.replay(t, r, kind, proposals))
		}
		fmt.Fprintf(out, "| %s | %d | %d | %s | %d | %d | %s |\n", kind, f.events, len(f.delays), f.median(), f.events-len(f.delays), f.wrong, time.Duration(f.normal)*time.Millisecond)
		t.Logf("%s %s: %+v", b.name, kind, f)
	}
}

// figures are what came of a kind of rule.
type figures struct {
	events, wrong int
	delays        []int64
	normal        int64 // ms
}

func (f *figures) add(r recorded, told []int64) {
	last := r.rows[len(r.rows)-1].t
	f.normal += last - r.learn
	for _, e := range r.events {
		f.events++
		f.normal -= min(e.to, last) - e.from
		if i := slices.IndexFunc(told, func(t int64) bool { return t >= e.from && t <= e.to }); i >= 0 {
			f.delays = append(f.delays, told[i]-e.from)
		}
	}
	for _, t := range told {
		if !slices.ContainsFunc(r.events, func(e event) bool { return t >= e.from && t <= e.to }) {
			f.wrong++
		}
	}
}

func (f *figures) median() string {
	if len(f.delays) == 0 {
		return "–"
	}
	slices.Sort(f.delays)
	return (time.Duration(f.delays[len(f.delays)/2]) * time.Millisecond).String()
}

// replay sends a recording through a new engine that has one kind of rule, and gives the times at which it raised alarms.
func (b *bench) replay(t *testing.T, r recorded, kind string, proposals []*commissioning.Proposal) (told []int64) {
	e := engine.New(engine.Config{Site: "jiangsu", Level: "province", Region: "320000"})
	now := r.rows[0].t - 1000
	put := &schema.Put{}
	records := []schema.Record{
		&schema.Enterprise{
			Code: plantCode, Uscc: "91350100M000100Y43", Name: "x", Region: "320505", Industry: "C33", MemIndustry: "machinery", Scale: "small", Employees: 100, DustWorkers: 35, MaxShiftWorkers: 20,
			ProductionState: "normal", AccessState: "connected", Dusts: []*schema.Dust{{Dust: "2"}}, Address: "x", Lng: 120.5, Lat: 31.3, SafetyHead: "x", SafetyPhone: "138",
		},
		&schema.Workshop{Code: plantCode + "W01", Enterprise: plantCode, Name: "x", Building: "single_frame"},
		&schema.DustSystem{Code: plantCode + "S01", Enterprise: plantCode, Workshop: plantCode + "W01", Name: "1", Mode: "negative", Dusts: []string{"2"}},
		&schema.Collector{Code: collector, Enterprise: plantCode, System: plantCode + "S01", Name: "1", Type: "wet_curtain"},
		&schema.Gateway{Code: plantCode + "G01", Enterprise: plantCode, Door: "frames"},
	}
	var parts []string
	drive := -1
	for i, s := range b.sensors {
		if s.kind == "A01" {
			drive = i
		}
		records = append(records, s.metric(limitsOf(s, proposals[i], kind)))
		h := proposals[i].History
		parts = append(parts, fmt.Sprintf("(%s < %g || %s > %g)", s.code()[len(plantCode):], h.P01, s.code()[len(plantCode):], h.P99))
	}
	if kind == "combined" {
		records = append(records, &schema.CombinedRule{Id: plantCode + "-C1", Enterprise: plantCode, Name: "x", Expression: whileDriven(parts, drive), Level: 1, OnDelayMs: b.delay})
	}
	for _, rec := range records {
		raw, err := schema.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		put.Changes = append(put.Changes, &schema.Change{Type: schema.TypeOf(rec), Record: raw})
	}
	eff := e.Apply(&schema.Command{Id: "base", Time: now, Actor: "admin", Body: &schema.Command_Put{Put: put}})
	if len(eff.Violations) > 0 {
		t.Fatal(eff.Violations)
	}
	series := map[string]uint32{}
	for _, c := range eff.Changes {
		if m, ok := c.Record.(*schema.Metric); ok {
			series[m.GetCode()] = m.GetSeries()
		}
	}
	rules := map[string][]string{"threshold": {"H", "HH", "L", "LL"}, "rate": {"rate"}, "combined": {"combined"}}[kind]
	active := map[string]bool{}
	hear := func(eff engine.Effects, t int64) {
		for _, c := range eff.Changes {
			a, ok := c.Record.(*schema.Alarm)
			if !ok || !slices.Contains(rules, a.GetRule()) {
				continue
			}
			if is := a.GetCondition() == "active"; is != active[a.GetId()] {
				if active[a.GetId()] = is; is && t >= r.learn {
					told = append(told, t)
				}
			}
		}
	}
	for _, x := range r.rows {
		var samples []frame.Sample
		for i, s := range b.sensors {
			samples = append(samples, frame.Sample{Series: series[s.code()], Time: x.t, Value: x.values[i]})
		}
		hear(e.Apply(&schema.Command{Time: x.t, Body: &schema.Command_Frame{Frame: frame.Append(nil, samples)}}), x.t)
		hear(e.Apply(&schema.Command{Time: x.t, Body: &schema.Command_Tick{Tick: &schema.Tick{}}}), x.t)
	}
	return told
}

// limitsOf are a proposal's limits as far as a kind of rule wants them, with the deadband and delays of the catalogue.
func limitsOf(s sensor, p *commissioning.Proposal, kind string) *schema.Limits {
	k, _ := schema.MetricKind(s.kind)
	out := &schema.Limits{Deadband: k.Deadband, OnDelayMs: k.OnDelayMs}
	for _, l := range p.Limits {
		v := l.Proposed
		switch {
		case kind == "rate" && l.Field == "rate":
			out.Rate = &v
		case kind != "threshold":
		case l.Field == "h":
			out.H = &v
		case l.Field == "hh":
			out.Hh = &v
		case l.Field == "l":
			out.L = &v
		case l.Field == "ll":
			out.Ll = &v
		}
	}
	return out
}

func waterLoop(t *testing.T, data string) bench {
	b := bench{
		name: "Water loop: the pump's inlet valve is closed (16 runs, one reading a second)", delay: 5000,
		sensors: []sensor{{"Volume Flow RateRMS", "F01", "m³/h", 0, 10, 0.06}, {"Current", "A01", "A", 0, 5, 1}, {"Temperature", "T02", "°C", -20, 200, 1}},
	}
	for i := range 16 {
		r := recorded{}
		labelled := false
		head, lines := readCSV(t, filepath.Join(data, "water-loop", fmt.Sprintf("valve-inlet-%d.csv", i)), ';')
		for _, line := range lines {
			at, err := time.Parse(time.DateTime, line[0])
			if err != nil {
				t.Fatal(err)
			}
			x := row{t: at.UnixMilli()}
			for _, s := range b.sensors {
				x.values = append(x.values, number(t, line[slices.Index(head, s.column)])*s.scale)
			}
			r.rows = append(r.rows, x)
			is := number(t, line[slices.Index(head, "anomaly")]) == 1
			switch {
			case is && !labelled:
				r.events = append(r.events, event{from: x.t, to: x.t})
			case is:
				r.events[len(r.events)-1].to = x.t
			}
			labelled = is
		}
		r.learn = r.rows[loopLearn].t
		b.runs = append(b.runs, r)
	}
	return b
}

func machineTemperature(t *testing.T, data string) bench {
	b := bench{
		name: "Machine temperature: a shutdown, a fault hard to see, a failure (80 days, one reading in five minutes)", delay: 3_600_000,
		sensors: []sensor{{"value", "T02", "°C", -20, 200, 1}},
	}
	r := recorded{}
	_, lines := readCSV(t, filepath.Join(data, "machine-temperature", "machine_temperature.csv"), ',')
	for _, line := range lines {
		r.rows = append(r.rows, row{clock(t, line[0]), []float64{number(t, line[1])}})
	}
	slices.SortStableFunc(r.rows, func(a, b row) int { return int((a.t - b.t) / 1000) })
	for _, w := range [][2]string{{"2013-12-10 06:25:00", "2013-12-12 05:35:00"}, {"2013-12-15 17:50:00", "2013-12-17 17:00:00"}, {"2014-01-27 14:20:00", "2014-01-29 13:30:00"}} {
		r.events = append(r.events, event{clock(t, w[0]), clock(t, w[1])})
	}
	r.learn = r.rows[0].t + tempLearn.Milliseconds()
	b.runs = []recorded{r}
	return b
}

func clock(t *testing.T, s string) int64 {
	at, err := time.Parse(time.DateTime, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}

func number(t *testing.T, s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func readCSV(t *testing.T, path string, comma rune) (head []string, lines [][]string) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma = comma
	all, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all[0], all[1:]
}

// whileDriven wants a metric beyond its usual values while that of the drive is within its own; any metric where there is no drive.
func whileDriven(conditions []string, drive int) string {
	if drive < 0 {
		return strings.Join(conditions, " || ")
	}
	others := append(append([]string{}, conditions[:drive]...), conditions[drive+1:]...)
	return "(" + strings.Join(others, " || ") + ") && !" + conditions[drive]
}
