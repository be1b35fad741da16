package schema

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

func goodEnterprise() *Enterprise {
	return &Enterprise{
		Code: "320505030001", Uscc: "91350100M000100Y43", Name: "苏州明光铝制品有限公司", Region: "320505", Industry: "C33", MemIndustry: "machinery",
		Scale: "small", Employees: 120, DustWorkers: 35, MaxShiftWorkers: 18, ProductionState: "normal", AccessState: "connected",
		Dusts: []*Dust{{Dust: "2", DailyYieldKg: 40}},
	}
}

func goodMetric() *Metric {
	return &Metric{
		Code: "320505030001C001T0101", Enterprise: "320505030001", Collector: "320505030001C001", Gateway: "320505030001G01", Kind: "T01", Name: "1号除尘器灰斗温度",
		Unit: "°C", RangeLo: -20, RangeHi: 200, Limits: &Limits{H: proto.Float64(60), Hh: proto.Float64(70)},
	}
}

func TestValidateNamesEveryViolation(t *testing.T) {
	cases := []struct {
		name   string
		record Record
		want   []string // field:rule, in order of appearance
	}{
		{"a good enterprise", goodEnterprise(), nil},
		{"a good metric", goodMetric(), nil},
		{"unknown region, unknown dust, too many workers", func() Record {
			e := goodEnterprise()
			e.Region, e.Dusts[0].Dust, e.DustWorkers = "999999", "99", 500
			return e
		}(), []string{"region:region", "dusts[0].dust:table", "dust_workers:ltefield"}},
		{"wrong check character without a reason", func() Record { e := goodEnterprise(); e.Uscc = "91350100M000100Y44"; return e }(), []string{"uscc:uscc_check"}},
		{"limits out of order and out of range", func() Record {
			m := goodMetric()
			m.Limits = &Limits{H: proto.Float64(70), Hh: proto.Float64(60), Ll: proto.Float64(-30)}
			return m
		}(), []string{"limits.ll:range", "limits.hh:order"}},
		{"not a number", func() Record { m := goodMetric(); m.RangeLo = math.NaN(); return m }(), []string{"range_lo:finite"}},
		{"unit of another kind", func() Record { m := goodMetric(); m.Unit = "Pa"; return m }(), []string{"unit:unit"}},
		{"metric of another collector", func() Record { m := goodMetric(); m.Collector = "320505030001C002"; return m }(), []string{"code:prefix"}},
		{"compressed air is no way to clean", &CleaningPlan{Id: "p", Enterprise: "320505030001", Item: "地面", Cycle: "shift", Method: "blow"}, []string{"method:table"}},
		{"camera id of a wrong type", &Camera{GbId: "34020000009990000101", Enterprise: "x", Site: "collector"}, []string{"gb_id:gb28181"}},
		{"no text that is not UTF-8", func() Record { e := goodEnterprise(); e.Address = "\xff"; return e }(), []string{"address:"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := Validate(c.record)
			for _, want := range c.want {
				field, rule, _ := strings.Cut(want, ":")
				found := false
				for _, v := range got {
					found = found || v.GetField() == field && (rule == "" || v.GetRule() == rule)
				}
				if !found {
					t.Errorf("no violation %s in %v", want, got)
				}
			}
			if len(c.want) == 0 && len(got) > 0 || Refuses(got) != (len(c.want) > 0) {
				t.Errorf("got %v, wanted %v", got, c.want)
			}
		})
	}
}

func TestEveryTypeCanBeJudged(t *testing.T) {
	for _, typ := range Types() {
		r, _ := New(typ)
		if !Refuses(Validate(r)) {
			t.Errorf("an empty %s is accepted", typ)
		}
		m, _ := MetaOf(typ)
		for _, ix := range m.Index {
			for _, f := range ix {
				if m.Field(f) == nil {
					t.Errorf("%s has an index on %s, which is no field", typ, f)
				}
			}
		}
		if m.Zh == "" || m.Group == Group_GROUP_UNSPECIFIED {
			t.Errorf("%s has no Chinese name or no group", typ)
		}
	}
}

func TestEveryTableNamedByAFieldExists(t *testing.T) {
	for _, typ := range Types() {
		for _, f := range Dictionary(typ).Fields {
			if _, ok := Table(f.Table); f.Table != "" && !ok {
				t.Errorf("%s.%s names table %q, which does not exist", typ, f.Name, f.Table)
			}
			if f.Zh == "" {
				t.Errorf("%s.%s has no Chinese name", typ, f.Name)
			}
		}
	}
}

func TestUSCC(t *testing.T) {
	for code, want := range map[string]bool{
		"91350100M000100Y43": true, "91110000101623741K": true, "911101066976941872": true, // domain 7.5, found valid
		"91350211M0000XUF46": false, "91350100M000100Y4": false, "91350100M000100Y4I": false, "": false,
	} {
		if USCCCheck(code) != want {
			t.Errorf("USCCCheck(%q) = %v", code, !want)
		}
	}
}

func TestTimesInTheFutureAreRefused(t *testing.T) {
	const now = 1_700_000_000_000
	r := &CleaningRecord{Id: "1", Enterprise: "320505030001", Plan: "p", Item: "地面", Person: "王", Time: now + FutureMs + 1, Photos: []string{"a"}}
	if vs := ValidateAt(r, now); len(vs) != 1 || vs[0].GetRule() != "time" {
		t.Errorf("got %v", vs)
	}
	r.Time = now
	if vs := ValidateAt(r, now); len(vs) != 0 {
		t.Errorf("got %v", vs)
	}
}

func TestCatalogue(t *testing.T) {
	al, _ := DustOf("2")
	if al.Name != "铝粉" || al.MIE != (Measure{Value: 29, Known: true}) || al.Kst.Value != 62 || al.Grade != "高" || al.Category != "1" {
		t.Errorf("aluminium: %+v", al)
	}
	if mg, _ := DustOf("1"); mg.MIE != (Measure{Op: "<", Value: 2, Known: true}) {
		t.Errorf("magnesium: %+v", mg)
	}
	if got := RegionName("320505"); got != "江苏省苏州市虎丘区" {
		t.Errorf("RegionName: %s", got)
	}
}

func FuzzValidate(f *testing.F) {
	b, _ := Marshal(goodEnterprise())
	f.Add("Enterprise", b)
	f.Add("Metric", []byte{0x0a, 0x01, 0xff})
	f.Fuzz(func(t *testing.T, typ string, b []byte) {
		r, err := Decode(typ, b)
		if err != nil {
			return
		}
		ValidateAt(r, 0)
	})
}

// TestDefaults: default limits by kind, collector and dust, each with where it comes from (domain 3).
func TestDefaults(t *testing.T) {
	for _, c := range []struct {
		name      string
		metric    *Metric
		collector string
		dusts     []string
		want      string
	}{
		{"hopper temperature", &Metric{Kind: "T01", RangeHi: 200}, "dry_bag", []string{"2"}, "hh=70 h=60"},
		{"a dust whose layer ignites early", &Metric{Kind: "T01", RangeHi: 200}, "dry_bag", []string{"26", "99"}, "hh=70 h=60"},
		{"duct speed, wood", &Metric{Kind: "V01", RangeHi: 40}, "dry_bag", []string{"26"}, "l=20 ll=18"},
		{"duct speed, aluminium", &Metric{Kind: "V01", RangeHi: 40}, "dry_bag", []string{"26", "2"}, "l=23 ll=21"},
		{"level without a design value", &Metric{Kind: "L01", RangeHi: 3}, "wet_curtain", []string{"2"}, ""},
		{"level", &Metric{Kind: "L01", RangeHi: 3, Design: 2}, "wet_curtain", []string{"2"}, "hh=2.4 l=1.8 ll=1.6"},
		{"level in a dry collector", &Metric{Kind: "L01", RangeHi: 3, Design: 2}, "dry_bag", []string{"2"}, ""},
		{"flow", &Metric{Kind: "F01", RangeHi: 100, Design: 50}, "wet_venturi", nil, "l=40 ll=30"},
		{"concentration beyond the sensor", &Metric{Kind: "C01", RangeHi: 1000}, "dry_bag", []string{"2"}, ""},
		{"concentration", &Metric{Kind: "C01", RangeHi: 100_000}, "dry_bag", []string{"1", "2"}, "hh=12500 h=6250"},
	} {
		l, list := Defaults(c.metric, c.collector, c.dusts)
		var got []string
		for _, f := range []struct {
			name  string
			value *float64
		}{{"hh", l.Hh}, {"h", l.H}, {"l", l.L}, {"ll", l.Ll}} {
			if f.value != nil {
				got = append(got, fmt.Sprintf("%s=%v", f.name, *f.value))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, wanted %s", c.name, got, c.want)
		}
		for _, d := range list {
			if d.Basis == "" || d.Confidence == "" {
				t.Errorf("%s: %s has no source", c.name, d.Field)
			}
		}
	}
	// No catalogue dust ignites so early that the cap binds (domain 3); one that did would pull both limits down.
	h, hh := 60.0, 70.0
	d := defaults{kind: kinds["T01"], limits: &Limits{H: &h, Hh: &hh}}
	dusts["test"] = CatalogueDust{Cloud: Measure{Value: 90, Known: true}, Layer: Measure{Value: 140, Known: true}}
	defer delete(dusts, "test")
	d.cap(limitRow{Cloud: 2.0 / 3, Layer: 75, Step: 10}, []string{"test"})
	if *d.limits.Hh != 60 || *d.limits.H != 50 {
		t.Errorf("capped: %v", d.limits)
	}
}
