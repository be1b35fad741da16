package risk

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"dusthub/schema"

	"pgregory.net/rapid"
)

// edit replaces pieces of the shipped document, each of which must be there: from, to, from, to ...
func edit(pairs ...string) string {
	doc := string(shipped)
	for i := 0; i+1 < len(pairs); i += 2 {
		if !strings.Contains(doc, pairs[i]) {
			panic(fmt.Sprintf("the shipped model has no %q", pairs[i]))
		}
		doc = strings.Replace(doc, pairs[i], pairs[i+1], 1)
	}
	return doc
}

// What a ministry adds without a release: factors and a floor by expressions.
var extended = `  - {code: F8, level: yellow`

func extend() string {
	return edit(
		extended, `  - {code: F9, level: orange, text: 夜间反复报警, when: "repeated_24h >= 10 && !stopped", clause: 示例, confidence: P}
`+extended,
		"management:         #", `dynamic:
  - {code: D1, name: 报警反复, criticality: 0.2, when: alarms_24h > 0, score: "alarms_24h * 5", monotonic: {alarms_24h: increasing}, clause: 示例, confidence: P}
management:         #`,
		"  - {code: M6, name: 隐患整改, weight: 5,", `  - code: M7
    name: 企业规模与清扫
    weight: 2
    score: |
      scale == "micro" ?
        (1 - cleaning_rate) * 100 : (1 - cleaning_rate) * 50
    monotonic: {cleaning_rate: decreasing}
    clause: 示例
    confidence: P
  - {code: M6, name: 隐患整改, weight: 3,`,
	)
}

func TestExpressions(t *testing.T) {
	m, err := Parse([]byte(extend()))
	if err != nil {
		t.Fatal(err)
	}
	if !m.Expressive() || Shipped().Expressive() {
		t.Error("expressive")
	}
	s := aluminium()
	quiet := m.Evaluate(s)
	if quiet.Index != Milli(25.55+0.25*0.02*50) { // cleaning_rate is 0 in an empty snapshot
		t.Errorf("quiet: %d", quiet.Index)
	}
	s.Figures = Figures{CleaningRate: 1, Alarms24h: 8, Repeated24h: 10, Scale: "micro"}
	got := m.Evaluate(s)
	// D: criticality 0.2 of a score of 40.
	if got.Dynamic != Milli(8) || got.Level != schema.Orange || got.Floor != "F9" {
		t.Errorf("D %d %s %s", got.Dynamic, got.Level, got.Floor)
	}
	sum := int64(0)
	for _, f := range got.Factors {
		sum += f.GetContributionMilli()
		if f.GetCode() == "D1" && (f.GetRaw() != "alarms_24h=8" || f.GetContributionMilli() != Milli(0.4*8)) {
			t.Errorf("D1: %v", f)
		}
		if f.GetConfidence() == "" || f.GetClause() == "" {
			t.Errorf("%s has no clause or confidence", f.GetCode())
		}
	}
	if sum != got.Index {
		t.Errorf("contributions add up to %d, index %d", sum, got.Index)
	}
	s.Stopped = true
	if got := m.Evaluate(s); got.Floor != "" {
		t.Errorf("a floor whose expression does not hold: %s", got.Floor)
	}
}

// TestBadModels: each is refused with its line and reason (T4), and nothing else is complained of.
func TestBadModels(t *testing.T) {
	lineOf := func(doc, part string) int {
		i := strings.Index(doc, part)
		return 1 + strings.Count(doc[:i], "\n")
	}
	costly := "alarms > 1"
	for range 7 {
		costly = "(" + costly + ") && (" + costly + ")"
	}
	for _, c := range []struct {
		name, doc, at, reason string // at: what stands in the line that is named
	}{
		{"syntax", edit("bands: {", "bands: ["), "bands", ""},
		{"empty", "", "", "empty"},
		{"no mapping", "- 1", "- 1", "mapping"},
		{"two documents", string(shipped) + "\n---\nversion: x\n", "", "one document"},
		{"unknown field", edit("near: 0.10", "near: 0.10\nnearly: 0.10"), "nearly", "field nearly"},
		{"unknown field within", edit("margin: 5", "margin: 5, margins: 6"), "margins", "field margins"},
		{"unknown field of an input", edit("of: grade,", "of: grade, colour: 3,"), "colour", "field colour"},
		{"written twice", edit("near: 0.10", "near: 0.10\nnear: 0.2"), "near: 0.2", "already defined"},
		{"alias", edit("bands: {", "bands: &b {"), "&b", "anchors"},
		{"no number", edit("red: 75", "red: hot"), "red: hot", "hot"},
		{"not a number", edit("level1: 60", "level1: .nan"), ".nan", "not within 0 to 100"},
		{"bad duration", edit("half_life: 30m", "half_life: soon"), "soon", "no duration"},
		{"no half-life", edit("half_life: 30m", "half_life: 0s"), "half_life: 0s", "above 0"},
		{"version missing", edit("version: DUST-RISK-1.0", `version: ""`), `version: ""`, "version is missing"},
		{"section missing", edit("near: 0.10 ", "# "), "", "near is missing"},
		{"parts do not add up", edit("inherent: 0.35", "inherent: 0.45"), "inherent: 0.45", "add up to"},
		{"inherent weights", edit("weight: 25", "weight: 24"), "inherent:\n", "add up to 99"},
		{"management weights", edit("清扫完成率, weight: 25", "清扫完成率, weight: 26"), "management:  ", "add up to 101"},
		{"negative weight", edit("weight: 25", "weight: -25", "weight: 20", "weight: 70"), "weight: -25", "not within"},
		{"bands out of order", edit("red: 75", "red: 45"), "red: 45", "bands do not rise"},
		{"missing factor", edit("  - {code: M6,", "  - {code: M7, score: alarms,"), "management:  ", "M6 is missing"},
		{"factor twice", edit("code: H7", "code: H6"), "", "H6 is there twice"},
		{"factor without input", edit("      - {of: measures, codes: {none: 100, one: 50, several: 25, wet: 20}, unknown: 100}", "      []"), "code: H7", "inputs or a score"},
		{"unknown metric kind", edit("T01: 0.90", "T99: 0.90"), "T99", "unknown metric kind"},
		{"unknown kind of a floor", edit("kinds: [Q01]", "kinds: [Q99]"), "Q99", "unknown metric kind"},
		{"unknown kind while stopped", edit("stopped: [T01", "stopped: [T98"), "T98", "unknown metric kind"},
		{"criticality above 1", edit("T01: 0.90", "T01: 1.90"), "T01: 1.90", "not within 0 to 1"},
		{"unknown input", edit("of: grade", "of: colour"), "of: colour", "unknown input"},
		{"a code by steps", edit("of: grade, codes: {高: 100, 较高: 70, 一般: 40}", "of: grade, steps: [{upto: 1, score: 1}]"), "of: grade", "is a code"},
		{"steps that fall", edit("{upto: 20, score: 60}", "{upto: 40, score: 60}"), "upto: 40", "do not rise"},
		{"not monotonic", edit("{upto: 20, score: 60}", "{upto: 20, score: 90}"), "upto: 20, score: 90", "declared increasing"},
		{"score above 100", edit("beyond: 100", "beyond: 101"), "beyond: 101", "not within"},
		{"floor without level", edit("code: F2, level: red", "code: F2, level: blue"), "F2, level: blue", "no level above"},
		{"unknown floor", edit("code: F2,", "code: X2,"), "code: X2", "not known to the engine"},
		{"figure that is none", edit("params: {each: 50}", "params: {every: 50}"), "every: 50", "no figure every"},
		{"no source", edit("  scores: {source", "  near: {source", "  near: {source: 建议值, confidence: P}\n  hazards", "  hazards"), "scores: {near", "no source"},
		{"confidence that is none", edit("  near: {source: 建议值, confidence: P}", "  near: {source: 建议值, confidence: sure}"), "confidence: sure", "confidence"},
		{"source of nothing", edit("  near: {source", "  far: {source: x, confidence: P}\n  near: {source"), "far: {", "not in the document"},
		{"too large", string(shipped) + strings.Repeat("#", MaxDocument), "", "at most"},
	} {
		check(t, c.name, c.doc, c.reason, func() int {
			if c.at == "" {
				return -1
			}
			return lineOf(c.doc, c.at)
		}())
	}
	floor := func(when string) string {
		return edit(extended, fmt.Sprintf("  - {code: F9, level: orange, text: x, when: %q, clause: x, confidence: P}\n", when)+extended)
	}
	factor := func(score string) string {
		return edit("  - {code: M6, name: 隐患整改, weight: 5,", fmt.Sprintf("  - {code: M7, name: x, weight: 2, score: %q, clause: x, confidence: P}\n  - {code: M6, name: 隐患整改, weight: 3,", score))
	}
	for _, c := range []struct{ name, doc, at, reason string }{
		{"expression with a syntax error", floor("alarms >"), "code: F9", "column"},
		{"expression over nothing known", floor("alarmz > 1"), "code: F9", "alarmz is no input"},
		{"expression with a loop", floor("[1.0, 2.0].exists(x, x > alarms)"), "code: F9", ""},
		{"expression of the wrong type", floor("alarms + 1"), "code: F9", "true or false"},
		{"score that is no number", factor("alarms > 1"), "code: M7", "wanted number"},
		{"score over a text", factor("scale * 2"), "code: M7", "overload"},
		{"too costly", floor(costly), "code: F9", "at most"},
		{"too long", floor(strings.Repeat("alarms > 1 && ", 100) + "true"), "code: F9", "at most 1000"},
		{"declared and not so", strings.Replace(factor("50 - alarms"), "score: \"50 - alarms\"", "score: \"50 - alarms\", monotonic: {alarms: increasing}", 1), "code: M7", "declared increasing"},
		{"inherent that looks at alarms", edit("    inputs:\n      - {of: measures, codes: {none: 100, one: 50, several: 25, wet: 20}, unknown: 100}", "    score: alarms"), "score: alarms", "dynamic part"},
		{"second line of an expression", strings.Replace(extend(), "        (1 - cleaning_rate) * 100", "        (1 - cleaning_rates) * 100 )", 1), "cleaning_rates", "column"},
	} {
		check(t, c.name, c.doc, c.reason, lineOf(c.doc, c.at))
	}
}

func check(t *testing.T, name, doc, reason string, line int) {
	t.Run(name, func(t *testing.T) {
		m, err := Parse([]byte(doc))
		var problems Problems
		if m != nil || !errors.Is(err, ErrModel) || !errors.As(err, &problems) {
			t.Fatalf("taken: %v", err)
		}
		found := false
		for _, p := range problems {
			found = found || strings.Contains(p.Reason, reason) && (line < 0 || p.Line == line)
		}
		if !found {
			t.Errorf("got %v, wanted %q in line %d", problems, reason, line)
		}
	})
}

// TestEveryReasonAtOnce: whoever mends a document is not told one thing at a time.
func TestEveryReasonAtOnce(t *testing.T) {
	doc := edit("red: 75", "red: 45", "T01: 0.90", "T99: 0.90", "half_life: 30m", "half_life: soon", "near: 0.10", "nearly: 0.10", "of: grade", "of: colour", "weight: 25", "weight: 24")
	_, err := Parse([]byte(doc))
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	for _, want := range []string{"bands", "T99", "soon", "nearly", "colour", "99"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	for i, p := range problems {
		if i > 0 && p.Line < problems[i-1].Line {
			t.Errorf("not in order of lines: %v", problems)
		}
	}
}

// TestEveryNumberHasASource (F1.2): it is data, and shown with it.
func TestEveryNumberHasASource(t *testing.T) {
	numbers := Shipped().Numbers()
	if len(numbers) < 120 {
		t.Errorf("%d numbers", len(numbers))
	}
	for _, n := range numbers {
		if n.Confidence == "" || n.Source.Source == "" && n.Clause == "" || n.Line == 0 {
			t.Errorf("%+v", n)
		}
	}
	if s := Shipped().SourceOf("criticality.B01"); s.Clause == "" {
		t.Errorf("the longest path counts: %+v", s)
	}
}

func TestDemonstrationIsTheShippedModelWithOtherTimes(t *testing.T) {
	m, d := Shipped(), Demonstration()
	f1, _ := d.Floor("F1")
	if d.Version != "DUST-RISK-1.0+demo" || d.Memory.HalfLife.Seconds() != 20 || d.Fall.After.Seconds() != 5 || d.Fall.Dwell.Seconds() != 3 || f1.After.Minutes() != 1 || d.Bands != m.Bands {
		t.Errorf("%+v", d)
	}
}

// TestMonotonic: the index never moves against what a factor declares of an input (rapid over plants, for the shipped model and
// for one with expressions).
func TestMonotonic(t *testing.T) {
	more, err := Parse([]byte(extend()))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*Model{Shipped(), more} {
		rapid.Check(t, func(t *rapid.T) {
			s := draw(t)
			s.Figures = Figures{CleaningRate: rapid.Float64Range(0, 1).Draw(t, "rate"), Alarms24h: rapid.IntRange(0, 40).Draw(t, "alarms"), Scale: rapid.SampledFrom([]string{"micro", "large"}).Draw(t, "scale")}
			before := m.Evaluate(s)
			grow := rapid.Float64Range(0, 500).Draw(t, "more")
			what, up := rapid.SampledFrom([]string{"workers", "kst", "mie", "systems", "M", "alarms_24h", "cleaning_rate"}).Draw(t, "input"), 1
			switch what {
			case "workers":
				s.Workers += int32(grow)
			case "kst":
				s.Dusts[0].Kst += grow
			case "mie":
				s.Dusts[0].MIE, up = s.Dusts[0].MIE+grow, -1
			case "systems":
				s.Systems += int(grow)
			case "M":
				i := rapid.IntRange(0, 5).Draw(t, "factor")
				s.Management[i].Value = math.Min(100, s.Management[i].Value+grow)
			case "alarms_24h":
				s.Figures.Alarms24h += int(grow)
			default:
				s.Figures.CleaningRate, up = math.Min(1, s.Figures.CleaningRate+grow/500), -1
			}
			if after := m.Evaluate(s); (after.Index-before.Index)*int64(up) < 0 {
				t.Fatalf("%s: more of %s moves the index from %d to %d", m.Version, what, before.Index, after.Index)
			}
		})
	}
}

// TestJudgeIsEvaluate: what is judged without words is what is explained.
func TestJudgeIsEvaluate(t *testing.T) {
	m := Shipped()
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		s.Stopped = rapid.Bool().Draw(t, "stopped")
		a, b := m.Judge(s, m.H(s)), m.Evaluate(s)
		b.Factors, b.Systems = nil, nil
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("%+v, %+v", a, b)
		}
	})
}

// TestTables: every row of H1 to H7, at its bounds (domain 6.2).
func TestTables(t *testing.T) {
	m := Shipped()
	weight := map[string]float64{}
	for _, f := range m.Inherent {
		weight[f.Code] = f.Weight
	}
	nan := math.NaN()
	dust := func(grade, category string, mie, kst float64) func(*Snapshot) {
		return func(s *Snapshot) { s.Dusts = []Dust{{category, grade, mie, kst}} }
	}
	for _, c := range []struct {
		factor string
		set    func(*Snapshot)
		want   float64
	}{
		{"H1", dust("高", "", nan, nan), 100}, {"H1", dust("较高", "", nan, nan), 70}, {"H1", dust("一般", "", nan, nan), 40}, {"H1", dust("", "", nan, nan), 100},
		{"H1", dust("一般", "", nan, 20), 60}, {"H1", dust("一般", "", nan, 20.1), 85}, {"H1", dust("一般", "", nan, 30), 85}, {"H1", dust("一般", "", nan, 30.1), 100},
		{"H1", func(s *Snapshot) { s.Dusts = []Dust{{"4", "一般", nan, 1}, {"4", "较高", nan, nan}} }, 70},
		{"H2", dust("", "", 2.9, nan), 100}, {"H2", dust("", "", 3, nan), 85}, {"H2", dust("", "", 10, nan), 70}, {"H2", dust("", "", 29, nan), 70}, {"H2", dust("", "", 30, nan), 50},
		{"H2", dust("", "", 100, nan), 30}, {"H2", dust("", "", 1000, nan), 30}, {"H2", dust("", "", math.Nextafter(1000, 2000), nan), 15}, {"H2", dust("", "", nan, nan), 60},
		{"H3", func(s *Snapshot) { s.Workers = 9 }, 20}, {"H3", func(s *Snapshot) { s.Workers = 10 }, 45}, {"H3", func(s *Snapshot) { s.Workers = 29 }, 45},
		{"H3", func(s *Snapshot) { s.Workers = 30 }, 70}, {"H3", func(s *Snapshot) { s.Workers = 50 }, 85}, {"H3", func(s *Snapshot) { s.Workers = 99 }, 85}, {"H3", func(s *Snapshot) { s.Workers = 100 }, 100},
		{"H4", dust("", "1", nan, nan), 100}, {"H4", dust("", "3", nan, nan), 80}, {"H4", dust("", "2", nan, nan), 75}, {"H4", dust("", "7", nan, nan), 70},
		{"H4", dust("", "4", nan, nan), 60}, {"H4", dust("", "6", nan, nan), 55}, {"H4", dust("", "5", nan, nan), 50}, {"H4", dust("", "8", nan, nan), 60},
		{"H5", func(s *Snapshot) { s.Building = "multi_nonframe" }, 100}, {"H5", func(s *Snapshot) { s.Building = "multi_frame" }, 60}, {"H5", func(s *Snapshot) { s.Building = "single_heavy" }, 40},
		{"H5", func(s *Snapshot) { s.Building = "single_frame" }, 20}, {"H5", func(s *Snapshot) { s.Building = "unknown" }, 60}, {"H5", func(s *Snapshot) { s.Building = "" }, 60},
		{"H6", func(s *Snapshot) { s.Systems = 1 }, 30}, {"H6", func(s *Snapshot) { s.Systems = 2 }, 30}, {"H6", func(s *Snapshot) { s.Systems = 3 }, 50}, {"H6", func(s *Snapshot) { s.Systems = 5 }, 50},
		{"H6", func(s *Snapshot) { s.Systems = 6 }, 70}, {"H6", func(s *Snapshot) { s.Systems = 10 }, 70}, {"H6", func(s *Snapshot) { s.Systems = 11 }, 90},
		{"H7", func(s *Snapshot) { s.Measures = "none" }, 100}, {"H7", func(s *Snapshot) { s.Measures = "one" }, 50}, {"H7", func(s *Snapshot) { s.Measures = "several" }, 25}, {"H7", func(s *Snapshot) { s.Measures = "wet" }, 20},
	} {
		s := aluminium()
		c.set(s)
		for _, f := range m.Evaluate(s).Factors {
			if f.GetCode() == c.factor && (f.GetScoreMilli() != Milli(c.want) || f.GetWeightMilli() != Milli(0.35*weight[c.factor]/100)) {
				t.Errorf("%s of %+v: %d, wanted %v", c.factor, s, f.GetScoreMilli(), c.want)
			}
		}
	}
}

// TestStopped: while production is stopped only T01, S01, Q01 and B01 count (domain 6.2).
func TestStopped(t *testing.T) {
	m := Shipped()
	for kind, k := range m.Criticality {
		s := with(wood(), 0, Signal{Kind: kind, Score: 100})
		s.Stopped = true
		want := int64(0)
		switch kind {
		case "T01", "S01", "Q01", "B01":
			want = Milli(100 * k)
		}
		if got := m.Evaluate(s); got.Dynamic != want {
			t.Errorf("%s while stopped: D %d, wanted %d", kind, got.Dynamic, want)
		}
	}
}
