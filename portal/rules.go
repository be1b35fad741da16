package portal

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"dusthub/node/engine/condition"
	"dusthub/node/store"
	"dusthub/schema"
)

// RuleView is a combined alarm rule with the names a person reads.
type RuleView struct {
	Rule           *schema.CombinedRule `json:"rule"`
	EnterpriseName string               `json:"enterprise_name"`
	Origin         string               `json:"origin"`
	Here           bool                 `json:"here" doc:"it belongs to this site and is changed here"`
	Known          int64                `json:"known"`
}

func (s *Server) ruleView(r store.Row) *RuleView {
	rule := r.Record.(*schema.CombinedRule)
	return &RuleView{Rule: rule, EnterpriseName: s.world.nameOf(rule.GetEnterprise()), Origin: r.Origin, Here: r.Origin == s.opt.Site.ID, Known: r.Here}
}

type rulesInput struct {
	Enterprise string `query:"enterprise"`
	After      string `query:"after" doc:"cursor"`
	Limit      int    `query:"limit" minimum:"0" doc:"at most 1000"`
}

func (s *Server) rules(ctx context.Context, v *viewer, in *rulesInput) (*Page[*RuleView], error) {
	q := store.Query{Type: "CombinedRule", After: in.After, Limit: in.Limit}
	if e := only(v, in.Enterprise); e != "" {
		q.Index, q.Prefix = "enterprise", []string{e}
	}
	page, err := s.opt.Backend.Store().List(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	rows := slices.DeleteFunc(page.Rows, func(r store.Row) bool { return !s.sees(v, enterpriseOf(r.Record)) })
	return pageOf(rows, page.Next, s.ruleView), nil
}

type ruleInput struct {
	Body struct {
		ID         string `json:"id,omitempty" maxLength:"64" doc:"of the rule to change; a new rule is given one"`
		Enterprise string `json:"enterprise,omitempty" maxLength:"32" doc:"needed on the regulator portal for a new rule"`
		Name       string `json:"name" minLength:"1" maxLength:"100"`
		Expression string `json:"expression" minLength:"1" maxLength:"1000" doc:"CEL over metric codes without the enterprise's, such as C001T0101 > 55 && !(C001R0101 == 1)"`
		Level      int32  `json:"level" minimum:"1" maximum:"2"`
		OnDelayMs  int32  `json:"on_delay_ms,omitempty" minimum:"0" maximum:"3600000"`
		OffDelayMs int32  `json:"off_delay_ms,omitempty" minimum:"0" maximum:"3600000"`
		Disabled   bool   `json:"disabled,omitempty"`
		Reason     string `json:"reason,omitempty" maxLength:"500" doc:"kept in the audit"`
	}
}

func (s *Server) writeRule(ctx context.Context, v *viewer, in *ruleInput) (*RuleView, error) {
	b := in.Body
	rule := &schema.CombinedRule{Id: b.ID, Name: b.Name, Expression: b.Expression, Level: b.Level, OnDelayMs: b.OnDelayMs, OffDelayMs: b.OffDelayMs, Disabled: b.Disabled}
	write := s.created
	if b.ID != "" {
		row, err := s.record(v, "CombinedRule", b.ID)
		if err != nil {
			return nil, err
		}
		b.Enterprise, write = enterpriseOf(row.Record), s.change
	}
	var err error
	if rule.Enterprise, err = s.plantHere(v, b.Enterprise); err != nil {
		return nil, err
	}
	if rule.GetId() == "" {
		rule.Id = s.plantID(rule.GetEnterprise(), "C")
	}
	if _, err = s.putFor(ctx, v.user, b.Reason, write(rule)); err != nil {
		return nil, err
	}
	row, err := s.record(v, "CombinedRule", rule.GetId())
	if err != nil {
		return nil, err
	}
	return s.ruleView(row), nil
}

func (s *Server) deleteRule(ctx context.Context, v *viewer, in *idInput) (*Keys, error) {
	row, err := s.record(v, "CombinedRule", in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.ownHere(row); err != nil {
		return nil, err
	}
	if _, err := s.put(ctx, v.user, &schema.Change{Type: row.Type, Key: row.Key, Deleted: true}); err != nil {
		return nil, err
	}
	return &Keys{Keys: []string{row.Key}}, nil
}

// RuleCheck is what is wrong with an expression, or which metrics it looks at.
type RuleCheck struct {
	OK      bool     `json:"ok"`
	Error   string   `json:"error,omitempty"`
	Line    int      `json:"line,omitempty" doc:"from 1; 0: the expression as a whole"`
	Column  int      `json:"column,omitempty"`
	Metrics []string `json:"metrics,omitempty" doc:"codes of the metrics it looks at"`
}

type ruleCheckInput struct {
	Body struct {
		Enterprise string `json:"enterprise,omitempty" maxLength:"32" doc:"needed on the regulator portal"`
		Expression string `json:"expression" maxLength:"1000"`
	}
}

func (s *Server) checkRule(ctx context.Context, v *viewer, in *ruleCheckInput) (*RuleCheck, error) {
	row, err := s.enterpriseRow(v, only(v, in.Body.Enterprise))
	if err != nil {
		return nil, err
	}
	metrics, _, err := parts[*schema.Metric](ctx, s, "Metric", row.Key)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, m := range metrics {
		known[condition.Name(row.Key, m.GetCode())] = true
	}
	out := &RuleCheck{Metrics: []string{}}
	program, err := condition.Compile(in.Body.Expression, func(name string) bool { return known[name] })
	var bad *condition.Error
	switch {
	case errors.As(err, &bad):
		first := bad.Issues[0]
		out.Error, out.Line, out.Column = first.Reason, first.Line, first.Column
	case err != nil:
		return nil, fmt.Errorf("check expression: %w", err)
	default:
		out.OK = true
		for _, name := range program.Names() {
			out.Metrics = append(out.Metrics, row.Key+name)
		}
	}
	return out, nil
}

func (d *door) ruleRoutes() {
	s := d.s
	handle(d, "rules", s.rules)
	handle(d, "rule-write", s.writeRule)
	handle(d, "rule-delete", s.deleteRule)
	handle(d, "rule-check", s.checkRule)
}
