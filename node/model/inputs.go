package model

import (
	"fmt"
	"math"

	"dusthub/node/engine/risk"
	"dusthub/schema"
)

// Inputs are what a plant is judged by, as a caller gives them.
type Inputs struct {
	Dusts      []string       `json:"dusts,omitempty" maxItems:"20" doc:"table dust"`
	Workers    int32          `json:"workers,omitempty" minimum:"0"`
	Building   string         `json:"building,omitempty" doc:"table building"`
	Systems    int            `json:"systems,omitempty" minimum:"0"`
	Measures   string         `json:"measures,omitempty" enum:"none,one,several,wet"`
	Signals    [][]Signal     `json:"signals,omitempty" maxItems:"50" doc:"by dust removal system"`
	Management []float64      `json:"management,omitempty" maxItems:"6" doc:"scores of M1 to M6, 0 to 100"`
	Floors     []string       `json:"floors,omitempty" maxItems:"20" doc:"floors that hold"`
	Stopped    bool           `json:"stopped,omitempty"`
	Variables  map[string]any `json:"variables,omitempty" doc:"further inputs by the name expressions know them by; they go over the others"`
}

// Signal is the state of one kind of metric.
type Signal struct {
	Kind  string  `json:"kind"`
	Score float64 `json:"score" minimum:"0" maximum:"100"`
}

// Most of what one plant may have.
const (
	mostDusts   = 20
	mostSystems = 50
	mostSignals = 200
	mostFloors  = 20
)

// snapshot is what the model looks at. It says everything that is wrong with the inputs.
func (in *Inputs) snapshot() (*risk.Snapshot, error) {
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	if len(in.Dusts) > mostDusts || len(in.Signals) > mostSystems || len(in.Floors) > mostFloors {
		say("at most %d dusts, %d systems, %d floors", mostDusts, mostSystems, mostFloors)
		return nil, &InputError{said}
	}
	s := &risk.Snapshot{Workers: in.Workers, Building: in.Building, Systems: in.Systems, Measures: in.Measures, Stopped: in.Stopped}
	for _, code := range in.Dusts {
		if _, ok := schema.DustOf(code); !ok {
			say("dusts: %q is not in the code table dust", code)
		}
		s.Dusts = append(s.Dusts, risk.DustOf(&schema.Dust{Dust: code}))
	}
	for i, system := range in.Signals {
		s.Signals = append(s.Signals, signals(i, system, say))
	}
	if len(in.Management) > len(s.Management) {
		say("management: at most %d scores", len(s.Management))
	}
	for i, v := range in.Management[:min(len(in.Management), len(s.Management))] {
		if !score(v) {
			say("management[%d]: %v, wanted 0 to 100", i, v)
		}
		s.Management[i].Value = v
	}
	for _, code := range in.Floors {
		s.Floors = append(s.Floors, risk.Held{Code: code})
	}
	if in.Workers < 0 || in.Systems < 0 {
		say("workers, systems: must not be negative")
	}
	s, refused := s.Changed(in.Variables)
	if said = append(said, refused...); len(said) > 0 {
		return nil, &InputError{said}
	}
	return s, nil
}

func signals(system int, list []Signal, say func(string, ...any)) []risk.Signal {
	if len(list) > mostSignals {
		say("signals[%d]: at most %d", system, mostSignals)
		return nil
	}
	var out []risk.Signal
	for k, sg := range list {
		if _, ok := schema.MetricKind(sg.Kind); !ok && sg.Kind != risk.Link {
			say("signals[%d][%d].kind: %q is not in the code table metric", system, k, sg.Kind)
		}
		if !score(sg.Score) {
			say("signals[%d][%d].score: %v, wanted 0 to 100", system, k, sg.Score)
		}
		out = append(out, risk.Signal{Kind: sg.Kind, Score: sg.Score})
	}
	return out
}

func score(v float64) bool { return !math.IsNaN(v) && v >= 0 && v <= 100 }

// Judgement is what a model makes of a plant's inputs.
type Judgement struct {
	Model           string           `json:"model"`
	Level           string           `json:"level" table:"level" doc:"with floors; a plant's own level comes down more slowly"`
	Band            string           `json:"band" table:"level" doc:"by the index alone"`
	Floor           string           `json:"floor,omitempty"`
	IndexMilli      int64            `json:"index_milli"`
	InherentMilli   int64            `json:"inherent_milli"`
	DynamicMilli    int64            `json:"dynamic_milli"`
	ManagementMilli int64            `json:"management_milli"`
	Factors         []*schema.Factor `json:"factors,omitempty" doc:"their contributions add up to the index"`
}

func resultOf(m *risk.Model, s *risk.Snapshot) *Judgement {
	r := m.Evaluate(s)
	return &Judgement{
		Model: m.Version, Level: r.Level, Band: r.Band, Floor: r.Floor, IndexMilli: r.Index, InherentMilli: r.Inherent, DynamicMilli: r.Dynamic,
		ManagementMilli: r.Management, Factors: r.Factors,
	}
}
