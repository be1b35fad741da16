package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"dusthub/node/store"
	"dusthub/portal/sheet"
	"dusthub/schema"
)

// written are the types people write through POST /api/v1/records, by role. All others are made by the site, or have a
// door of their own.
var written = map[string][]string{
	"Enterprise":   {siteAdmin, ministryRegulator, provinceRegulator, plantManager},
	"Workshop":     {siteAdmin, ministryRegulator, provinceRegulator, plantManager},
	"DustSystem":   {siteAdmin, ministryRegulator, provinceRegulator, plantManager},
	"Collector":    {siteAdmin, ministryRegulator, provinceRegulator, plantManager},
	"Metric":       {siteAdmin, ministryRegulator, provinceRegulator, plantManager},
	"Camera":       {siteAdmin, ministryRegulator, provinceRegulator, plantManager},
	"CleaningPlan": {siteAdmin, ministryRegulator, provinceRegulator, plantManager},
	"Gateway":      {siteAdmin, ministryRegulator, provinceRegulator},
	"CodeTable":    {siteAdmin, ministryRegulator},
}

// RecordChange is one record to be written or deleted.
type RecordChange struct {
	Type   string          `json:"type" maxLength:"32"`
	Record json.RawMessage `json:"record,omitempty" kinds:"object" doc:"the record; fields of the data dictionary"`
	Delete bool            `json:"delete,omitempty"`
	Key    string          `json:"key,omitempty" maxLength:"128" doc:"of the record to be deleted"`
	Create bool            `json:"create,omitempty" doc:"refuse when it exists"`
	To     string          `json:"to,omitempty" maxLength:"32" doc:"records that travel down: the child, or *"`
	// Of two who change a record at once, the second is told: 409 with what differs.
	Seq     uint64 `json:"seq,omitempty" doc:"the version that was edited (seq of a RecordRow); refused as changed when the record has moved on; absent: not asked"`
	Restore uint64 `json:"restore,omitempty" doc:"instead of a record: the key's earlier version of this seq becomes the newest"`
}

// draft is a change as it is about to be proposed, with what it changes.
type draft struct {
	change  *schema.Change
	rec     schema.Record // nil: deleted
	row     store.Row
	existed bool
}

type writeInput struct {
	Body struct {
		Changes []RecordChange `json:"changes" minItems:"1" maxItems:"2000" nullable:"false"`
		Reason  string         `json:"reason,omitempty" maxLength:"500" doc:"why limits are changed; the audit keeps it"`
	}
}

// Keys of the records written, in order.
type Keys struct {
	Keys []string `json:"keys" nullable:"false"`
}

func (s *Server) writeRecords(ctx context.Context, v *viewer, in *writeInput) (*Keys, error) {
	var drafts []*draft
	var refused []*schema.Violation
	fresh := map[string]string{} // region of plants this very request makes
	for i, c := range in.Body.Changes {
		d, violation, err := s.recordChange(ctx, v, c, i, fresh)
		if err != nil {
			return nil, err
		}
		if violation != nil {
			refused = append(refused, violation)
		}
		drafts = append(drafts, d)
	}
	if err := refusal(refused); err != nil {
		return nil, err
	}
	res, err := s.putFor(ctx, v.user, in.Body.Reason, changesOf(drafts)...)
	if err != nil {
		return nil, s.outrun(v, drafts, err)
	}
	out := &Keys{Keys: res.GetKeys()}
	if out.Keys == nil {
		out.Keys = []string{}
	}
	return out, nil
}

func changesOf(drafts []*draft) []*schema.Change {
	out := make([]*schema.Change, len(drafts))
	for i, d := range drafts {
		out[i] = d.change
	}
	return out
}

// recordChange reads one change and judges whether the viewer may make it.
func (s *Server) recordChange(ctx context.Context, v *viewer, c RecordChange, i int, fresh map[string]string) (*draft, *schema.Violation, error) {
	subject := fmt.Sprintf("changes[%d] %s", i, c.Type)
	if !slices.Contains(written[c.Type], v.user.GetRole()) {
		return nil, nil, problem(403, codeForbidden, "%s: the role %s does not write this type", subject, v.user.GetRole())
	}
	d := &draft{change: &schema.Change{Type: c.Type, Key: c.Key, Deleted: c.Delete, Create: c.Create, To: c.To}}
	var err error
	switch {
	case c.Delete:
	case c.Restore != 0:
		if d.rec, err = s.earlier(ctx, c); err != nil {
			return nil, nil, err
		}
	default:
		d.rec, _ = schema.New(c.Type)
		dec := json.NewDecoder(bytes.NewReader(c.Record))
		dec.DisallowUnknownFields()
		if err := dec.Decode(d.rec); err != nil {
			return nil, &schema.Violation{Record: subject, Rule: "form", Got: err.Error(), Wanted: "a record of the data dictionary"}, nil //nolint:nilerr // told as a violation, with the others
		}
		c.Key = schema.KeyOf(d.rec)
	}
	if d.row, d.existed, err = s.opt.Backend.Store().Get(c.Type, c.Key); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", c.Type, err)
	}
	// Scope first: where a record belongs is not for everybody to know.
	if err := s.mayWrite(v, c.Type, d.rec, d.row.Record, fresh); err != nil {
		return nil, nil, err
	}
	if d.existed {
		if err := s.ownHere(d.row); err != nil {
			return nil, nil, err
		}
	}
	if d.rec != nil && c.Restore == 0 { // what is brought back is as it was kept
		if bad := s.unmasked(v, d.rec, d.row.Record); bad != nil {
			return nil, bad, nil
		}
	}
	return d, nil, s.finish(v, d, c)
}

// finish encodes a draft, and refuses it when it was made of a version that is no longer the newest.
func (s *Server) finish(v *viewer, d *draft, c RecordChange) (err error) {
	if d.rec != nil {
		if d.change.Record, err = schema.Marshal(d.rec); err != nil {
			return fmt.Errorf("encode %s: %w", c.Type, err)
		}
	}
	if c.Seq == 0 {
		return nil
	}
	if !d.existed || d.row.Seq != c.Seq {
		return s.outdated(v, d)
	}
	d.change.Over = c.Seq
	return nil
}

// mayWrite judges scope: neither the record as it will be nor as it was may be somebody else's.
func (s *Server) mayWrite(v *viewer, typ string, rec, old schema.Record, fresh map[string]string) error {
	if !ofPlants(typ) {
		if v.area() != "" || v.owned() != "" {
			return problem(403, codeForbidden, "%s concerns the whole site", typ)
		}
		return nil
	}
	for _, r := range []schema.Record{old, rec} {
		if r == nil {
			continue
		}
		if e, ok := r.(*schema.Enterprise); ok && v.portal == Regulator {
			if !seesRegion(v, e.GetRegion()) {
				return notFound(typ, e.GetCode())
			}
			fresh[e.GetCode()] = e.GetRegion()
			continue
		}
		code := enterpriseOf(r)
		if region, made := fresh[code]; made && v.portal == Regulator && seesRegion(v, region) {
			continue
		}
		if !s.sees(v, code) {
			return notFound(typ, schema.KeyOf(r))
		}
	}
	return s.ownFields(v, rec, old)
}

func seesRegion(v *viewer, region string) bool {
	area := v.area()
	return len(region) >= len(area) && region[:len(area)] == area
}

// regulatorsFields are fields of an enterprise that the enterprise itself does not change.
var regulatorsFields = []string{"region", "ministry_code", "uscc", "access_state", "should_access"}

// ownFields keeps a plant from moving itself out of its regulator's sight.
func (s *Server) ownFields(v *viewer, rec, old schema.Record) error {
	e, ok := old.(*schema.Enterprise)
	if v.portal != Enterprise || !ok {
		return nil
	}
	changed := rec == nil
	for _, c := range fieldChanges(old, rec) {
		changed = changed || slices.Contains(regulatorsFields, c.Field)
	}
	if changed || schema.KeyOf(rec) != e.GetCode() {
		return problem(403, codeForbidden, "region, codes and access state of a plant are its regulator's to change")
	}
	return nil
}

type recordsInput struct {
	Type   string `path:"type" maxLength:"32"`
	Index  string `query:"index" doc:"fields of a declared index, with commas"`
	Prefix string `query:"prefix" doc:"values of the index's first fields, with commas; without an index, beginning of the key"`
	From   int64  `query:"from"`
	To     int64  `query:"to"`
	Desc   string `query:"desc" enum:"true,false"`
	After  string `query:"after"`
	Limit  int    `query:"limit" minimum:"0" doc:"at most 1000"`
}

// RecordRow is a record with where it came from.
type RecordRow struct {
	Key    string        `json:"key"`
	Origin string        `json:"origin"`
	Seq    uint64        `json:"seq"`
	Time   int64         `json:"time"`
	Known  int64         `json:"known"`
	Record schema.Record `json:"record" kinds:"object"`
}

func (s *Server) records(ctx context.Context, v *viewer, in *recordsInput) (*Page[*RecordRow], error) {
	if _, known := schema.MetaOf(in.Type); !known || local(in.Type) {
		return nil, notFound("record type", in.Type)
	}
	if v.portal == Enterprise { // a plant reads its own base data, by the index of plants
		if !slices.Contains(sheet.Types, in.Type) {
			return nil, notFound("record type", in.Type)
		}
		in.Index, in.Prefix = "enterprise", v.owned()
		if in.Type == "Enterprise" {
			in.Index = ""
		}
	}
	q := store.Query{Type: in.Type, Index: in.Index, From: in.From, To: in.To, After: in.After, Limit: in.Limit, Desc: in.Desc == "true"}
	if in.Prefix != "" {
		q.Prefix = []string{in.Prefix}
		if in.Index != "" {
			q.Prefix = strings.Split(in.Prefix, ",")
		}
	}
	page, err := s.opt.Backend.Store().List(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", in.Type, err)
	}
	rows := slices.DeleteFunc(page.Rows, func(r store.Row) bool { return !s.inArea(v, r.Record) })
	return pageOf(rows, page.Next, recordRow), nil
}

func recordRow(r store.Row) *RecordRow {
	return &RecordRow{Key: r.Key, Origin: r.Origin, Seq: r.Seq, Time: r.Time, Known: r.Here, Record: r.Record}
}

func (d *door) recordRoutes() {
	handle(d, "records-write", d.s.writeRecords)
	handle(d, "records", d.s.records)
	handle(d, "records-preview", d.s.previewRecords)
	handle(d, "record-versions", d.s.versions)
	handle(d, "record-forms", d.s.forms)
}
