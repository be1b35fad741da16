package portal

import (
	"context"
	"fmt"
	"slices"

	"dusthub/node/store"
	"dusthub/portal/sheet"
	"dusthub/schema"
)

// versionsShown is how many versions a page of a record's history holds.
const versionsShown = 20

type versionsInput struct {
	Type   string `path:"type" maxLength:"32"`
	Key    string `path:"key" maxLength:"128"`
	Before uint64 `query:"before" doc:"seq: only older versions"`
	Limit  int    `query:"limit" minimum:"0" maximum:"100"`
}

// VersionView is a record as one entry of its site's ledger wrote it.
type VersionView struct {
	Seq     uint64        `json:"seq"`
	Time    int64         `json:"time"`
	Actor   string        `json:"actor" doc:"login; a site or gateway"`
	Deleted bool          `json:"deleted,omitempty"`
	Current bool          `json:"current,omitempty" doc:"in force"`
	Record  schema.Record `json:"record,omitempty"`
	Fields  []FieldChange `json:"fields,omitempty" doc:"what it changed; of the oldest that is known, what it said"`
}

// VersionPage is a record's history, newest first.
type VersionPage struct {
	Type   string        `json:"type"`
	Key    string        `json:"key"`
	Origin string        `json:"origin"`
	May    bool          `json:"may" doc:"the viewer may bring an earlier version back"`
	Items  []VersionView `json:"items,omitempty"`
	Next   uint64        `json:"next,omitempty" doc:"before, for the next page"`
}

// versionScope lets those through who may see the record, also when it was deleted.
func versionScope(s *Server, v *viewer, param func(string) string) error {
	typ, key := param("type"), param("key")
	if !slices.Contains(configured, typ) || v.portal == Enterprise && typ == "CodeTable" {
		return notFound("record type", typ)
	}
	row, ok, err := s.opt.Backend.Store().Get(typ, key)
	if err != nil {
		return fmt.Errorf("read %s: %w", typ, err)
	}
	if ok {
		if s.inArea(v, row.Record) {
			return nil
		}
		return notFound(typ, key)
	}
	last, err := s.lastKnown(context.Background(), typ, key)
	if err != nil || last == nil || !s.inArea(v, last) {
		return notFound(typ, key)
	}
	return nil
}

// configured are the types whose versions are kept by record.
var configured = append(slices.Clone(sheet.Types), "CodeTable")

// lastKnown is the newest version of a record that says something; nil when there is none.
func (s *Server) lastKnown(ctx context.Context, typ, key string) (schema.Record, error) {
	list, _, err := s.opt.Backend.Store().Versions(ctx, typ, key, 0, 2)
	if err != nil {
		return nil, err
	}
	for _, v := range list {
		if v.Record != nil {
			return v.Record, nil
		}
	}
	return nil, nil //nolint:nilnil // told so
}

// versions is the history of a record (F3.6): who changed it, when, and what.
func (s *Server) versions(ctx context.Context, v *viewer, in *versionsInput) (*VersionPage, error) {
	limit := in.Limit
	if limit == 0 {
		limit = versionsShown
	}
	list, more, err := s.opt.Backend.Store().Versions(ctx, in.Type, in.Key, in.Before, limit+1)
	if err != nil {
		return nil, err
	}
	out := &VersionPage{Type: in.Type, Key: in.Key, Items: []VersionView{}}
	for i, x := range list[:min(limit, len(list))] {
		var old schema.Record
		if i+1 < len(list) {
			old = list[i+1].Record
		}
		out.Origin = x.Origin
		out.Items = append(out.Items, VersionView{
			Seq: x.Seq, Time: x.Time, Actor: x.Actor, Deleted: x.Deleted, Current: i == 0 && in.Before == 0, Record: x.Record, Fields: fieldChanges(old, x.Record),
		})
	}
	if more || len(list) > limit {
		out.Next = out.Items[len(out.Items)-1].Seq
	}
	out.May = out.Origin == s.opt.Site.ID && slices.Contains(written[in.Type], v.user.GetRole())
	return out, nil
}

// earlier is the version of a record that a change brings back.
func (s *Server) earlier(ctx context.Context, c RecordChange) (schema.Record, error) {
	if c.Key == "" {
		return nil, invalid("body.changes.key", "the key of the record to be restored", c.Key)
	}
	list, _, err := s.opt.Backend.Store().Versions(ctx, c.Type, c.Key, c.Restore+1, 1)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 || list[0].Seq != c.Restore || list[0].Record == nil {
		return nil, notFound("version", fmt.Sprintf("%s/%s %d", c.Type, c.Key, c.Restore))
	}
	return list[0].Record, nil
}

// FormView is a type that can be configured, and what the viewer may do to its records.
type FormView struct {
	Type   string   `json:"type"`
	Zh     string   `json:"zh"`
	Write  bool     `json:"write"`
	Delete bool     `json:"delete"`
	Create bool     `json:"create"`
	Fixed  []string `json:"fixed,omitempty" doc:"fields the viewer cannot change in a record that exists"`
	Given  []string `json:"given,omitempty" doc:"fields that the site itself fills in"`
}

// forms says what the viewer may configure; the fields themselves are in the data dictionary.
func (s *Server) forms(_ context.Context, v *viewer, _ *none) (*List[FormView], error) {
	out := &List[FormView]{Items: []FormView{}}
	for _, typ := range sheet.Types {
		meta, _ := schema.MetaOf(typ)
		may := slices.Contains(written[typ], v.user.GetRole())
		f := FormView{Type: typ, Zh: meta.Zh, Write: may, Delete: may && typ != "Metric", Create: may, Fixed: []string{meta.Key}, Given: []string{}}
		if typ != "Enterprise" {
			f.Fixed = append(f.Fixed, "enterprise")
		}
		if typ == "Metric" {
			f.Given = []string{"series"}
		}
		if typ == "Enterprise" && v.portal == Enterprise {
			f.Create, f.Delete = false, false
			f.Fixed = append(f.Fixed, regulatorsFields...)
		}
		out.Items = append(out.Items, f)
	}
	return out, nil
}

// rowsOf are a plant's records of a type, with where they came from.
func (s *Server) rowsOf(ctx context.Context, typ, enterprise string) ([]*RecordRow, error) {
	q := store.Query{Type: typ, Index: "enterprise", Prefix: []string{enterprise}}
	if typ == "Enterprise" {
		q = store.Query{Type: typ, Prefix: []string{enterprise}}
	}
	out := []*RecordRow{}
	err := s.opt.Backend.Store().Each(ctx, q, func(r store.Row) (bool, error) {
		out = append(out, recordRow(r))
		return true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s of %s: %w", typ, enterprise, err)
	}
	return out, nil
}
