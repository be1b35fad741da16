package engine

import (
	"dusthub/schema/frame"
)

const (
	fanRunning        = "R01"
	productionRunning = "R02"

	// fanDelay keeps fan and production, which a scan reads one after the other, from being judged halfway.
	fanDelay = int64(3000) // ms
	// peakEvery is how often an alarm's record is written while its value only grows worse.
	peakEvery = int64(10000) // ms
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
		if s.Time < live || s.Quality == frame.Backfill {
			return // back-fill never alarms (domain 2.4)
		}
		if s.Time <= p.st.Time {
			if s.Time < p.st.Time && !p.calm(s.Value) {
				e.late(p, s)
			}
			return
		}
		p.st.Seen = e.st.Now
		if s.Value != p.st.Last && !p.digital() {
			p.st.Changed = s.Time
		}
		if p.quiet && s.Quality == frame.Good && p.calm(s.Value) && (p.ring == nil || p.steady(s)) {
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
	was, good := p.st.GetLast(), p.st.GetQuality() == uint32(frame.Good) && p.st.GetTime() != 0
	if p.digital() && (s.Value != was || p.st.GetTime() == 0) {
		if p.st.GetTime() != 0 {
			p.st.Changed = s.Time
		}
		p.pulse(s)
	}
	p.before = p.st.GetTime()
	p.st.Last, p.st.Time, p.st.Quality = s.Value, s.Time, uint32(s.Quality)
	if p.ring != nil && s.Quality == frame.Good {
		p.ring.add(s.Time, s.Value)
	}
	for i := range p.rules {
		r := &p.rules[i]
		if holds, known := p.holds(r, s); known {
			e.step(r, holds, s.Time)
		}
	}
	if p.fan != nil && p.fan.fan != nil {
		e.judgeFan(p.fan, s.Time)
	}
	for _, c := range p.combined {
		if !good || s.Quality != frame.Good || !c.still(p, was) {
			e.judgeCombined(c, s.Time)
		}
	}
	e.settle(p)
	for _, x := range p.driven {
		e.settle(x)
	}
}

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
			e.step(r, producing && !on, t)
		case fanTooSoon:
			early := stopped != 0 && ended != 0 && stopped >= ended && stopped-ended < e.cfg.FanStopDelay
			e.step(r, !on && !producing && early && t-ended < e.cfg.FanStopDelay, t)
		default:
		}
	}
	e.settle(f.fan)
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
