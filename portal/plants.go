package portal

import (
	"context"
	"fmt"
	"strings"

	"dusthub/node/engine/risk"
	"dusthub/node/store"
	"dusthub/schema"
)

// EnterpriseView is a plant as a list shows it.
type EnterpriseView struct {
	Enterprise   *schema.Enterprise `json:"enterprise"`
	RegionName   string             `json:"region_name"`
	IndustryName string             `json:"industry_name"`
	Level        string             `json:"level,omitempty" table:"level" doc:"absent when never judged"`
	IndexMilli   int64              `json:"index_milli"`
	Online       bool               `json:"online"`
	AlarmsOpen   int                `json:"alarms_open"`
	WarningsOpen int                `json:"warnings_open"`
	Origin       string             `json:"origin"`
	DustNames    []string           `json:"dust_names,omitempty"`
	Collectors   int                `json:"collectors"`
}

func (w *world) enterpriseView(p *plantState) *EnterpriseView {
	e := p.enterprise
	v := &EnterpriseView{
		Enterprise: e, RegionName: w.tables.RegionName(e.GetRegion()), IndustryName: w.tables.Name("industry", e.GetIndustry()), Level: p.level(),
		IndexMilli: p.risk.GetIndexMilli(), Online: p.online(), AlarmsOpen: p.alarmsOpen, WarningsOpen: p.warningsOpen, Origin: p.origin,
		DustNames: []string{}, Collectors: p.collectors,
	}
	for _, d := range e.GetDusts() {
		v.DustNames = append(v.DustNames, schema.CodeName("dust", d.GetDust()))
	}
	return v
}

// graver orders plants as a regulator looks at them: by level, index, workers exposed to dust, and code.
func graver(a, b *plantState) int {
	x, _ := standingOf(a)
	y, _ := standingOf(b)
	return x.compare(y)
}

// levelRank puts plants that were never judged below blue ones.
func levelRank(p *plantState) int {
	if p.risk == nil {
		return -1
	}
	return risk.Rank(p.level())
}

type enterprisesInput struct {
	Region         string `query:"region" maxLength:"700" doc:"GB/T 2260; several with commas"`
	Level          string `query:"level" doc:"red, orange, yellow, blue, none (never judged); several with commas"`
	Q              string `query:"q" maxLength:"100" doc:"part of the name, the code or the unified social credit code"`
	Dust           string `query:"dust" maxLength:"200" doc:"table dust; several with commas"`
	DustCategory   string `query:"dust_category" maxLength:"200" doc:"table dust_category; several with commas"`
	Online         string `query:"online" enum:"true,false"`
	Industry       string `query:"industry" maxLength:"200" doc:"table industry or mem_industry, or the beginning of an industry's code; several with commas"`
	Scale          string `query:"scale" maxLength:"100" doc:"table scale; several with commas"`
	Production     string `query:"production" maxLength:"100" doc:"table production_state; several with commas"`
	Access         string `query:"access" maxLength:"100" doc:"table access_state; several with commas"`
	MinWorkers     int32  `query:"min_workers" minimum:"0" doc:"at least so many exposed to dust"`
	MaxWorkers     int32  `query:"max_workers" minimum:"-1" maximum:"1000000" default:"-1" doc:"at most so many exposed to dust; -1 is any number"`
	Alarm          string `query:"alarm" enum:"true,false" doc:"has open alarms"`
	AlarmLevel     int32  `query:"alarm_level" minimum:"0" maximum:"2" doc:"has open alarms of this level"`
	AlarmOverdue   string `query:"alarm_overdue" enum:"true,false" doc:"has open alarms past a deadline"`
	Warning        string `query:"warning" enum:"true,false" doc:"has open warnings"`
	WarningOverdue string `query:"warning_overdue" enum:"true,false" doc:"has open warnings past their deadline"`
	After          string `query:"after" doc:"code of the last plant of the page before"`
	Limit          int    `query:"limit" minimum:"0" doc:"at most 1000"`
}

func asked(want string, is bool) bool { return want == "" || (want == "true") == is }

// EnterprisePage is a page of plants with how many there are in all.
type EnterprisePage struct {
	Items []*EnterpriseView `json:"items" nullable:"false"`
	Next  string            `json:"next,omitempty"`
	Total int               `json:"total"`
	About bool              `json:"about,omitempty" doc:"total is a bound: a long text was not looked for in all plants that may have it"`
}

// enterprises lists plants by the dimensions of clause F2.4 (search.go).
func (s *Server) enterprises(ctx context.Context, v *viewer, in *enterprisesInput) (*EnterprisePage, error) {
	limit := pageSize(in.Limit)
	page := &EnterprisePage{Items: []*EnterpriseView{}}
	s.world.view(func() {
		if ctx.Err() != nil { // whoever waited too long for the world gets nothing computed
			return
		}
		var list []*plantState
		list, page.Total, page.About = s.world.search(in, v.area(), limit+1)
		if len(list) > limit {
			list = list[:limit]
			page.Next = list[limit-1].enterprise.GetCode()
		}
		for _, p := range list {
			page.Items = append(page.Items, s.world.enterpriseView(p))
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("list enterprises: %w", err)
	}
	return page, nil
}

// PlantView is everything of one plant on one screen.
type PlantView struct {
	Enterprise *schema.Enterprise       `json:"enterprise"`
	RegionName string                   `json:"region_name"`
	Origin     string                   `json:"origin"`
	Online     bool                     `json:"online"`
	Gateways   []GatewayView            `json:"gateways,omitempty"`
	Workshops  []*schema.Workshop       `json:"workshops,omitempty"`
	Systems    []SystemView             `json:"systems,omitempty"`
	Alarms     []*AlarmView             `json:"alarms,omitempty" doc:"open ones"`
	Warnings   []*WarningView           `json:"warnings,omitempty" doc:"open ones"`
	Risk       Maybe[schema.RiskResult] `json:"risk" doc:"null when never judged"`
	Cleaning   *CleaningView            `json:"cleaning"`
	SpotChecks []*SpotCheckView         `json:"spot_checks,omitempty" doc:"latest 20"`
	Cameras    []*schema.Camera         `json:"cameras,omitempty"`
}

// GatewayView is a gateway with its state.
type GatewayView struct {
	Gateway *schema.Gateway `json:"gateway"`
	State   string          `json:"state" enum:"online,offline,source_lost" doc:"offline when never heard"`
	Since   int64           `json:"since,omitempty"`
}

// SystemView is a dust removal system with its collectors.
type SystemView struct {
	System     *schema.DustSystem `json:"system"`
	Collectors []CollectorView    `json:"collectors,omitempty"`
}

// CollectorView is a collector with its metrics.
type CollectorView struct {
	Collector *schema.Collector `json:"collector"`
	TypeName  string            `json:"type_name"`
	Wet       bool              `json:"wet"`
	Metrics   []*MetricView     `json:"metrics,omitempty"`
}

// MetricView is a metric with its newest reading.
type MetricView struct {
	Metric   *schema.Metric `json:"metric"`
	KindName string         `json:"kind_name"`
	Signal   string         `json:"signal" enum:"AI,DI"`
	Value    float64        `json:"value"`
	Time     int64          `json:"time,omitempty"`
	Quality  uint8          `json:"quality"`
	State    string         `json:"state" enum:"normal,l,ll,h,hh,fault,stale,none"`
	FreshS   float64        `json:"fresh_s" doc:"age of the reading, s"`
}

// parts reads all records of a type of one plant.
func parts[T schema.Record](ctx context.Context, s *Server, typ, enterprise string) ([]T, []store.Row, error) {
	out, rows := []T{}, []store.Row{}
	err := s.opt.Backend.Store().Each(ctx, store.Query{Type: typ, Index: "enterprise", Prefix: []string{enterprise}}, func(r store.Row) (bool, error) {
		out, rows = append(out, r.Record.(T)), append(rows, r)
		return true, nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list %s of %s: %w", typ, enterprise, err)
	}
	return out, rows, nil
}

// Readings are good, old, or from a broken source (schema/frame).
const (
	qualityStale  = 1
	qualityFault  = 3
	qualitySource = 4

	staleMin = 180.0 // s: a reading younger than this is never stale (domain 2.4)
	staleBy  = 3     // periods
)

// metricView judges a metric's newest reading by its own limits, for display; what alarms is the engine's to say.
func (s *Server) metricView(row store.Row) *MetricView {
	m := row.Record.(*schema.Metric)
	kind, _ := schema.MetricKind(m.GetKind())
	v := &MetricView{Metric: m, KindName: kind.Zh, Signal: kind.Signal, State: "none"}
	p, ok := s.opt.Backend.Store().Latest(store.SeriesRef{Origin: row.Origin, Series: m.GetSeries()})
	if !ok || m.GetSeries() == 0 {
		return v
	}
	v.Value, v.Time, v.Quality = finite(p.Value), p.Time, p.Quality
	v.FreshS = float64(max(0, s.nowMs()-p.Time)) / 1000
	v.State = stateOf(m, p, v.FreshS, kind.Signal)
	return v
}

func stateOf(m *schema.Metric, p store.Point, age float64, signal string) string {
	l := m.GetLimits()
	switch {
	case age > max(staleMin, float64(staleBy*m.GetPeriodS())), p.Quality == qualityStale, p.Quality == qualitySource:
		return "stale"
	case p.Quality == qualityFault:
		return "fault"
	case signal == "DI":
		if l != nil && l.FaultState != nil && p.Value == float64(l.GetFaultState()) {
			return "fault"
		}
		return "normal"
	case l == nil:
		return "normal"
	case l.Hh != nil && p.Value >= l.GetHh():
		return "hh"
	case l.Ll != nil && p.Value <= l.GetLl():
		return "ll"
	case l.H != nil && p.Value >= l.GetH():
		return "h"
	case l.L != nil && p.Value <= l.GetL():
		return "l"
	}
	return "normal"
}

type codeInput struct {
	Code string `path:"code" maxLength:"32"`
}

func (s *Server) plant(ctx context.Context, v *viewer, in *codeInput) (*PlantView, error) {
	row, err := s.enterpriseRow(v, in.Code)
	if err != nil {
		return nil, err
	}
	e := row.Record.(*schema.Enterprise)
	out := &PlantView{Enterprise: e, RegionName: s.tables().RegionName(e.GetRegion()), Origin: row.Origin}
	for _, part := range []func(context.Context, *viewer, *PlantView) error{s.addGateways, s.addSystems, s.addEvents, s.addManagement} {
		if err := part(ctx, v, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Server) addGateways(ctx context.Context, _ *viewer, out *PlantView) error {
	gateways, _, err := parts[*schema.Gateway](ctx, s, "Gateway", out.Enterprise.GetCode())
	if err != nil {
		return err
	}
	states, _, err := parts[*schema.GatewayState](ctx, s, "GatewayState", out.Enterprise.GetCode())
	if err != nil {
		return err
	}
	out.Gateways = []GatewayView{}
	for _, g := range gateways {
		view := GatewayView{Gateway: g, State: "offline"}
		for _, st := range states {
			if st.GetGateway() == g.GetCode() {
				view.State, view.Since = st.GetState(), st.GetSince()
			}
		}
		out.Online = out.Online || view.State != "offline"
		out.Gateways = append(out.Gateways, view)
	}
	return nil
}

func (s *Server) addSystems(ctx context.Context, _ *viewer, out *PlantView) error {
	code := out.Enterprise.GetCode()
	var err error
	if out.Workshops, _, err = parts[*schema.Workshop](ctx, s, "Workshop", code); err != nil {
		return err
	}
	systems, _, err := parts[*schema.DustSystem](ctx, s, "DustSystem", code)
	if err != nil {
		return err
	}
	collectors, _, err := parts[*schema.Collector](ctx, s, "Collector", code)
	if err != nil {
		return err
	}
	_, metrics, err := parts[*schema.Metric](ctx, s, "Metric", code)
	if err != nil {
		return err
	}
	out.Systems = []SystemView{}
	for _, sys := range systems {
		view := SystemView{System: sys, Collectors: []CollectorView{}}
		for _, c := range collectors {
			if c.GetSystem() == sys.GetCode() {
				view.Collectors = append(view.Collectors, s.collectorView(c, metrics))
			}
		}
		out.Systems = append(out.Systems, view)
	}
	return nil
}

func (s *Server) collectorView(c *schema.Collector, metrics []store.Row) CollectorView {
	view := CollectorView{Collector: c, TypeName: schema.CodeName("collector_type", c.GetType()), Wet: strings.HasPrefix(c.GetType(), "wet"), Metrics: []*MetricView{}}
	for _, m := range metrics {
		if m.Record.(*schema.Metric).GetCollector() == c.GetCode() {
			view.Metrics = append(view.Metrics, s.metricView(m))
		}
	}
	return view
}

func (s *Server) addEvents(ctx context.Context, v *viewer, out *PlantView) error {
	code := out.Enterprise.GetCode()
	alarms, err := s.alarms(ctx, v, &alarmsInput{Enterprise: code, Stage: "open", Limit: maxPage})
	if err != nil {
		return err
	}
	warnings, err := s.warnings(ctx, v, &warningsInput{Enterprise: code, Stage: "open", Limit: maxPage})
	if err != nil {
		return err
	}
	out.Alarms, out.Warnings = alarms.Items, warnings.Items
	out.Risk.Value, err = s.currentRisk(code)
	return err
}

func (s *Server) addManagement(ctx context.Context, v *viewer, out *PlantView) error {
	code := out.Enterprise.GetCode()
	var err error
	const latest = 20
	if out.Cleaning, err = s.cleaningOf(ctx, code, 0, 0, latest); err != nil {
		return err
	}
	checks, err := s.spotChecks(ctx, v, &spotChecksInput{Enterprise: code, Limit: latest})
	if err != nil {
		return err
	}
	out.SpotChecks = checks.Items
	out.Cameras, _, err = parts[*schema.Camera](ctx, s, "Camera", code)
	return err
}

// currentRisk is a plant's judgement now; nil when it was never judged.
func (s *Server) currentRisk(code string) (*schema.RiskResult, error) {
	row, ok, err := s.opt.Backend.Store().Get("RiskResult", code)
	if err != nil || !ok {
		return nil, err
	}
	return row.Record.(*schema.RiskResult), nil
}

type riskHistoryInput struct {
	Code  string `path:"code" maxLength:"32"`
	From  int64  `query:"from" doc:"ms"`
	To    int64  `query:"to" doc:"ms"`
	Limit int    `query:"limit" minimum:"0" doc:"at most 1000"`
}

// RiskHistory is a plant's judgements, newest first. Complete is false when older ones were not looked for: history is
// kept in the ledger, and an answer reads a bounded part of it.
type RiskHistory struct {
	Items    []*schema.RiskResult `json:"items" nullable:"false"`
	Complete bool                 `json:"complete"`
}

// historyScan is how many of a plant's judgements one answer looks at.
const historyScan = 10_000

// riskHistory reads the plant's own entries of the ledger, which the store lists.
func (s *Server) riskHistory(ctx context.Context, _ *viewer, in *riskHistoryInput) (*RiskHistory, error) {
	limit := pageSize(in.Limit)
	out := &RiskHistory{Items: []*schema.RiskResult{}}
	for before, seen := uint64(0), 0; seen < historyScan; {
		list, more, err := s.opt.Backend.Store().Versions(ctx, "RiskResult", in.Code, before, limit)
		if err != nil {
			return nil, fmt.Errorf("read judgements: %w", err)
		}
		for _, x := range list {
			r, is := x.Record.(*schema.RiskResult)
			if x.Time < in.From {
				out.Complete = true
				return out, nil
			}
			if is && (in.To == 0 || x.Time < in.To) {
				out.Items = append(out.Items, r)
			}
			if before = x.Seq; len(out.Items) == limit {
				return out, nil
			}
		}
		if seen += len(list); !more {
			out.Complete = true
			break
		}
	}
	return out, nil
}

func (d *door) plantRoutes() {
	s := d.s
	handle(d, "overview", s.overview)
	handle(d, "plant", s.plant)
	handle(d, "risk", func(_ context.Context, _ *viewer, in *codeInput) (*schema.RiskResult, error) {
		r, err := s.currentRisk(in.Code)
		if err == nil && r == nil {
			err = notFound("RiskResult", in.Code)
		}
		return r, err
	})
	handle(d, "risk-history", s.riskHistory)
	handle(d, "series", s.series)
}
