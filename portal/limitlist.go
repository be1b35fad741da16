package portal

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dusthub/node/engine"
	"dusthub/node/model"
	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Administration of alarm limits: the defaults with where they come from, the metrics that deviate from them and who made it so, and
// tightening many at once.

// LimitDeviation is one limit of a metric that is not what the defaults say.
type LimitDeviation struct {
	Field      string  `json:"field" doc:"of Limits"`
	Laxer      bool    `json:"laxer" doc:"it watches less than the default; false: more"`
	Actual     float64 `json:"actual"`
	Absent     bool    `json:"absent,omitempty" doc:"it is not judged at all"`
	Default    float64 `json:"default"`
	None       bool    `json:"none,omitempty" doc:"there is no default"`
	Basis      string  `json:"basis,omitempty"`
	Confidence string  `json:"confidence,omitempty"`
}

// DeviatingMetric is a metric whose limits are not the defaults, and who made it so.
type DeviatingMetric struct {
	Metric         string           `json:"metric"`
	Name           string           `json:"name"`
	Kind           string           `json:"kind"`
	KindName       string           `json:"kind_name"`
	Unit           string           `json:"unit,omitempty"`
	Enterprise     string           `json:"enterprise"`
	EnterpriseName string           `json:"enterprise_name"`
	Origin         string           `json:"origin"`
	Local          bool             `json:"local" doc:"it belongs to this site, where its limits are changed"`
	Deviations     []LimitDeviation `json:"deviations,omitempty"`
	Actor          string           `json:"actor,omitempty" doc:"who changed the limits last; kept by the metric's own site"`
	Time           int64            `json:"time,omitempty"`
	Reason         string           `json:"reason,omitempty"`
}

// Deviations are metrics whose limits deviate, and how far a look at them came.
type Deviations struct {
	Items  []*DeviatingMetric `json:"items,omitempty"`
	Next   string             `json:"next,omitempty"`
	Looked int                `json:"looked" doc:"metrics this answer looked at; there may be more behind it although it shows none"`
}

type deviationsInput struct {
	Region     string `query:"region" maxLength:"6" doc:"GB/T 2260"`
	Enterprise string `query:"enterprise" maxLength:"20"`
	Kind       string `query:"kind" maxLength:"4" doc:"table metric"`
	Direction  string `query:"direction" enum:"laxer,stricter"`
	After      string `query:"after"`
	Limit      int    `query:"limit" minimum:"0" maximum:"200"`
}

// mostCompared is how many metrics one answer looks at.
const mostCompared = 5000

func limitCatalogue(context.Context, *viewer, *none) (*List[schema.CatalogueLimit], error) {
	return &List[schema.CatalogueLimit]{Items: schema.LimitCatalogue()}, nil
}

func (s *Server) deviations(ctx context.Context, v *viewer, in *deviationsInput) (*Deviations, error) {
	out := &Deviations{Items: []*DeviatingMetric{}}
	limit := in.Limit
	if limit == 0 {
		limit = 50
	}
	prefix, sees := v.within(in.Region)
	if !sees {
		return out, nil
	}
	q := store.Query{Type: "Metric", Limit: limit}
	parts := s.countiesOf(prefix)
	if in.Enterprise != "" {
		q.Index, q.Prefix, parts = "enterprise", []string{in.Enterprise}, []string{""}
	}
	// A cursor is the part of the country that is being read, and where in it.
	at, after, _ := strings.Cut(in.After, ".")
	for _, part := range parts {
		if part < at {
			continue
		}
		if part != "" {
			q.Prefix = []string{part}
		}
		if q.After = ""; part == at {
			q.After = after
		}
		for more := true; more; more = q.After != "" {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("list metrics: %w", err)
			}
			if out.Looked >= mostCompared || len(out.Items) >= limit {
				out.Next = part + "." + q.After
				return out, s.blameLimits(ctx, out.Items)
			}
			page, err := s.opt.Backend.Store().List(ctx, q)
			if err != nil {
				return nil, fmt.Errorf("list metrics: %w", err)
			}
			for _, row := range page.Rows {
				out.Looked++
				if d := s.deviating(v, in, row); d != nil {
					out.Items = append(out.Items, d)
				}
			}
			q.After = page.Next
		}
	}
	return out, s.blameLimits(ctx, out.Items)
}

// countiesOf are the counties that the codes of a region's plants begin with, so that what plants have can be read there by its key; of the
// country it is one part that is all of it. A plant that moved kept its code, so that these need not be the region's own counties.
func (s *Server) countiesOf(prefix string) []string {
	if prefix == "" {
		return []string{""}
	}
	found := map[string]bool{}
	s.world.view(func() {
		x := s.world.index
		for it := x.any(byRegion, prefix).Iterator(); it.HasNext(); {
			found[x.plants[it.Next()].enterprise.GetCode()[:regionDigits]] = true
		}
	})
	return slices.Sorted(maps.Keys(found))
}

// deviating is a metric as the list shows it; nil when it is not asked for or deviates in nothing.
func (s *Server) deviating(v *viewer, in *deviationsInput, row store.Row) *DeviatingMetric {
	m := row.Record.(*schema.Metric)
	region, _ := s.world.regionOf(m.GetEnterprise())
	if !s.sees(v, m.GetEnterprise()) || in.Kind != "" && m.GetKind() != in.Kind || !hasPrefix(region, regionPrefix(in.Region)) {
		return nil
	}
	list := s.limitDeviations(m)
	if in.Direction != "" {
		list = slices.DeleteFunc(list, func(d LimitDeviation) bool { return d.Laxer != (in.Direction == "laxer") })
	}
	if len(list) == 0 {
		return nil
	}
	kind, _ := schema.MetricKind(m.GetKind())
	return &DeviatingMetric{
		Metric: m.GetCode(), Name: m.GetName(), Kind: m.GetKind(), KindName: kind.Zh, Unit: m.GetUnit(), Enterprise: m.GetEnterprise(),
		EnterpriseName: s.world.nameOf(m.GetEnterprise()), Origin: row.Origin, Local: row.Origin == s.opt.Site.ID, Deviations: list,
	}
}

func hasPrefix(region, prefix string) bool {
	return len(region) >= len(prefix) && region[:len(prefix)] == prefix
}

// limitDeviations compares a metric's limits with its defaults, field by field.
func (s *Server) limitDeviations(m *schema.Metric) []LimitDeviation {
	defaults, list := s.defaultLimits(m)
	out := []LimitDeviation{}
	add := func(field string, laxer bool) {
		if slices.ContainsFunc(out, func(d LimitDeviation) bool { return d.Field == field }) {
			return
		}
		d := LimitDeviation{Field: field, Laxer: laxer}
		d.Actual, d.Absent = limitValue(m.GetLimits(), field)
		d.Default, d.None = limitValue(defaults, field)
		for _, l := range list {
			if l.Field == field {
				d.Basis, d.Confidence = l.Basis, l.Confidence
			}
		}
		out = append(out, d)
	}
	for _, f := range engine.Laxer(m.GetLimits(), defaults) {
		add(f, true)
	}
	for _, f := range engine.Laxer(defaults, m.GetLimits()) {
		add(f, false)
	}
	return out
}

// limitValue is the value of a field of limits, and whether there is none.
func limitValue(l *schema.Limits, field string) (v float64, absent bool) {
	m := l.ProtoReflect()
	fd := m.Descriptor().Fields().ByName(protoreflect.Name(field))
	if l == nil || !m.Has(fd) {
		return 0, true
	}
	if fd.Kind() == protoreflect.DoubleKind {
		return m.Get(fd).Float(), false
	}
	return float64(m.Get(fd).Int()), false
}

// blameLimits finds who changed the limits of metrics last.
func (s *Server) blameLimits(ctx context.Context, list []*DeviatingMetric) error {
	for _, d := range list {
		page, err := s.opt.Backend.Store().List(ctx, store.Query{Type: "AuditEntry", Index: "subject,time", Prefix: []string{"Metric/" + d.Metric}, Desc: true, Limit: 1})
		if err != nil {
			return fmt.Errorf("list changes of limits: %w", err)
		}
		for _, r := range page.Rows {
			a := r.Record.(*schema.AuditEntry)
			d.Actor, d.Time, d.Reason = a.GetActor(), a.GetTime(), a.GetReason()
		}
	}
	return nil
}

type tightenInput struct {
	Body struct {
		Metrics []string `json:"metrics,omitempty" minItems:"1" maxItems:"500" nullable:"false" doc:"codes"`
		Reason  string   `json:"reason" minLength:"1" maxLength:"500" doc:"kept in the audit"`
		Preview bool     `json:"preview,omitempty" doc:"only say what would change"`
	}
}

// TightenedMetric is what tightening does to a metric.
type TightenedMetric struct {
	Metric  string        `json:"metric"`
	Name    string        `json:"name"`
	Fields  []FieldChange `json:"fields,omitempty"`
	Refused string        `json:"refused,omitempty" doc:"why it stays as it is"`
}

// TightenView is what tightening many metrics to their defaults does.
type TightenView struct {
	Items   []TightenedMetric `json:"items,omitempty"`
	Effects []*model.Effect   `json:"effects,omitempty" doc:"by plant, of at most 20"`
	Written int               `json:"written"`
}

// tighten makes the limits of metrics watch nowhere less than their defaults do. It relaxes nothing. A metric that cannot be
// tightened so is told, and the others are.
func (s *Server) tighten(ctx context.Context, v *viewer, in *tightenInput) (*TightenView, error) {
	out := &TightenView{Items: []TightenedMetric{}, Effects: []*model.Effect{}}
	var drafts []*draft
	for i, code := range in.Body.Metrics {
		if slices.Contains(in.Body.Metrics[:i], code) {
			continue
		}
		row, err := s.record(v, "Metric", code)
		if err != nil {
			return nil, err
		}
		m := proto.Clone(row.Record).(*schema.Metric)
		item := TightenedMetric{Metric: code, Name: m.GetName(), Fields: []FieldChange{}}
		defaults, _ := s.defaultLimits(m)
		m.Limits = engine.Tightened(m.GetLimits(), defaults)
		item.Fields = fieldChanges(row.Record, m)
		switch vs := s.tables().ValidateAt(m, s.nowMs()); {
		case row.Origin != s.opt.Site.ID:
			item.Refused = s.ownHere(row).Error()
		case schema.Refuses(vs):
			item.Refused = refusal(vs).Error()
		case len(item.Fields) > 0:
			d := &draft{change: s.change(m), rec: m, row: row, existed: true}
			d.change.Over = row.Seq
			drafts = append(drafts, d)
		}
		out.Items = append(out.Items, item)
	}
	if len(drafts) == 0 {
		return out, nil
	}
	if in.Body.Preview {
		p := &PreviewView{}
		err := s.tryPlants(v, drafts, in.Body.Reason, p)
		if p.Effects != nil {
			out.Effects = p.Effects
		}
		return out, err
	}
	if _, err := s.putFor(ctx, v.user, in.Body.Reason, changesOf(drafts)...); err != nil {
		return nil, s.outrun(v, drafts, err)
	}
	out.Written = len(drafts)
	return out, nil
}
