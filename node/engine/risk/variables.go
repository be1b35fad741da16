package risk

import (
	"errors"
	"fmt"
	"math"
	"sort"

	"dusthub/node/engine/condition"
	"dusthub/schema"
)

// Figures are counts about a plant that only expressions look at.
type Figures struct {
	Scale, Industry                 string // tables scale, mem_industry
	Employees, ShiftWorkers         int32
	Collectors, WetCollectors       int
	Alarms                          int // open
	AlarmsLevel1, AlarmsLevel2      int
	AlarmsCritical, AlarmsHigh      int // open, by priority
	AlarmsMedium, AlarmsLow         int
	Undisposed                      int     // open, not disposed of yet
	LongestMinutes                  float64 // the longest active condition has lasted
	Alarms24h, Repeated24h          int     // raised in a day; of the point that alarms most
	OverRange, Faulty, Stuck, Stale int     // points now
	OfflineMinutes                  float64
	CleaningRate                    float64 // done in time of what was due in seven days; 1 when nothing was
	CleaningMissed                  int     // shifts in a row
	OverdueLevel1, OverdueLevel2    int     // alarms
	FeedbackOverdue                 int     // warnings
	OnlineRate                      float64
	DoubtfulShare, MissingShare     float64 // of points, of base data
	HazardsOpen, HazardsOverdue     int
}

// Groups of variables.
const (
	GroupInherent   = "inherent"
	GroupDynamic    = "dynamic"
	GroupManagement = "management"
)

// Variable is an input expressions can name.
type Variable struct {
	Name, Zh, Unit, Group string
	Kind                  condition.Kind
	of                    func(*Snapshot) any
}

var (
	variables []Variable
	byName    = map[string]*Variable{}
)

func init() { //nolint:gochecknoinits // one table, made of the code table of metrics
	num := func(group, name, zh, unit string, of func(*Snapshot) float64) {
		variables = append(variables, Variable{name, zh, unit, group, condition.Number, func(s *Snapshot) any { return of(s) }})
	}
	text := func(group, name, zh string, of func(*Snapshot) string) {
		variables = append(variables, Variable{name, zh, "", group, condition.Text, func(s *Snapshot) any { return of(s) }})
	}
	fig := func(group, name, zh, unit string, of func(*Figures) float64) {
		num(group, name, zh, unit, func(s *Snapshot) float64 { return of(&s.Figures) })
	}
	count := func(group, name, zh string, of func(*Figures) int) {
		fig(group, name, zh, "", func(f *Figures) float64 { return float64(of(f)) })
	}
	const h, d, m = GroupInherent, GroupDynamic, GroupManagement
	text(h, "grade", "粉尘爆炸危险级别，各粉尘中最高：高、较高、一般，未知为空", worstGrade)
	num(h, "kst", "爆炸指数，各粉尘中最大；未知为-1", "MPa·m/s", func(s *Snapshot) float64 {
		return extreme(s.Dusts, func(d Dust) float64 { return d.Kst }, math.Max)
	})
	num(h, "mie", "最小点火能，各粉尘中最小；未知为-1", "mJ", func(s *Snapshot) float64 {
		return extreme(s.Dusts, func(d Dust) float64 { return d.MIE }, math.Min)
	})
	text(h, "category", "第一种粉尘的种类(代码表 dust_category)", func(s *Snapshot) string {
		if len(s.Dusts) == 0 {
			return ""
		}
		return s.Dusts[0].Category
	})
	num(h, "dusts", "粉尘种数", "", func(s *Snapshot) float64 { return float64(len(s.Dusts)) })
	num(h, "workers", "涉粉作业人数", "人", func(s *Snapshot) float64 { return float64(s.Workers) })
	fig(h, "employees", "从业人数", "人", func(f *Figures) float64 { return float64(f.Employees) })
	fig(h, "shift_workers", "单班最大涉粉人数", "人", func(f *Figures) float64 { return float64(f.ShiftWorkers) })
	text(h, "building", "建筑结构，各场所中最不利(代码表 building)", func(s *Snapshot) string { return s.Building })
	num(h, "systems", "除尘系统数", "", func(s *Snapshot) float64 { return float64(s.Systems) })
	count(h, "collectors", "除尘器数", func(f *Figures) int { return f.Collectors })
	count(h, "wet_collectors", "湿式除尘器数", func(f *Figures) int { return f.WetCollectors })
	text(h, "measures", "防爆措施，各干式除尘器中最少：none、one、several；仅湿式 wet", func(s *Snapshot) string { return s.Measures })
	text(h, "scale", "企业规模(代码表 scale)", func(s *Snapshot) string { return s.Figures.Scale })
	text(h, "industry", "工贸行业(代码表 mem_industry)", func(s *Snapshot) string { return s.Figures.Industry })
	variables = append(variables, Variable{"stopped", "已报停产", "", d, condition.Flag, func(s *Snapshot) any { return s.Stopped }})
	for _, kind := range append(metricKinds(), Link) {
		num(d, kind, kindName(kind)+"的得分，各除尘系统中最大", "0-100", func(s *Snapshot) float64 { return worstSignal(s, kind) })
	}
	count(d, "alarms", "未核销报警", func(f *Figures) int { return f.Alarms })
	count(d, "alarms_level1", "未核销一般报警", func(f *Figures) int { return f.AlarmsLevel1 })
	count(d, "alarms_level2", "未核销严重报警", func(f *Figures) int { return f.AlarmsLevel2 })
	count(d, "alarms_critical", "未核销紧急优先级报警", func(f *Figures) int { return f.AlarmsCritical })
	count(d, "alarms_high", "未核销高优先级报警", func(f *Figures) int { return f.AlarmsHigh })
	count(d, "alarms_medium", "未核销中优先级报警", func(f *Figures) int { return f.AlarmsMedium })
	count(d, "alarms_low", "未核销低优先级报警", func(f *Figures) int { return f.AlarmsLow })
	count(d, "undisposed", "未处置报警", func(f *Figures) int { return f.Undisposed })
	fig(d, "longest_active_min", "持续最久的报警已持续", "min", func(f *Figures) float64 { return f.LongestMinutes })
	count(d, "alarms_24h", "24小时内报警次数", func(f *Figures) int { return f.Alarms24h })
	count(d, "repeated_24h", "24小时内同一测点最多报警次数", func(f *Figures) int { return f.Repeated24h })
	count(d, "over_range", "超量程测点", func(f *Figures) int { return f.OverRange })
	count(d, "faulty", "传感器故障测点", func(f *Figures) int { return f.Faulty })
	count(d, "stuck", "数值不变测点", func(f *Figures) int { return f.Stuck })
	count(d, "stale", "无数据测点", func(f *Figures) int { return f.Stale })
	fig(d, "offline_min", "企业离线时长", "min", func(f *Figures) float64 { return f.OfflineMinutes })
	fig(m, "cleaning_rate", "七日清扫按时完成率", "0-1", func(f *Figures) float64 { return f.CleaningRate })
	count(m, "cleaning_missed", "连续未清扫次数", func(f *Figures) int { return f.CleaningMissed })
	count(m, "overdue_level1", "处置超期的一般报警", func(f *Figures) int { return f.OverdueLevel1 })
	count(m, "overdue_level2", "处置超期的严重报警", func(f *Figures) int { return f.OverdueLevel2 })
	count(m, "feedback_overdue", "反馈超期的预警", func(f *Figures) int { return f.FeedbackOverdue })
	fig(m, "online_rate", "七日在线率", "0-1", func(f *Figures) float64 { return f.OnlineRate })
	fig(m, "doubtful_share", "数据可疑测点比例", "0-1", func(f *Figures) float64 { return f.DoubtfulShare })
	fig(m, "missing_share", "基础数据缺项比例", "0-1", func(f *Figures) float64 { return f.MissingShare })
	count(m, "hazards_open", "未消除的重大事故隐患", func(f *Figures) int { return f.HazardsOpen })
	count(m, "hazards_overdue", "超期的重大事故隐患", func(f *Figures) int { return f.HazardsOverdue })
	for i, code := range managementCodes {
		num(m, code, "管控因子"+code+"的得分", "0-100", func(s *Snapshot) float64 { return s.Management[i].Value })
	}
	for i := range variables {
		byName[variables[i].Name] = &variables[i]
	}
}

// Variables are the inputs expressions can name.
func Variables() []Variable { return variables }

func metricKinds() []string {
	var out []string
	if t, ok := schema.Table("metric"); ok {
		for _, c := range t.GetCodes() {
			out = append(out, c.GetCode())
		}
	}
	sort.Strings(out)
	return out
}

func kindName(kind string) string {
	if k, ok := schema.MetricKind(kind); ok {
		return k.Zh
	}
	if kind == Link {
		return "采集链路"
	}
	return kind
}

func worstSignal(s *Snapshot, kind string) float64 {
	worst := 0.0
	for _, list := range s.Signals {
		for i := range list {
			if list[i].Kind == kind {
				worst = max(worst, list[i].Score)
			}
		}
	}
	return worst
}

func worstGrade(s *Snapshot) string {
	order := map[string]int{"高": 3, "较高": 2, "一般": 1}
	out := ""
	for _, d := range s.Dusts {
		if order[d.Grade] > order[out] {
			out = d.Grade
		}
	}
	return out
}

// extreme is the largest or smallest known property of the dusts, -1 when none is known.
func extreme(dusts []Dust, of func(Dust) float64, pick func(a, b float64) float64) float64 {
	out := math.NaN()
	for _, d := range dusts {
		switch v := of(d); {
		case math.IsNaN(v):
		case math.IsNaN(out):
			out = v
		default:
			out = pick(out, v)
		}
	}
	if math.IsNaN(out) {
		return -1
	}
	return out
}

// program is an expression over a snapshot.
type program struct{ p *condition.Program }

// compile checks an expression over the variables of some groups.
func compile(expression string, gives condition.Kind, groups ...string) (*program, error) {
	p, err := condition.CompileOver(expression, gives, func(name string) (condition.Kind, error) {
		v := byName[name]
		if v == nil {
			return 0, fmt.Errorf("%s is no input of risk models", name)
		}
		for _, g := range groups {
			if g == v.Group {
				return v.Kind, nil
			}
		}
		return 0, fmt.Errorf("%s is an input of the %s part, which this factor cannot look at", name, v.Group)
	})
	if err != nil {
		return nil, err
	}
	return &program{p}, nil
}

// issues are what is wrong with an expression.
func issues(err error) []condition.Issue {
	var all *condition.Error
	if errors.As(err, &all) {
		return all.Issues
	}
	return []condition.Issue{{Reason: err.Error()}}
}

func (p *program) value(s *Snapshot) (any, bool) {
	return p.p.Value(func(name string) (any, bool) {
		if v := byName[name]; v != nil {
			return v.of(s), true
		}
		return nil, false
	})
}

// holds is false where it cannot be told.
func (p *program) holds(s *Snapshot) bool {
	v, ok := p.value(s)
	yes, isFlag := v.(bool)
	return ok && isFlag && yes
}

// number is a score within 0 to 100; false when it cannot be told.
func (p *program) number(s *Snapshot) (float64, bool) {
	v, ok := p.value(s)
	n, isNumber := v.(float64)
	if !ok || !isNumber || math.IsNaN(n) {
		return 0, false
	}
	return math.Max(0, math.Min(100, n)), true
}
