package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"dusthub/node/store"
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
}

type writeInput struct {
	Body struct {
		Changes []RecordChange `json:"changes" minItems:"1" maxItems:"2000" nullable:"false"`
	}
}

// Keys of the records written, in order.
type Keys struct {
	Keys []string `json:"keys" nullable:"false"`
}

func (s *Server) writeRecords(ctx context.Context, v *viewer, in *writeInput) (*Keys, error) {
	var changes []*schema.Change
	var refused []*schema.Violation
	fresh := map[string]string{} // region of plants this very request makes
	for i, c := range in.Body.Changes {
		change, violation, err := s.recordChange(v, c, i, fresh)
		if err != nil {
			return nil, err
		}
		if violation != nil {
			refused = append(refused, violation)
		}
		changes = append(changes, change)
	}
	if err := refusal(refused); err != nil {
		return nil, err
	}
	res, err := s.put(ctx, v.user, changes...)
	if err != nil {
		return nil, err
	}
	out := &Keys{Keys: res.GetKeys()}
	if out.Keys == nil {
		out.Keys = []string{}
	}
	return out, nil
}

// recordChange reads one change and judges whether the viewer may make it.
func (s *Server) recordChange(v *viewer, c RecordChange, i int, fresh map[string]string) (*schema.Change, *schema.Violation, error) {
	subject := fmt.Sprintf("changes[%d] %s", i, c.Type)
	if !slices.Contains(written[c.Type], v.user.GetRole()) {
		return nil, nil, problem(403, codeForbidden, "%s: the role %s does not write this type", subject, v.user.GetRole())
	}
	change := &schema.Change{Type: c.Type, Key: c.Key, Deleted: c.Delete, Create: c.Create, To: c.To}
	var rec schema.Record
	if !c.Delete {
		rec, _ = schema.New(c.Type)
		d := json.NewDecoder(bytes.NewReader(c.Record))
		d.DisallowUnknownFields()
		if err := d.Decode(rec); err != nil {
			return nil, &schema.Violation{Record: subject, Rule: "form", Got: err.Error(), Wanted: "a record of the data dictionary"}, nil //nolint:nilerr // told as a violation, with the others
		}
		raw, err := schema.Marshal(rec)
		if err != nil {
			return nil, nil, fmt.Errorf("change %d: %w", i, err)
		}
		change.Record, c.Key = raw, schema.KeyOf(rec)
	}
	old, existed, err := s.opt.Backend.Store().Get(c.Type, c.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", c.Type, err)
	}
	if existed {
		if err := s.ownHere(old); err != nil {
			return nil, nil, err
		}
	}
	return change, nil, s.mayWrite(v, c.Type, rec, old.Record, fresh)
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

// ownFields keeps a plant from moving itself out of its regulator's sight.
func (s *Server) ownFields(v *viewer, rec, old schema.Record) error {
	if v.portal != Enterprise {
		return nil
	}
	if e, ok := old.(*schema.Enterprise); ok {
		n, kept := rec.(*schema.Enterprise)
		if !kept || n.GetRegion() != e.GetRegion() || n.GetMinistryCode() != e.GetMinistryCode() || n.GetUscc() != e.GetUscc() ||
			n.GetAccessState() != e.GetAccessState() || n.GetShouldAccess() != e.GetShouldAccess() {
			return problem(403, codeForbidden, "region, codes and access state of a plant are its regulator's to change")
		}
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
}
