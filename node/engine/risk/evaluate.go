package risk

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"

	"dusthub/schema"
)

// Snapshot is everything the model looks at of one plant at one moment.
type Snapshot struct {
	// Inherent (固有).
	Dusts    []Dust
	Workers  int32  // exposed to dust
	Building string // table building, the worst of the plant's
	Systems  int
	Measures string // none, one, several, wet
	// Dynamic (动态): the signals of each dust system.
	Signals [][]Signal
	// Management (管控): scores of M1..M6, 0..100, with what they were made of.
	Management [6]Score
	// Floors that hold now, by code.
	Floors []Held
	// Stopped: production is declared stopped.
	Stopped bool
	// Figures are what only expressions look at.
	Figures Figures
}

// Dust is a dust's explosion properties; not a number is unknown.
type Dust struct {
	Category, Grade string
	MIE             float64 // mJ
	Kst             float64 // MPa·m/s
}

// DustOf takes the catalogue's properties of a dust, and a plant's own test values where it has them.
func DustOf(d *schema.Dust) Dust {
	c, _ := schema.DustOf(d.GetDust())
	out := Dust{Category: c.Category, Grade: c.Grade, MIE: numberOf(c.MIE), Kst: numberOf(c.Kst)}
	if d.GetMieMj() > 0 {
		out.MIE = d.GetMieMj()
	}
	if d.GetKst() > 0 {
		out.Kst = d.GetKst()
	}
	return out
}

// numberOf reads a catalogue value; one printed as "more than" lies just above.
func numberOf(m schema.Measure) float64 {
	switch {
	case !m.Known:
		return math.NaN()
	case m.Op == ">":
		return math.Nextafter(m.Value, math.Inf(1))
	case m.Op == "<":
		return math.Nextafter(m.Value, math.Inf(-1))
	}
	return m.Value
}

// Signal is the state of one kind of metric of one dust system.
type Signal struct {
	Kind     string
	Score    float64 // 0..100
	Raw      string
	Evidence []string
}

// Score is a management factor's score with what it was made of.
type Score struct {
	Value    float64
	Raw      string
	Evidence []string
}

// Held is a floor rule that holds, and why.
type Held struct {
	Code     string
	Level    string // when it is another than the rule's, such as that of a deadline that has passed
	Evidence []string
}

// Result is a judgement: R and its parts in thousandths, the band, the floor that lifted it, and the composition, whose
// contributions add up to R exactly.
type Result struct {
	Index, Inherent, Dynamic, Management int64
	R                                    float64
	Band                                 string // by the index alone
	Level                                string // with floors
	Floor                                string // code of the gravest floor that holds, when it lifts the level
	Factors                              []*schema.Factor
	Systems                              []float64 // D of each dust system
}

const milli = 1000

// Milli is a score in thousandths.
func Milli(v float64) int64 { return int64(math.Round(v * milli)) }

// Evaluate judges a plant and says what the index is made of.
func (m *Model) Evaluate(s *Snapshot) Result {
	res := m.Judge(s, m.H(s))
	res.Factors, res.Systems = m.Explain(s, res.Index)
	return res
}

// Judge judges a plant whose inherent risk is known, without saying why.
func (m *Model) Judge(s *Snapshot, h float64) Result {
	d, mg := m.dynamic(s), 0.0
	for i := range m.Management {
		mg += m.Management[i].Weight / 100 * m.Management[i].points(s)
	}
	var res Result
	res.R = m.Weights.Inherent*h + m.Weights.Dynamic*d + m.Weights.Management*mg
	res.Index, res.Inherent, res.Dynamic, res.Management = Milli(res.R), Milli(h), Milli(d), Milli(mg)
	res.Band = m.Band(float64(res.Index) / milli)
	res.Level = res.Band
	for i := range s.Floors {
		f, ok := m.Floor(s.Floors[i].Code)
		if !ok || f.when != nil {
			continue
		}
		level := f.Level
		if Rank(s.Floors[i].Level) > Rank(level) {
			level = s.Floors[i].Level
		}
		res.lift(f.Code, level)
	}
	for i := range m.Floors {
		if f := &m.Floors[i]; f.when != nil && Rank(f.Level) > Rank(res.Level) && f.when.holds(s) {
			res.lift(f.Code, f.Level)
		}
	}
	return res
}

func (r *Result) lift(floor, level string) {
	if Rank(level) > Rank(r.Level) {
		r.Level, r.Floor = level, floor
	}
}

// H is the inherent risk, which changes with base data alone.
func (m *Model) H(s *Snapshot) float64 {
	h := 0.0
	for i := range m.Inherent {
		h += m.Inherent[i].Weight / 100 * m.Inherent[i].points(s)
	}
	return h
}

// points is a factor's score.
func (f *Factor) points(s *Snapshot) float64 {
	if f.when != nil && !f.when.holds(s) {
		return 0
	}
	if f.score != nil {
		if v, ok := f.score.number(s); ok {
			return v
		}
		return f.Unknown
	}
	if f.builtin >= 0 && len(f.Inputs) == 0 {
		return s.Management[f.builtin].Value
	}
	score := 0.0
	for i := range f.Inputs {
		f.Inputs[i].each(s, func(got float64, _ func() string) { score = max(score, got) })
	}
	return score
}

// said is a factor's score with what it was made of.
func (f *Factor) said(s *Snapshot) (score float64, raw string, evidence []string) {
	score = f.points(s)
	switch {
	case f.when != nil && !f.when.holds(s):
		return score, "不适用", nil
	case f.score != nil:
		if _, ok := f.score.number(s); !ok {
			return score, "无法计算", nil
		}
		var said []string
		for _, name := range f.score.p.Names() {
			said = append(said, fmt.Sprintf("%s=%v", name, byName[name].of(s)))
		}
		return score, strings.Join(said, " "), nil
	case f.builtin >= 0 && len(f.Inputs) == 0:
		b := s.Management[f.builtin]
		return score, b.Raw, b.Evidence
	}
	worst := -1.0
	for i := range f.Inputs {
		f.Inputs[i].each(s, func(got float64, text func() string) {
			if got > worst {
				worst, raw = got, text()
			}
		})
	}
	return score, raw, nil
}

// share is a factor on its way: its contribution to R before rounding.
type share struct {
	factor *schema.Factor
	value  float64
}

// Explain says what an index is made of, in parts that add up to it exactly, and gives D of each system.
func (m *Model) Explain(s *Snapshot, index int64) ([]*schema.Factor, []float64) {
	var parts []share
	add := func(part string, weight float64, list []Factor) {
		for i := range list {
			f := &list[i]
			score, raw, evidence := f.said(s)
			from := m.SourceOf(part + "." + f.Code)
			parts = append(parts, share{&schema.Factor{
				Code: f.Code, Name: f.Name, Raw: raw, ScoreMilli: Milli(score), WeightMilli: Milli(weight * f.Weight / 100), Clause: f.Clause,
				Evidence: evidence, Source: from.Source, Confidence: from.Confidence,
			}, weight * f.Weight / 100 * score})
		}
	}
	add("inherent", m.Weights.Inherent, m.Inherent)
	signals, systems := m.signals(s)
	parts = append(parts, signals...)
	add("management", m.Weights.Management, m.Management)
	return settle(parts, index), systems
}

// settle rounds contributions to thousandths; the remainder goes to the largest, so that they add up to the index.
func settle(parts []share, index int64) []*schema.Factor {
	out := make([]*schema.Factor, len(parts))
	left, largest := index, 0
	for i, p := range parts {
		p.factor.ContributionMilli = Milli(p.value)
		left -= p.factor.GetContributionMilli()
		if p.value > parts[largest].value {
			largest = i
		}
		out[i] = p.factor
	}
	if len(out) > 0 {
		out[largest].ContributionMilli += left
	}
	return out
}

// inputsOf are what inputs of inherent factors may look at, and whether it is a code.
var inputsOf = map[string]bool{
	"grade": true, "category": true, "building": true, "measures": true, "scale": true, "industry": true,
	"kst": false, "mie": false, "workers": false, "systems": false, "employees": false, "shift_workers": false, "collectors": false,
}

// each scores what an input looks at: every dust of the plant, or the one figure.
func (in *Input) each(s *Snapshot, fn func(score float64, text func() string)) {
	number := func(v float64) {
		fn(in.ofNumber(v), func() string {
			if math.IsNaN(v) {
				return unknown
			}
			return strconv.FormatFloat(v, 'g', 6, 64)
		})
	}
	code := func(table, c string) {
		fn(in.ofCode(c), func() string { return nameOfCode(table, c) })
	}
	switch in.Of {
	case "workers":
		number(float64(s.Workers))
	case "systems":
		number(float64(s.Systems))
	case "employees":
		number(float64(s.Figures.Employees))
	case "shift_workers":
		number(float64(s.Figures.ShiftWorkers))
	case "collectors":
		number(float64(s.Figures.Collectors))
	case "building":
		code("building", s.Building)
	case "measures":
		code("", s.Measures)
	case "scale":
		code("scale", s.Figures.Scale)
	case "industry":
		code("mem_industry", s.Figures.Industry)
	default:
		in.eachDust(s, number, code)
	}
}

func (in *Input) eachDust(s *Snapshot, number func(float64), code func(table, c string)) {
	if len(s.Dusts) == 0 {
		code("", "")
	}
	for i := range s.Dusts {
		switch d := &s.Dusts[i]; in.Of {
		case "grade":
			code("", d.Grade)
		case "category":
			code("dust_category", d.Category)
		case "mie":
			number(d.MIE)
		case "kst":
			number(d.Kst)
		}
	}
}

const unknown = "未知"

var measureNames = map[string]string{"none": "无", "one": "一项", "several": "两项及以上", "wet": "仅湿式"}

func nameOfCode(table, c string) string {
	switch {
	case c == "":
		return unknown
	case table != "":
		return schema.CodeName(table, c)
	case measureNames[c] != "":
		return measureNames[c]
	}
	return c
}

func (in *Input) ofCode(c string) float64 {
	if s, ok := in.Codes[c]; ok && c != "" {
		return s
	}
	return in.Unknown
}

func (in *Input) ofNumber(v float64) float64 {
	if math.IsNaN(v) {
		return in.Unknown
	}
	for _, s := range in.Steps {
		if s.Below != nil && v < *s.Below || s.Upto != nil && v <= *s.Upto {
			return s.Score
		}
	}
	return in.Beyond
}

// certain keeps the logarithm of a certain failure finite when shares are worked out.
const certain = 1 - 1e-9

// dynamic is D: a noisy OR over each system's signals, then the worst and the mean of the systems, then the factors of the
// plant as a whole as further signals.
func (m *Model) dynamic(s *Snapshot) float64 {
	d := 0.0
	if n := len(s.Signals); n > 0 {
		worst, sum := 0.0, 0.0
		for i := range s.Signals {
			v := m.system(s, i)
			worst = max(worst, v)
			sum += v
		}
		d = m.Blend.Worst*worst + m.Blend.Mean*sum/float64(n)
	}
	if len(m.Dynamic) == 0 {
		return d
	}
	quiet := 1 - d/100
	for i := range m.Dynamic {
		quiet *= 1 - m.Dynamic[i].Criticality*m.Dynamic[i].points(s)/100
	}
	return 100 * (1 - quiet)
}

// system is D of one dust system.
func (m *Model) system(s *Snapshot, i int) float64 {
	quiet := 1.0
	for k := range s.Signals[i] {
		quiet *= 1 - m.probability(s, &s.Signals[i][k])
	}
	return 100 * (1 - quiet)
}

func (m *Model) probability(s *Snapshot, sg *Signal) float64 {
	if s.Stopped && !slices.Contains(m.Stopped, sg.Kind) {
		return 0
	}
	return m.Criticality[sg.Kind] * sg.Score / 100
}

// signals are the parts D is made of, as parts of R, and each system's D. What adds up of a noisy OR is ln(1-p): by it D is
// divided, between systems and the factors of the whole plant first, and within each system then.
func (m *Model) signals(s *Snapshot) ([]share, []float64) {
	systems := make([]float64, len(s.Signals))
	worst, sum := 0, 0.0
	for i := range s.Signals {
		systems[i] = m.system(s, i)
		sum += systems[i]
		if systems[i] > systems[worst] {
			worst = i
		}
	}
	n := float64(len(systems))
	own := 0.0
	if n > 0 {
		own = m.Blend.Worst*systems[worst] + m.Blend.Mean*sum/n
	}
	scale, whole := m.whole(s, own)
	var parts []share
	for i, signals := range s.Signals {
		weight := m.Blend.Mean / n
		if i == worst {
			weight += m.Blend.Worst
		}
		parts = append(parts, m.shares(s, i, signals, m.Weights.Dynamic*scale*weight*systems[i])...)
	}
	return append(parts, whole...), systems
}

// whole are the parts of D that come of the plant as a whole, and by how much they make those of the systems smaller.
func (m *Model) whole(s *Snapshot, own float64) (scale float64, parts []share) {
	if len(m.Dynamic) == 0 {
		return 1, nil
	}
	total, d := math.Log(1-math.Min(certain, own/100)), m.dynamic(s)
	logs := make([]float64, len(m.Dynamic))
	for i := range m.Dynamic {
		logs[i] = math.Log(1 - math.Min(certain, m.Dynamic[i].Criticality*m.Dynamic[i].points(s)/100))
		total += logs[i]
	}
	for i := range m.Dynamic {
		if logs[i] == 0 {
			continue
		}
		f := &m.Dynamic[i]
		score, raw, evidence := f.said(s)
		from := m.SourceOf("dynamic." + f.Code)
		parts = append(parts, share{&schema.Factor{
			Code: f.Code, Name: f.Name, Raw: raw, ScoreMilli: Milli(score), WeightMilli: Milli(f.Criticality), Clause: f.Clause, Evidence: evidence,
			Source: from.Source, Confidence: from.Confidence,
		}, m.Weights.Dynamic * d * logs[i] / total})
	}
	if own == 0 {
		return 1, parts
	}
	return d * math.Log(1-math.Min(certain, own/100)) / total / own, parts
}

// shares divides a system's part of R among its signals.
func (m *Model) shares(s *Snapshot, system int, signals []Signal, total float64) []share {
	logs, sum := make([]float64, len(signals)), 0.0
	for i := range signals {
		logs[i] = math.Log(1 - math.Min(certain, m.probability(s, &signals[i])))
		sum += logs[i]
	}
	var out []share
	for i, sg := range signals {
		if logs[i] == 0 {
			continue
		}
		from := m.SourceOf("criticality." + sg.Kind)
		out = append(out, share{
			&schema.Factor{
				Code: fmt.Sprintf("D.%d.%s", system+1, sg.Kind), Name: kindName(sg.Kind), Raw: sg.Raw, ScoreMilli: Milli(sg.Score), WeightMilli: Milli(m.Criticality[sg.Kind]),
				Clause: clauseOf(sg.Kind), Evidence: sg.Evidence, Source: from.Source, Confidence: from.Confidence,
			},
			total * logs[i] / sum,
		})
	}
	return out
}

func clauseOf(kind string) string {
	if k, ok := schema.MetricKind(kind); ok {
		return k.Basis
	}
	return "应急管理部令第6号 第十七条"
}

// Top are the n factors that contribute most, for words such as "what raises it".
func Top(factors []*schema.Factor, n int) []*schema.Factor {
	out := append([]*schema.Factor(nil), factors...)
	sort.SliceStable(out, func(i, j int) bool { return out[i].GetContributionMilli() > out[j].GetContributionMilli() })
	return out[:min(n, len(out))]
}
