package portal

import (
	"context"
	"fmt"

	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// SpotCheckView is a spot check with its answers.
type SpotCheckView struct {
	SpotCheck      *schema.SpotCheck         `json:"spot_check"`
	EnterpriseName string                    `json:"enterprise_name"`
	Answers        []*schema.SpotCheckAnswer `json:"answers"`
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
	Stage      string `query:"stage" enum:"issued,answered,closed,open" doc:"open: not closed"`
	After      string `query:"after"`
	Limit      int    `query:"limit" minimum:"0" doc:"at most 1000"`
}

func (s *Server) spotChecks(ctx context.Context, v *viewer, in *spotChecksInput) (*Page[*SpotCheckView], error) {
	q := store.Query{Type: "SpotCheck", Index: "issued"}
	if e := only(v, in.Enterprise); e != "" {
		q.Index, q.Prefix = "enterprise,issued", []string{e}
	}
	rows, next, err := s.list(ctx, newest{
		queries: []store.Query{q}, time: checkIssued, after: in.After, limit: in.Limit,
		keep: func(r store.Row) bool {
			c := r.Record.(*schema.SpotCheck)
			return inStage(c.GetStage(), in.Stage, []string{"issued", "answered"}) && s.sees(v, c.GetEnterprise())
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
	check := &schema.SpotCheck{
		Id: s.freshID("S"), Enterprise: plant.Key, Title: in.Body.Title, Text: in.Body.Text, Issued: now, Due: in.Body.Due,
		Issuer: v.user.GetLogin(), IssuerSite: s.opt.Site.ID, Stage: "issued",
		Steps: []*schema.Step{{Action: "issue", Actor: v.user.GetLogin(), ActorName: v.user.GetName(), Time: now}},
	}
	c := s.created(check)
	if plant.Origin != s.opt.Site.ID {
		c.To = plant.Origin
	}
	if _, err = s.put(ctx, v.user, c); err != nil {
		return nil, err
	}
	row, err := s.record(v, "SpotCheck", check.GetId())
	if err != nil {
		return nil, err
	}
	return s.spotCheckView(ctx, row)
}

type closeInput struct {
	ID   string `path:"id" maxLength:"128"`
	Body struct {
		Text string `json:"text,omitempty" maxLength:"2000"`
	}
}

func (s *Server) closeSpotCheck(ctx context.Context, v *viewer, in *closeInput) (*SpotCheckView, error) {
	row, err := s.record(v, "SpotCheck", in.ID)
	if err != nil {
		return nil, err
	}
	if row, err = s.act(ctx, v, row, &schema.Act{Action: "close", Text: in.Body.Text}); err != nil {
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
		Id: s.freshID("A"), SpotCheck: in.ID, Enterprise: check.GetEnterprise(), Text: in.Body.Text, Actor: v.user.GetName(), Time: s.nowMs(), Attachments: in.Body.Attachments,
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
	handle(d, "spot-check-close", s.closeSpotCheck)
	handle(d, "spot-check-answer", s.answerSpotCheck)
}

// CleaningView is a plant's cleaning: what is planned, and what was done, newest first.
type CleaningView struct {
	Plans   []*schema.CleaningPlan   `json:"plans"`
	Records []*schema.CleaningRecord `json:"records"`
}

type cleaningInput struct {
	Enterprise string `query:"enterprise" doc:"needed on the regulator portal"`
	From       int64  `query:"from"`
	To         int64  `query:"to"`
	Limit      int    `query:"limit" minimum:"0" doc:"at most 1000"`
}

func (s *Server) cleaning(ctx context.Context, v *viewer, in *cleaningInput) (*CleaningView, error) {
	enterprise := only(v, in.Enterprise)
	if enterprise == "" {
		return nil, invalid("query.enterprise", "a plant", "")
	}
	if _, err := s.enterpriseRow(v, enterprise); err != nil {
		return nil, err
	}
	return s.cleaningOf(ctx, enterprise, in.From, in.To, in.Limit)
}

func (s *Server) cleaningOf(ctx context.Context, enterprise string, from, to int64, limit int) (*CleaningView, error) {
	plans, _, err := parts[*schema.CleaningPlan](ctx, s, "CleaningPlan", enterprise)
	if err != nil {
		return nil, err
	}
	page, err := s.opt.Backend.Store().List(ctx, store.Query{
		Type: "CleaningRecord", Index: "enterprise,time", Prefix: []string{enterprise}, From: from, To: to, Desc: true, Limit: limit,
	})
	if err != nil {
		return nil, fmt.Errorf("list cleaning records: %w", err)
	}
	out := &CleaningView{Plans: plans, Records: []*schema.CleaningRecord{}}
	for _, r := range page.Rows {
		out.Records = append(out.Records, r.Record.(*schema.CleaningRecord))
	}
	return out, nil
}

type cleaningRecordInput struct {
	Body struct {
		ID     string   `json:"id" minLength:"1" maxLength:"64" doc:"given by the client, so that sending it again does nothing"`
		Plan   string   `json:"plan" maxLength:"64"`
		Item   string   `json:"item" maxLength:"100"`
		Person string   `json:"person" maxLength:"50"`
		Time   int64    `json:"time" doc:"ms"`
		Photos []string `json:"photos" minItems:"1" maxItems:"9" nullable:"false"`
		Lng    float64  `json:"lng,omitempty"`
		Lat    float64  `json:"lat,omitempty"`
		Note   string   `json:"note,omitempty" maxLength:"500"`
	}
}

// recordCleaning checks a cleaning in. The same record again is answered as the first time: check-ins are made where
// the network comes and goes.
func (s *Server) recordCleaning(ctx context.Context, v *viewer, in *cleaningRecordInput) (*schema.CleaningRecord, error) {
	b := in.Body
	rec := &schema.CleaningRecord{
		Id: b.ID, Enterprise: v.owned(), Plan: b.Plan, Item: b.Item, Person: b.Person, Time: b.Time, Photos: b.Photos, Lng: b.Lng, Lat: b.Lat, Note: b.Note,
	}
	if row, ok, err := s.opt.Backend.Store().Get("CleaningRecord", b.ID); err == nil && ok && proto.Equal(row.Record, rec) {
		return rec, nil
	}
	plan, err := s.record(v, "CleaningPlan", b.Plan)
	if err != nil {
		return nil, err
	}
	if plan.Record.(*schema.CleaningPlan).GetDisabled() {
		return nil, invalid("body.plan", "a plan in use", b.Plan)
	}
	if err := s.haveAttachments(v, b.Photos); err != nil {
		return nil, err
	}
	if _, err := s.put(ctx, v.user, s.created(rec)); err != nil {
		return nil, err
	}
	return rec, nil
}

func (d *door) cleaningRoutes() {
	handle(d, "cleaning", d.s.cleaning)
	handle(d, "cleaning-record", d.s.recordCleaning)
}
