package engine

import (
	"dusthub/schema/frame"
)

// Sparks (domain 3, S01; 部令第6号 15/16): one is a general alarm; three within a minute, or one that nothing quenches within
// five seconds, is a grave one.
const (
	sparkDetected = "S01"
	sparkQuenched = "S02"
	sparksWithin  = minute
	sparksFrom    = 3
	quenchWithin  = int64(5000) // ms
	quenchBefore  = int64(1000) // ms: an extinguisher that is read before its detector
)

// pulse notes that a spark detector rose.
func (p *point) pulse(s frame.Sample) {
	if p.st.GetMetric().GetKind() == sparkDetected && s.Value == 1 {
		p.st.Pulses = push(p.st.GetPulses(), s.Time, sparksFrom)
	}
}

// sparks says whether there are too many, or one burns on.
func (p *point) sparks(r *rule, t int64) bool {
	n := len(p.st.GetPulses())
	if r.op == sparking {
		return n >= sparksFrom && p.st.GetPulses()[n-sparksFrom] > t-sparksWithin
	}
	if p.st.GetLast() != 1 || n == 0 || p.quench == nil {
		return false
	}
	q := p.quench.st
	return q.GetLast() != 1 && q.GetChanged() < p.st.GetPulses()[n-1]-quenchBefore
}
