package engine

import (
	"fmt"
	"slices"
	"strings"

	"dusthub/schema"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// relaxation is one way in which limits watch less than others did.
type relaxation struct{ field, got, was string }

// compare lists in which fields limits are laxer than they were, and whether any is stricter. Limits above a value are stricter the
// lower they are, limits below one the higher; delays, deadbands and times the shorter.
func compare(was, now *schema.Limits) (relaxed []relaxation, tightened bool) {
	note := func(field string, had, has *float64, stricter func(a, b float64) bool) {
		switch {
		case had == nil && has == nil || had != nil && has != nil && *had == *has:
		case had == nil || has != nil && stricter(*has, *had):
			tightened = true
		default:
			relaxed = append(relaxed, relaxation{field, text(has), text(had)})
		}
	}
	less := func(a, b float64) bool { return a < b }
	more := func(a, b float64) bool { return a > b }
	if was == nil {
		was = &schema.Limits{}
	}
	if now == nil {
		now = &schema.Limits{}
	}
	note("hh", was.Hh, now.Hh, less)
	note("h", was.H, now.H, less)
	note("l", was.L, now.L, more)
	note("ll", was.Ll, now.Ll, more)
	note("rate", was.Rate, now.Rate, less)
	note("fault_state", state(was), state(now), func(float64, float64) bool { return false })
	note("fault_level", some(was.GetFaultLevel()), some(now.GetFaultLevel()), more)
	note("stuck_ms", some(was.GetStuckMs()), some(now.GetStuckMs()), less)
	note("grave_after_ms", some(was.GetGraveAfterMs()), some(now.GetGraveAfterMs()), less)
	for _, x := range []struct {
		field    string
		was, now float64
	}{
		{"deadband", was.GetDeadband(), now.GetDeadband()}, {"on_delay_ms", float64(was.GetOnDelayMs()), float64(now.GetOnDelayMs())},
		{"off_delay_ms", float64(was.GetOffDelayMs()), float64(now.GetOffDelayMs())},
	} {
		note(x.field, &x.was, &x.now, less)
	}
	return relaxed, tightened
}

// Laxer lists the fields in which limits watch less than others do.
func Laxer(limits, than *schema.Limits) []string {
	out := []string{}
	relaxed, _ := compare(than, limits)
	for _, r := range relaxed {
		out = append(out, r.field)
	}
	return out
}

// Tightened are limits made to watch nowhere less than others do. What they watch more stays.
func Tightened(limits, least *schema.Limits) *schema.Limits {
	out := &schema.Limits{}
	if limits != nil {
		out = clone(limits)
	}
	to, from := out.ProtoReflect(), least.ProtoReflect()
	for _, field := range Laxer(limits, least) {
		fd := to.Descriptor().Fields().ByName(protoreflect.Name(field))
		if from.Has(fd) {
			to.Set(fd, from.Get(fd))
		} else {
			to.Clear(fd)
		}
	}
	return out
}

// some is a time or level that is judged only when it is not 0.
func some(v int32) *float64 {
	if v == 0 {
		return nil
	}
	f := float64(v)
	return &f
}

func state(l *schema.Limits) *float64 {
	if l.FaultState == nil {
		return nil
	}
	f := float64(l.GetFaultState())
	return &f
}

func text(v *float64) string {
	if v == nil {
		return "none"
	}
	return fmt.Sprint(*v)
}

// MayRelax says whether a role may raise a high limit, lower a low one, or otherwise have less judged; all others may only tighten.
// An empty role is the site itself.
func MayRelax(role string) bool { return role == "" || regulates(role) }

// checkLimits refuses what only a regulator may do: to relax the limits a metric has, or, when a plant makes a metric, those that
// rules and standards give it (a default that is merely proposed is the plant's to set, GB 15577-2018 8.4.4).
func (e *Engine) checkLimits(subject string, r *schema.Metric) {
	if MayRelax(e.role) {
		return
	}
	p := e.plants[r.GetEnterprise()]
	old := p.point(r.GetCode())
	var relaxed []relaxation
	switch {
	case old != nil:
		m := old.st.GetMetric()
		relaxed, _ = compare(m.GetLimits(), r.GetLimits())
		if r.GetDisabled() && !m.GetDisabled() {
			relaxed = append(relaxed, relaxation{"disabled", "true", "false"})
		}
		if r.GetPeriodS() > m.GetPeriodS() {
			relaxed = append(relaxed, relaxation{"period_s", fmt.Sprint(r.GetPeriodS()), fmt.Sprint(m.GetPeriodS())})
		}
		relaxed = append(relaxed, ranges(m, r)...)
	case e.role == "plant_manager" && r.GetLimits() != nil:
		limits, list := p.defaults(r)
		all, _ := compare(limits, r.GetLimits())
		for _, x := range all {
			if slices.ContainsFunc(list, func(d schema.DefaultLimit) bool { return d.Field == x.field && d.Confidence != "P" }) {
				relaxed = append(relaxed, x)
			}
		}
	}
	for _, x := range relaxed {
		field := "limits." + x.field
		if slices.Contains(ofMetric, x.field) {
			field = x.field
		}
		e.refuse(subject, field, "relax", x.got, "no laxer than "+x.was+", or a regulator")
	}
}

// ofMetric are the fields that relax without being limits.
var ofMetric = []string{"disabled", "period_s", "range_lo", "range_hi"}

// ranges are the changed ends of a sensor's range. A wider range tells fewer values from faults, and beyond a narrower one a value is
// taken for a fault and no limit is judged: either way less is watched.
func ranges(was, now *schema.Metric) (out []relaxation) {
	if was.GetRangeLo() != now.GetRangeLo() {
		out = append(out, relaxation{"range_lo", fmt.Sprint(now.GetRangeLo()), fmt.Sprint(was.GetRangeLo())})
	}
	if was.GetRangeHi() != now.GetRangeHi() {
		out = append(out, relaxation{"range_hi", fmt.Sprint(now.GetRangeHi()), fmt.Sprint(was.GetRangeHi())})
	}
	return out
}

// point finds a metric's point; nil when there is none.
func (p *plant) point(code string) *point {
	if p == nil {
		return nil
	}
	for _, x := range p.points {
		if codeOfPoint(x) == code {
			return x
		}
	}
	return nil
}

// defaults are the default limits of a metric, by its collector's type and its system's dusts, the plant's when the system names none.
func (p *plant) defaults(m *schema.Metric) (*schema.Limits, []schema.DefaultLimit) {
	var c *schema.Collector
	var dusts []string
	if p != nil {
		c = p.collector(m.GetCollector())
		for _, s := range p.systems {
			if s.GetCode() == c.GetSystem() {
				dusts = s.GetDusts()
			}
		}
		if len(dusts) == 0 {
			for _, d := range p.enterprise.GetDusts() {
				dusts = append(dusts, d.GetDust())
			}
		}
	}
	return schema.Defaults(m, c.GetType(), dusts)
}

// auditLimits keeps who changed a metric's limits, and how.
func (e *Engine) auditLimits(old, r *schema.Metric) {
	before, after := limitsText(old), limitsText(r)
	if before == after {
		return
	}
	result := "configured"
	if old != nil {
		relaxed, tightened := compare(old.GetLimits(), r.GetLimits())
		switch {
		case len(relaxed) > 0 || r.GetDisabled() && !old.GetDisabled() || len(ranges(old, r)) > 0:
			result = "relaxed"
		case tightened || old.GetDisabled() && !r.GetDisabled():
			result = "tightened"
		}
	}
	e.audit("limits", "Metric/"+r.GetCode(), result, before, after)
}

// audit writes what a command changed, beside the change and in the same batch.
func (e *Engine) audit(action, subject, result, before, after string) {
	e.write(&schema.AuditEntry{
		Id: e.id("L"), Time: e.st.GetNow(), Actor: e.actor, Action: action, Subject: subject, Result: result, Before: before, After: after, Reason: e.reason,
	})
}

// limitsText is what an audit shows of a metric: the fields of its limits, in order, that are set.
func limitsText(m *schema.Metric) string {
	if m == nil {
		return ""
	}
	var parts []string
	l := m.GetLimits().ProtoReflect()
	fields := l.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if l.Has(fd) {
			parts = append(parts, fmt.Sprintf("%s=%s", fd.Name(), valueText(l.Get(fd))))
		}
	}
	parts = append(parts, fmt.Sprintf("range=%g..%g", m.GetRangeLo(), m.GetRangeHi()))
	if m.GetDisabled() {
		parts = append(parts, "disabled=true")
	}
	return strings.Join(parts, " ")
}

func valueText(v protoreflect.Value) string { return fmt.Sprint(v.Interface()) }
