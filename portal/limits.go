package portal

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"dusthub/node/commissioning"
	"dusthub/node/engine"
	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// LimitsView are a metric's alarm limits, what they would be by default and why, and who changed them.
type LimitsView struct {
	Metric   string                `json:"metric"`
	Limits   *schema.Limits        `json:"limits"`
	Disabled bool                  `json:"disabled" doc:"the metric is not judged"`
	Design   float64               `json:"design" doc:"design value some defaults are shares of; 0: not known"`
	Defaults []schema.DefaultLimit `json:"defaults,omitempty"`
	May      LimitRights           `json:"may"`
	History  []*schema.AuditEntry  `json:"history,omitempty" doc:"newest first; kept by the site that the metric belongs to"`
}

// LimitRights are what a viewer may do to limits.
type LimitRights struct {
	Tighten bool `json:"tighten"`
	Relax   bool `json:"relax"`
}

// historyShown is how many changes of limits are shown.
const historyShown = 50

func (s *Server) limitsView(ctx context.Context, v *viewer, row store.Row) (*LimitsView, error) {
	m := row.Record.(*schema.Metric)
	out := &LimitsView{Metric: m.GetCode(), Limits: m.GetLimits(), Disabled: m.GetDisabled(), Design: m.GetDesign(), Defaults: s.defaultsOf(m), History: []*schema.AuditEntry{}}
	if out.Limits == nil {
		out.Limits = &schema.Limits{}
	}
	if row.Origin == s.opt.Site.ID {
		out.May.Tighten = slices.Contains(accessOf("limits-write").Roles, v.user.GetRole())
		out.May.Relax = out.May.Tighten && engine.MayRelax(v.user.GetRole())
	}
	page, err := s.opt.Backend.Store().List(ctx, store.Query{Type: "AuditEntry", Index: "subject,time", Prefix: []string{"Metric/" + m.GetCode()}, Desc: true, Limit: historyShown})
	if err != nil {
		return nil, fmt.Errorf("list changes of limits: %w", err)
	}
	for _, r := range page.Rows {
		out.History = append(out.History, r.Record.(*schema.AuditEntry))
	}
	return out, nil
}

// defaultsOf are the default limits of a metric, one by one.
func (s *Server) defaultsOf(m *schema.Metric) []schema.DefaultLimit {
	_, list := s.defaultLimits(m)
	return list
}

// defaultLimits are the default limits of a metric by its collector's type and its system's dusts, the plant's when the system names
// none.
func (s *Server) defaultLimits(m *schema.Metric) (*schema.Limits, []schema.DefaultLimit) {
	get := func(typ, key string) schema.Record {
		row, _, _ := s.opt.Backend.Store().Get(typ, key) // what is not here gives no default of its own
		return row.Record
	}
	c, _ := get("Collector", m.GetCollector()).(*schema.Collector)
	system, _ := get("DustSystem", c.GetSystem()).(*schema.DustSystem)
	dusts := system.GetDusts()
	if len(dusts) == 0 {
		e, _ := get("Enterprise", m.GetEnterprise()).(*schema.Enterprise)
		for _, d := range e.GetDusts() {
			dusts = append(dusts, d.GetDust())
		}
	}
	return schema.Defaults(m, c.GetType(), dusts)
}

type metricInput struct {
	Code string `path:"code" maxLength:"64"`
}

func (s *Server) limits(ctx context.Context, v *viewer, in *metricInput) (*LimitsView, error) {
	row, err := s.record(v, "Metric", in.Code)
	if err != nil {
		return nil, err
	}
	return s.limitsView(ctx, v, row)
}

type limitsInput struct {
	Code string `path:"code" maxLength:"64"`
	Body struct {
		Limits *schema.Limits `json:"limits" doc:"all of them: an absent limit is not judged"`
		Reason string         `json:"reason" minLength:"1" maxLength:"500" doc:"kept in the audit"`
	}
}

// writeLimits changes a metric's limits. Who may relax them is the engine's to judge.
func (s *Server) writeLimits(ctx context.Context, v *viewer, in *limitsInput) (*LimitsView, error) {
	row, err := s.record(v, "Metric", in.Code)
	if err != nil {
		return nil, err
	}
	if err = s.ownHere(row); err != nil {
		return nil, err
	}
	if in.Body.Limits == nil {
		return nil, invalid("body.limits", "limits", nil)
	}
	m := proto.Clone(row.Record).(*schema.Metric)
	m.Limits = in.Body.Limits
	if _, err = s.putFor(ctx, v.user, in.Body.Reason, s.change(m)); err != nil {
		return nil, err
	}
	if row, err = s.record(v, "Metric", in.Code); err != nil {
		return nil, err
	}
	return s.limitsView(ctx, v, row)
}

// proposalDays is how much of a metric's history its limits are proposed from.
const proposalDays = 30

// proposeLimits proposes limits from the metric's history. It changes nothing: whoever confirms writes the limits.
func (s *Server) proposeLimits(ctx context.Context, v *viewer, in *metricInput) (*commissioning.Proposal, error) {
	row, err := s.record(v, "Metric", in.Code)
	if err != nil {
		return nil, err
	}
	m := row.Record.(*schema.Metric)
	fan, err := s.fanOf(ctx, m)
	if err != nil {
		return nil, err
	}
	to := s.nowMs() + ahead
	p, err := commissioning.Propose(ctx, s.opt.Backend.Store(), m, row.Origin, fan, s.defaultsOf(m), to-proposalDays*dayMs, to)
	if errors.Is(err, commissioning.ErrDigital) {
		return nil, invalid("path.code", "an analog metric: a state has no limits to propose", in.Code)
	}
	return p, err
}

// fanOf is the metric of the fan without which a metric says nothing; nil when there is none.
func (s *Server) fanOf(ctx context.Context, m *schema.Metric) (fan *schema.Metric, err error) {
	if kind, _ := schema.MetricKind(m.GetKind()); !kind.WhileFan {
		return nil, nil
	}
	err = s.opt.Backend.Store().Each(ctx, store.Query{Type: "Metric", Index: "collector", Prefix: []string{m.GetCollector()}}, func(r store.Row) (bool, error) {
		if f := r.Record.(*schema.Metric); f.GetKind() == "R01" {
			fan = f
		}
		return fan == nil, nil
	})
	if err != nil {
		return nil, fmt.Errorf("find the fan: %w", err)
	}
	return fan, nil
}

func (d *door) limitRoutes() {
	handle(d, "limits-proposal", d.s.proposeLimits)
	handle(d, "limit-defaults", limitCatalogue)
	handle(d, "limit-deviations", d.s.deviations)
	handle(d, "limits-tighten", d.s.tighten)
	handle(d, "limits", d.s.limits)
	handle(d, "limits-write", d.s.writeLimits)
}
