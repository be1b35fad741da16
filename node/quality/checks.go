package quality

import (
	"fmt"
	"slices"
	"strings"

	"dusthub/schema"
)

// check tells every record of a plant that a rule finds wanting.
type check func(p *Plant, found func(rec schema.Record, got string))

// checks, by the ids of rules.yaml.
var checks = map[string]check{
	"schema": func(p *Plant, found func(schema.Record, string)) {
		p.Each(func(r schema.Record) {
			if v := p.refused(r, func(v *schema.Violation) bool { return !ofLimits(v) }); v != nil {
				found(r, v.GetField()+": "+v.GetWanted())
			}
		})
	},
	"code_region": ofEnterprise(func(_ *Plant, e *schema.Enterprise) (string, bool) {
		return e.GetCode() + " / " + e.GetRegion(), !strings.HasPrefix(e.GetCode(), e.GetRegion())
	}),
	"uscc": ofEnterprise(func(_ *Plant, e *schema.Enterprise) (string, bool) {
		return e.GetUscc(), schema.USCCForm(e.GetUscc()) && !schema.USCCCheck(e.GetUscc())
	}),
	"coordinates": ofEnterprise(outside),
	"no_workers": ofEnterprise(func(_ *Plant, e *schema.Enterprise) (string, bool) {
		return "0", Due(e) && e.GetDustWorkers() == 0
	}),
	"access_state": ofEnterprise(func(_ *Plant, e *schema.Enterprise) (string, bool) {
		state := e.GetAccessState()
		got := schema.CodeName("access_state", state) + " / " + schema.CodeName("production_state", e.GetProductionState())
		return got, e.GetShouldAccess() && state == "exempt" || !e.GetShouldAccess() && state == "due" || state == "connected" && e.GetProductionState() == "closed"
	}),
	"connected_without_metric": ofEnterprise(func(p *Plant, e *schema.Enterprise) (string, bool) {
		return "", Connected(e) && !slices.ContainsFunc(p.Metrics, inUse)
	}),
	"no_system": ofEnterprise(func(p *Plant, e *schema.Enterprise) (string, bool) { return "", Due(e) && len(p.Systems) == 0 }),
	"workshop_area": func(p *Plant, found func(schema.Record, string)) {
		for _, w := range p.Workshops {
			if w.GetAreaM2() <= 0 {
				found(w, fmt.Sprint(w.GetAreaM2()))
			}
		}
	},
	"workshop_people": func(p *Plant, found func(schema.Record, string)) {
		for _, w := range p.Workshops {
			if most := p.Enterprise.GetEmployees(); most > 0 && w.GetMaxWorkers() > most {
				found(w, fmt.Sprintf("%d > %d", w.GetMaxWorkers(), most))
			}
		}
	},
	"system_without_collector": func(p *Plant, found func(schema.Record, string)) {
		for _, s := range p.Systems {
			if !slices.ContainsFunc(p.Collectors, func(c *schema.Collector) bool { return c.GetSystem() == s.GetCode() }) {
				found(s, "")
			}
		}
	},
	"system_dust": func(p *Plant, found func(schema.Record, string)) {
		for _, s := range p.Systems {
			for _, d := range s.GetDusts() {
				if !slices.ContainsFunc(p.Enterprise.GetDusts(), func(x *schema.Dust) bool { return x.GetDust() == d }) {
					found(s, schema.CodeName("dust", d))
					break
				}
			}
		}
	},
	"collector_without_metric": ofCollector(func(p *Plant, c *schema.Collector) (string, bool) {
		return "", !slices.ContainsFunc(p.Metrics, func(m *schema.Metric) bool { return inUse(m) && m.GetCollector() == c.GetCode() })
	}),
	"collector_required": ofCollector(func(p *Plant, c *schema.Collector) (string, bool) {
		missing := missingKinds(p, c)
		return strings.Join(missing, "、"), len(missing) > 0
	}),
	"collector_measure": ofCollector(func(_ *Plant, c *schema.Collector) (string, bool) {
		return "", suits(c.GetType(), "dry") && len(c.GetMeasures()) == 0
	}),
	"gateway_without_metric": func(p *Plant, found func(schema.Record, string)) {
		for _, g := range p.Gateways {
			if !g.GetDisabled() && !slices.ContainsFunc(p.Metrics, func(m *schema.Metric) bool { return m.GetGateway() == g.GetCode() }) {
				found(g, "")
			}
		}
	},
	"metric_gateway": ofMetric(func(p *Plant, m *schema.Metric) (string, bool) {
		return m.GetGateway(), inUse(m) && !slices.ContainsFunc(p.Gateways, func(g *schema.Gateway) bool { return g.GetCode() == m.GetGateway() && !g.GetDisabled() })
	}),
	"metric_collector": ofMetric(func(p *Plant, m *schema.Metric) (string, bool) {
		return m.GetCollector(), p.collector(m.GetCollector()) == nil
	}),
	"metric_kind": ofMetric(func(p *Plant, m *schema.Metric) (string, bool) {
		k, known := schema.MetricKind(m.GetKind())
		c := p.collector(m.GetCollector())
		return k.Zh, known && c != nil && (k.For == "dry" || k.For == "wet") && c.GetType() != "other" && !suits(c.GetType(), k.For)
	}),
	"metric_range": ofMetric(func(_ *Plant, m *schema.Metric) (string, bool) {
		const slack = 2 // instruments are often bought for more than is needed
		k, known := schema.MetricKind(m.GetKind())
		return fmt.Sprintf("%v…%v", m.GetRangeLo(), m.GetRangeHi()), known && k.Signal == "AI" && (m.GetRangeHi()-m.GetRangeLo() > slack*(k.Hi-k.Lo) || m.GetRangeHi() <= k.Lo || m.GetRangeLo() >= k.Hi)
	}),
	"limits_missing": ofMetric(func(_ *Plant, m *schema.Metric) (string, bool) {
		k, known := schema.MetricKind(m.GetKind())
		wants := k.LL != nil || k.L != nil || k.H != nil || k.HH != nil || k.Fault != nil
		return "", known && inUse(m) && wants && unlimited(m.GetLimits())
	}),
	"limits_order": ofMetric(func(p *Plant, m *schema.Metric) (string, bool) {
		v := p.refused(m, ofLimits)
		return v.GetField() + " " + v.GetGot(), v != nil
	}),
}

// refused is the first violation of a kind that would refuse a record; nil when there is none.
func (p *Plant) refused(r schema.Record, kind func(*schema.Violation) bool) *schema.Violation {
	key := schema.TypeOf(r) + "/" + schema.KeyOf(r)
	list, known := p.violations[key]
	if !known {
		list = schema.Validate(r)
		if p.violations == nil {
			p.violations = map[string][]*schema.Violation{}
		}
		p.violations[key] = list
	}
	for _, v := range list {
		if !v.GetWarning() && kind(v) {
			return v
		}
	}
	return nil
}

func ofLimits(v *schema.Violation) bool { return strings.HasPrefix(v.GetField(), "limits.") }

func unlimited(l *schema.Limits) bool {
	return l == nil || l.Ll == nil && l.L == nil && l.H == nil && l.Hh == nil && l.FaultState == nil
}

func ofEnterprise(wrong func(p *Plant, e *schema.Enterprise) (string, bool)) check {
	return func(p *Plant, found func(schema.Record, string)) {
		if got, is := wrong(p, p.Enterprise); is {
			found(p.Enterprise, got)
		}
	}
}

func ofCollector(wrong func(p *Plant, c *schema.Collector) (string, bool)) check {
	return func(p *Plant, found func(schema.Record, string)) {
		for _, c := range p.Collectors {
			if got, is := wrong(p, c); is {
				found(c, got)
			}
		}
	}
}

func ofMetric(wrong func(p *Plant, m *schema.Metric) (string, bool)) check {
	return func(p *Plant, found func(schema.Record, string)) {
		for _, m := range p.Metrics {
			if got, is := wrong(p, m); is {
				found(m, got)
			}
		}
	}
}

func inUse(m *schema.Metric) bool { return !m.GetDisabled() }

func (p *Plant) collector(code string) *schema.Collector {
	for _, c := range p.Collectors {
		if c.GetCode() == code {
			return c
		}
	}
	return nil
}

// suits says whether a collector type is dry or wet.
func suits(typ, way string) bool { return strings.HasPrefix(typ, way+"_") }

// missingKinds names the required kinds of a collector that no metric in use measures.
func missingKinds(p *Plant, c *schema.Collector) []string {
	var out []string
	table, _ := schema.Table("metric")
	for _, row := range table.GetCodes() {
		k, _ := schema.MetricKind(row.GetCode())
		if k.Class != "required" || !suits(c.GetType(), k.For) {
			continue
		}
		if !slices.ContainsFunc(p.Metrics, func(m *schema.Metric) bool {
			return inUse(m) && m.GetCollector() == c.GetCode() && m.GetKind() == k.Code
		}) {
			out = append(out, k.Zh)
		}
	}
	return out
}

// outside says whether a plant lies outside its province. The outline is coarse: what is near is inside.
func outside(_ *Plant, e *schema.Enterprise) (string, bool) {
	const near = 0.3 // degrees
	if e.GetLng() == 0 && e.GetLat() == 0 || len(e.GetRegion()) < provinceDigits {
		return "", false
	}
	b, known := shipped.bounds[e.GetRegion()[:provinceDigits]]
	got := fmt.Sprintf("%.3f, %.3f", e.GetLng(), e.GetLat())
	return got, known && (e.GetLng() < b[0]-near || e.GetLat() < b[1]-near || e.GetLng() > b[2]+near || e.GetLat() > b[3]+near)
}
