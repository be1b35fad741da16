package portal

import (
	"context"
	"math"

	"dusthub/node/engine/risk"
	"dusthub/schema"
)

type nameInput struct {
	Name string `path:"name" maxLength:"50"`
}

// table is a code table: the site's own where it has one, the shipped one otherwise.
func (s *Server) table(_ context.Context, _ *viewer, in *nameInput) (*schema.CodeTable, error) {
	row, ok, err := s.opt.Backend.Store().Get("CodeTable", in.Name)
	if err != nil {
		return nil, err
	}
	if ok {
		return row.Record.(*schema.CodeTable), nil
	}
	if t, ok := schema.Table(in.Name); ok {
		return t, nil
	}
	return nil, notFound("code table", in.Name)
}

func dictionary(context.Context, *viewer, *none) ([]schema.DictionaryEntry, error) {
	types := schema.Types()
	out := make([]schema.DictionaryEntry, 0, len(types))
	for _, t := range types {
		out = append(out, schema.Dictionary(t))
	}
	return out, nil
}

// ModelView is the risk model in force, as people read it.
type ModelView struct {
	Version     string              `json:"version"`
	Weights     ModelWeights        `json:"weights"`
	Bands       ModelBands          `json:"bands"`
	Inherent    []FactorView        `json:"inherent"`
	Management  []FactorView        `json:"management"`
	Criticality map[string]float64  `json:"criticality" doc:"by metric kind"`
	Floors      []FloorView         `json:"floors"`
	FeedbackS   map[string]float64  `json:"feedback_s" doc:"by level: until when a warning must be fed back"`
	Receivers   map[string][]string `json:"receivers"`
}

// ModelWeights are the weights of the three parts of the index.
type ModelWeights struct {
	Inherent   float64 `json:"inherent"`
	Dynamic    float64 `json:"dynamic"`
	Management float64 `json:"management"`
}

// ModelBands are the indexes from which on a level holds.
type ModelBands struct {
	Red    float64 `json:"red"`
	Orange float64 `json:"orange"`
	Yellow float64 `json:"yellow"`
}

// FactorView is a weighted factor.
type FactorView struct {
	Code       string  `json:"code"`
	Name       string  `json:"name"`
	Weight     float64 `json:"weight"`
	Clause     string  `json:"clause,omitempty"`
	Confidence string  `json:"confidence,omitempty"`
}

// FloorView is a rule below which a level may not lie.
type FloorView struct {
	Code   string  `json:"code"`
	Level  string  `json:"level"`
	Text   string  `json:"text"`
	Clause string  `json:"clause,omitempty"`
	AfterS float64 `json:"after_s"`
}

func factorViews(list []risk.Factor) []FactorView {
	out := make([]FactorView, 0, len(list))
	for _, f := range list {
		out = append(out, FactorView{f.Code, f.Name, f.Weight, f.Clause, f.Confidence})
	}
	return out
}

func (s *Server) model(context.Context, *viewer, *none) (*ModelView, error) {
	m := s.opt.Model()
	out := &ModelView{
		Version: m.Version, Weights: ModelWeights(m.Weights), Bands: ModelBands(m.Bands), Inherent: factorViews(m.Inherent), Management: factorViews(m.Management),
		Criticality: m.Criticality, Floors: []FloorView{}, FeedbackS: map[string]float64{}, Receivers: m.Receivers,
	}
	for _, f := range m.Floors {
		out.Floors = append(out.Floors, FloorView{f.Code, f.Level, f.Text, f.Clause, f.After.Seconds()})
	}
	for level, d := range m.Feedback {
		out.FeedbackS[level] = d.Seconds()
	}
	return out, nil
}

type evaluateInput struct {
	Body struct {
		Dusts      []string        `json:"dusts,omitempty" maxItems:"20" doc:"table dust"`
		Workers    int32           `json:"workers,omitempty" minimum:"0"`
		Building   string          `json:"building,omitempty" doc:"table building"`
		Systems    int             `json:"systems,omitempty" minimum:"0"`
		Measures   string          `json:"measures,omitempty" enum:"none,one,several,wet"`
		Signals    [][]SignalInput `json:"signals,omitempty" maxItems:"50" doc:"by dust removal system"`
		Management []float64       `json:"management,omitempty" maxItems:"6" doc:"scores of M1 to M6, 0 to 100"`
		Floors     []string        `json:"floors,omitempty" maxItems:"20" doc:"floors that hold"`
		Stopped    bool            `json:"stopped,omitempty"`
	}
}

// SignalInput is the state of one kind of metric.
type SignalInput struct {
	Kind  string  `json:"kind"`
	Score float64 `json:"score" minimum:"0" maximum:"100"`
}

// Judgement is what the model makes of given inputs.
type Judgement struct {
	Model           string           `json:"model"`
	Level           string           `json:"level"`
	Band            string           `json:"band" doc:"by the index alone"`
	Floor           string           `json:"floor,omitempty"`
	IndexMilli      int64            `json:"index_milli"`
	InherentMilli   int64            `json:"inherent_milli"`
	DynamicMilli    int64            `json:"dynamic_milli"`
	ManagementMilli int64            `json:"management_milli"`
	Factors         []*schema.Factor `json:"factors"`
}

func known(m schema.Measure) float64 {
	if m.Known {
		return m.Value
	}
	return math.NaN()
}

func (in *evaluateInput) snapshot() *risk.Snapshot {
	b := in.Body
	snap := &risk.Snapshot{Workers: b.Workers, Building: b.Building, Systems: b.Systems, Measures: b.Measures, Stopped: b.Stopped}
	for _, code := range b.Dusts {
		if d, ok := schema.DustOf(code); ok {
			snap.Dusts = append(snap.Dusts, risk.Dust{Category: d.Category, Grade: d.Grade, MIE: known(d.MIE), Kst: known(d.Kst)})
		}
	}
	for _, system := range b.Signals {
		var list []risk.Signal
		for _, sg := range system {
			list = append(list, risk.Signal{Kind: sg.Kind, Score: sg.Score})
		}
		snap.Signals = append(snap.Signals, list)
	}
	for i, v := range b.Management {
		snap.Management[i].Value = v
	}
	for _, code := range b.Floors {
		snap.Floors = append(snap.Floors, risk.Held{Code: code})
	}
	return snap
}

func (s *Server) evaluate(_ context.Context, _ *viewer, in *evaluateInput) (*Judgement, error) {
	m := s.opt.Model()
	r := m.Evaluate(in.snapshot())
	return &Judgement{
		Model: m.Version, Level: r.Level, Band: r.Band, Floor: r.Floor, IndexMilli: r.Index, InherentMilli: r.Inherent, DynamicMilli: r.Dynamic,
		ManagementMilli: r.Management, Factors: r.Factors,
	}, nil
}

func (d *door) schemaRoutes() {
	s := d.s
	handle(d, "tables", func(context.Context, *viewer, *none) ([]string, error) { return schema.Tables(), nil })
	handle(d, "table", s.table)
	handle(d, "dictionary", dictionary)
	handle(d, "model", s.model)
	handle(d, "model-evaluate", s.evaluate)
}
