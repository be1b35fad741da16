package portal

import (
	"context"
	"fmt"

	"dusthub/node/store"
	"dusthub/schema"
)

// SpotCheckView is a spot check with its answers.
type SpotCheckView struct {
	SpotCheck      *schema.SpotCheck         `json:"spot_check"`
	EnterpriseName string                    `json:"enterprise_name"`
	Answers        []*schema.SpotCheckAnswer `json:"answers,omitempty"`
	Origin         string                    `json:"origin"`
}

func checkIssued(r schema.Record) int64 { return r.(*schema.SpotCheck).GetIssued() }

func (s *Server) spotCheckView(ctx context.Context, r store.Row) (*SpotCheckView, error) {
	c := r.Record.(*schema.SpotCheck)
	view := &SpotCheckView{SpotCheck: c, EnterpriseName: s.world.nameOf(c.GetEnterprise()), Answers: []*schema.SpotCheckAnswer{}, Origin: r.Origin}
	page, err := s.opt.Backend.Store().List(ctx, store.Query{Type: "SpotCheckAnswer", Index: "spot_check", Prefix: []string{c.GetId()}})
	if err != nil {
		return nil, fmt.Errorf("list answers: %w", err)
	}
	for _, a := range page.Rows {
		// Only the plant that was asked answers.
		if a := a.Record.(*schema.SpotCheckAnswer); a.GetEnterprise() == c.GetEnterprise() {
			view.Answers = append(view.Answers, a)
		}
	}
	return view, nil
}

type spotChecksInput struct {
	Enterprise string `query:"enterprise"`
	Stage      string `query:"stage" enum:"issued,answered,ordered,rectified,closed,open" doc:"open: not closed"`
	After      string `query:"after"`
	Limit      int    `query:"limit" minimum:"0" doc:"at most 1000"`
}

func (s *Server) spotChecks(ctx context.Context, v *viewer, in *spotChecksInput) (*Page[*SpotCheckView], error) {
	q := store.Query{Type: "SpotCheck", Index: "issued"}
	if e := only(v, in.Enterprise); e != "" {
		q.Index, q.Prefix = "enterprise,issued", []string{e}
	}
	rows, next, err := s.list(ctx, newest{
		queries: []store.Query{q}, time: checkIssued, after: in.After, limit: in.Limit, recent: areaRecent(typeSpotCheck, v, len(q.Prefix) > 0),
		keep: func(r store.Row) bool {
			c := r.Record.(*schema.SpotCheck)
			return inStage(c.GetStage(), in.Stage, []string{"issued", "answered", "ordered", "rectified"}) && s.sees(v, c.GetEnterprise())
		},
	})
	if err != nil {
		return nil, err
	}
	page := &Page[*SpotCheckView]{Items: make([]*SpotCheckView, 0, len(rows)), Next: next}
	for _, r := range rows {
		view, err := s.spotCheckView(ctx, r)
		if err != nil {
			return nil, err
		}
		page.Items = append(page.Items, view)
	}
	return page, nil
}

type issueInput struct {
	Body struct {
		Enterprise string `json:"enterprise" maxLength:"32"`
		Title      string `json:"title" minLength:"1" maxLength:"100"`
		Text       string `json:"text,omitempty" maxLength:"2000"`
		Due        int64  `json:"due,omitempty" doc:"ms"`
	}
}

// issueSpotCheck sends a spot check to a plant. It belongs to this site and is addressed to the site the plant belongs to.
func (s *Server) issueSpotCheck(ctx context.Context, v *viewer, in *issueInput) (*SpotCheckView, error) {
	plant, err := s.enterpriseRow(v, in.Body.Enterprise)
	if err != nil {
		return nil, err
	}
	now := s.nowMs()
	if in.Body.Due != 0 && in.Body.Due <= now {
		return nil, invalid("body.due", "a time to come", in.Body.Due)
	}
	check := s.newCheck(v, plant.Key, in.Body.Title, in.Body.Text, now, in.Body.Due)
	if _, err = s.put(ctx, v.user, s.sent(check, plant.Origin)); err != nil {
		return nil, err
	}
	row, err := s.record(v, "SpotCheck", check.GetId())
	if err != nil {
		return nil, err
	}
	return s.spotCheckView(ctx, row)
}

// newCheck is a spot check of this site that nobody has seen yet.
func (s *Server) newCheck(v *viewer, enterprise, title, text string, now, due int64) *schema.SpotCheck {
	return &schema.SpotCheck{
		Id: s.freshID("S"), Enterprise: enterprise, Title: title, Text: text, Issued: now, Due: due,
		Issuer: v.user.GetLogin(), IssuerSite: s.opt.Site.ID, Stage: "issued",
		Steps: []*schema.Step{{Action: "issue", Actor: v.user.GetLogin(), ActorName: v.user.GetName(), Time: now}},
	}
}

// sent addresses a new spot check to the site its plant belongs to.
func (s *Server) sent(check *schema.SpotCheck, site string) *schema.Change {
	c := s.created(check)
	if site != s.opt.Site.ID {
		c.To = site
	}
	return c
}

type checkActionInput struct {
	ID   string `path:"id" maxLength:"128"`
	Body struct {
		Action      string   `json:"action" enum:"find,order,reject,close"`
		Text        string   `json:"text,omitempty" maxLength:"2000" doc:"what was found, is to be rectified, or is still wrong"`
		Clause      string   `json:"clause,omitempty" maxLength:"100" doc:"of a finding: the standard's clause"`
		Grave       bool     `json:"grave,omitempty" doc:"of a finding: a major hidden danger"`
		Due         int64    `json:"due,omitempty" doc:"of an order, ms"`
		Attachments []string `json:"attachments,omitempty" maxItems:"9"`
	}
}

// stepSpotCheck takes a regulator's step: a finding (发现问题), an order to rectify (责令整改), sent back (退回), closed (办结).
func (s *Server) stepSpotCheck(ctx context.Context, v *viewer, in *checkActionInput) (*SpotCheckView, error) {
	row, err := s.record(v, "SpotCheck", in.ID)
	if err != nil {
		return nil, err
	}
	b := in.Body
	row, err = s.act(ctx, v, row, &schema.Act{Action: b.Action, Text: b.Text, Clause: b.Clause, Grave: b.Grave, Due: b.Due, Attachments: b.Attachments})
	if err != nil {
		return nil, err
	}
	return s.spotCheckView(ctx, row)
}

type answerInput struct {
	ID   string `path:"id" maxLength:"128"`
	Body struct {
		Text        string   `json:"text" minLength:"1" maxLength:"2000"`
		Attachments []string `json:"attachments,omitempty" maxItems:"9"`
	}
}

func (s *Server) answerSpotCheck(ctx context.Context, v *viewer, in *answerInput) (*SpotCheckView, error) {
	row, err := s.record(v, "SpotCheck", in.ID)
	if err != nil {
		return nil, err
	}
	check := row.Record.(*schema.SpotCheck)
	if err = over(row); err != nil {
		return nil, err
	}
	if err = s.haveAttachments(v, in.Body.Attachments); err != nil {
		return nil, err
	}
	reply := &schema.SpotCheckAnswer{
		Id: s.freshID("A"), SpotCheck: in.ID, Enterprise: check.GetEnterprise(), Text: in.Body.Text, Actor: v.user.GetLogin(), ActorName: v.user.GetName(), Time: s.nowMs(), Attachments: in.Body.Attachments,
	}
	if _, err = s.put(ctx, v.user, s.created(reply)); err != nil {
		return nil, err
	}
	if row, err = s.record(v, "SpotCheck", in.ID); err != nil {
		return nil, err
	}
	return s.spotCheckView(ctx, row)
}

func (d *door) spotCheckRoutes() {
	s := d.s
	handle(d, "spot-checks", s.spotChecks)
	handle(d, "spot-check-issue", s.issueSpotCheck)
	handle(d, "spot-check", func(ctx context.Context, v *viewer, in *idInput) (*SpotCheckView, error) {
		row, err := s.record(v, "SpotCheck", in.ID)
		if err != nil {
			return nil, err
		}
		return s.spotCheckView(ctx, row)
	})
	handle(d, "spot-check-action", s.stepSpotCheck)
	handle(d, "spot-check-draw", s.drawSpotChecks)
	handle(d, "spot-check-answer", s.answerSpotCheck)
}
