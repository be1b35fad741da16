package portal

import (
	"context"
	"fmt"

	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// CleaningView is a plant's cleaning: what is planned, and what was done, newest first.
type CleaningView struct {
	Plans   []*schema.CleaningPlan   `json:"plans,omitempty"`
	Records []*schema.CleaningRecord `json:"records,omitempty"`
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

		ClockOffset   int64 `json:"clock_offset_ms,omitempty" doc:"what was added to the device's clock to get time"`
		ClockDoubtful bool  `json:"clock_doubtful,omitempty" doc:"the device could not hold its clock against the site's"`
	}
}

// clockSlack is how far ahead of the site's clock a check-in may be before its device's clock is doubted, ms.
const clockSlack = 60_000

// recordCleaning checks a cleaning in. The same record again is answered as the first time: check-ins are made where
// the network comes and goes, and carry when they were done beside when they came (F3.5).
func (s *Server) recordCleaning(ctx context.Context, v *viewer, in *cleaningRecordInput) (*schema.CleaningRecord, error) {
	b := in.Body
	rec := &schema.CleaningRecord{
		Id: b.ID, Enterprise: v.owned(), Plan: b.Plan, Item: b.Item, Person: b.Person, Time: b.Time, Photos: b.Photos, Lng: b.Lng, Lat: b.Lat, Note: b.Note,
		ClockOffsetMs: b.ClockOffset, ClockDoubtful: b.ClockDoubtful,
	}
	if before := s.checkedIn(rec); before != nil {
		return before, nil
	}
	rec.Received = s.nowMs()
	rec.ClockDoubtful = rec.GetClockDoubtful() || rec.GetTime() > rec.GetReceived()+clockSlack
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
		// A phone that gave up waiting sends once more while the first is on its way: that one may have come in meanwhile.
		if before := s.checkedIn(rec); before != nil {
			return before, nil
		}
		return nil, err
	}
	return rec, nil
}

// checkedIn is a check-in that was sent before, as it was kept; nil when it was not.
func (s *Server) checkedIn(sent *schema.CleaningRecord) *schema.CleaningRecord {
	row, ok, err := s.opt.Backend.Store().Get("CleaningRecord", sent.GetId())
	if err != nil || !ok {
		return nil
	}
	if kept := s.inClear(row.Record).(*schema.CleaningRecord); sameCheckIn(kept, sent) {
		return kept
	}
	return nil
}

// sameCheckIn tells whether a check-in was sent before. What the site adds to it is not compared.
func sameCheckIn(kept, sent *schema.CleaningRecord) bool {
	again := proto.Clone(sent).(*schema.CleaningRecord)
	again.Received, again.ClockDoubtful = kept.GetReceived(), kept.GetClockDoubtful()
	return proto.Equal(kept, again)
}

func (d *door) cleaningRoutes() {
	handle(d, "cleaning", d.s.cleaning)
	handle(d, "cleaning-record", d.s.recordCleaning)
}
