package portal

import (
	"context"

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

func (s *Server) model(context.Context, *viewer, *none) (*ModelView, error) {
	return modelView(s.opt.Model()), nil
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

func (in *evaluateInput) snapshot() *risk.Snapshot {
	b := in.Body
	snap := &risk.Snapshot{Workers: b.Workers, Building: b.Building, Systems: b.Systems, Measures: b.Measures, Stopped: b.Stopped}
	for _, code := range b.Dusts {
		snap.Dusts = append(snap.Dusts, risk.DustOf(&schema.Dust{Dust: code}))
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
