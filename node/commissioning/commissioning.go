// Package commissioning proposes alarm limits of a metric from its own history. It only proposes: a person looks at the reasons and
// confirms, or does not, through the limits themselves, where the engine judges who may relax them.
//
// The method, the same for every metric: of the good readings within the sensor's range, taken while the fan ran where the metric says
// something only then, p50 is where the process is, and p99 - p50 and p50 - p01 are how far it moves up and down, no less than the
// deadband or half a hundredth of the range. A general limit stands twice that far from p50, a grave one three times, and neither within what one
// reading in a thousand reached. A rate limit is twice the rate that one reading in a thousand reached. What a rule or standard
// demands is never passed.
package commissioning

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"dusthub/node/engine"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"
)

// Figures of the method; ours to propose [P].
const (
	general    = 2.0   // how many times the spread a general limit stands from the middle
	grave      = 3.0   // and a grave one
	leastShare = 0.005 // of the range: the least spread
	rateTimes  = 2.0
	settling   = int64(60_000) // after the fan started, ms

	enough     = 1000                 // readings below which nothing is proposed
	wellKnown  = int64(7 * 86400_000) // shorter histories are warned of
	dayMs      = int64(86400_000)
	bins       = 1 << 14
	fanChanges = 1 << 17
)

// ErrDigital says that a metric is a state, whose limits do not come from its history.
var ErrDigital = errors.New("commissioning: a state has no limits to propose")

// Limit is one proposed limit.
type Limit struct {
	Field    string   `json:"field" doc:"of Limits"`
	Now      *float64 `json:"now" doc:"absent: not judged now"`
	Proposed float64  `json:"proposed"`
	Change   string   `json:"change" enum:"new,same,tighter,laxer"`
	Reason   string   `json:"reason"`
}

// History is what the readings were like.
type History struct {
	P01 float64 `json:"p01"`
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Min float64 `json:"min"`
	Max float64 `json:"max"`
}

// Proposal is what a metric's history suggests.
type Proposal struct {
	Metric   string   `json:"metric"`
	From     int64    `json:"from" doc:"ms, first reading"`
	To       int64    `json:"to" doc:"ms, last reading"`
	Samples  int      `json:"samples" doc:"readings there were"`
	Used     int      `json:"used" doc:"good, within the sensor's range, while the fan ran"`
	Limits   []Limit  `json:"limits,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	History  History  `json:"history"`
}

// Learner learns from readings, in order. It keeps counters alone.
type Learner struct {
	m        *schema.Metric
	kind     schema.Kind
	defaults []schema.DefaultLimit
	out      Proposal

	value, rate            histogram
	pace                   engine.Pace
	standing, poor, beyond int // left out: fan stopped, bad quality, beyond the range
	paced                  bool
}

// NewLearner begins. defaults are those of the metric with their sources. Errors: ErrDigital.
func NewLearner(m *schema.Metric, defaults []schema.DefaultLimit) (*Learner, error) {
	kind, _ := schema.MetricKind(m.GetKind())
	if kind.Signal == "DI" || m.GetRangeHi() <= m.GetRangeLo() {
		return nil, ErrDigital
	}
	span := m.GetRangeHi() - m.GetRangeLo()
	return &Learner{
		m: m, kind: kind, defaults: defaults, out: Proposal{Metric: m.GetCode(), Limits: []Limit{}, Warnings: []string{}},
		value: histogram{lo: m.GetRangeLo(), width: span / bins, counts: make([]uint32, bins+1)}, rate: histogram{width: span / bins, counts: make([]uint32, bins+1)},
	}, nil
}

// Add takes one reading in. running says whether the fan ran, or that it does not matter.
func (l *Learner) Add(t int64, v float64, quality uint8, running bool) {
	if l.out.Samples == 0 {
		l.out.From = t
	}
	l.out.To = t
	l.out.Samples++
	switch {
	case !running:
		l.standing++
		l.pace = engine.Pace{} // a rate over a stop says nothing
		return
	case quality != frame.Good && quality != frame.Backfill:
		l.poor++
		return
	case math.IsNaN(v) || v < l.m.GetRangeLo() || v > l.m.GetRangeHi():
		l.beyond++
		return
	}
	if l.out.Used == 0 {
		l.out.History.Min, l.out.History.Max = v, v
	}
	l.out.History.Min, l.out.History.Max = min(l.out.History.Min, v), max(l.out.History.Max, v)
	l.out.Used++
	l.value.add(v)
	r := l.pace.Add(t, v)
	l.rate.add(r)
	l.paced = l.paced || r > 0
}

// Proposal says what the readings suggest.
func (l *Learner) Proposal() *Proposal {
	o := &l.out
	q := l.value.quantile
	if o.Used > 0 {
		o.History.P01, o.History.P50, o.History.P99 = q(0.01), q(0.5), q(0.99)
	}
	l.warn()
	if o.Used < enough {
		o.Warnings = append(o.Warnings, fmt.Sprintf("可用读数只有 %d 个,少于 %d 个,不提出限值", o.Used, enough))
		return o
	}
	high, low := l.sides()
	if high {
		l.side("h", general, 1)
		l.side("hh", grave, 1)
	}
	if low {
		l.side("l", general, -1)
		l.side("ll", grave, -1)
	}
	l.proposeRate()
	return o
}

// sides are the sides on which the metric is judged: by its kind's defaults, or by its limits now; both when there are none.
func (l *Learner) sides() (high, low bool) {
	has := func(field string) bool {
		return l.now(field) != nil || slices.ContainsFunc(l.defaults, func(d schema.DefaultLimit) bool { return d.Field == field })
	}
	high, low = has("h") || has("hh"), has("l") || has("ll")
	if !high && !low {
		return true, true
	}
	return high, low
}

// side proposes the limit times the spread away from the middle; sign 1 is up.
func (l *Learner) side(field string, times float64, sign float64) {
	o, p50 := &l.out, l.out.History.P50
	name, edge, rare := "p99", o.History.P99, l.value.quantile(0.999)
	if sign < 0 {
		name, edge, rare = "p01", o.History.P01, l.value.quantile(0.001)
	}
	least := l.least()
	spread := math.Max(math.Abs(edge-p50), least)
	v := p50 + sign*times*spread
	reason := fmt.Sprintf("历史中位数 %s,%s 为 %s,取中位数外 %g 倍波动(%s)", l.text(p50), name, l.text(edge), times, l.text(spread))
	if beyond := rare + sign*least*(times-1); sign*(beyond-v) > 0 {
		v = beyond
		reason = fmt.Sprintf("千分之一的读数到过 %s,限值放在其外 %s", l.text(rare), l.text(least*(times-1)))
	}
	if d := l.statutory(field); d != nil && sign*(v-d.Value) > 0 {
		v = d.Value
		reason += fmt.Sprintf(";不宽于 %s 的 %s", d.Basis, l.text(d.Value))
		if sign*(edge-v) >= 0 {
			o.Warnings = append(o.Warnings, fmt.Sprintf("%s:历史读数已越过标准所要求的 %s,先查明原因", field, l.text(v)))
		}
	}
	v = l.round(v, sign)
	if v <= l.m.GetRangeLo() || v >= l.m.GetRangeHi() {
		o.Warnings = append(o.Warnings, fmt.Sprintf("%s:按历史应为 %s,超出传感器量程,不提出", field, l.text(v)))
		return
	}
	l.propose(field, v, sign, reason)
}

// proposeRate proposes how much the value may move a minute.
func (l *Learner) proposeRate() {
	if !l.paced {
		l.out.Warnings = append(l.out.Warnings, "变化率:读数间隔大于 2 分钟或数值不变,无法得出")
		return
	}
	rare := l.rate.quantile(0.999)
	v := l.round(math.Max(rateTimes*rare, 2*l.least()), 1)
	if v >= l.m.GetRangeHi()-l.m.GetRangeLo() {
		return
	}
	l.propose("rate", v, 1, fmt.Sprintf("千分之一的读数每分钟变化到过 %s,取其 %g 倍(不小于回差的 2 倍)", l.text(rare), rateTimes))
}

func (l *Learner) propose(field string, v, sign float64, reason string) {
	p := Limit{Field: field, Now: l.now(field), Proposed: v, Reason: reason}
	switch {
	case p.Now == nil:
		p.Change = "new"
	case *p.Now == v:
		p.Change = "same"
	case sign*(*p.Now-v) > 0:
		p.Change = "tighter"
	default:
		p.Change, p.Reason = "laxer", p.Reason+";比现在宽,须由监管人员确认"
	}
	l.out.Limits = append(l.out.Limits, p)
}

// now is a limit as it stands.
func (l *Learner) now(field string) *float64 {
	x := l.m.GetLimits()
	if x == nil {
		return nil
	}
	return map[string]*float64{"h": x.H, "hh": x.Hh, "l": x.L, "ll": x.Ll, "rate": x.Rate}[field]
}

// least is the least spread that counts: what the sensor and the deadband make of a process that stands.
func (l *Learner) least() float64 {
	return max(l.m.GetLimits().GetDeadband(), l.kind.Deadband, leastShare*(l.m.GetRangeHi()-l.m.GetRangeLo()))
}

// statutory is the default that comes from a rule or standard; nil when there is none, or when it is merely proposed.
func (l *Learner) statutory(field string) *schema.DefaultLimit {
	i := slices.IndexFunc(l.defaults, func(d schema.DefaultLimit) bool { return d.Field == field && d.Confidence != "P" })
	if i < 0 {
		return nil
	}
	return &l.defaults[i]
}

// warn says what was left out, and what the history is too short for.
func (l *Learner) warn() {
	o := &l.out
	add := func(n int, what string) {
		if n > 0 {
			o.Warnings = append(o.Warnings, fmt.Sprintf("剔除%s的读数 %d 个", what, n))
		}
	}
	add(l.standing, "风机停止及启动后 1 分钟内")
	add(l.poor, "质量不良")
	add(l.beyond, "超出量程")
	if o.Samples > 0 && o.To-o.From < wellKnown {
		o.Warnings = append(o.Warnings, fmt.Sprintf("历史只有 %.1f 天,建议积累 7 天以上再确认", float64(o.To-o.From)/float64(dayMs)))
	}
}

// round keeps three digits of the range, away from the process.
func (l *Learner) round(v, sign float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10(l.m.GetRangeHi()-l.m.GetRangeLo()))-2) / 2
	n := v / step
	if sign > 0 {
		n = math.Ceil(n - 1e-9)
	} else {
		n = math.Floor(n + 1e-9)
	}
	if d := 1 / step; d > 1 {
		return n / math.Round(d)
	}
	return n * step
}

func (l *Learner) text(v float64) string { return fmt.Sprintf("%.4g %s", v, l.m.GetUnit()) }

// histogram counts values in equal steps from lo on.
type histogram struct {
	lo, width float64
	counts    []uint32
	n         int
}

func (h *histogram) add(v float64) {
	h.counts[max(0, min(len(h.counts)-1, int((v-h.lo)/h.width)))]++
	h.n++
}

// quantile is the value that a share q does not pass, within a step.
func (h *histogram) quantile(q float64) float64 {
	want, seen := int(math.Ceil(q*float64(h.n))), 0
	for i, c := range h.counts {
		if seen += int(c); c > 0 && seen >= want {
			return h.lo + (float64(i)+0.5)*h.width
		}
	}
	return h.lo
}

// Store is where histories are.
type Store interface {
	Points(ctx context.Context, ref store.SeriesRef, from, to int64, fn func(store.Point) error) error
}

// Propose reads a metric's history from a store, a day at a time. fan is the series of its collector's fan, nil when the metric says
// something without it or there is none. Errors: ErrDigital, the store's, the context's.
func Propose(ctx context.Context, st Store, m *schema.Metric, origin string, fan *schema.Metric, defaults []schema.DefaultLimit, from, to int64) (*Proposal, error) {
	l, err := NewLearner(m, defaults)
	if err != nil {
		return nil, err
	}
	runs := &fanRuns{}
	for at := from; at < to; at += dayMs {
		end := min(at+dayMs, to)
		if fan != nil {
			runs.begin()
			if err = st.Points(ctx, store.SeriesRef{Origin: origin, Series: fan.GetSeries()}, at, end, runs.add); err != nil {
				return nil, fmt.Errorf("read the fan's history: %w", err)
			}
		}
		err = st.Points(ctx, store.SeriesRef{Origin: origin, Series: m.GetSeries()}, at, end, func(p store.Point) error {
			l.Add(p.Time, p.Value, p.Quality, fan == nil || runs.at(p.Time))
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read history: %w", err)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	if runs.full {
		l.out.Warnings = append(l.out.Warnings, "风机状态变化过多,部分时段按最后已知状态判断")
	}
	return l.Proposal(), nil
}

// fanRuns is when the fan ran, within a day. What came last goes on.
type fanRuns struct {
	changes []fanChange
	i       int
	on      bool
	since   int64
	known   bool
	last    bool
	full    bool
}

type fanChange struct {
	t  int64
	on bool
}

func (f *fanRuns) begin() {
	for ; f.i < len(f.changes); f.i++ {
		f.turn(f.changes[f.i])
	}
	f.changes, f.i = f.changes[:0], 0
}

func (f *fanRuns) add(p store.Point) error {
	on := p.Value == 1
	if p.Quality != frame.Good && p.Quality != frame.Backfill || f.known && on == f.last {
		return nil
	}
	if f.known, f.last = true, on; len(f.changes) >= fanChanges {
		f.full = true
		return nil
	}
	f.changes = append(f.changes, fanChange{p.Time, on})
	return nil
}

func (f *fanRuns) turn(c fanChange) {
	if c.on && !f.on {
		f.since = c.t
	}
	f.on = c.on
}

// at says whether the fan ran at a time, and not only since a moment ago. Times are asked in order.
func (f *fanRuns) at(t int64) bool {
	for f.i < len(f.changes) && f.changes[f.i].t <= t {
		f.turn(f.changes[f.i])
		f.i++
	}
	return f.on && t-f.since >= settling
}
