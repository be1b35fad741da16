package engine

import (
	"slices"

	"dusthub/node/engine/risk"
	"dusthub/schema"
)

// floors lists the floor rules that hold now (domain 6.2). Those that a model says by an expression are the model's own.
func (e *Engine) floors(p *plant, out []risk.Held) []risk.Held {
	for i := range e.model.Floors {
		f := &e.model.Floors[i]
		if f.When != "" {
			continue
		}
		if len(p.alarms) > 0 && slices.Contains(alarmFloors, f.Code) {
			if evidence := e.alarmFloor(p, f); evidence != nil {
				out = append(out, risk.Held{Code: f.Code, Evidence: evidence})
			}
			continue
		}
		if held, ok := e.slowFloor(p, f); ok {
			out = append(out, held)
		}
	}
	return out
}

var alarmFloors = []string{"F1", "F2", "F3", "F4", "F5"}

// ofSensor are rules that tell of the sensor or its line, not of the process: no explosion barrier has failed.
var ofSensor = []string{"over_range", "fault", noData, sourceLost, "stuck", "frequent"}

// alarmFloor is the evidence that a floor of alarms holds; nil when it does not.
func (e *Engine) alarmFloor(p *plant, f *risk.Floor) (evidence []string) {
	now := e.st.GetNow()
	for i, a := range p.alarms {
		if a.GetSuppressed() || !slices.Contains(f.Kinds, a.GetKind()) || slices.Contains(ofSensor, a.GetRule()) {
			continue
		}
		open := a.GetStage() == stageRaised || a.GetStage() == stageAcknowledged
		on, grave := a.GetCondition() == active, a.GetLevel() >= 2
		holds := false
		switch f.Code {
		case "F1":
			holds = grave && open && now-a.GetRaised() >= f.After.Ms()
		case "F2":
			holds = open || on
		case "F3":
			holds = grave && on && p.other(i, f)
		case "F4":
			holds = grave && on && !p.quenched(a)
		case "F5":
			holds = grave && on
		}
		if holds {
			evidence = append(evidence, a.GetId())
		}
	}
	return evidence
}

// other says whether another kind of barrier of the same system has failed as gravely.
func (p *plant) other(i int, f *risk.Floor) bool {
	a := p.alarms[i]
	return slices.ContainsFunc(p.alarms, func(b *schema.Alarm) bool {
		return b.GetSystem() == a.GetSystem() && b.GetKind() != a.GetKind() && b.GetLevel() >= 2 && b.GetCondition() == active && !b.GetSuppressed() &&
			slices.Contains(f.Kinds, b.GetKind()) && !slices.Contains(ofSensor, b.GetRule())
	})
}

// quenched says whether the extinguisher of a spark's system has acted since the spark; that of its own collector where it has one.
func (p *plant) quenched(spark *schema.Alarm) bool {
	own, any := false, false
	for _, x := range p.points {
		m := x.st.GetMetric()
		if m.GetKind() != sparkQuenched || m.GetDisabled() || x.system != spark.GetSystem() || x.st.GetTime() == 0 {
			continue
		}
		acted := x.st.GetLast() == 1 || x.st.GetChanged() >= spark.GetOnset()-quenchBefore
		if m.GetCollector() == spark.GetCollector() {
			if acted {
				return true
			}
			own = true
		}
		any = any || acted
	}
	return any && !own
}

// slowFloor says whether a floor that does not come from an alarm holds.
func (e *Engine) slowFloor(p *plant, f *risk.Floor) (risk.Held, bool) {
	held := risk.Held{Code: f.Code}
	switch f.Code {
	case "F6":
		for _, h := range p.hazards {
			held.Evidence = append(held.Evidence, h.GetId())
			if h.GetOverdue() && f.Graver != nil {
				held.Level = f.Graver.Level
			}
		}
		return held, len(p.hazards) > 0
	case "F7":
		away := int64(0)
		if p.running() && !p.shelved {
			away = p.offlineFor(e.st.GetNow())
		}
		if f.Graver != nil && away > f.Graver.After.Ms() {
			held.Level = f.Graver.Level
		}
		return held, away > f.After.Ms()
	case "F8":
		if p.cleaning.missed >= f.Shifts {
			held.Evidence = []string{p.cleaning.worst}
		}
		return held, held.Evidence != nil
	}
	return held, false
}
