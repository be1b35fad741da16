// Package risk judges a plant by a model document: a pure function from a snapshot of inputs to a level, an index and
// its composition. It knows no clock and keeps nothing.
package risk

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"dusthub/schema"

	"go.yaml.in/yaml/v3"
)

//go:embed dust-risk-1.0.yaml
var shipped []byte

// Model is a risk model document, checked.
type Model struct {
	Version string `yaml:"version"`
	Weights struct{ Inherent, Dynamic, Management float64 }
	Bands   struct{ Red, Orange, Yellow float64 } // lower bounds of R
	Fall    Fall
	Memory  struct {
		HalfLife Duration `yaml:"half_life"`
	} `yaml:"memory"`
	Blend    struct{ Worst, Mean float64 }
	Inherent []Factor
	// Criticality of a signal's kind, 0..1; LINK is the connection itself.
	Criticality map[string]float64
	Scores      struct{ Near, Level1, Level2, Fault, Offline float64 }
	Near        float64 // share of the first limit within which a value counts as near it
	Stopped     []string
	Management  []Factor
	Floors      []Floor
	Feedback    map[string]Duration // by level: until when a warning must be fed back
	Receivers   map[string][]string
}

// Fall is how a level comes down: one at a time, when the index was below the band by the margin, and no floor held, for After; and not before Dwell.
type Fall struct {
	Margin float64
	After  Duration
	Dwell  Duration
}

// Factor is one weighted factor; its score is the largest of its inputs'.
type Factor struct {
	Code, Name string
	Weight     float64
	Clause     string
	Confidence string
	Inputs     []Input
}

// Input makes a score of one input: by code, or by steps of a number.
type Input struct {
	Of      string
	Codes   map[string]float64
	Steps   []Step
	Beyond  float64
	Unknown float64
}

// Step gives a score to numbers below, or up to and including, a bound.
type Step struct {
	Below *float64
	Upto  *float64
	Score float64
}

// Floor is a rule below which the level may not lie, whatever the index says.
type Floor struct {
	Code, Level, Text, Clause string
	After                     Duration
}

// Duration is a time.Duration written "30m".
type Duration struct{ time.Duration }

// Ms is the duration in ms.
func (d Duration) Ms() int64 { return d.Milliseconds() }

// UnmarshalYAML reads "30m".
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil || v < 0 {
		return fmt.Errorf("line %d: %q is no duration such as 30m", n.Line, n.Value)
	}
	d.Duration = v
	return nil
}

// ErrModel says that a document is not a model; the error names line and reason.
var ErrModel = errors.New("risk: bad model")

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
	m := Shipped()
	m.Version += "+demo"
	m.Memory.HalfLife.Duration = 20 * time.Second
	m.Fall.After.Duration, m.Fall.Dwell.Duration = 5*time.Second, 3*time.Second
	for i := range m.Floors {
		if m.Floors[i].Code == "F1" {
			m.Floors[i].After.Duration = time.Minute
		}
	}
	return m
}

// Parse reads and checks a model document. Errors: ErrModel with line and reason.
func Parse(document []byte) (*Model, error) {
	m := &Model{}
	d := yaml.NewDecoder(bytes.NewReader(document))
	d.KnownFields(true)
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	if bad := m.check(); len(bad) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrModel, strings.Join(bad, "; "))
	}
	return m, nil
}

func (m *Model) check() []string {
	var bad []string
	need := func(ok bool, format string, args ...any) {
		if !ok {
			bad = append(bad, fmt.Sprintf(format, args...))
		}
	}
	const tolerance = 1e-9
	need(m.Version != "", "version is missing")
	need(math.Abs(m.Weights.Inherent+m.Weights.Dynamic+m.Weights.Management-1) < tolerance, "weights do not add up to 1")
	need(math.Abs(m.Blend.Worst+m.Blend.Mean-1) < tolerance, "blend does not add up to 1")
	need(m.Bands.Yellow < m.Bands.Orange && m.Bands.Orange < m.Bands.Red && m.Bands.Yellow > 0 && m.Bands.Red <= 100, "bands do not rise within 0 to 100")
	need(m.Memory.HalfLife.Duration > 0, "memory.half_life must be above 0")
	for name, list := range map[string][]Factor{"inherent": m.Inherent, "management": m.Management} {
		sum := 0.0
		for _, f := range list {
			sum += f.Weight
			need(f.Weight >= 0 && f.Code != "", "%s factor %q has no code or a negative weight", name, f.Code)
			need(name == "management" || len(f.Inputs) > 0, "factor %s has no input", f.Code)
			for _, in := range f.Inputs {
				need(inherentInputs[in.Of], "factor %s: unknown input %q", f.Code, in.Of)
				need(len(in.Codes) > 0 != (len(in.Steps) > 0), "factor %s: input %s needs codes or steps", f.Code, in.Of)
				for _, s := range in.Steps {
					need((s.Below == nil) != (s.Upto == nil), "factor %s: a step of %s needs below or upto", f.Code, in.Of)
				}
			}
		}
		need(math.Abs(sum-100) < tolerance, "%s weights add up to %v, not 100", name, sum)
	}
	for i, f := range m.Management {
		need(i < len(managementCodes) && f.Code == managementCodes[i], "management factors must be %v in order", managementCodes)
	}
	need(len(m.Management) == len(managementCodes), "management factors must be %v in order", managementCodes)
	for kind, k := range m.Criticality {
		_, known := schema.MetricKind(kind)
		need(known || kind == Link, "criticality of unknown metric kind %q", kind)
		need(k >= 0 && k <= 1, "criticality of %s is not within 0 to 1", kind)
	}
	for _, f := range m.Floors {
		need(Rank(f.Level) > 0, "floor %s has no level above blue", f.Code)
	}
	return bad
}

// Link is the pseudo-kind of the connection to a gateway.
const Link = "LINK"

var (
	managementCodes = []string{"M1", "M2", "M3", "M4", "M5", "M6"}
	inherentInputs  = map[string]bool{"grade": true, "kst": true, "mie": true, "workers": true, "category": true, "building": true, "systems": true, "measures": true}
)

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
	for _, f := range m.Floors {
		if f.Code == code {
			return f, true
		}
	}
	return Floor{}, false
}
