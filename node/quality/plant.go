package quality

import (
	"slices"

	"dusthub/schema"
)

// Plant is a plant's base data.
type Plant struct {
	Enterprise *schema.Enterprise
	Workshops  []*schema.Workshop
	Systems    []*schema.DustSystem
	Collectors []*schema.Collector
	Gateways   []*schema.Gateway
	Metrics    []*schema.Metric

	violations map[string][]*schema.Violation // by record, as far as they were asked for
}

// Add takes a record in; records of other types are no base data.
func (p *Plant) Add(r schema.Record) {
	switch r := r.(type) {
	case *schema.Enterprise:
		p.Enterprise = r
	case *schema.Workshop:
		p.Workshops = append(p.Workshops, r)
	case *schema.DustSystem:
		p.Systems = append(p.Systems, r)
	case *schema.Collector:
		p.Collectors = append(p.Collectors, r)
	case *schema.Gateway:
		p.Gateways = append(p.Gateways, r)
	case *schema.Metric:
		p.Metrics = append(p.Metrics, r)
	}
}

// Each calls fn for every record of the plant.
func (p *Plant) Each(fn func(schema.Record)) {
	if p.Enterprise != nil {
		fn(p.Enterprise)
	}
	each(p.Workshops, fn)
	each(p.Systems, fn)
	each(p.Collectors, fn)
	each(p.Gateways, fn)
	each(p.Metrics, fn)
}

func each[T schema.Record](list []T, fn func(schema.Record)) {
	for _, r := range list {
		fn(r)
	}
}

// Due says whether a plant should be connected: it is meant to be and neither exempt nor closed.
func Due(e *schema.Enterprise) bool {
	if e.GetProductionState() == "closed" || e.GetAccessState() == "exempt" {
		return false
	}
	return e.GetShouldAccess() || e.GetAccessState() != ""
}

// Connected says whether a plant that should be connected is.
func Connected(e *schema.Enterprise) bool { return Due(e) && e.GetAccessState() == "connected" }

// wiring is, for each dust system of a plant that should be connected, the gateways that bring its metrics; a system that nothing brings has none.
func (p *Plant) wiring() [][]string {
	if !Due(p.Enterprise) {
		return nil
	}
	usable := map[string]bool{}
	for _, g := range p.Gateways {
		usable[g.GetCode()] = !g.GetDisabled()
	}
	at := map[string]int{}
	out := make([][]string, len(p.Systems))
	for i, s := range p.Systems {
		at[s.GetCode()] = i
	}
	system := map[string]string{}
	for _, c := range p.Collectors {
		system[c.GetCode()] = c.GetSystem()
	}
	for _, m := range p.Metrics {
		i, ok := at[system[m.GetCollector()]]
		if ok && !m.GetDisabled() && usable[m.GetGateway()] && !slices.Contains(out[i], m.GetGateway()) {
			out[i] = append(out[i], m.GetGateway())
		}
	}
	return out
}

// Finding is one record that a rule finds wanting.
type Finding struct {
	Rule int    // its number, see Rules
	Type string // record type
	Key  string
	Name string
	Got  string // what was found, as far as it is no personal data
}

// Judgement is what was found in a plant.
type Judgement struct {
	Findings                            []Finding
	Records, Wrong                      int // records; those that an accuracy rule finds wanting
	RequiredAsked, RequiredFilled       int
	RecommendedAsked, RecommendedFilled int
}

// Judge holds a plant's base data against every rule.
func Judge(p *Plant) Judgement {
	var out Judgement
	wrong := map[string]bool{}
	for i := range shipped.rules {
		r := &shipped.rules[i]
		if r.check == nil {
			continue
		}
		r.check(p, func(rec schema.Record, got string) {
			f := Finding{Rule: i, Type: schema.TypeOf(rec), Key: schema.KeyOf(rec), Name: nameOf(rec), Got: got}
			wrong[f.Type+"/"+f.Key] = true
			out.Findings = append(out.Findings, f)
		})
	}
	out.Wrong = len(wrong)
	p.Each(func(rec schema.Record) { out.fields(rec) })
	return out
}

// fields counts what of a record is filled.
func (j *Judgement) fields(rec schema.Record) {
	j.Records++
	typ, m := schema.TypeOf(rec), rec.ProtoReflect()
	for _, i := range shipped.fields[typ] {
		r := &shipped.rules[i]
		filled := m.Has(r.field)
		asked, full := &j.RecommendedAsked, &j.RecommendedFilled
		if r.Required {
			asked, full = &j.RequiredAsked, &j.RequiredFilled
		}
		*asked++
		if filled {
			*full++
		} else {
			j.Findings = append(j.Findings, Finding{Rule: i, Type: typ, Key: schema.KeyOf(rec), Name: nameOf(rec)})
		}
	}
}

func nameOf(rec schema.Record) string {
	if r, ok := rec.(interface{ GetName() string }); ok {
		return r.GetName()
	}
	return ""
}
