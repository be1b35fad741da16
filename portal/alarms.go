package portal

import (
	"context"
	"slices"

	"dusthub/node/store"
	"dusthub/schema"
)

// AlarmView is an alarm with the names a person reads.
type AlarmView struct {
	Alarm          *schema.Alarm `json:"alarm"`
	EnterpriseName string        `json:"enterprise_name"`
	MetricName     string        `json:"metric_name,omitempty"`
	CollectorName  string        `json:"collector_name,omitempty"`
	RuleName       string        `json:"rule_name"`
	BasePriority   string        `json:"base_priority" table:"alarm_priority" doc:"what level, rule and kind alone give it; the alarm's own is higher the longer its condition has lasted, lower the longer it has returned"`
	Origin         string        `json:"origin" doc:"site it belongs to"`
	Here           bool          `json:"here" doc:"it belongs to this site and is worked here"`
	Known          int64         `json:"known" doc:"ms, when this site came to know of it"`
}

// WarningView is a risk warning with the names a person reads.
type WarningView struct {
	Warning        *schema.Warning `json:"warning"`
	EnterpriseName string          `json:"enterprise_name"`
	Origin         string          `json:"origin"`
	Here           bool            `json:"here"`
	Known          int64           `json:"known"`
}

// Page of items; next is the cursor of the page behind it, absent on the last.
type Page[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty"`
}

var (
	openAlarmStages   = []string{"raised", "acknowledged", "disposed", "fed_back"}
	openWarningStages = []string{"raised", "disposed", "fed_back"}
)

func alarmOnset(r schema.Record) int64    { return r.(*schema.Alarm).GetOnset() }
func warningRaised(r schema.Record) int64 { return r.(*schema.Warning).GetRaised() }

// nameOf is the name of a record that has one; empty when it is not here.
func (s *Server) nameOf(typ, key string) string {
	if key == "" {
		return ""
	}
	row, ok, err := s.opt.Backend.Store().Get(typ, key)
	if err != nil || !ok {
		return ""
	}
	if n, ok := row.Record.(interface{ GetName() string }); ok {
		return n.GetName()
	}
	return ""
}

func (s *Server) alarmView(r store.Row) *AlarmView {
	a := r.Record.(*schema.Alarm)
	return &AlarmView{
		Alarm: a, EnterpriseName: s.world.nameOf(a.GetEnterprise()), MetricName: s.nameOf("Metric", a.GetMetric()), CollectorName: s.nameOf("Collector", a.GetCollector()),
		RuleName: schema.CodeName("alarm_rule", a.GetRule()), BasePriority: schema.Alarming().Priority(a), Origin: r.Origin, Here: r.Origin == s.opt.Site.ID, Known: r.Here,
	}
}

func (s *Server) warningView(r store.Row) *WarningView {
	w := r.Record.(*schema.Warning)
	return &WarningView{Warning: w, EnterpriseName: s.world.nameOf(w.GetEnterprise()), Origin: r.Origin, Here: r.Origin == s.opt.Site.ID, Known: r.Here}
}

// stagedQueries are the index ranges to read for a list by plant, by stage or of all.
func stagedQueries(typ, by, enterprise, stage string, open []string, from, to int64) []store.Query {
	q := store.Query{Type: typ, Index: by, From: from, To: to}
	switch {
	case enterprise != "":
		q.Index, q.Prefix = "enterprise,"+by, []string{enterprise}
	case stage == "open":
		out := make([]store.Query, 0, len(open))
		for _, st := range open {
			q.Index, q.Prefix = "stage,"+by, []string{st}
			out = append(out, q)
		}
		return out
	case stage != "":
		q.Index, q.Prefix = "stage,"+by, []string{stage}
	}
	return []store.Query{q}
}

func inStage(stage, wanted string, open []string) bool {
	return wanted == "" || wanted == stage || wanted == "open" && slices.Contains(open, stage)
}

type alarmsInput struct {
	Stage      string `query:"stage" doc:"open, or a stage of the table alarm_stage"`
	Condition  string `query:"condition" enum:"active,returned"`
	Enterprise string `query:"enterprise"`
	Region     string `query:"region" maxLength:"6" doc:"GB/T 2260"`
	Collector  string `query:"collector"`
	Metric     string `query:"metric"`
	Level      int32  `query:"level" minimum:"0" maximum:"2"`
	Rule       string `query:"rule"`
	Kind       string `query:"kind" doc:"kind of metric, T01"`
	Priority   string `query:"priority" enum:"critical,high,medium,low"`
	Overdue    string `query:"overdue" enum:"true,false" doc:"true: only those past the deadline of their stage"`
	Suppressed string `query:"suppressed" enum:"true,false" doc:"true: only shelved ones, false: only others"`
	Escalation int32  `query:"escalation" minimum:"0" maximum:"4" doc:"escalated at least so far (table escalation)"`
	From       int64  `query:"from" doc:"ms, onset not before"`
	To         int64  `query:"to" doc:"ms, onset before"`
	After      string `query:"after" doc:"cursor"`
	Limit      int    `query:"limit" minimum:"0" doc:"at most 1000"`
}

// only narrows a list's plant to the viewer's own; a plant that is not the viewer's gives an empty list.
func only(v *viewer, enterprise string) string {
	if own := v.owned(); own != "" && enterprise == "" {
		return own
	}
	return enterprise
}

// wants says whether an alarm is what the filters by level, rule and urgency ask for.
func (in *alarmsInput) wants(a *schema.Alarm) bool {
	return (in.Level == 0 || a.GetLevel() == in.Level) && (in.Rule == "" || a.GetRule() == in.Rule) && (in.Kind == "" || a.GetKind() == in.Kind) &&
		(in.Priority == "" || a.GetPriority() == in.Priority) && asked(in.Overdue, a.GetOverdue()) && asked(in.Suppressed, a.GetSuppressed()) && a.GetEscalation() >= in.Escalation
}

func (s *Server) alarms(ctx context.Context, v *viewer, in *alarmsInput) (*Page[*AlarmView], error) {
	enterprise := only(v, in.Enterprise)
	region, sees := v.within(in.Region)
	if !sees {
		return &Page[*AlarmView]{Items: []*AlarmView{}}, nil
	}
	queries := stagedQueries("Alarm", "onset", enterprise, in.Stage, openAlarmStages, in.From, in.To)
	if in.Metric != "" {
		queries = []store.Query{{Type: "Alarm", Index: "metric,onset", Prefix: []string{in.Metric}, From: in.From, To: in.To}}
	}
	rows, next, err := s.list(ctx, newest{
		queries: queries, time: alarmOnset, after: in.After, limit: in.Limit,
		recent: recentOf(typeAlarm, v, region, enterprise != "" || in.Metric != "", in.Stage, openAlarmStages),
		keep: func(r store.Row) bool {
			a := r.Record.(*schema.Alarm)
			return inStage(a.GetStage(), in.Stage, openAlarmStages) && (in.Condition == "" || a.GetCondition() == in.Condition) &&
				in.wants(a) && (enterprise == "" || a.GetEnterprise() == enterprise) &&
				(in.Collector == "" || a.GetCollector() == in.Collector) && s.seesIn(v, a.GetEnterprise(), region)
		},
	})
	if err != nil {
		return nil, err
	}
	return pageOf(rows, next, s.alarmView), nil
}

func pageOf[T any](rows []store.Row, next string, view func(store.Row) T) *Page[T] {
	p := &Page[T]{Items: make([]T, 0, len(rows)), Next: next}
	for _, r := range rows {
		p.Items = append(p.Items, view(r))
	}
	return p
}

type warningsInput struct {
	Stage      string `query:"stage" doc:"open, or a stage of the table warning_stage"`
	Enterprise string `query:"enterprise"`
	Region     string `query:"region" maxLength:"6" doc:"GB/T 2260"`
	Level      string `query:"level" enum:"red,orange,yellow,blue" doc:"level reached"`
	Overdue    string `query:"overdue" enum:"true,false" doc:"true: only those past their deadline"`
	From       int64  `query:"from"`
	To         int64  `query:"to"`
	After      string `query:"after"`
	Limit      int    `query:"limit" minimum:"0" doc:"at most 1000"`
}

func (s *Server) warnings(ctx context.Context, v *viewer, in *warningsInput) (*Page[*WarningView], error) {
	enterprise := only(v, in.Enterprise)
	region, sees := v.within(in.Region)
	if !sees {
		return &Page[*WarningView]{Items: []*WarningView{}}, nil
	}
	rows, next, err := s.list(ctx, newest{
		queries: stagedQueries("Warning", "raised", enterprise, in.Stage, openWarningStages, in.From, in.To), time: warningRaised, after: in.After, limit: in.Limit,
		recent: recentOf(typeWarning, v, region, enterprise != "", in.Stage, openWarningStages),
		keep: func(r store.Row) bool {
			w := r.Record.(*schema.Warning)
			return inStage(w.GetStage(), in.Stage, openWarningStages) && (in.Level == "" || w.GetToLevel() == in.Level) && asked(in.Overdue, w.GetOverdue()) && s.seesIn(v, w.GetEnterprise(), region)
		},
	})
	if err != nil {
		return nil, err
	}
	return pageOf(rows, next, s.warningView), nil
}

type idInput struct {
	ID string `path:"id" maxLength:"128"`
}

type actionInput struct {
	ID   string `path:"id" maxLength:"128"`
	Body struct {
		Action      string   `json:"action" maxLength:"32" doc:"Alarm: acknowledge, dispose, feed_back, close, reject, false_alarm. Warning: dispose, feed_back, accept, reject"`
		Text        string   `json:"text,omitempty" maxLength:"2000"`
		Cause       string   `json:"cause,omitempty" maxLength:"32" doc:"table cause"`
		Attachments []string `json:"attachments,omitempty" maxItems:"9"`
	}
}

func (in *actionInput) act() *schema.Act {
	b := in.Body
	return &schema.Act{Action: b.Action, Text: b.Text, Cause: b.Cause, Attachments: b.Attachments}
}

func (d *door) alarmRoutes() {
	s := d.s
	handle(d, "alarms", s.alarms)
	handle(d, "alarm", func(_ context.Context, v *viewer, in *idInput) (*AlarmView, error) {
		row, err := s.record(v, "Alarm", in.ID)
		if err != nil {
			return nil, err
		}
		return s.alarmView(row), nil
	})
	handle(d, "alarm-action", func(ctx context.Context, v *viewer, in *actionInput) (*AlarmView, error) {
		row, err := s.record(v, "Alarm", in.ID)
		if err != nil {
			return nil, err
		}
		if row, err = s.act(ctx, v, row, in.act()); err != nil {
			return nil, err
		}
		return s.alarmView(row), nil
	})
	handle(d, "warnings", s.warnings)
	handle(d, "warning", func(_ context.Context, v *viewer, in *idInput) (*WarningView, error) {
		row, err := s.record(v, "Warning", in.ID)
		if err != nil {
			return nil, err
		}
		return s.warningView(row), nil
	})
	handle(d, "warning-action", func(ctx context.Context, v *viewer, in *actionInput) (*WarningView, error) {
		row, err := s.record(v, "Warning", in.ID)
		if err != nil {
			return nil, err
		}
		if row, err = s.act(ctx, v, row, in.act()); err != nil {
			return nil, err
		}
		return s.warningView(row), nil
	})
}
