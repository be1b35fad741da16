package risk

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"dusthub/schema"

	"go.yaml.in/yaml/v3"
)

// The page docs/risk-model.md is made from the shipped model by this test, so that it never says what the model does not do:
// go test ./node/engine/risk -run Page -update
var update = flag.Bool("update", false, "write docs/risk-model.md anew")

const pagePath = "../../../docs/risk-model.md"

func TestPage(t *testing.T) {
	got := page()
	path := filepath.FromSlash(pagePath)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the model does; run with -update and look at the difference", pagePath)
	}
}

// example is a worked example of domain 6.2.
type example struct {
	name, text string
	s          func() *Snapshot
}

var examples = []example{
	{"A", "铝粉打磨，一切正常", aluminium},
	{"B", "铝粉打磨，两套除尘系统之一压差一级报警", func() *Snapshot { return with(aluminium(), 0, Signal{Kind: "P01", Score: 60}) }},
	{"C", "铝粉打磨，两套除尘系统之一灰斗温度一级报警", func() *Snapshot { return with(aluminium(), 1, Signal{Kind: "T01", Score: 60}) }},
	{"D", "铝粉打磨，同一系统灰斗温度与锁气卸灰二级报警，M 30", func() *Snapshot {
		return held(managed(with(aluminium(), 0, Signal{Kind: "T01", Score: 100}, Signal{Kind: "K01", Score: 100}), 30), "F3")
	}},
	{"E", "面粉，三套除尘系统之一离线，M 20", func() *Snapshot { return managed(with(flour(), 2, Signal{Kind: Link, Score: 60}), 20) }},
	{"F", "木粉砂光，火花二级报警且未熄灭，M 10", func() *Snapshot { return held(managed(with(wood(), 0, Signal{Kind: "S01", Score: 100}), 10), "F4") }},
}

func page() []byte {
	var b bytes.Buffer
	m := Shipped()
	out := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	out("# 风险研判模型 %s", m.Version)
	out("")
	out("本页由测试按随程序发布的模型文件生成（`go test ./node/engine/risk -run Page -update`），与程序的行为不会不一致。")
	out("This page is generated from the shipped model; it cannot say what the program does not do.")
	out("")
	out("应急管理部的粉尘涉爆研判模型未公开。本模型为建议(P)：结构取自公开文献的\"固有、动态、管控\"三项，数值逐项注明出处与可信度。")
	out("可信度：F 见于公开来源；GK-hi、GK-med、GK-low 一般知识；P 建议；D 推算。")
	out("")
	out("## 一、怎样算")
	out("")
	out("各项得分 0 至 100，越高越险。研判指数 R = %v·H + %v·D + %v·M；等级取指数所在区间与底线规则中较高者。", m.Weights.Inherent, m.Weights.Dynamic, m.Weights.Management)
	out("")
	out("- **H 固有风险**：下表各因子得分的加权和，基础数据变化时重算。")
	out("- **D 动态风险**：每套除尘系统 D = 100·(1 − Π(1 − k·s/100))，k 为信号所代表屏障的重要度，s 为信号得分；企业取 %v·最大 + %v·平均。", m.Blend.Worst, m.Blend.Mean)
	out("  信号得分：接近限值（首个限值的 %v %% 以内）%v、一级 %v、二级 %v、传感器故障或超量程 %v、离线或必选指标未接入 %v。", 100*m.Near, m.Scores.Near, m.Scores.Level1, m.Scores.Level2, m.Scores.Fault, m.Scores.Offline)
	out("  报警恢复后得分按半衰期 %s 衰减；处置核销后立即归零。已报停产时只计 %s。", minutes(m.Memory.HalfLife), strings.Join(m.Stopped, "、"))
	out("- **M 管控风险**：七日内管理情况的加权和。")
	out("- **等级**：红 R ≥ %v，橙 R ≥ %v，黄 R ≥ %v，其余为蓝。上升立即生效；回落每次一级，须指数低于该级下界减 %v 且无底线规则满 %s，且本级已停留 %s。",
		m.Bands.Red, m.Bands.Orange, m.Bands.Yellow, m.Fall.Margin, minutes(m.Fall.After), minutes(m.Fall.Dwell))
	out("- **何时**：输入变化即算该企业，另每 %s 全部重算；等级、底线规则变化、指数变化 ≥ %v 或距上次满 %s 时留存结果。", minutes(m.Cadence.Sweep), m.Cadence.Change, minutes(m.Cadence.Snapshot))
	out("- **贡献**：各因子贡献之和精确等于 R（千分之一，余数归最大者）；D 按 ln(1−p) 分摊。")
	out("")
	pageFactors(out, m)
	pageFloors(out, m)
	pageExamples(out, m)
	pageSensitivity(out, m)
	pageNumbers(out, m)
	pageDocument(out)
	return b.Bytes()
}

func minutes(d Duration) string {
	switch {
	case d.Hours() >= 1 && d.Minutes() == math.Trunc(d.Hours())*60:
		return strconv.FormatFloat(d.Hours(), 'g', -1, 64) + " 小时"
	default:
		return strconv.FormatFloat(d.Minutes(), 'g', -1, 64) + " 分钟"
	}
}

func pageFactors(out func(string, ...any), m *Model) {
	out("## 二、因子")
	out("")
	out("| 因子 | 名称 | 权重 | 得分 | 条款 | 可信度 |")
	out("|---|---|---:|---|---|---|")
	for _, f := range m.Inherent {
		var said []string
		for _, in := range f.Inputs {
			said = append(said, scoring(&in))
		}
		out("| %s | %s | %v | %s | %s | %s |", f.Code, f.Name, f.Weight, strings.Join(said, "；取大 "), f.Clause, f.Confidence)
	}
	how := map[string]string{
		"M1": "100·(1 − 按时完成率)；无清扫计划 100",
		"M2": fmt.Sprintf("min(100, %v·超期一般 + %v·超期严重)", m.Param("M2", "level1"), m.Param("M2", "level2")),
		"M3": fmt.Sprintf("min(100, %v·超期)", m.Param("M3", "each")),
		"M4": fmt.Sprintf("(%v − 在线率)/(%v − %v)·100，限于 0 至 100", m.Param("M4", "good"), m.Param("M4", "good"), m.Param("M4", "bad")),
		"M5": fmt.Sprintf("100·(可疑测点比例 + 必填缺项比例)/2；可疑：超量程、故障、数值不变，或一小时 ≥ %v 次、一日 ≥ %v 次报警", m.Param("M5", "hour"), m.Param("M5", "day")),
		"M6": fmt.Sprintf("min(100, %v·未消除重大事故隐患)", m.Param("M6", "major")),
	}
	for _, f := range m.Management {
		out("| %s | %s | %v | %s | %s | %s |", f.Code, f.Name, f.Weight, how[f.Code], f.Clause, f.Confidence)
	}
	out("")
	out("信号重要度 k：")
	out("")
	var said []string
	for _, kind := range keys(m.Criticality) {
		said = append(said, fmt.Sprintf("%s %s %v", kind, kindName(kind), m.Criticality[kind]))
	}
	out("%s。", strings.Join(said, "；"))
	out("")
}

func scoring(in *Input) string {
	var said []string
	if len(in.Steps) == 0 {
		for _, c := range keys(in.Codes) {
			table := map[string]string{"building": "building", "category": "dust_category"}[in.Of]
			said = append(said, fmt.Sprintf("%s %v", nameOfCode(table, c), in.Codes[c]))
		}
	}
	for _, s := range in.Steps {
		sign := "<"
		if s.Upto != nil {
			sign = "≤"
		}
		said = append(said, fmt.Sprintf("%s%v %v", sign, s.bound(), s.Score))
	}
	if len(in.Steps) > 0 {
		said = append(said, fmt.Sprintf("更大 %v", in.Beyond))
	}
	return in.Of + "：" + strings.Join(append(said, fmt.Sprintf("未知 %v", in.Unknown)), "、")
}

func levelZh(level string) string { return schema.CodeName("level", level) }

func pageFloors(out func(string, ...any), m *Model) {
	out("## 三、底线规则")
	out("")
	out("| 规则 | 内容 | 等级不低于 | 条款 | 可信度 |")
	out("|---|---|---|---|---|")
	for _, f := range m.Floors {
		out("| %s | %s | %s | %s | %s |", f.Code, f.Text, levelZh(f.Level), f.Clause, f.Confidence)
	}
	out("")
	out("重大事故隐患 MH01 至 MH10（应急管理部令第10号 第十一条）由基础数据自动判定，自发现起 %v 天内整改，超期为红。", m.Hazards.Due.Hours()/24)
	out("MH09 另看铝镁湿式除尘器有无氢气监测；MH10 另看沉积粉尘厚度二级报警，或七日内应清扫 %d 次以上而按时完成不足 %v %% 且无厚度监测。", m.Hazards.Slots, 100*m.Hazards.Completion)
	out("")
}

func pageExamples(out func(string, ...any), m *Model) {
	out("## 四、算例")
	out("")
	out("| 例 | 情形 | H | D | M | R | 等级 | 底线 | 主要因子（贡献） |")
	out("|---|---|---:|---:|---:|---:|---|---|---|")
	for _, e := range examples {
		r := m.Evaluate(e.s())
		var top []string
		for _, f := range Top(r.Factors, 3) {
			top = append(top, fmt.Sprintf("%s %s %s", f.GetCode(), f.GetName(), milliText(f.GetContributionMilli())))
		}
		out("| %s | %s | %s | %s | %s | %s | %s | %s | %s |", e.name, e.text, milliText(r.Inherent), milliText(r.Dynamic), milliText(r.Management), milliText(r.Index), levelZh(r.Level), r.Floor, strings.Join(top, "；"))
	}
	out("")
}

func milliText(v int64) string { return strconv.FormatFloat(float64(v)/milli, 'f', 3, 64) }

// knob is a number whose influence is looked at.
type knob struct {
	path  string
	group string // numbers that share one sum: the others give way in proportion
}

func knobs(m *Model) []knob {
	var out []knob
	for _, n := range m.Numbers() {
		switch {
		case strings.HasPrefix(n.Path, "weights."):
			out = append(out, knob{n.Path, "weights."})
		case strings.HasPrefix(n.Path, "blend."):
			out = append(out, knob{n.Path, "blend."})
		case strings.HasSuffix(n.Path, ".weight"):
			part, _, _ := strings.Cut(n.Path, ".")
			out = append(out, knob{n.Path, part + "."})
		case strings.HasPrefix(n.Path, "criticality."), strings.HasPrefix(n.Path, "scores."), strings.HasPrefix(n.Path, "bands."):
			out = append(out, knob{n.Path, ""})
		case strings.Contains(n.Path, ".codes."), strings.HasSuffix(n.Path, ".score"), strings.HasSuffix(n.Path, ".beyond"):
			out = append(out, knob{n.Path, ""})
		}
	}
	return out
}

// turned is the shipped model with one number multiplied; within its natural bounds, and with the others of its sum giving way.
func turned(k knob, by float64) (*Model, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(shipped, &doc); err != nil {
		return nil, err
	}
	found := map[string]*yaml.Node{}
	scalars(doc.Content[0], "", found)
	value := func(path string) float64 {
		v, _ := strconv.ParseFloat(found[path].Value, 64)
		return v
	}
	set := func(path string, v float64) {
		found[path].Value, found[path].Tag = strconv.FormatFloat(v, 'f', -1, 64), "" // 67.5 is no !!int
	}
	most := 100.0
	if strings.HasPrefix(k.path, "criticality.") || k.group == "weights." || k.group == "blend." {
		most = 1
	}
	before := value(k.path)
	after := math.Min(most, before*by)
	set(k.path, after)
	if k.group != "" {
		total := map[bool]float64{true: 1, false: 100}[most == 1]
		for path := range found {
			in := strings.HasPrefix(path, k.group) && path != k.path && (most == 1 || strings.HasSuffix(path, ".weight"))
			if in {
				set(path, value(path)*(total-after)/(total-before))
			}
		}
	}
	text, err := yaml.Marshal(&doc)
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

func scalars(n *yaml.Node, path string, found map[string]*yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			scalars(n.Content[i+1], strings.TrimPrefix(path+"."+n.Content[i].Value, "."), found)
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			scalars(item, path+"."+nameOf(item, i), found)
		}
	default:
		found[path] = n
	}
}

func pageSensitivity(out func(string, ...any), m *Model) {
	out("## 五、敏感性")
	out("")
	out("每次只动一个数（权重变动时同组其余按比例让位，得分与重要度不越过其上限），看算例 A 至 F 的 R 最多动多少，等级是否因此改变。")
	out("列出至少一例动 0.001 以上或改变等级者；\"不成立\"是变动后的文件通不过检查（例如界值或得分失序）。D、F 的等级由底线规则定为红，因此不变。")
	out("")
	out("| 数 | 原值 | −20 %% | −10 %% | +10 %% | +20 %% | 等级改变 |")
	out("|---|---:|---:|---:|---:|---:|---|")
	original := map[string]string{}
	for _, n := range m.Numbers() {
		original[n.Path] = n.Text
	}
	silent := 0
	for _, k := range knobs(m) {
		var cells, changed []string
		moves := false
		for _, by := range []float64{0.8, 0.9, 1.1, 1.2} {
			other, err := turned(k, by)
			if err != nil {
				cells, moves = append(cells, "不成立"), true
				continue
			}
			most := int64(0)
			for _, e := range examples {
				was, is := m.Evaluate(e.s()), other.Evaluate(e.s())
				if d := is.Index - was.Index; max(d, -d) > max(most, -most) {
					most = d
				}
				if was.Level != is.Level {
					changed = append(changed, fmt.Sprintf("%s %+.0f %%：%s→%s", e.name, 100*(by-1), levelZh(was.Level), levelZh(is.Level)))
				}
			}
			moves = moves || most != 0
			cells = append(cells, fmt.Sprintf("%+.3f", float64(most)/milli))
		}
		if !moves && len(changed) == 0 {
			silent++
			continue
		}
		out("| %s | %s | %s | %s |", k.path, original[k.path], strings.Join(cells, " | "), strings.Join(changed, "；"))
	}
	out("")
	out("其余 %d 个数在这些算例中不起作用。", silent)
	out("")
}

func pageNumbers(out func(string, ...any), m *Model) {
	out("## 六、每个数的出处")
	out("")
	out("| 数 | 值 | 可信度 | 条款 | 出处 |")
	out("|---|---:|---|---|---|")
	for _, n := range m.Numbers() {
		out("| %s | %s | %s | %s | %s |", n.Path, n.Text, n.Confidence, n.Clause, n.Source.Source)
	}
	out("")
}

func pageDocument(out func(string, ...any)) {
	out("## 七、写一个新模型")
	out("")
	out("模型是 YAML 文件：`dusthub model print` 打印随程序发布的一份，改后用 `dusthub model check 文件` 查看全部问题及行号，")
	out("由根站点（部级）在门户发布：签名 SM2(\"dusthub model 1\" ‖ 0x00 ‖ 版本 ‖ 0x00 ‖ SM3(文件))，逐级下发，每级边界核验签名与证书，不符者隔离。")
	out("同一版本号不得有两份文件；可以重新启用先前的版本，启用记入审计，研判结果的变化原因为 model。")
	out("")
	out("因子与底线规则可用 CEL 表达式（`when` 是否适用，`score` 0 至 100 的得分），无须升级程序：")
	out("")
	out("```yaml")
	out("dynamic:")
	out("  - {code: D1, name: 报警反复, criticality: 0.2, when: alarms_24h > 0, score: \"alarms_24h * 5\", monotonic: {alarms_24h: increasing}, clause: 示例, confidence: P}")
	out("floors:")
	out("  - {code: F9, level: orange, text: 反复报警, when: \"repeated_24h >= 10 && !stopped\", clause: 示例, confidence: P}")
	out("```")
	out("")
	out("固有因子只看固有输入；动态因子另看动态输入；管控因子与底线规则看全部。表达式没有循环，估算代价超过上限者不予接受；")
	out("`monotonic` 声明得分随输入升降，声明不实者不予接受。无法计算时得 `unknown`（默认 100）。")
	out("")
	out("| 输入 | 含义 | 单位 | 部分 | 类型 |")
	out("|---|---|---|---|---|")
	for _, v := range Variables() {
		out("| %s | %s | %s | %s | %s |", v.Name, v.Zh, v.Unit, v.Group, v.Kind)
	}
}
