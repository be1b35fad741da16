package engine

import (
	"fmt"
	"strings"

	"dusthub/node/engine/condition"
	"dusthub/schema"
	"dusthub/schema/frame"
)

// mostCombined is how many combined rules a plant may have, and mostShelves how many shelves.
const (
	mostCombined = 50
	mostShelves  = 200
)

// formula is an expression over the values of a plant's points.
type formula struct {
	program *condition.Program
	points  []*point // of the program's metrics, in its order
	values  []float64
}

// compile checks an expression against the metrics of a plant.
func (p *plant) compile(expression string) (*formula, error) {
	program, err := condition.Compile(expression, func(name string) bool { return p.named(name) != nil })
	if err != nil {
		return nil, fmt.Errorf("compile %q: %w", expression, err)
	}
	f := &formula{program: program, values: make([]float64, len(program.Names()))}
	for _, name := range program.Names() {
		f.points = append(f.points, p.named(name))
	}
	return f, nil
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

// holds evaluates; not known while one of the metrics has no good value, or its gateway is away.
func (f *formula) holds() (holds, known bool) {
	for i, x := range f.points {
		if x.st.GetTime() == 0 || x.st.GetQuality() != uint32(frame.Good) || x.st.GetMetric().GetDisabled() || x.gw != nil && x.gw.away() {
			return false, false
		}
		f.values[i] = x.st.GetLast()
	}
	return f.program.Holds(f.values)
}

// combined is a rule over several metrics of a plant.
type combined struct {
	st *schema.CombinedState
	*formula
	rule rule
}

func codeOfCombined(c *combined) string { return c.st.GetRule().GetId() }

// keepCombined takes a checked rule; one that changes begins anew.
func (e *Engine) keepCombined(p *plant, r *schema.CombinedRule) {
	for _, old := range p.combined {
		if codeOfCombined(old) == r.GetId() {
			e.dropCombined(p, old)
			break
		}
	}
	p.combine(&schema.CombinedState{Rule: r, State: &schema.RuleState{Rule: "combined"}, Unsure: true})
	e.rewire(p)
}

// combine joins a rule with the points it looks at. The expression was checked when the rule was written.
func (p *plant) combine(st *schema.CombinedState) {
	c, r := &combined{st: st}, st.GetRule()
	p.combined = insert(p.combined, c, codeOfCombined)
	f, err := p.compile(r.GetExpression())
	if err != nil || r.GetDisabled() {
		return
	}
	c.formula = f
	c.rule = rule{
		name: "combined", op: expression, level: r.GetLevel(), on: int64(r.GetOnDelayMs()), off: int64(r.GetOffDelayMs()),
		point: f.points[0], combined: c, st: st.GetState(),
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
		if c.formula == nil {
			continue
		}
		for _, x := range c.points {
			x.combined = append(x.combined, c)
		}
	}
}

// judgeCombined moves a rule as its metrics are now. What cannot be judged now is judged again at the next tick.
func (e *Engine) judgeCombined(c *combined, t int64) {
	holds, known := c.holds()
	c.st.Unsure = !known
	if !known {
		return
	}
	was := c.rule.st.GetAlarm()
	e.step(&c.rule, holds, t)
	if c.rule.st.GetAlarm() != was {
		e.settle(c.points[0])
	}
}

// pending says whether time alone may move a rule.
func (c *combined) pending() bool {
	st := c.rule.st
	return st.GetAlarm() == "" && st.GetSince() != 0 || st.GetClear() != 0
}

// room is between which values a point may move without changing what the expression gives.
func (c *combined) room(p *point, v float64) (lo, hi float64, ok bool) {
	for i, x := range c.points {
		if x == p {
			return c.program.Between(i, v)
		}
	}
	return v, v, false
}

// still says whether a point that had a value needs no new judgement of the rule.
func (c *combined) still(p *point, was float64) bool {
	if c.pending() || c.st.GetUnsure() {
		return false
	}
	lo, hi, ok := c.room(p, was)
	return p.st.GetLast() == was || ok && p.st.GetLast() > lo && p.st.GetLast() < hi
}

// narrow makes a point's quiet band one within which the rule cannot change, and lets the alarm weigh on the point that it names.
func (e *Engine) narrow(c *combined, p *point) {
	lo, hi, ok := c.room(p, p.st.GetLast())
	p.quiet = p.quiet && ok && !c.pending()
	p.lo, p.hi = max(p.lo, lo), min(p.hi, hi)
	if c.rule.st.GetAlarm() != "" && c.points[0] == p {
		p.score = max(p.score, e.weight(&c.rule))
	}
}

// checkCombined refuses a rule whose expression is none, and what only a regulator may do to one.
func (e *Engine) checkCombined(subject string, r *schema.CombinedRule) {
	e.named(subject, r.GetId(), r.GetEnterprise())
	p := e.plants[r.GetEnterprise()]
	if p == nil {
		return // refused as a reference
	}
	if _, err := p.compile(r.GetExpression()); err != nil {
		e.refuse(subject, "expression", "expression", r.GetExpression(), reason(err))
	}
	old := p.combinedRule(r.GetId())
	if old == nil && len(p.combined) >= mostCombined {
		e.refuse(subject, "", "max", fmt.Sprint(len(p.combined)+1), fmt.Sprintf("at most %d combined rules of a plant", mostCombined))
	}
	if old == nil || MayRelax(e.role) {
		return
	}
	for _, x := range []struct {
		field    string
		relaxed  bool
		got, was any
	}{
		{"expression", r.GetExpression() != old.GetExpression(), r.GetExpression(), old.GetExpression()},
		{"level", r.GetLevel() < old.GetLevel(), r.GetLevel(), old.GetLevel()},
		{"on_delay_ms", r.GetOnDelayMs() > old.GetOnDelayMs(), r.GetOnDelayMs(), old.GetOnDelayMs()},
		{"off_delay_ms", r.GetOffDelayMs() > old.GetOffDelayMs(), r.GetOffDelayMs(), old.GetOffDelayMs()},
		{"disabled", r.GetDisabled() && !old.GetDisabled(), r.GetDisabled(), old.GetDisabled()},
	} {
		if x.relaxed {
			e.refuse(subject, x.field, "relax", fmt.Sprint(x.got), fmt.Sprintf("%v, or a regulator", x.was))
		}
	}
}

// reason is what is wrong with an expression, without where the program found out.
func reason(err error) string {
	_, text, _ := strings.Cut(err.Error(), condition.ErrCondition.Error()+": ")
	return text
}

func (p *plant) combinedRule(id string) *schema.CombinedRule {
	for _, c := range p.combined {
		if codeOfCombined(c) == id {
			return c.st.GetRule()
		}
	}
	return nil
}

// ruleText is a rule as the audit shows it.
func ruleText(r *schema.CombinedRule) string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("%s level=%d on_delay_ms=%d off_delay_ms=%d disabled=%t", r.GetExpression(), r.GetLevel(), r.GetOnDelayMs(), r.GetOffDelayMs(), r.GetDisabled())
}
