package engine

import (
	"math"

	"dusthub/schema"
	"dusthub/schema/frame"
)

// rule is one alarm rule with its state: of a metric, or over several (combined). A condition that holds for on raises it, one
// that is gone for off returns it, one that lasts for grave makes a general alarm a grave one.
type rule struct {
	name           string
	op             op
	level          int32
	limit          float64
	on, off, grave int64  // ms; grave 0: never
	point          *point // the one its alarm names
	combined       *combined
	st             *schema.RuleState
}

type op uint8

const (
	above op = iota
	below
	equal
	outside    // of the sensor's range
	faulty     // the sensor says so
	silent     // no samples while its gateway is heard
	fanFirst   // production runs and the fan does not
	fanTooSoon // the fan stopped too early after production
	tooFast    // moved more than the limit a minute
	frozen     // unchanged for the limit, ms, while the fan runs
	sparking   // several sparks within a minute
	burning    // a spark, and nothing quenched it
	tooOften   // alarms of the point again and again
	expression // a combined rule's
)

// instrument says whether an alarm is about the instrument and not about the process.
func (o op) instrument() bool { return o == outside || o == faulty || o == frozen || o == tooOften }

// step moves one rule at a time: of a sample, or of a tick.
func (e *Engine) step(r *rule, holds bool, t int64) {
	st := r.st
	switch {
	case st.GetAlarm() == "" && !holds:
		st.Since, st.Clear = 0, 0
	case st.GetAlarm() == "":
		if st.GetSince() == 0 {
			st.Since = t
			if r.op <= outside {
				st.Clear = r.point.before
			}
		}
		if t-st.GetSince() >= r.on {
			e.raiseRule(r, t)
		}
	case holds:
		st.Clear = 0
		e.worsen(r, t)
	default:
		if st.GetClear() == 0 {
			st.Clear = t
		}
		if t-st.GetClear() >= r.off {
			e.writePeak(r)
			e.returned(r.point.plant, st.GetAlarm(), t)
			rest(st, t)
		}
	}
}

// rest makes a rule one whose condition does not hold, from a time on.
func rest(st *schema.RuleState, t int64) {
	st.Alarm, st.Since, st.Clear, st.Grave, st.Peak, st.Until = "", 0, 0, false, 0, max(st.GetUntil(), t)
}

// raiseRule raises a rule's alarm.
func (e *Engine) raiseRule(r *rule, t int64) {
	p := r.point
	m := p.st.GetMetric()
	if r.op != tooOften && r.op != expression {
		p.count(e)
	}
	limit := r.limit
	if r.op == fanTooSoon || r.op == frozen {
		limit = r.limit / 1000 // s
	}
	a := &schema.Alarm{
		System: p.system, Collector: m.GetCollector(), Metric: m.GetCode(), Gateway: m.GetGateway(), Kind: m.GetKind(), Rule: r.name, Level: r.level,
		Limit: limit, Value: p.st.GetLast(), Peak: p.st.GetLast(), Unit: m.GetUnit(), Onset: t,
	}
	if r.combined != nil {
		a.Combined, a.Text = r.combined.st.GetRule().GetId(), r.combined.st.GetRule().GetName()
	}
	a = e.raise(p.plant, a)
	if t-r.st.GetUntil() > e.cfg.LiveWithin || t < r.st.GetFrom() {
		r.st.From = t
	}
	r.st.Alarm, r.st.Clear, r.st.Wrote, r.st.Peak, r.st.Grave = a.GetId(), 0, e.st.GetNow(), p.st.GetLast(), a.GetLevel() > r.level
}

// worsen looks at an alarm that goes on: whether its value grew worse, and whether it lasts.
func (e *Engine) worsen(r *rule, t int64) {
	v := r.point.st.GetLast()
	if r.op == above && v > r.st.GetPeak() || r.op == below && v < r.st.GetPeak() {
		r.st.Peak = v
	}
	if e.st.GetNow()-r.st.GetWrote() >= peakEvery {
		e.writePeak(r)
	}
	if r.grave > 0 && r.level < 2 && !r.st.GetGrave() && t-r.st.GetSince() >= r.grave {
		r.st.Grave = true
		e.worse(r.point.plant, r.st.GetAlarm())
	}
}

// writePeak writes the worst value of an alarm when it is news.
func (e *Engine) writePeak(r *rule) {
	if r.op != above && r.op != below {
		return
	}
	i := r.point.plant.find(r.st.GetAlarm())
	if i < 0 {
		return
	}
	a := r.point.plant.alarms[i]
	if r.op == above && r.st.GetPeak() <= a.GetPeak() || r.op == below && r.st.GetPeak() >= a.GetPeak() {
		return
	}
	a = clone(a)
	a.Peak = r.st.GetPeak()
	r.st.Wrote = e.st.GetNow()
	e.update(r.point.plant, i, a)
}

// holds says whether a rule's condition holds for a sample; not known when the sample cannot tell. While an alarm is active its deadband counts.
func (p *point) holds(r *rule, s frame.Sample) (holds, known bool) {
	band := 0.0
	if r.st.GetAlarm() != "" {
		band = p.st.GetMetric().GetLimits().GetDeadband()
	}
	good := s.Quality == frame.Good
	m := p.st.GetMetric()
	inRange := s.Value >= m.GetRangeLo() && s.Value <= m.GetRangeHi()
	switch r.op {
	case above:
		return s.Value >= r.limit-band && !p.idle(), good && inRange
	case below:
		return s.Value <= r.limit+band && !p.idle(), good && inRange
	case equal:
		return s.Value == r.limit, good
	case outside:
		return !inRange || s.Quality == frame.OverRange, good || s.Quality == frame.OverRange
	case faulty:
		return s.Quality == frame.Fault, true
	case silent:
		return false, true
	case tooFast:
		return p.races(r, s.Time), good && inRange
	case frozen:
		return p.stands(r, s.Time), good && inRange
	case sparking, burning:
		return p.sparks(r, s.Time), good
	default:
		return false, false // fan rules look at two points, the others at the clock
	}
}

// lasts says whether a rule's condition holds by the clock alone, with the last sample; not known when only a sample can tell.
func (p *point) lasts(e *Engine, r *rule, now int64) (holds, known bool) {
	if r.op == tooOften {
		return p.often(e, now), true
	}
	stale := p.stale(now)
	if r.op == silent {
		heard := now-p.gw.st.GetHeard() <= p.patience() // else it is the gateway that is silent
		return true, stale && heard && p.st.GetSeen() != 0 && !p.gw.away() && p.plant.running()
	}
	if stale || p.gw.away() || p.st.GetQuality() != uint32(frame.Good) {
		return false, false
	}
	moving := r.st.GetSince() != 0 || r.st.GetAlarm() != ""
	switch r.op {
	case equal:
		return p.st.GetLast() == r.limit, moving
	case tooFast:
		return p.races(r, now), moving
	case frozen:
		return p.stands(r, now), true
	case sparking, burning:
		return p.sparks(r, now), moving
	case above, below:
		return true, r.st.GetAlarm() != "" && r.st.GetClear() == 0 // that it lasts may make it grave
	default:
		return false, false
	}
}

// stale says whether a point has not been heard for three of its periods (domain 2.4).
func (p *point) stale(now int64) bool { return now-p.st.GetSeen() > p.patience() }

// patience is how long a point may be silent, ms.
func (p *point) patience() int64 {
	const periods, atLeast = 3, 3 * minute
	return max(periods*int64(p.st.GetMetric().GetPeriodS())*1000, atLeast)
}

// late judges a sample that arrived behind a younger one, within the lateness window: what it shows happened, though it is over.
// Delays cannot be judged backwards: a pending condition only begins earlier.
func (e *Engine) late(p *point, s frame.Sample) {
	if s.Quality != frame.Good {
		return
	}
	for i := range p.rules {
		r := &p.rules[i]
		if r.op > outside || r.st.GetAlarm() != "" || s.Time >= r.st.GetFrom() && s.Time <= r.st.GetUntil() {
			continue
		}
		holds, known := p.holds(r, s)
		if !known || !holds {
			continue
		}
		now, _ := p.holds(r, frame.Sample{Value: p.st.GetLast(), Time: p.st.GetTime(), Quality: uint8(p.st.GetQuality())})
		switch {
		case r.st.GetSince() != 0 && now && s.Time > r.st.GetClear():
			r.st.Since = min(r.st.GetSince(), s.Time)
			e.step(r, true, p.st.GetTime())
		case r.st.GetSince() == 0 && r.on == 0:
			e.raiseLate(r, s)
		}
	}
	e.settle(p)
}

// raiseLate raises the alarm of a sample that is not the last, and returns it when the last is well.
func (e *Engine) raiseLate(r *rule, s frame.Sample) {
	p := r.point
	last := frame.Sample{Value: p.st.GetLast(), Time: p.st.GetTime(), Quality: uint8(p.st.GetQuality())}
	p.st.Last = s.Value
	r.st.Since = s.Time
	e.raiseRule(r, s.Time)
	p.st.Last = last.Value
	if holds, known := p.holds(r, last); known {
		e.step(r, holds, last.Time)
	}
}

// score is what an active rule weighs.
func (e *Engine) weight(r *rule) float64 {
	scores := &e.model.Scores
	switch {
	case r.op == tooOften:
		return 0 // management counts it (domain 6.2, M5)
	case r.op.instrument():
		return scores.Fault
	case r.op == silent:
		return scores.Offline
	case r.level == 2 || r.st.GetGrave():
		return scores.Level2
	}
	return scores.Level1
}

// settle works out from the state of its rules whether a point is quiet, and its score. What is shelved weighs nothing.
func (e *Engine) settle(p *point) {
	before := p.score
	p.quiet, p.moving, p.score, p.lo, p.hi = true, false, 0, p.bandLo, p.bandHi
	for i := range p.rules {
		r := &p.rules[i]
		if r.st.GetSince() != 0 || r.st.GetAlarm() != "" {
			p.moving = true
			p.quiet = p.quiet && (r.op == tooOften || r.op == frozen)
		}
		if r.st.GetAlarm() != "" {
			p.score = math.Max(p.score, e.weight(r))
		}
	}
	if !p.digital() && p.st.GetTime() != 0 && !p.idle() && (p.st.GetLast() <= p.nearLo || p.st.GetLast() >= p.nearHi) {
		p.quiet, p.score = false, math.Max(p.score, e.model.Scores.Near)
	}
	for _, c := range p.combined {
		e.narrow(c, p)
	}
	if p.shelved {
		p.score = 0
	}
	if p.score != before {
		e.touch(p.plant)
	}
}
