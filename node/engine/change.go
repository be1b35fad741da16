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
)

// anchor keeps a value to measure from.
func (p *point) anchor(s frame.Sample) {
	if !p.rated() || s.Quality != frame.Good {
		return
	}
	list := p.st.GetAnchors()
	for len(list) > 0 && s.Time-list[0].GetTime() > rateWindow {
		list = list[1:]
	}
	if n := len(list); n == 0 || s.Time-list[n-1].GetTime() >= anchorEvery {
		list = append(list, &schema.Anchor{Time: s.Time, Value: s.Value})
	}
	p.st.Anchors = list
}

// perMinute is how much the value moves a minute; 0 while that is not known.
func (p *point) perMinute() float64 {
	if len(p.st.GetAnchors()) == 0 {
		return 0
	}
	a := p.st.GetAnchors()[0]
	took := p.st.GetTime() - a.GetTime()
	if took < rateAtLeast {
		return 0
	}
	return math.Abs(p.st.GetLast()-a.GetValue()) * float64(minute) / float64(took)
}

// moves says whether a value moves too fast, or has not moved for too long, at a time.
func (p *point) moves(r *rule, t int64) bool {
	if r.op == tooFast {
		limit := r.limit
		if r.st.GetAlarm() != "" {
			limit *= rateBand
		}
		return p.perMinute() >= limit && !p.idle()
	}
	long := int64(r.limit)
	if p.run != nil && (p.run.st.GetLast() != 1 || t-p.run.st.GetChanged() < long) {
		return false
	}
	return p.st.GetChanged() != 0 && t-p.st.GetChanged() >= long
}
