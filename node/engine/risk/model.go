// Package risk judges a plant by a model document: a pure function from a snapshot of inputs to a level, an index and
// its composition. It knows no clock and keeps nothing.
package risk

import (
	_ "embed"
	"fmt"
	"strings"
	"time"

	"dusthub/schema"

	"go.yaml.in/yaml/v3"
)

//go:embed dust-risk-1.0.yaml
var shipped []byte

// Model is a risk model document, checked. It is not changed after Parse.
type Model struct {
	Version string `yaml:"version"`
	Title   string
	Weights struct{ Inherent, Dynamic, Management float64 }
	Bands   struct{ Red, Orange, Yellow float64 } // lower bounds of R
	Fall    Fall
	Memory  struct {
		HalfLife Duration `yaml:"half_life"`
	} `yaml:"memory"`
	Blend    struct{ Worst, Mean float64 }
	Cadence  Cadence
	Inherent []Factor
	// Criticality of a signal's kind, 0..1; LINK is the connection itself.
	Criticality map[string]float64
	Scores      struct{ Near, Level1, Level2, Fault, Offline float64 }
	Near        float64 // share of the first limit within which a value counts as near it
	Stopped     []string
	// Dynamic are further factors of D, of the plant as a whole: each is one more signal, of its own criticality.
	Dynamic    []Factor
	Management []Factor
	Floors     []Floor
	Hazards    Hazards
	Warn       Warn
	Feedback   map[string]Duration // by level: until when a warning must be fed back
	Receivers  map[string][]string
	// Sources say where numbers come from, by the beginning of their path, such as "weights" or "inherent.H1.inputs.kst".
	Sources map[string]Source

	document []byte
	numbers  []Number
	params   map[string]map[string]float64 // of management factors, with defaults
}

// Source says where something comes from, and how far it can be trusted: F found in a public source, GK-hi, GK-med and
// GK-low general knowledge, P proposed, D derived.
type Source struct{ Source, Clause, Confidence string }

// Number is one number of a document with its path and where it comes from.
type Number struct {
	Path string
	Text string // as the document has it
	Line int
	Source
}

// Fall is how a level comes down: one at a time, when the index was below the band by the margin, and no floor held, for After; and not before Dwell.
type Fall struct {
	Margin float64
	After  Duration
	Dwell  Duration
}

// Cadence is how often a plant is judged though nothing happened, and when a judgement is kept.
type Cadence struct {
	Sweep    Duration
	Snapshot Duration
	Change   float64 // of the index
}

// Hazards are the figures by which major hidden dangers are found and dealt with.
type Hazards struct {
	Due        Duration // from found until it must be gone
	Completion float64  // MH10: cleaning done below this share counts as not implemented
	Slots      int      // when so many were due
}

// Warn says which rise of the level makes a warning.
type Warn struct {
	MinJump int `yaml:"min_jump"` // levels
}

// Factor is one weighted factor. Its score is the largest of its inputs', or its expression's; M1 to M6 are scored by
// the engine when they have neither.
type Factor struct {
	Code, Name  string
	Weight      float64 // of inherent and management factors, of 100
	Criticality float64 // of dynamic factors, 0..1
	Clause      string
	Source      string
	Confidence  string
	Inputs      []Input
	// When and Score are expressions over the variables of Variables; a factor whose When does not hold scores 0. Unknown is
	// the score where Score cannot be told.
	When, Score string
	Unknown     float64
	// Monotonic says of variables of Score how the score moves with them: increasing, decreasing or none.
	Monotonic map[string]string
	Params    map[string]float64

	when, score *program
	builtin     int // index of the management score, -1: none
}

// Input makes a score of one input: by code, or by steps of a number.
type Input struct {
	Of        string
	Monotonic string // how the score moves with a number: increasing, decreasing or none
	Codes     map[string]float64
	Steps     []Step
	Beyond    float64
	Unknown   float64
}

// Step gives a score to numbers below, or up to and including, a bound.
type Step struct {
	Below *float64
	Upto  *float64
	Score float64
}

func (s Step) bound() float64 {
	switch {
	case s.Below != nil:
		return *s.Below
	case s.Upto != nil:
		return *s.Upto
	}
	return 0
}

// Floor is a rule below which the level may not lie, whatever the index says. F1 to F8 are known to the engine; any floor
// may say by an expression when it holds instead.
type Floor struct {
	Code, Level, Text, Clause, Source, Confidence string
	After                                         Duration
	Kinds                                         []string // of metrics it looks at
	Shifts                                        int      // F8
	Graver                                        *Graver
	When                                          string

	when *program
}

// Graver is the level a floor rises to: after a time (F7), or when a deadline has passed (F6).
type Graver struct {
	Level string
	After Duration
}

// Duration is a time.Duration written "30m".
type Duration struct{ time.Duration }

// Ms is the duration in ms.
func (d Duration) Ms() int64 { return d.Milliseconds() }

// UnmarshalYAML reads "30m".
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil || v < 0 {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %q is no duration such as 30m", n.Line, n.Value)}}
	}
	d.Duration = v
	return nil
}

// Shipped is DUST-RISK-1.0.
func Shipped() *Model {
	m, err := Parse(shipped)
	if err != nil {
		panic(fmt.Sprintf("risk: the shipped model: %v", err)) // part of the program, tested
	}
	return m
}

// Demonstration is the shipped model with its times shortened, so that what takes half an hour is seen within seconds.
// Its version says so.
func Demonstration() *Model {
	m, err := Parse([]byte(strings.NewReplacer(
		"version: DUST-RISK-1.0", "version: DUST-RISK-1.0+demo",
		"after: 30m, dwell: 10m", "after: 5s, dwell: 3s",
		"half_life: 30m", "half_life: 20s",
		"after: 10m, kinds:", "after: 1m, kinds:",
	).Replace(string(shipped))))
	if err != nil {
		panic(fmt.Sprintf("risk: the demonstration's model: %v", err)) // part of the program, tested
	}
	return m
}

// Document is the text the model was read from. It must not be changed.
func (m *Model) Document() []byte { return m.document }

// Numbers are all numbers of the document in its order, each with where it comes from.
func (m *Model) Numbers() []Number { return m.numbers }

// SourceOf is where the number or section at a path comes from: what the document says of the longest beginning of the path.
func (m *Model) SourceOf(path string) Source {
	for {
		if s, ok := m.Sources[path]; ok {
			return s
		}
		i := strings.LastIndexByte(path, '.')
		if i < 0 {
			return Source{}
		}
		path = path[:i]
	}
}

// Param is a figure of a management factor, such as Param("M2", "level1").
func (m *Model) Param(factor, name string) float64 { return m.params[factor][name] }

// Link is the pseudo-kind of the connection to a gateway.
const Link = "LINK"

// Rank orders levels: blue 0, yellow 1, orange 2, red 3.
func Rank(level string) int {
	switch level {
	case schema.Red:
		return 3
	case schema.Orange:
		return 2
	case schema.Yellow:
		return 1
	}
	return 0
}

// Level is the level of a rank.
func Level(rank int) string {
	return [...]string{schema.Blue, schema.Yellow, schema.Orange, schema.Red}[max(0, min(3, rank))]
}

// Band is the level an index lies in, without floors and hysteresis.
func (m *Model) Band(r float64) string {
	switch {
	case r >= m.Bands.Red:
		return schema.Red
	case r >= m.Bands.Orange:
		return schema.Orange
	case r >= m.Bands.Yellow:
		return schema.Yellow
	}
	return schema.Blue
}

// LowerBound is the index at which a level begins.
func (m *Model) LowerBound(level string) float64 {
	switch level {
	case schema.Red:
		return m.Bands.Red
	case schema.Orange:
		return m.Bands.Orange
	case schema.Yellow:
		return m.Bands.Yellow
	}
	return 0
}

// Floor is the rule of that code; false when the model has none.
func (m *Model) Floor(code string) (Floor, bool) {
	for i := range m.Floors {
		if m.Floors[i].Code == code {
			return m.Floors[i], true
		}
	}
	return Floor{}, false
}

// Expressive says whether the model computes anything by expressions, so that a snapshot needs Figures.
func (m *Model) Expressive() bool {
	for _, list := range [][]Factor{m.Dynamic, m.Management} {
		for i := range list {
			if list[i].when != nil || list[i].score != nil {
				return true
			}
		}
	}
	for i := range m.Floors {
		if m.Floors[i].when != nil {
			return true
		}
	}
	return false
}
