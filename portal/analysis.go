package portal

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"dusthub/node/quality"
	"dusthub/schema"
)

// ConnectView is how many should be connected, are, and are heard now (F2.5).
type ConnectView struct {
	Due       int `json:"due" doc:"should be connected: neither exempt nor closed"`
	Connected int `json:"connected"`
	Online    int `json:"online" doc:"of the connected, those that are heard now"`
}

// FilledView is how complete base data are.
type FilledView struct {
	Asked  int64 `json:"asked" doc:"fields that should be filled"`
	Filled int64 `json:"filled"`
}

// QualityRuleView is what is asked of base data, and how much does not conform.
type QualityRuleView struct {
	quality.Rule
	Plants  int `json:"plants" doc:"with at least one such record"`
	Records int `json:"records"`
}

// SensingView is how good readings were in a time; a metric may appear under several rules.
type SensingView struct {
	From     int64             `json:"from"`
	To       int64             `json:"to"`
	Series   int64             `json:"series" doc:"metrics in use of connected plants"`
	Expected int64             `json:"expected" doc:"samples that were due"`
	Received int64             `json:"received"`
	Rules    []SensingRuleView `json:"rules" nullable:"false"`
}

// SensingRuleView is what is asked of readings, and how many metrics do not conform.
type SensingRuleView struct {
	quality.SensingRule
	Metrics int64 `json:"metrics"`
}

// PartView is one part of the region looked at.
type PartView struct {
	Region   string      `json:"region"`
	Name     string      `json:"name"`
	Plants   ConnectView `json:"plants"`
	Systems  ConnectView `json:"systems"`
	Required FilledView  `json:"required"`
	Advised  FilledView  `json:"recommended"`
	Records  int64       `json:"records"`
	Wrong    int64       `json:"records_wrong"`
}

// Analysis is how a region's connection and data are (F2.5).
type Analysis struct {
	PartView
	Time        int64             `json:"time"`
	Enterprises int               `json:"enterprises"`
	Complete    bool              `json:"complete" doc:"false: this replica has not judged every plant yet since it started"`
	Judged      int               `json:"judged" doc:"plants of the whole site"`
	Rules       []QualityRuleView `json:"rules" nullable:"false" doc:"accuracy first, then completeness by field"`
	Sensing     *SensingView      `json:"sensing,omitempty" doc:"absent: readings were not judged yet"`
	Parts       []PartView        `json:"parts" nullable:"false"`
}

type analysisInput struct {
	Region string `query:"region" maxLength:"6" doc:"GB/T 2260; empty is all the viewer may see"`
}

// kept is what is known of base data. Where nothing keeps it up, it is brought up now.
func (s *Server) kept(ctx context.Context) (*quality.Keeper, error) {
	if s.ownQuality {
		if err := s.opt.Quality.Sync(ctx); err != nil {
			return nil, fmt.Errorf("judge base data: %w", err)
		}
	}
	return s.opt.Quality, nil
}

func (s *Server) analysis(ctx context.Context, v *viewer, in *analysisInput) (*Analysis, error) {
	k, err := s.kept(ctx)
	if err != nil {
		return nil, err
	}
	prefix, sees := v.within(in.Region)
	out := &Analysis{Time: s.nowMs(), Rules: []QualityRuleView{}, Parts: []PartView{}}
	f := quality.Figures{Standing: &schema.Standing{}, Rules: make([]quality.Count, len(quality.Rules())), Done: true}
	if sees {
		f = k.Region(prefix)
		parts := k.Parts(prefix)
		for _, part := range slices.Sorted(maps.Keys(parts)) {
			out.Parts = append(out.Parts, partView(part, parts[part]))
		}
	}
	out.PartView = partView(prefix, f.Standing)
	out.Enterprises, out.Complete, out.Judged = int(f.Standing.GetPlants()), f.Done, f.Plants
	for i, r := range quality.Rules() {
		out.Rules = append(out.Rules, QualityRuleView{r, f.Rules[i].Plants, f.Rules[i].Records})
	}
	if sees {
		out.Sensing, err = s.sensing(ctx, prefix)
	}
	return out, err
}

// sensing is how good the readings of a region were on the newest day they were judged of.
func (s *Server) sensing(ctx context.Context, prefix string) (*SensingView, error) {
	today := quality.DayStart(s.nowMs())
	days, err := quality.Days(ctx, s.opt.Backend.Store(), prefix, today-sensingDays*dayMs, today+dayMs)
	if err != nil {
		return nil, err
	}
	for i := len(days) - 1; i >= 0; i-- {
		x := days[i].Row.GetSensing()
		if x == nil || x.GetSeries() == 0 {
			continue
		}
		out := &SensingView{From: x.GetFrom(), To: x.GetEnd(), Series: x.GetSeries(), Expected: x.GetExpected(), Received: x.GetReceived(), Rules: []SensingRuleView{}}
		n := map[string]int64{"gaps": x.GetGaps(), "over_range": x.GetOverRange(), "stuck": x.GetStuck(), "frequent": x.GetFrequent()}
		for _, r := range quality.SensingRules() {
			out.Rules = append(out.Rules, SensingRuleView{r, n[r.ID]})
		}
		return out, nil
	}
	return nil, nil //nolint:nilnil // not judged yet
}

// sensingDays is how long what was found in readings is of interest.
const sensingDays = 7

func partView(prefix string, s *schema.Standing) PartView {
	p := PartView{
		Plants:   ConnectView{int(s.GetPlantsDue()), int(s.GetPlantsConnected()), int(s.GetPlantsOnline())},
		Systems:  ConnectView{int(s.GetSystemsDue()), int(s.GetSystemsConnected()), int(s.GetSystemsOnline())},
		Required: FilledView{s.GetRequiredAsked(), s.GetRequiredFilled()}, Advised: FilledView{s.GetRecommendedAsked(), s.GetRecommendedFilled()},
		Records: s.GetRecords(), Wrong: s.GetRecordsWrong(),
	}
	if prefix != "" {
		p.Region = (prefix + "000000")[:regionDigits]
		p.Name = schema.RegionName(p.Region)
	}
	return p
}

type analysisTrendInput struct {
	Region string `query:"region" maxLength:"6" doc:"GB/T 2260; empty is all the viewer may see"`
	Days   int    `query:"days" minimum:"1" maximum:"366" default:"30"`
}

// AnalysisDay is how a region stood on one day: means over the samples of the day, and the last of them.
type AnalysisDay struct {
	Day              int64         `json:"day" doc:"its beginning, China time"`
	Samples          int           `json:"samples" doc:"times the site looked"`
	PlantsConnected  float64       `json:"plants_connected" doc:"mean"`
	PlantsOnline     float64       `json:"plants_online" doc:"mean"`
	SystemsConnected float64       `json:"systems_connected" doc:"mean"`
	SystemsOnline    float64       `json:"systems_online" doc:"mean"`
	Last             PartView      `json:"last" doc:"at the last sample"`
	Levels           Levels        `json:"levels" doc:"at the last sample"`
	Sensing          *ReadingsView `json:"sensing,omitempty"`
}

// ReadingsView is how good a day's readings were.
type ReadingsView struct {
	Series    int64 `json:"series"`
	Expected  int64 `json:"expected"`
	Received  int64 `json:"received"`
	Gaps      int64 `json:"gaps"`
	OverRange int64 `json:"over_range"`
	Stuck     int64 `json:"stuck"`
	Frequent  int64 `json:"frequent"`
}

// AnalysisTrend is how a region stood day by day; days without a sample are left out.
type AnalysisTrend struct {
	Days []AnalysisDay `json:"days" nullable:"false" doc:"oldest first"`
}

func (s *Server) analysisTrend(ctx context.Context, v *viewer, in *analysisTrendInput) (*AnalysisTrend, error) {
	out := &AnalysisTrend{Days: []AnalysisDay{}}
	prefix, sees := v.within(in.Region)
	if !sees {
		return out, nil
	}
	today := quality.DayStart(s.nowMs())
	days, err := quality.Days(ctx, s.opt.Backend.Store(), prefix, today-int64(in.Days-1)*dayMs, today+dayMs)
	if err != nil {
		return nil, err
	}
	for _, d := range days {
		out.Days = append(out.Days, analysisDay(prefix, d))
	}
	return out, nil
}

func analysisDay(prefix string, d quality.DayFigures) AnalysisDay {
	r, last := d.Row, d.Row.GetLast()
	mean := func(sum int64) float64 { return float64(sum) / float64(max(1, d.Samples)) }
	out := AnalysisDay{
		Day: d.Day, Samples: d.Samples, PlantsConnected: mean(r.GetPlantsConnectedSum()), PlantsOnline: mean(r.GetPlantsOnlineSum()),
		SystemsConnected: mean(r.GetSystemsConnectedSum()), SystemsOnline: mean(r.GetSystemsOnlineSum()), Last: partView(prefix, last),
		Levels: Levels{int(last.GetRed()), int(last.GetOrange()), int(last.GetYellow()), int(last.GetBlue())},
	}
	if x := r.GetSensing(); x != nil {
		out.Sensing = &ReadingsView{x.GetSeries(), x.GetExpected(), x.GetReceived(), x.GetGaps(), x.GetOverRange(), x.GetStuck(), x.GetFrequent()}
	}
	return out
}

type findingsInput struct {
	Rule   string `query:"rule" required:"true" maxLength:"64" doc:"id of a rule of the analysis"`
	Region string `query:"region" maxLength:"6" doc:"GB/T 2260; empty is all the viewer may see"`
	After  string `query:"after" maxLength:"64"`
	Limit  int    `query:"limit" minimum:"0" maximum:"200" doc:"plants of a page; 50 by default"`
}

// FindingRow is a plant with records that a rule finds wanting.
type FindingRow struct {
	Enterprise string          `json:"enterprise"`
	Name       string          `json:"name"`
	Region     string          `json:"region"`
	RegionName string          `json:"region_name"`
	Records    []FindingRecord `json:"records" nullable:"false" doc:"at most 20"`
	Total      int             `json:"total"`
}

// FindingRecord is a record that a rule finds wanting.
type FindingRecord struct {
	Type string `json:"type"`
	Key  string `json:"key"`
	Name string `json:"name,omitempty"`
	Got  string `json:"got,omitempty" doc:"what was found"`
}

const (
	findingPlants  = 50
	findingRecords = 20
)

// findings lists the plants, and in them the records, that a rule finds wanting. Plants are judged anew as they are shown.
func (s *Server) findings(ctx context.Context, v *viewer, in *findingsInput) (*Page[FindingRow], error) {
	rule, known := quality.RuleOf(in.Rule)
	if !known {
		return nil, invalid("query.rule", "the id of a rule of the analysis", in.Rule)
	}
	k, err := s.kept(ctx)
	if err != nil {
		return nil, err
	}
	out := &Page[FindingRow]{Items: []FindingRow{}}
	prefix, sees := v.within(in.Region)
	if !sees {
		return out, nil
	}
	limit := in.Limit
	if limit == 0 {
		limit = findingPlants
	}
	codes, next := k.Wanting(prefix, rule, in.After, limit)
	plants, err := k.GatherAll(ctx, codes)
	if err != nil {
		return nil, err
	}
	for _, p := range plants {
		if row := findingRow(p, rule); row.Total > 0 {
			out.Items = append(out.Items, row)
		}
	}
	out.Next = next
	return out, nil
}

func findingRow(p *quality.Plant, rule int) FindingRow {
	e := p.Enterprise
	row := FindingRow{Enterprise: e.GetCode(), Name: e.GetName(), Region: e.GetRegion(), RegionName: schema.RegionName(e.GetRegion()), Records: []FindingRecord{}}
	for _, f := range quality.Judge(p).Findings {
		if f.Rule != rule {
			continue
		}
		if row.Total++; len(row.Records) < findingRecords {
			row.Records = append(row.Records, FindingRecord{f.Type, f.Key, f.Name, f.Got})
		}
	}
	return row
}

type issuesInput struct {
	Rule   string `query:"rule" enum:"gaps,over_range,stuck,frequent" doc:"all by default"`
	Region string `query:"region" maxLength:"6" doc:"GB/T 2260; empty is all the viewer may see"`
	Day    int64  `query:"day" doc:"ms, a time of the day; the newest judged by default"`
	After  string `query:"after" maxLength:"64"`
	Limit  int    `query:"limit" minimum:"0" maximum:"1000"`
}

// IssueRow is a metric whose readings were not as they should be.
type IssueRow struct {
	Enterprise     string  `json:"enterprise"`
	EnterpriseName string  `json:"enterprise_name"`
	RegionName     string  `json:"region_name"`
	Collector      string  `json:"collector"`
	CollectorName  string  `json:"collector_name"`
	Metric         string  `json:"metric"`
	MetricName     string  `json:"metric_name"`
	Unit           string  `json:"unit,omitempty"`
	Rule           string  `json:"rule"`
	Count          int64   `json:"count" doc:"gaps: samples missing; over_range: hours; stuck, frequent: alarms"`
	Expected       int64   `json:"expected" doc:"samples that were due"`
	Worst          float64 `json:"worst" doc:"over_range: the value farthest out; gaps: share received"`
}

// issues lists the metrics whose readings were not as they should be on a day, by county and plant.
func (s *Server) issues(ctx context.Context, v *viewer, in *issuesInput) (*Page[IssueRow], error) {
	out := &Page[IssueRow]{Items: []IssueRow{}}
	prefix, sees := v.within(in.Region)
	if !sees {
		return out, nil
	}
	day := in.Day
	if day == 0 {
		newest, err := s.sensing(ctx, prefix)
		if err != nil || newest == nil {
			return out, err
		}
		day = newest.From
	}
	from, err := issuePlace(in.After)
	if err != nil {
		return nil, err
	}
	list, next, err := quality.Issues(ctx, s.opt.Backend.Store(), quality.DayStart(day), prefix, in.Rule, from, pageSize(in.Limit))
	if err != nil {
		return nil, err
	}
	for _, x := range list {
		out.Items = append(out.Items, s.issueRow(x))
	}
	if next != nil {
		out.Next = base64.RawURLEncoding.EncodeToString([]byte(next.ID + "|" + strconv.Itoa(next.At)))
	}
	return out, nil
}

func issuePlace(after string) (quality.IssuePlace, error) {
	if after == "" {
		return quality.IssuePlace{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(after)
	id, at, ok := strings.Cut(string(raw), "|")
	n, numberErr := strconv.Atoi(at)
	if err != nil || numberErr != nil || !ok {
		return quality.IssuePlace{}, problem(http.StatusBadRequest, codeBadRequest, "after: not a cursor of this list")
	}
	return quality.IssuePlace{ID: id, At: n}, nil
}

func (s *Server) issueRow(x *schema.SensingIssue) IssueRow {
	row := IssueRow{
		Enterprise: x.GetEnterprise(), EnterpriseName: s.world.nameOf(x.GetEnterprise()), Collector: x.GetCollector(), Metric: x.GetMetric(), Rule: x.GetRule(), Count: x.GetCount(),
		Expected: x.GetExpected(), Worst: x.GetWorst(),
	}
	if region, ok := s.world.regionOf(x.GetEnterprise()); ok {
		row.RegionName = schema.RegionName(region)
	}
	if c, ok, err := s.opt.Backend.Store().Get("Collector", x.GetCollector()); err == nil && ok {
		row.CollectorName = c.Record.(*schema.Collector).GetName()
	}
	if m, ok, err := s.opt.Backend.Store().Get("Metric", x.GetMetric()); err == nil && ok {
		row.MetricName, row.Unit = m.Record.(*schema.Metric).GetName(), m.Record.(*schema.Metric).GetUnit()
	}
	return row
}

func (d *door) analysisRoutes() {
	handle(d, "analysis", d.s.analysis)
	handle(d, "analysis-trend", d.s.analysisTrend)
	handle(d, "analysis-findings", d.s.findings)
	handle(d, "analysis-issues", d.s.issues)
}
