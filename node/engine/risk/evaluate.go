package risk

import (
	"fmt"
	"math"
	"sort"
	"strconv"

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
}

// Dust is a dust's explosion properties; not a number is unknown.
type Dust struct {
	Category, Grade string
	MIE             float64 // mJ
	Kst             float64 // MPa·m/s
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
	Value float64
	Raw   string
}

// Held is a floor rule that holds, and why.
type Held struct {
	Code     string
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

// Evaluate judges a plant.
func (m *Model) Evaluate(s *Snapshot) Result {
	var res Result
	var parts []part
	h := 0.0
	for _, f := range m.Inherent {
		score, raw := m.inherent(f, s)
		h += f.Weight / 100 * score
		parts = append(parts, part{
			&schema.Factor{Code: f.Code, Name: f.Name, Raw: raw, ScoreMilli: Milli(score), WeightMilli: Milli(m.Weights.Inherent * f.Weight / 100), Clause: f.Clause},
			m.Weights.Inherent * f.Weight / 100 * score,
		})
	}
	d, signals, systems := m.dynamic(s)
	for i := range signals {
		signals[i].value *= m.Weights.Dynamic
	}
	parts = append(parts, signals...)
	mg := 0.0
	for i, f := range m.Management {
		score := s.Management[i]
		mg += f.Weight / 100 * score.Value
		parts = append(parts, part{
			&schema.Factor{Code: f.Code, Name: f.Name, Raw: score.Raw, ScoreMilli: Milli(score.Value), WeightMilli: Milli(m.Weights.Management * f.Weight / 100), Clause: f.Clause},
			m.Weights.Management * f.Weight / 100 * score.Value,
		})
	}
	res.R = m.Weights.Inherent*h + m.Weights.Dynamic*d + m.Weights.Management*mg
	res.Index, res.Inherent, res.Dynamic, res.Management = Milli(res.R), Milli(h), Milli(d), Milli(mg)
	res.Band, res.Systems = m.Band(float64(res.Index)/milli), systems
	res.Factors = settle(parts, res.Index)
	res.Level = res.Band
	for _, held := range s.Floors {
		if f, ok := m.Floor(held.Code); ok && Rank(f.Level) > Rank(res.Level) {
			res.Level, res.Floor = f.Level, f.Code
		}
	}
	return res
}

// part is a factor on its way: its contribution to R before rounding.
type part struct {
	factor *schema.Factor
	value  float64
}

// settle rounds contributions to thousandths; the remainder goes to the largest, so that they add up to the index.
func settle(parts []part, index int64) []*schema.Factor {
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

// inherent scores one inherent factor: the worst over its inputs, and over the plant's dusts.
func (m *Model) inherent(f Factor, s *Snapshot) (score float64, raw string) {
	for _, in := range f.Inputs {
		for _, v := range values(in.Of, s) {
			if got := in.score(v); got > score || raw == "" {
				score = max(score, got)
				raw = v.text
			}
		}
	}
	return score, raw
}

// value is an input: a code or a number; neither is unknown.
type value struct {
	code   string
	number float64
	text   string
}

func number(v float64) value {
	if math.IsNaN(v) {
		return value{number: v, text: "未知"}
	}
	return value{number: v, text: strconv.FormatFloat(v, 'g', -1, 64)}
}

func code(c string) value {
	if c == "" {
		return value{number: math.NaN(), text: "未知"}
	}
	return value{code: c, number: math.NaN(), text: c}
}

func values(of string, s *Snapshot) []value {
	var out []value
	switch of {
	case "workers":
		return []value{number(float64(s.Workers))}
	case "building":
		return []value{code(s.Building)}
	case "systems":
		return []value{number(float64(s.Systems))}
	case "measures":
		return []value{code(s.Measures)}
	}
	for _, d := range s.Dusts {
		switch of {
		case "grade":
			out = append(out, code(d.Grade))
		case "category":
			out = append(out, code(d.Category))
		case "mie":
			out = append(out, number(d.MIE))
		case "kst":
			out = append(out, number(d.Kst))
		}
	}
	if len(out) == 0 {
		out = append(out, code(""))
	}
	return out
}

func (in Input) score(v value) float64 {
	if v.code != "" {
		if s, ok := in.Codes[v.code]; ok {
			return s
		}
		return in.Unknown
	}
	if math.IsNaN(v.number) {
		return in.Unknown
	}
	for _, s := range in.Steps {
		if s.Below != nil && v.number < *s.Below || s.Upto != nil && v.number <= *s.Upto {
			return s.Score
		}
	}
	return in.Beyond
}

// certain keeps the logarithm of a certain failure finite when shares are worked out.
const certain = 1 - 1e-9

// dynamic is D: a noisy OR over each system's signals, then the worst and the mean of the systems. It returns the parts D is
// made of, by signal, and each system's D.
func (m *Model) dynamic(s *Snapshot) (float64, []part, []float64) {
	if len(s.Signals) == 0 {
		return 0, nil, nil
	}
	systems := make([]float64, len(s.Signals))
	worst, sum := 0, 0.0
	for i, signals := range s.Signals {
		quiet := 1.0
		for _, sg := range signals {
			quiet *= 1 - m.probability(s, sg)
		}
		systems[i] = 100 * (1 - quiet)
		sum += systems[i]
		if systems[i] > systems[worst] {
			worst = i
		}
	}
	n := float64(len(systems))
	d := m.Blend.Worst*systems[worst] + m.Blend.Mean*sum/n
	var parts []part
	for i, signals := range s.Signals {
		weight := m.Blend.Mean / n
		if i == worst {
			weight += m.Blend.Worst
		}
		parts = append(parts, m.shares(s, i, signals, weight*systems[i])...)
	}
	return d, parts, systems
}

func (m *Model) probability(s *Snapshot, sg Signal) float64 {
	if s.Stopped && !contains(m.Stopped, sg.Kind) {
		return 0
	}
	return m.Criticality[sg.Kind] * sg.Score / 100
}

func contains(list []string, v string) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

// shares divides a system's part of D among its signals: by ln(1-p), which adds up.
func (m *Model) shares(s *Snapshot, system int, signals []Signal, total float64) []part {
	logs, sum := make([]float64, len(signals)), 0.0
	for i, sg := range signals {
		logs[i] = math.Log(1 - math.Min(certain, m.probability(s, sg)))
		sum += logs[i]
	}
	var out []part
	for i, sg := range signals {
		if logs[i] == 0 {
			continue
		}
		name := sg.Kind
		if k, ok := schema.MetricKind(sg.Kind); ok {
			name = k.Zh
		} else if sg.Kind == Link {
			name = "采集链路"
		}
		out = append(out, part{
			&schema.Factor{
				Code: fmt.Sprintf("D.%d.%s", system+1, sg.Kind), Name: name, Raw: sg.Raw, ScoreMilli: Milli(sg.Score), WeightMilli: Milli(m.Criticality[sg.Kind]),
				Clause: clauseOf(sg.Kind), Evidence: sg.Evidence,
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
