package engine

import (
	"dusthub/schema"
	"dusthub/schema/frame"
)

const (
	fanRunning        = "R01"
	productionRunning = "R02"

	// fanDelay keeps fan and production, which a scan reads one after the other, from being judged halfway.
	fanDelay = int64(3000) // ms
	// peakEvery is how often an alarm's record is written while its value only grows worse.
	peakEvery = int64(10000) // ms
	// frequentWithin and frequentFrom say what a frequent alarm is (domain 11).
	frequentWithin = hour
	frequentFrom   = 5
)

// fan is the fan and the production it serves, of one collector.
type fan struct{ fan, production *point }

// frame judges the samples of this site's own series. What the store found malformed never comes here.
func (e *Engine) frame(raw []byte) {
	live := e.st.GetNow() - e.cfg.LiveWithin
	err := frame.Each(raw, func(s frame.Sample) {
		if int(s.Series) >= len(e.series) || e.series[s.Series] == nil {
			return
		}
		p := e.series[s.Series]
		if p.gw != nil {
			p.gw.st.Heard = e.st.Now
			if p.gw.st.State != stateOnline {
				e.heardAgain(p.gw, s.Time)
			}
		}
		if s.Time < live || s.Time <= p.st.Time || s.Quality == frame.Backfill {
			return // back-fill never alarms (domain 2.4)
		}
		p.st.Seen = e.st.Now
		if s.Value != p.st.Last && !p.digital() {
			p.st.Changed = s.Time
		}
		if p.quiet && s.Quality == frame.Good && p.calm(s.Value) {
			p.st.Last, p.st.Time = s.Value, s.Time
			return
		}
		e.judge(p, s)
	})
	if err != nil {
		e.refuse("frame", "", "form", err.Error(), "a frame")
	}
}

// calm says whether a good value of a quiet point needs no second look.
func (p *point) calm(v float64) bool {
	if p.digital() {
		return v == p.st.Last && p.st.Time != 0
	}
	return v > p.lo && v < p.hi
}

// judge runs a point's rules on one sample.
func (e *Engine) judge(p *point, s frame.Sample) {
	before := p.score
	if p.st.GetTime() != 0 && s.Value != p.st.GetLast() && p.digital() {
		p.st.Changed = s.Time
		p.pulse(s)
	}
	p.st.Last, p.st.Time, p.st.Quality = s.Value, s.Time, uint32(s.Quality)
	p.anchor(s)
	for i := range p.rules {
		r := &p.rules[i]
		holds, known := p.holds(r, s)
		if known {
			e.step(p, r, holds, s.Time)
		}
	}
	if p.fan != nil && p.fan.fan != nil {
		e.judgeFan(p.fan, s.Time)
	}
	for _, c := range p.combined {
		e.judgeCombined(c, s.Time)
	}
	p.settle(e.model)
	if p.score != before {
		e.touch(p.plant)
	}
	for _, x := range p.driven {
		if was := x.score; x.resettle(e.model) != was {
			e.touch(p.plant)
		}
	}
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
	case tooFast, frozen:
		return p.moves(r, s.Time), good && inRange
	case sparking, burning:
		return p.sparks(r, s.Time), good
	}
	return false, false // fan rules look at two points
}

// step moves one rule: a condition that holds for the on-delay raises, one that is gone for the off-delay returns.
func (e *Engine) step(p *point, r *rule, holds bool, t int64) {
	on, off := p.onDelay(r), int64(p.st.GetMetric().GetLimits().GetOffDelayMs())
	st := r.st
	switch {
	case st.GetAlarm() == "" && !holds:
		st.Since = 0
	case st.GetAlarm() == "":
		if st.GetSince() == 0 {
			st.Since = t
		}
		if t-st.GetSince() >= on {
			e.raisePoint(p, r, t)
		}
	case holds:
		st.Clear = 0
		e.peak(p, r)
	default:
		if st.GetClear() == 0 {
			st.Clear = t
		}
		if t-st.GetClear() >= off {
			e.returned(p.plant, st.GetAlarm(), t)
			rest(st)
		}
	}
}

// onDelay is how long a rule's condition must hold, ms.
func (p *point) onDelay(r *rule) int64 {
	return max(r.on, int64(p.st.GetMetric().GetLimits().GetOnDelayMs()))
}

// rest makes a rule one whose condition does not hold.
func rest(st *schema.RuleState) { st.Alarm, st.Since, st.Clear, st.Grave = "", 0, 0, false }

// judgeFan judges the rules that look at fan and production together (GB 15577-2018 8.1.6).
func (e *Engine) judgeFan(f *fan, t int64) {
	if f.production == nil || f.fan.st.GetTime() == 0 || f.production.st.GetTime() == 0 {
		return
	}
	on, producing := f.fan.st.GetLast() == 1, f.production.st.GetLast() == 1
	stopped, ended := f.fan.st.GetChanged(), f.production.st.GetChanged()
	for i := range f.fan.rules {
		r := &f.fan.rules[i]
		switch r.op {
		case fanFirst:
			e.step(f.fan, r, producing && !on, t)
		case fanTooSoon:
			early := stopped != 0 && ended != 0 && stopped >= ended && stopped-ended < e.cfg.FanStopDelay
			e.step(f.fan, r, !on && !producing && early && t-ended < e.cfg.FanStopDelay, t)
		default:
		}
	}
	before := f.fan.score
	f.fan.settle(e.model)
	if f.fan.score != before {
		e.touch(f.fan.plant)
	}
}

// raisePoint raises a rule's alarm.
func (e *Engine) raisePoint(p *point, r *rule, t int64) {
	m := p.st.GetMetric()
	p.st.Raised = append(recent(p.st.GetRaised(), e.st.GetNow()-frequentWithin), e.st.GetNow())
	limit := r.limit
	if r.op == fanTooSoon {
		limit = r.limit / 1000 // s, as the record's unit says
	}
	a := e.raise(p.plant, &schema.Alarm{
		System: p.system, Collector: m.GetCollector(), Metric: m.GetCode(), Gateway: m.GetGateway(), Kind: m.GetKind(), Rule: r.name, Level: r.level,
		Limit: limit, Value: p.st.GetLast(), Peak: p.st.GetLast(), Unit: m.GetUnit(), Onset: t,
	})
	r.st.Alarm, r.st.Clear, r.st.Wrote = a.GetId(), 0, e.st.GetNow()
}

// recent keeps the times from a time on.
func recent(list []int64, from int64) []int64 {
	for len(list) > 0 && list[0] < from {
		list = list[1:]
	}
	return list
}

// peak keeps the worst value of an active alarm; its record is written now and then.
func (e *Engine) peak(p *point, r *rule) {
	i := p.plant.find(r.st.GetAlarm())
	if i < 0 || (r.op != above && r.op != below) {
		return
	}
	a, v := p.plant.alarms[i], p.st.GetLast()
	if r.op == above && v <= a.GetPeak() || r.op == below && v >= a.GetPeak() {
		return
	}
	if e.st.GetNow()-r.st.GetWrote() < peakEvery {
		return
	}
	a = clone(a)
	a.Peak = v
	r.st.Wrote = e.st.GetNow()
	e.update(p.plant, i, a)
}

// wire joins the metrics of each collector of a plant that are judged together.
func (p *plant) wire() {
	fans := map[string]*fan{}
	runs, quenches := map[string]*point{}, map[string]*point{}
	for _, x := range p.points {
		switch x.st.GetMetric().GetKind() {
		case fanRunning:
			runs[x.st.GetMetric().GetCollector()] = x
		case sparkQuenched:
			quenches[x.st.GetMetric().GetCollector()] = x
		}
	}
	for _, x := range p.points {
		x.driven = nil
	}
	for _, x := range p.points {
		if r := runs[x.st.GetMetric().GetCollector()]; r != nil && x.kind.WhileFan {
			r.driven = append(r.driven, x)
		}
		x.fan, x.run, x.quench = nil, runs[x.st.GetMetric().GetCollector()], quenches[x.st.GetMetric().GetCollector()]
		kind := x.st.GetMetric().GetKind()
		if kind != fanRunning && kind != productionRunning {
			continue
		}
		f := fans[x.st.GetMetric().GetCollector()]
		if f == nil {
			f = &fan{}
			fans[x.st.GetMetric().GetCollector()] = f
		}
		x.fan = f
		if kind == fanRunning {
			f.fan = x
		} else {
			f.production = x
		}
	}
}
