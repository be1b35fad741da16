package engine

import (
	"dusthub/node/engine/condition"
	"dusthub/schema"
	"dusthub/schema/frame"
)

// combined is a rule over several metrics of a plant, with its state.
type combined struct {
	st      *schema.CombinedState
	plant   *plant
	program *condition.Program
	points  []*point // of the program's metrics, in its order
	values  []float64
}

func codeOfCombined(c *combined) string { return c.st.GetRule().GetId() }

// compile checks an expression against the metrics of a plant.
func (p *plant) compile(r *schema.CombinedRule) (*condition.Program, error) {
	return condition.Compile(r.GetExpression(), func(name string) bool { return p.named(name) != nil })
}

// named finds a metric by how expressions call it.
func (p *plant) named(name string) *point {
	for _, x := range p.points {
		if condition.Name(p.code, codeOfPoint(x)) == name {
			return x
		}
	}
	return nil
}

// keepCombined takes a checked rule; one that changes begins anew.
func (e *Engine) keepCombined(p *plant, r *schema.CombinedRule) {
	for _, old := range p.combined {
		if codeOfCombined(old) == r.GetId() {
			e.dropCombined(p, old)
		}
	}
	p.combine(&schema.CombinedState{Rule: r, State: &schema.RuleState{Rule: "combined"}})
	e.rewire(p)
}

// combine joins a rule with the points it looks at. The expression was checked when the rule was written.
func (p *plant) combine(st *schema.CombinedState) {
	c := &combined{st: st, plant: p}
	p.combined = insert(p.combined, c, codeOfCombined)
	program, err := p.compile(st.GetRule())
	if err != nil || st.GetRule().GetDisabled() {
		return
	}
	c.program, c.values = program, make([]float64, len(program.Metrics()))
	for _, name := range program.Metrics() {
		c.points = append(c.points, p.named(name))
	}
}

// dropCombined ends a rule: its alarm returns.
func (e *Engine) dropCombined(p *plant, c *combined) {
	if id := c.st.GetState().GetAlarm(); id != "" {
		e.returned(p, id, e.st.GetNow())
	}
	p.combined = remove(p.combined, codeOfCombined(c), codeOfCombined)
	e.rewire(p)
}

// attach tells each point the rules that look at it.
func (p *plant) attach() {
	for _, x := range p.points {
		x.combined = nil
	}
	for _, c := range p.combined {
		for _, x := range c.points {
			x.combined = append(x.combined, c)
		}
	}
}

// holds evaluates a rule; not known while one of its metrics has no good value, or its gateway is away.
func (c *combined) holds() (holds, known bool) {
	for i, x := range c.points {
		if x.st.GetTime() == 0 || x.st.GetQuality() != uint32(frame.Good) || x.gw != nil && x.gw.away() {
			return false, false
		}
		c.values[i] = x.st.GetLast()
	}
	return c.program.Holds(c.values)
}

// judgeCombined moves a rule as step moves one of a metric.
func (e *Engine) judgeCombined(c *combined, t int64) {
	holds, known := c.holds()
	if !known {
		return
	}
	st, r := c.st.GetState(), c.st.GetRule()
	switch {
	case st.GetAlarm() == "" && !holds:
		st.Since = 0
	case st.GetAlarm() == "":
		if st.GetSince() == 0 {
			st.Since = t
		}
		if t-st.GetSince() >= int64(r.GetOnDelayMs()) {
			e.raiseCombined(c, t)
		}
	case holds:
		st.Clear = 0
	default:
		if st.GetClear() == 0 {
			st.Clear = t
		}
		if t-st.GetClear() >= int64(r.GetOffDelayMs()) {
			e.returned(c.plant, st.GetAlarm(), t)
			rest(st)
		}
	}
}

func (e *Engine) raiseCombined(c *combined, t int64) {
	x, r := c.points[0], c.st.GetRule()
	m := x.st.GetMetric()
	a := e.raise(c.plant, &schema.Alarm{
		System: x.system, Collector: m.GetCollector(), Metric: m.GetCode(), Gateway: m.GetGateway(), Kind: m.GetKind(), Rule: "combined", Level: r.GetLevel(),
		Value: x.st.GetLast(), Peak: x.st.GetLast(), Unit: m.GetUnit(), Onset: t, Combined: r.GetId(), Text: r.GetName(),
	})
	c.st.State.Alarm, c.st.State.Clear = a.GetId(), 0
}
