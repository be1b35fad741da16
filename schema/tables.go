package schema

import (
	"bufio"
	"embed"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed tables/*
var tableFiles embed.FS

// Risk levels, gravest first.
const (
	Red    = "red"    // 重大风险
	Orange = "orange" // 较大风险
	Yellow = "yellow" // 一般风险
	Blue   = "blue"   // 低风险
)

// Kind is one row of the metric catalogue (监测指标): what is measured, in which unit, within which range, with
// the default limits and the clause they come from.
type Kind struct {
	Code       string   `yaml:"code" json:"code"`
	Zh         string   `yaml:"zh" json:"zh"`
	En         string   `yaml:"en" json:"en"`
	Signal     string   `yaml:"signal" json:"signal"` // AI, DI
	Unit       string   `yaml:"unit" json:"unit"`
	Lo         float64  `yaml:"lo" json:"lo"`
	Hi         float64  `yaml:"hi" json:"hi"`
	Class      string   `yaml:"class" json:"class"` // table required_class
	For        string   `yaml:"for" json:"for"`     // dry, wet, both
	LL         *float64 `yaml:"ll" json:"ll,omitempty"`
	L          *float64 `yaml:"l" json:"l,omitempty"`
	H          *float64 `yaml:"h" json:"h,omitempty"`
	HH         *float64 `yaml:"hh" json:"hh,omitempty"`
	Fault      *int32   `yaml:"fault" json:"fault,omitempty"`
	FaultLevel int32    `yaml:"fault_level" json:"fault_level,omitempty"`
	Deadband   float64  `yaml:"deadband" json:"deadband,omitempty"`
	OnDelayMs  int32    `yaml:"on_delay_ms" json:"on_delay_ms,omitempty"`
	WhileFan   bool     `yaml:"while_fan" json:"while_fan,omitempty"` // judged only while the fan of its collector runs
	StuckMs    int32    `yaml:"stuck_ms" json:"stuck_ms,omitempty"`
	GraveAfter int32    `yaml:"grave_after_ms" json:"grave_after_ms,omitempty"` // ms
	Basis      string   `yaml:"basis" json:"basis"`
	Confidence string   `yaml:"confidence" json:"confidence"`
}

// Limits are the kind's default alarm limits.
func (k Kind) Limits() *Limits {
	return &Limits{Ll: k.LL, L: k.L, H: k.H, Hh: k.HH, FaultState: k.Fault, FaultLevel: k.FaultLevel, Deadband: k.Deadband, OnDelayMs: k.OnDelayMs, StuckMs: k.StuckMs, GraveAfterMs: k.GraveAfter}
}

// Measure is a catalogue value as it is printed: "<2", "29", ">450"; Known is false for "-" and for words.
type Measure struct {
	Op    string // "", "<", ">"
	Value float64
	Known bool
}

// CatalogueDust is one row of 工贸行业重点可燃性粉尘目录(2015版).
type CatalogueDust struct {
	Code     string // "1" .. "45"
	Group    string
	Name     string
	Diameter Measure // µm
	LEL      Measure // g/m³
	MIE      Measure // mJ
	Pmax     Measure // MPa
	Kst      Measure // MPa·m/s
	Cloud    Measure // °C
	Layer    Measure // °C
	Grade    string  // 高, 较高, 一般
	Category string  // table dust_category
}

var (
	tables  = map[string]*CodeTable{}
	members = map[string]map[string]*Code{}
	kinds   = map[string]Kind{}
	dusts   = map[string]CatalogueDust{}
)

func init() {
	loadCodes()
	loadKinds()
	loadDusts()
	loadRegions()
	loadAlarming()
	loadLimits()
	loadStatistics()
}

// Table is the shipped code table of that name. Callers do not change it.
func Table(name string) (*CodeTable, bool) { t, ok := tables[name]; return t, ok }

// Tables lists the names of the shipped code tables.
func Tables() []string {
	names := make([]string, 0, len(tables))
	for n := range tables {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// CodeName is the Chinese name of a code; the code itself when the table does not have it.
func CodeName(table, code string) string {
	if c, ok := members[table][code]; ok {
		return c.GetName()
	}
	return code
}

// MetricKind is the catalogue row of a metric kind such as "T01".
func MetricKind(code string) (Kind, bool) { k, ok := kinds[code]; return k, ok }

// DustOf is the catalogue row of a dust code, "1" to "45".
func DustOf(code string) (CatalogueDust, bool) { d, ok := dusts[code]; return d, ok }

// RegionName is the full name of a GB/T 2260 code, "江苏省苏州市虎丘区"; the code itself when it is not known.
func RegionName(code string) string { return (*InForce)(nil).RegionName(code) }

// RegionName is the function of that name, by the code tables in force.
func (t *InForce) RegionName(code string) string {
	c := t.code("region", code)
	if c == nil || len(code) != len("320505") {
		return t.Name("region", code)
	}
	name := ""
	for _, above := range []string{code[:2] + "0000", code[:4] + "00"} {
		if r := t.code("region", above); r != nil && above != code && r.GetName() != "市辖区" {
			name += r.GetName()
		}
	}
	return name + c.GetName()
}

func addTable(t *CodeTable) {
	tables[t.GetName()] = t
	m := make(map[string]*Code, len(t.GetCodes()))
	for _, c := range t.GetCodes() {
		m[c.GetCode()] = c
	}
	members[t.GetName()] = m
}

// mustRead reads an embedded table. The files are part of the program: a fault in one is a fault of the build.
func mustRead(name string) []byte {
	b, err := tableFiles.ReadFile("tables/" + name)
	if err != nil {
		panic(fmt.Sprintf("schema: %v", err))
	}
	return b
}

func loadCodes() {
	var file map[string]struct {
		Source     string
		Confidence string
		Codes      [][]string
	}
	if err := yaml.Unmarshal(mustRead("codes.yaml"), &file); err != nil {
		panic(fmt.Sprintf("schema: codes.yaml: %v", err))
	}
	for name, t := range file {
		table := &CodeTable{Name: name, Version: Version}
		for _, c := range t.Codes {
			table.Codes = append(table.Codes, &Code{Code: c[0], Name: c[1], NameEn: c[2], Source: t.Source, Confidence: t.Confidence})
		}
		addTable(table)
	}
}

func loadKinds() {
	var list []Kind
	if err := yaml.Unmarshal(mustRead("metric.yaml"), &list); err != nil {
		panic(fmt.Sprintf("schema: metric.yaml: %v", err))
	}
	table := &CodeTable{Name: "metric", Version: Version}
	for _, k := range list {
		kinds[k.Code] = k
		table.Codes = append(table.Codes, &Code{Code: k.Code, Name: k.Zh, NameEn: k.En, Source: k.Basis, Confidence: k.Confidence})
	}
	addTable(table)
}

func loadDusts() {
	table := &CodeTable{Name: "dust", Version: Version}
	for _, f := range rows("dust.txt", "|") {
		d := CatalogueDust{
			Code: f[0], Group: f[1], Name: f[2], Diameter: measure(f[3]), LEL: measure(f[4]), MIE: measure(f[5]), Pmax: measure(f[6]),
			Kst: measure(f[7]), Cloud: measure(f[8]), Layer: measure(f[9]), Grade: f[10], Category: f[11],
		}
		dusts[d.Code] = d
		confidence := "GK-med"
		if d.Code == "1" {
			confidence = "F"
		}
		table.Codes = append(table.Codes, &Code{Code: d.Code, Name: d.Name, Source: "工贸行业重点可燃性粉尘目录(2015版)", Confidence: confidence})
	}
	addTable(table)
}

func loadRegions() {
	table := &CodeTable{Name: "region", Version: Version}
	for _, f := range rows("region.txt", " ") {
		table.Codes = append(table.Codes, &Code{Code: f[0], Name: f[1], Source: "GB/T 2260", Confidence: "F"})
	}
	addTable(table)
}

func rows(name, separator string) [][]string {
	var out [][]string
	s := bufio.NewScanner(strings.NewReader(string(mustRead(name))))
	for s.Scan() {
		if line := s.Text(); line != "" && line[0] != '#' {
			out = append(out, strings.Split(line, separator))
		}
	}
	return out
}

func measure(s string) Measure {
	m := Measure{}
	if s != "" && (s[0] == '<' || s[0] == '>') {
		m.Op, s = s[:1], s[1:]
	}
	v, err := strconv.ParseFloat(s, 64)
	m.Value, m.Known = v, err == nil
	return m
}
