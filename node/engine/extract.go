package engine

import (
	"fmt"

	"dusthub/schema"
	"dusthub/schema/frame"
)

// What would become of a change can be tried: an engine of one plant alone, made of what this one remembers of the plant, judges
// it as this one would, and nothing here moves.

// Excerpt is the state of an engine that knows one plant and no other; of an unknown plant it is that of an engine to which the
// plant could be added.
func (e *Engine) Excerpt(code string) ([]byte, error) {
	st := &schema.EngineState{
		Now: e.st.GetNow(), Counter: e.st.GetCounter(), Series: e.st.GetSeries(), Sealed: e.st.GetSealed(), Swept: e.st.GetSwept(),
		Model: e.st.GetModel(), Models: e.st.GetModels(), Tables: e.st.GetTables(),
	}
	if p := e.plants[code]; p != nil {
		st.Plants = []*schema.PlantState{p.state()}
	}
	b, err := schema.Marshal(st)
	if err != nil {
		return nil, fmt.Errorf("excerpt of %s: %w", code, err)
	}
	return b, nil
}

// Alike is an engine of the same settings that remembers what a state says. It shares nothing that changes with this one.
// Errors: ErrState.
func (e *Engine) Alike(state []byte) (*Engine, error) {
	out := New(e.cfg)
	return out, out.UnmarshalState(state)
}

// Check lists every reason why a put would be refused, and what is worth telling. It changes nothing that is remembered.
func (e *Engine) Check(actor string, put *schema.Put) []*schema.Violation {
	kept := *e
	defer func() { e.out, e.actor, e.role, e.reason = kept.out, kept.actor, kept.role, kept.reason }()
	e.out = &Effects{}
	e.examine(actor, put)
	return e.out.Violations
}

// Repeat has a metric's present value come once more, and stay for as long as its rules wait: what its limits make of it. The
// engine's time moves on by that. Nothing comes of a metric without a good live value.
func (e *Engine) Repeat(metric string) []Change {
	var x *point
	for _, p := range e.plants {
		if found := p.point(metric); found != nil {
			x = found
		}
	}
	if x == nil || x.st.GetMetric().GetDisabled() || x.st.GetTime() == 0 || x.st.GetQuality() != uint32(frame.Good) ||
		x.gw != nil && x.gw.away() || x.st.GetTime() < e.st.GetNow()-e.cfg.LiveWithin {
		return nil
	}
	waits := int64(0)
	for _, r := range x.rules {
		waits = max(waits, r.on)
	}
	var out []Change
	at := max(e.st.GetNow(), x.st.GetTime()) + 1
	for _, t := range []int64{at, at + waits + 1} {
		raw := frame.Append(nil, []frame.Sample{{Series: x.st.GetMetric().GetSeries(), Time: t, Value: x.st.GetLast()}})
		out = append(out, e.Apply(&schema.Command{Time: t, Body: &schema.Command_Frame{Frame: raw}}).Changes...)
	}
	return out
}

// tabled takes a code table into force.
func (e *Engine) tabled(t *schema.CodeTable) {
	e.st.Tables = insert(e.st.GetTables(), t, (*schema.CodeTable).GetName)
	e.tables = e.tables.With(t)
}

// Tables are the code tables in force.
func (e *Engine) Tables() *schema.InForce { return e.tables }

// checkTable refuses code tables that are not this site's to write, and those that do not name each code once.
func (e *Engine) checkTable(subject string, t *schema.CodeTable) {
	if !schema.IsOpen(t.GetName()) {
		e.refuse(subject, "name", "closed", t.GetName(), "a table the program does not decide by")
	}
	if _, shipped := schema.Table(t.GetName()); shipped && e.cfg.Parent != "" {
		e.refuse(subject, "name", "root", e.cfg.Site, "the site at the root, which keeps the code tables for all; the parent of this one is "+e.cfg.Parent)
	}
	seen := map[string]bool{}
	for _, c := range t.GetCodes() {
		if seen[c.GetCode()] {
			e.refuse(subject, "codes", "unique", c.GetCode(), "each code once")
		}
		seen[c.GetCode()] = true
	}
}
