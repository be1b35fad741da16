package engine

import (
	"math"

	"dusthub/schema"
	"dusthub/schema/frame"
)

// How the rate of change is measured: from the oldest value of the last two minutes, which must be a quarter of a minute old, so
// that the noise of one sample is no rate. Values are kept five seconds apart.
const (
	rateWindow  = 2 * minute
	rateAtLeast = minute / 4
	anchorEvery = minute / 12
	rateBand    = 0.8 // of the limit: below, an alarm returns

	anchors = int(rateWindow/anchorEvery) + 1
)

// ring holds the values a rate is measured from.
type ring struct {
	times  [anchors]int64
	values [anchors]float64
	first  int
	n      int
}

// add keeps a value unless the last one kept is too young.
func (r *ring) add(t int64, v float64) {
	if r.n > 0 && t-r.times[(r.first+r.n-1)%anchors] < anchorEvery {
		return
	}
	if r.n == anchors {
		r.first = (r.first + 1) % anchors
		r.n--
	}
	i := (r.first + r.n) % anchors
	r.times[i], r.values[i] = t, v
	r.n++
}

// oldest is the oldest value kept within the window before a time.
func (r *ring) oldest(t int64) (at int64, v float64, ok bool) {
	for k := range r.n {
		if i := (r.first + k) % anchors; t-r.times[i] <= rateWindow {
			return r.times[i], r.values[i], true
		}
	}
	return 0, 0, false
}

// list gives the values in the form a checkpoint keeps, oldest first.
func (r *ring) list() []*schema.Anchor {
	out := make([]*schema.Anchor, r.n)
	for k := range r.n {
		i := (r.first + k) % anchors
		out[k] = &schema.Anchor{Time: r.times[i], Value: r.values[i]}
	}
	return out
}

// watchRate begins, goes on or ends to keep values to measure from.
func (p *point) watchRate() {
	switch {
	case p.st.GetMetric().GetLimits() == nil || p.st.GetMetric().GetLimits().Rate == nil:
		p.ring = nil
	case p.ring == nil:
		p.ring = &ring{}
		for _, a := range p.st.GetAnchors() {
			p.ring.add(a.GetTime(), a.GetValue())
		}
	}
	p.st.Anchors = nil
}

// perMinute is how much a value at a time moves a minute; 0 while that is not known.
func (p *point) perMinute(t int64, v float64) float64 {
	at, from, ok := p.ring.oldest(t)
	if !ok || t-at < rateAtLeast {
		return 0
	}
	return math.Abs(v-from) * float64(minute) / float64(t-at)
}

// races says whether a value moves too fast.
func (p *point) races(r *rule, t int64) bool {
	limit := r.limit
	if r.st.GetAlarm() != "" {
		limit *= rateBand
	}
	return p.perMinute(t, p.st.GetLast()) >= limit && !p.idle()
}

// steady keeps a quiet point's value, and says that it does not move too fast.
func (p *point) steady(s frame.Sample) bool {
	p.ring.add(s.Time, s.Value)
	return p.perMinute(s.Time, s.Value) < *p.st.GetMetric().GetLimits().Rate
}

// stands says whether a value has not moved for too long, the fan running all the while.
func (p *point) stands(r *rule, t int64) bool {
	long := int64(r.limit)
	if p.run != nil && (p.run.st.GetLast() != 1 || t-p.run.st.GetChanged() < long) {
		return false
	}
	return p.st.GetChanged() != 0 && t-p.st.GetChanged() >= long
}

// count notes that the point raised an alarm.
func (p *point) count(e *Engine) {
	const most = 100 // five times what makes an alarm frequent; a model may ask for more than the shipped figures
	p.st.Raised = push(p.st.GetRaised(), e.st.GetNow(), most)
}

// often says whether alarms of the point are frequent (domain 3, 11).
func (p *point) often(e *Engine, now int64) bool {
	n := len(p.st.GetRaised())
	for _, f := range e.cfg.Figures.Frequent {
		if n >= f.Count && p.st.GetRaised()[n-f.Count] > now-f.WithinMs {
			return true
		}
	}
	return false
}

// push appends to a list of at most so many, in place once it is full.
func push(list []int64, v int64, most int) []int64 {
	if len(list) < most {
		return append(list, v)
	}
	copy(list, list[len(list)-most+1:])
	list = list[:most]
	list[most-1] = v
	return list
}

// Pace measures how much a value moves a minute just as the rule of the rate of change does. The zero value is ready.
type Pace struct{ p point }

// Add takes a value in and says how much it moved a minute, in its unit; 0 while that is not known.
func (m *Pace) Add(t int64, v float64) float64 {
	if m.p.ring == nil {
		m.p.ring = &ring{}
	}
	m.p.ring.add(t, v)
	return m.p.perMinute(t, v)
}
