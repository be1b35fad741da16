package portal

import (
	"context"
	"strings"

	"dusthub/node/store"
	"dusthub/schema"
)

// HazardView is a major hidden danger (重大事故隐患) as lists show it.
type HazardView struct {
	Hazard         *schema.Hazard `json:"hazard"`
	Name           string         `json:"name" doc:"of its code"`
	Clause         string         `json:"clause" doc:"where the law says so"`
	EnterpriseName string         `json:"enterprise_name"`
	Region         string         `json:"region"`
	RegionName     string         `json:"region_name"`
	Origin         string         `json:"origin"`
}

type hazardsInput struct {
	Enterprise string `query:"enterprise"`
	Code       string `query:"code" doc:"MH01 to MH10; several with commas"`
	Open       string `query:"open" enum:"true,false"`
	Overdue    string `query:"overdue" enum:"true,false"`
	Region     string `query:"region" maxLength:"6" doc:"GB/T 2260"`
	From       int64  `query:"from" doc:"found from then on, ms"`
	To         int64  `query:"to"`
	After      string `query:"after"`
	Limit      int    `query:"limit" minimum:"0" doc:"at most 1000"`
}

// plantHazards is the index of a plant's hidden dangers.
const plantHazards = "enterprise,found"

func hazardFound(r schema.Record) int64 { return r.(*schema.Hazard).GetFound() }

func (s *Server) hazards(ctx context.Context, v *viewer, in *hazardsInput) (*Page[*HazardView], error) {
	codes := hazardCodes()
	if in.Code != "" {
		codes = strings.Split(in.Code, ",")
	}
	region, sees := v.within(in.Region)
	if !sees {
		return &Page[*HazardView]{Items: []*HazardView{}}, nil
	}
	var queries []store.Query
	enterprise := only(v, in.Enterprise)
	if e := enterprise; e != "" {
		queries = append(queries, store.Query{Type: typeHazard, Index: plantHazards, Prefix: []string{e}, From: in.From, To: in.To})
	} else {
		for _, c := range codes {
			queries = append(queries, store.Query{Type: typeHazard, Index: "code,found", Prefix: []string{c}, From: in.From, To: in.To})
		}
	}
	wanted := map[string]bool{}
	for _, c := range codes {
		wanted[c] = true
	}
	stage := ""
	if in.Open == yes {
		stage = open
	}
	rows, next, err := s.list(ctx, newest{
		queries: queries, time: hazardFound, after: in.After, limit: in.Limit, byPlant: plantHazards,
		recent: recentOf(typeHazard, v, region, enterprise != "", stage, nil),
		keep: func(r store.Row) bool {
			h := r.Record.(*schema.Hazard)
			return wanted[h.GetCode()] && asked(in.Open, h.GetClosed() == 0) && asked(in.Overdue, h.GetOverdue()) && s.seesIn(v, h.GetEnterprise(), region)
		},
	})
	if err != nil {
		return nil, err
	}
	return pageOf(rows, next, s.hazardView), nil
}

func (s *Server) hazardView(r store.Row) *HazardView {
	h := r.Record.(*schema.Hazard)
	region, _ := s.world.regionOf(h.GetEnterprise())
	view := &HazardView{
		Hazard: h, Name: schema.CodeName("hazard", h.GetCode()), EnterpriseName: s.world.nameOf(h.GetEnterprise()), Region: region,
		RegionName: schema.RegionName(region), Origin: r.Origin,
	}
	if t, ok := schema.Table("hazard"); ok {
		for _, c := range t.GetCodes() {
			if c.GetCode() == h.GetCode() {
				view.Clause = c.GetSource()
			}
		}
	}
	return view
}

func hazardCodes() []string {
	var out []string
	if t, ok := schema.Table("hazard"); ok {
		for _, c := range t.GetCodes() {
			out = append(out, c.GetCode())
		}
	}
	return out
}

func (d *door) hazardRoutes() { handle(d, "hazards", d.s.hazards) }
