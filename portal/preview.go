package portal

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"dusthub/node/engine"
	"dusthub/node/model"
	"dusthub/schema"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// What a change of base data would lead to is shown before it is made (F3.6): the fields that change, every reason why it would be
// refused, and what it does to the plant's alarms, hazards and risk, tried by the engine itself on a copy of the plant.

// Rehearser tries changes out. The node is one.
type Rehearser interface {
	// Check lists every reason why a put would be refused; false when that is not known at the moment. It changes nothing.
	Check(actor string, put *schema.Put) ([]*schema.Violation, bool)
	// Copy is an engine that knows one plant as the site's does; false when there is none to be had.
	Copy(plant string) (*engine.Engine, bool)
}

// mostTried is of how many plants one preview shows the effects.
const mostTried = 20

// FieldChange is one field before and after a change. Of personal fields it is only told that they change.
type FieldChange struct {
	Field    string `json:"field" doc:"name in the data dictionary; limits.hh within a message"`
	Zh       string `json:"zh"`
	Unit     string `json:"unit,omitempty"`
	Table    string `json:"table,omitempty" doc:"the code table of its values"`
	Before   string `json:"before,omitempty"`
	After    string `json:"after,omitempty"`
	Personal bool   `json:"personal,omitempty" doc:"values are not shown"`
}

// PreviewItem is what one change would do to its record.
type PreviewItem struct {
	Type    string              `json:"type"`
	Key     string              `json:"key"`
	Outcome string              `json:"outcome" doc:"created, changed, same, deleted, refused"`
	Seq     uint64              `json:"seq,omitempty" doc:"of the version it would change"`
	Fields  []FieldChange       `json:"fields,omitempty"`
	Refused []*schema.Violation `json:"refused,omitempty" doc:"every reason; a warning does not refuse"`
}

// PreviewView is what a request to write records would lead to.
type PreviewView struct {
	OK      bool            `json:"ok" doc:"it would be taken"`
	Items   []PreviewItem   `json:"items,omitempty"`
	Refused []string        `json:"refused,omitempty" doc:"reasons that concern the whole request"`
	Effects []*model.Effect `json:"effects,omitempty" doc:"by plant, of at most 20; none where the plants belong to another site"`
}

func (s *Server) previewRecords(ctx context.Context, v *viewer, in *writeInput) (*PreviewView, error) {
	out := &PreviewView{OK: true, Items: []PreviewItem{}, Refused: []string{}, Effects: []*model.Effect{}}
	var drafts []*draft
	fresh := map[string]string{}
	for i, c := range in.Body.Changes {
		d, violation, err := s.recordChange(ctx, v, c, i, fresh)
		item, err := s.previewItem(c, d, violation, err)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, *item)
		if d != nil && violation == nil && item.Outcome != "refused" {
			drafts = append(drafts, d)
		} else {
			out.OK = false
		}
	}
	if len(drafts) == 0 {
		return out, nil
	}
	put := &schema.Put{Changes: changesOf(drafts), Role: v.user.GetRole(), Reason: in.Body.Reason}
	s.judgePreview(v, put, out)
	if !out.OK {
		return out, nil
	}
	return out, s.tryPlants(v, drafts, put.GetReason(), out)
}

// previewItem tells what becomes of one record; a refusal of this change alone is told in it.
func (s *Server) previewItem(c RecordChange, d *draft, violation *schema.Violation, err error) (*PreviewItem, error) {
	item := &PreviewItem{Type: c.Type, Key: c.Key, Outcome: "refused", Fields: []FieldChange{}, Refused: []*schema.Violation{}}
	var p *Problem
	switch {
	case errors.As(err, &p) && p.Code == codeNotFound: // what is not in sight is not there, as when it is written
		return nil, err
	case errors.As(err, &p):
		item.Refused = append(item.Refused, &schema.Violation{Record: c.Type + "/" + c.Key, Rule: p.Code, Wanted: p.Detail})
		if p.Outdated != nil {
			item.Fields, item.Seq = p.Outdated.Fields, p.Outdated.Current.Seq
		}
		return item, nil
	case err != nil:
		return nil, err
	case violation != nil:
		item.Refused = append(item.Refused, violation)
		return item, nil
	}
	item.Seq = d.row.Seq
	if d.rec != nil {
		item.Key = schema.KeyOf(d.rec)
	}
	item.Fields = fieldChanges(d.row.Record, d.rec)
	switch {
	case d.rec == nil:
		item.Outcome = "deleted"
	case !d.existed:
		item.Outcome = "created"
	case len(item.Fields) == 0:
		item.Outcome = "same"
	default:
		item.Outcome = "changed"
	}
	return item, nil
}

// judgePreview has the engine say what it would refuse, and puts each reason to its record. Where nobody can ask the engine, the
// schema's rules are all that is known.
func (s *Server) judgePreview(v *viewer, put *schema.Put, out *PreviewView) {
	violations, known := []*schema.Violation(nil), false
	if s.opt.Rehearser != nil {
		violations, known = s.opt.Rehearser.Check(v.user.GetLogin(), put)
	}
	if !known {
		for _, c := range put.GetChanges() {
			if rec, err := schema.Decode(c.GetType(), c.GetRecord()); err == nil && !c.GetDeleted() {
				violations = append(violations, s.tables().ValidateAt(rec, s.nowMs())...)
			}
		}
	}
	for _, x := range violations {
		i := slices.IndexFunc(out.Items, func(it PreviewItem) bool { return it.Type+"/"+it.Key == x.GetRecord() })
		if i >= 0 {
			out.Items[i].Refused = append(out.Items[i].Refused, x)
		}
		if x.GetWarning() {
			continue
		}
		out.OK = false
		if i >= 0 {
			out.Items[i].Outcome = "refused"
		} else {
			out.Refused = append(out.Refused, strings.TrimSpace(fmt.Sprintf("%s %s: %s", x.GetRecord(), x.GetField(), x.GetWanted())))
		}
	}
}

// tryPlants tries the changes plant by plant.
func (s *Server) tryPlants(v *viewer, drafts []*draft, reason string, out *PreviewView) error {
	if s.opt.Rehearser == nil {
		return nil
	}
	var plants []string
	by := map[string][]*schema.Change{}
	for _, d := range drafts {
		rec := d.rec
		if rec == nil {
			rec = d.row.Record
		}
		if code := enterpriseOf(rec); code != "" {
			if by[code] == nil {
				plants = append(plants, code)
			}
			by[code] = append(by[code], d.change)
		}
	}
	for _, code := range plants[:min(mostTried, len(plants))] {
		e, ok := s.opt.Rehearser.Copy(code)
		if !ok {
			continue
		}
		effect, _, err := s.opt.Service.Try(v.user.GetLogin(), code, e, &schema.Put{Changes: by[code], Role: v.user.GetRole(), Reason: reason})
		if err != nil {
			return modelProblem(err)
		}
		if effect != nil {
			out.Effects = append(out.Effects, effect)
		}
	}
	return nil
}

// fieldChanges are the fields in which two records differ, in the order of the definition; either may be nil.
func fieldChanges(old, now schema.Record) []FieldChange {
	out := []FieldChange{}
	is := old
	if is == nil || reflect.ValueOf(is).IsNil() {
		is = now
	}
	if is == nil || reflect.ValueOf(is).IsNil() {
		return out
	}
	empty := is.ProtoReflect().New()
	before, after := empty, empty
	if old != nil && !reflect.ValueOf(old).IsNil() {
		before = old.ProtoReflect()
	}
	if now != nil && !reflect.ValueOf(now).IsNil() {
		after = now.ProtoReflect()
	}
	compareFields("", "", before, after, &out)
	return out
}

func compareFields(path, title string, old, now protoreflect.Message, out *[]FieldChange) {
	infos := schema.FieldsOf(now.Descriptor())
	for i, info := range infos {
		fd := now.Descriptor().Fields().Get(i)
		if fd.Kind() == protoreflect.MessageKind && !fd.IsList() {
			compareFields(path+info.Name+".", title+info.Zh+" ", old.Get(fd).Message(), now.Get(fd).Message(), out)
			continue
		}
		if old.Has(fd) == now.Has(fd) && old.Get(fd).Equal(now.Get(fd)) {
			continue
		}
		c := FieldChange{Field: path + info.Name, Zh: title + info.Zh, Unit: info.Unit, Table: info.Table, Personal: info.Personal}
		if !info.Personal {
			c.Before, c.After = valueText(old, fd), valueText(now, fd)
		}
		*out = append(*out, c)
	}
}

// valueText is a field's value as people read it; a list's values stand with commas. Empty when there is none.
func valueText(m protoreflect.Message, fd protoreflect.FieldDescriptor) string {
	if !m.Has(fd) {
		if fd.Kind() == protoreflect.BoolKind {
			return "false"
		}
		return ""
	}
	one := func(v protoreflect.Value) string {
		switch fd.Kind() {
		case protoreflect.MessageKind:
			b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(v.Message().Interface())
			if err != nil {
				return err.Error()
			}
			return strings.ReplaceAll(string(b), " ", "")
		case protoreflect.BytesKind:
			return fmt.Sprintf("%d B", len(v.Bytes()))
		}
		return v.String()
	}
	v := m.Get(fd)
	if !fd.IsList() {
		return one(v)
	}
	var parts []string
	for i := range v.List().Len() {
		parts = append(parts, one(v.List().Get(i)))
	}
	return strings.Join(parts, ", ")
}

// OutdatedView is what somebody else made of a record while it was being changed.
type OutdatedView struct {
	Current *RecordRow    `json:"current"`
	Fields  []FieldChange `json:"fields,omitempty" doc:"before: as it is now; after: as the change would have it"`
}

// outdated refuses a change that was made of an older version.
func (s *Server) outdated(_ *viewer, d *draft) error {
	what := d.change.GetType() + " " + d.change.GetKey()
	if d.rec != nil {
		what = d.change.GetType() + " " + schema.KeyOf(d.rec)
	}
	p := problem(409, codeChanged, "%s was changed by somebody else in the meantime: look at the difference, and decide again", what)
	if d.existed {
		p.Outdated = &OutdatedView{Current: recordRow(d.row), Fields: fieldChanges(d.row.Record, d.rec)}
	} else {
		p.Detail = what + " was deleted by somebody else in the meantime"
	}
	return p
}

// outrun completes a refusal of the engine that a change was overtaken between reading and writing.
func (s *Server) outrun(v *viewer, drafts []*draft, refused error) error {
	var p *Problem
	if !errors.As(refused, &p) || p.Code != codeChanged {
		return refused
	}
	for _, d := range drafts {
		if d.change.GetOver() == 0 {
			continue
		}
		row, ok, err := s.opt.Backend.Store().Get(d.row.Type, d.row.Key)
		if err != nil {
			return fmt.Errorf("read %s: %w", d.row.Type, err)
		}
		if ok && !proto.Equal(row.Record, d.row.Record) {
			d.row = row
			return s.outdated(v, d)
		}
	}
	return refused
}
