package schema

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// DefaultLimit is one default limit of a metric, with where it comes from.
type DefaultLimit struct {
	Field      string  `json:"field" doc:"of Limits"`
	Value      float64 `json:"value"`
	Unit       string  `json:"unit"`
	Basis      string  `json:"basis"`
	Confidence string  `json:"confidence"`
}

// limitRow is a row of tables/limits.yaml.
type limitRow struct {
	Kind       string   `yaml:"kind"`
	For        string   `yaml:"for"`
	Categories []string `yaml:"categories"`
	Of         string   `yaml:"of"`
	LL         *float64 `yaml:"ll"`
	L          *float64 `yaml:"l"`
	H          *float64 `yaml:"h"`
	HH         *float64 `yaml:"hh"`
	Cloud      float64  `yaml:"cloud"`
	Layer      float64  `yaml:"layer"`
	Step       float64  `yaml:"step"`
	Figure     `yaml:",inline"`
}

var limitRows []limitRow

func loadLimits() {
	if err := yaml.Unmarshal(mustRead("limits.yaml"), &limitRows); err != nil {
		panic(fmt.Sprintf("schema: limits.yaml: %v", err))
	}
}

// Defaults are the default limits of a metric of a collector type that holds dusts (codes of table dust), one by one and together.
// Limits that are shares of a design value are there when the metric has one.
func Defaults(m *Metric, collectorType string, codes []string) (*Limits, []DefaultLimit) {
	kind := kinds[m.GetKind()]
	d := defaults{kind: kind, limits: kind.Limits()}
	d.catalogue()
	for _, r := range limitRows {
		if r.Kind == kind.Code && r.fits(collectorType, codes) {
			d.apply(r, m, codes)
		}
	}
	return d.limits, d.list
}

func (r *limitRow) fits(collectorType string, codes []string) bool {
	if r.For != "" && !strings.HasPrefix(collectorType, r.For) {
		return false
	}
	return len(r.Categories) == 0 || slices.ContainsFunc(codes, func(c string) bool { return slices.Contains(r.Categories, dusts[c].Category) })
}

type defaults struct {
	kind   Kind
	limits *Limits
	list   []DefaultLimit
}

// catalogue lists what the kind alone gives.
func (d *defaults) catalogue() {
	k := d.kind
	for _, f := range []struct {
		name  string
		value *float64
	}{{"ll", k.LL}, {"l", k.L}, {"h", k.H}, {"hh", k.HH}} {
		if f.value != nil {
			d.add(f.name, *f.value, k.Unit, k.Basis, k.Confidence)
		}
	}
	if k.Fault != nil {
		d.add("fault_state", float64(*k.Fault), "", k.Basis, k.Confidence)
		d.add("fault_level", float64(k.FaultLevel), "", k.Basis, k.Confidence)
	}
	for _, f := range []struct {
		name, unit, basis string
		value             float64
	}{
		{"deadband", k.Unit, "domain 5.1", k.Deadband}, {"on_delay_ms", "ms", "domain 5.1", float64(k.OnDelayMs)},
		{"stuck_ms", "ms", "domain 3: flat_line", float64(k.StuckMs)}, {"grave_after_ms", "ms", k.Basis, float64(k.GraveAfter)},
	} {
		if f.value != 0 {
			d.add(f.name, f.value, f.unit, f.basis, "P")
		}
	}
}

func (d *defaults) add(field string, value float64, unit, basis, confidence string) {
	d.list = slices.DeleteFunc(d.list, func(l DefaultLimit) bool { return l.Field == field })
	d.list = append(d.list, DefaultLimit{field, value, unit, basis, confidence})
}

// apply puts a row's limits over those there are.
func (d *defaults) apply(r limitRow, m *Metric, codes []string) {
	if r.Of == "ignition" {
		d.cap(r, codes)
		return
	}
	scale := 1.0
	switch r.Of {
	case "design":
		scale = m.GetDesign()
	case "lel":
		const mgPerG = 1000
		scale = mgPerG * least(codes, func(c CatalogueDust) Measure { return c.LEL })
	}
	if scale == 0 || math.IsInf(scale, 1) {
		return
	}
	set := func(name string, share *float64, limit **float64) {
		if share == nil {
			return
		}
		v := *share * scale
		if v < m.GetRangeLo() || v > m.GetRangeHi() {
			return // the sensor cannot show it
		}
		*limit = &v
		d.add(name, v, d.kind.Unit, r.Basis, r.Confidence)
	}
	set("ll", r.LL, &d.limits.Ll)
	set("l", r.L, &d.limits.L)
	set("h", r.H, &d.limits.H)
	set("hh", r.HH, &d.limits.Hh)
}

// cap keeps the high-high limit below what ignites the dusts, and the high limit a step below it.
func (d *defaults) cap(r limitRow, codes []string) {
	most := math.Min(r.Cloud*least(codes, func(c CatalogueDust) Measure { return c.Cloud }), least(codes, func(c CatalogueDust) Measure { return c.Layer })-r.Layer)
	if d.limits.Hh == nil || *d.limits.Hh <= most {
		return
	}
	h := most - r.Step
	d.limits.Hh = &most
	d.add("hh", most, d.kind.Unit, r.Basis, r.Confidence)
	if d.limits.H != nil && *d.limits.H > h {
		d.limits.H = &h
		d.add("h", h, d.kind.Unit, r.Basis, r.Confidence)
	}
}

// least is the smallest known value of dusts; infinite when none is known.
func least(codes []string, of func(CatalogueDust) Measure) float64 {
	v := math.Inf(1)
	for _, c := range codes {
		if m := of(dusts[c]); m.Known {
			v = math.Min(v, m.Value)
		}
	}
	return v
}

// CatalogueLimit is one default limit as the tables have it, for whatever metric it may hold.
type CatalogueLimit struct {
	Kind       string   `json:"kind" doc:"table metric"`
	Name       string   `json:"name"`
	Field      string   `json:"field" doc:"of Limits"`
	Value      float64  `json:"value"`
	Unit       string   `json:"unit,omitempty"`
	Of         string   `json:"of" doc:"absolute; design: a share of the metric's design value; lel: of the dusts' lower explosive limit; ignition: of their ignition temperature"`
	For        string   `json:"for,omitempty" doc:"dry or wet collectors only"`
	Categories []string `json:"categories,omitempty" doc:"these dusts only, table dust_category"`
	Basis      string   `json:"basis"`
	Confidence string   `json:"confidence"`
}

// LimitCatalogue are all default limits, in the order of the catalogue of metrics; a later one that fits a metric goes over an
// earlier one.
func LimitCatalogue() []CatalogueLimit {
	var out []CatalogueLimit
	table, _ := Table("metric")
	for _, c := range table.GetCodes() {
		k := kinds[c.GetCode()]
		d := defaults{kind: k, limits: k.Limits()}
		d.catalogue()
		for _, l := range d.list {
			out = append(out, CatalogueLimit{Kind: k.Code, Name: k.Zh, Field: l.Field, Value: l.Value, Unit: l.Unit, Of: "absolute", Basis: l.Basis, Confidence: l.Confidence})
		}
		for _, r := range limitRows {
			if r.Kind == k.Code {
				out = append(out, r.catalogue(k)...)
			}
		}
	}
	return out
}

// catalogue are the limits of a row as it has them.
func (r *limitRow) catalogue(k Kind) (out []CatalogueLimit) {
	add := func(field string, value float64, unit string) {
		out = append(out, CatalogueLimit{
			Kind: k.Code, Name: k.Zh, Field: field, Value: value, Unit: unit, Of: r.Of, For: r.For, Categories: r.Categories, Basis: r.Basis, Confidence: r.Confidence,
		})
	}
	unit := ""
	if r.Of == "absolute" {
		unit = k.Unit
	}
	for _, f := range []struct {
		name  string
		value *float64
	}{{"ll", r.LL}, {"l", r.L}, {"h", r.H}, {"hh", r.HH}} {
		if f.value != nil {
			add(f.name, *f.value, unit)
		}
	}
	if r.Of == "ignition" {
		add("hh", r.Cloud, unit)
	}
	return out
}
