package quality

import (
	"slices"
	"testing"

	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

const code = "320505030001"

// goodPlant has nothing that a rule finds wanting, and every field that is asked for.
func goodPlant() *Plant {
	h := 60.0
	p := &Plant{}
	metric := func(kind, unit string, lo, hi float64, l *schema.Limits) *schema.Metric {
		return &schema.Metric{Code: code + "C001" + kind + "01", Enterprise: code, Collector: code + "C001", Gateway: code + "G01", Kind: kind, Name: kind, Unit: unit, RangeLo: lo, RangeHi: hi, Limits: l, PeriodS: 10}
	}
	for _, r := range []schema.Record{
		&schema.Enterprise{
			Code: code, Name: "明辉", Uscc: "91350100M000100Y43", Region: "320505", Address: "珠江路1号", Lng: 120.5, Lat: 31.3, Industry: "C33", MemIndustry: "machinery", Scale: "small",
			Employees: 60, DustWorkers: 30, MaxShiftWorkers: 10, SafetyHead: "陈", SafetyPhone: "1", ProductionState: "normal", AccessState: "connected", ShouldAccess: true, Dusts: []*schema.Dust{{Dust: "2"}},
		},
		&schema.Workshop{Code: code + "W01", Enterprise: code, Name: "打磨", Building: "single_frame", AreaM2: 900, MaxWorkers: 9},
		&schema.DustSystem{Code: code + "S01", Enterprise: code, Workshop: code + "W01", Name: "1号", Mode: "negative", Dusts: []string{"2"}, Process: "打磨"},
		&schema.Collector{Code: code + "C001", Enterprise: code, System: code + "S01", Name: "1号", Type: "dry_bag", Location: "outdoor", AirVolumeM3H: 9000, Measures: []string{"venting"}, Maker: "甲"},
		&schema.Gateway{Code: code + "G01", Enterprise: code, Name: "网关", Door: "http"},
		metric("T01", "°C", -20, 200, &schema.Limits{H: &h}),
		metric("P01", "Pa", 0, 5000, &schema.Limits{H: proto.Float64(1500)}),
		metric("K01", "0/1", 0, 1, &schema.Limits{FaultState: proto.Int32(1), FaultLevel: 2}),
	} {
		p.Add(r)
	}
	return p
}

func TestGoodPlant(t *testing.T) {
	j := Judge(goodPlant())
	if len(j.Findings) != 0 {
		t.Errorf("findings %+v", j.Findings)
	}
	if j.Records != 8 || j.Wrong != 0 || j.RequiredAsked == 0 || j.RequiredFilled != j.RequiredAsked || j.RecommendedFilled != j.RecommendedAsked {
		t.Errorf("%+v", j)
	}
}

// TestRules breaks a good plant in one way for each rule, and looks for the rule's finding.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		rule, key string
		harm      func(p *Plant)
	}{
		{"schema", code, func(p *Plant) { p.Enterprise.DustWorkers = 90 }},
		{"code_region", code, func(p *Plant) { p.Enterprise.Region = "320506" }},
		{"uscc", code, func(p *Plant) { p.Enterprise.Uscc, p.Enterprise.UsccOverride = "91350100M000100Y4X", "旧证" }},
		{"coordinates", code, func(p *Plant) { p.Enterprise.Lng = 100 }},
		{"no_workers", code, func(p *Plant) { p.Enterprise.DustWorkers, p.Enterprise.MaxShiftWorkers = 0, 0 }},
		{"access_state", code, func(p *Plant) { p.Enterprise.AccessState = "exempt" }},
		{"access_state", code, func(p *Plant) { p.Enterprise.ProductionState = "closed" }},
		{"connected_without_metric", code, func(p *Plant) {
			for _, m := range p.Metrics {
				m.Disabled = true
			}
		}},
		{"no_system", code, func(p *Plant) { p.Systems = nil }},
		{"workshop_area", code + "W01", func(p *Plant) { p.Workshops[0].AreaM2 = 0 }},
		{"workshop_people", code + "W01", func(p *Plant) { p.Workshops[0].MaxWorkers = 61 }},
		{"system_without_collector", code + "S01", func(p *Plant) { p.Collectors = nil }},
		{"system_dust", code + "S01", func(p *Plant) { p.Systems[0].Dusts = []string{"3"} }},
		{"collector_without_metric", code + "C001", func(p *Plant) { p.Metrics = nil }},
		{"collector_required", code + "C001", func(p *Plant) { p.Metrics[1].Disabled = true }},
		{"collector_measure", code + "C001", func(p *Plant) { p.Collectors[0].Measures = nil }},
		{"gateway_without_metric", code + "G02", func(p *Plant) {
			p.Gateways = append(p.Gateways, &schema.Gateway{Code: code + "G02", Enterprise: code, Name: "闲", Door: "http"})
		}},
		{"metric_gateway", code + "C001T0101", func(p *Plant) { p.Gateways[0].Disabled = true }},
		{"metric_collector", code + "C001T0101", func(p *Plant) { p.Collectors = nil }},
		{"metric_kind", code + "C001T0101", func(p *Plant) { p.Collectors[0].Type = "wet_swirl" }},
		{"metric_range", code + "C001T0101", func(p *Plant) { p.Metrics[0].RangeHi = 900 }},
		{"limits_missing", code + "C001T0101", func(p *Plant) { p.Metrics[0].Limits = nil }},
		{"limits_order", code + "C001T0101", func(p *Plant) { p.Metrics[0].Limits.L = proto.Float64(61) }},
		{"Enterprise.lng", code, func(p *Plant) { p.Enterprise.Lng = 0 }},
		{"Enterprise.industry", code, func(p *Plant) { p.Enterprise.Industry = "" }},
		{"Metric.period_s", code + "C001K0101", func(p *Plant) { p.Metrics[2].PeriodS = 0 }},
		{"Collector.maker", code + "C001", func(p *Plant) { p.Collectors[0].Maker = "" }},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p := goodPlant()
			c.harm(p)
			rule, known := RuleOf(c.rule)
			if !known {
				t.Fatal("no such rule")
			}
			found := Judge(p).Findings
			if !slices.ContainsFunc(found, func(f Finding) bool { return f.Rule == rule && f.Key == c.key }) {
				t.Errorf("not found in %+v", found)
			}
		})
	}
}

// TestRulesAreData: each check has its sentence, in both languages, and each accuracy rule is tried above.
func TestRulesAreData(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rules() {
		if r.Zh == "" || r.En == "" || seen[r.ID] {
			t.Errorf("%+v", r)
		}
		seen[r.ID] = true
	}
	for id := range checks {
		if !seen[id] {
			t.Errorf("check %s stands in no rule", id)
		}
	}
	if len(Rules()) > 255 {
		t.Error("a cell numbers rules in a byte")
	}
}

func TestDue(t *testing.T) {
	for _, c := range []struct {
		name             string
		e                *schema.Enterprise
		due, isConnected bool
	}{
		{"meant to be", &schema.Enterprise{ShouldAccess: true, AccessState: "due"}, true, false},
		{"connected", &schema.Enterprise{ShouldAccess: true, AccessState: "connected"}, true, true},
		{"exempt", &schema.Enterprise{ShouldAccess: true, AccessState: "exempt"}, false, false},
		{"closed", &schema.Enterprise{ShouldAccess: true, AccessState: "connected", ProductionState: "closed"}, false, false},
	} {
		if Due(c.e) != c.due || Connected(c.e) != c.isConnected {
			t.Errorf("%s: %v %v", c.name, Due(c.e), Connected(c.e))
		}
	}
}
