package portal

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"dusthub/node/store"
	"dusthub/portal/sheet"
	"dusthub/schema"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// TableView is a code table in force.
type TableView struct {
	Name    string       `json:"name"`
	Zh      string       `json:"zh,omitempty" doc:"as the first field that uses it is called"`
	Version string       `json:"version"`
	Codes   int          `json:"codes"`
	Shipped bool         `json:"shipped" doc:"as it came with the program"`
	Open    bool         `json:"open" doc:"another may be put in its place; by the codes of all others the program decides"`
	Origin  string       `json:"origin,omitempty" doc:"the site that put it in its place"`
	Seq     uint64       `json:"seq,omitempty"`
	Time    int64        `json:"time,omitempty"`
	Uses    []schema.Use `json:"uses,omitempty"`
}

// TableList is every code table in force.
type TableList struct {
	Items []TableView `json:"items,omitempty"`
	May   bool        `json:"may" doc:"the viewer may put another table in the place of an open one: at the site at the root, which keeps them for all"`
	Root  string      `json:"root,omitempty" doc:"why not, when the viewer's role could: the site above"`
}

func (s *Server) codeTables(_ context.Context, v *viewer, _ *none) (*TableList, error) {
	t := s.tables()
	names := schema.Tables()
	for _, own := range t.Replaced() {
		if !slices.Contains(names, own.GetName()) {
			names = append(names, own.GetName())
		}
	}
	slices.Sort(names)
	out := &TableList{Items: []TableView{}, May: s.keepsTables(v) && s.opt.Site.Parent == "", Root: s.opt.Site.Parent}
	for _, name := range names {
		table, _ := t.Table(name)
		view := TableView{Name: name, Version: table.GetVersion(), Codes: len(table.GetCodes()), Open: schema.IsOpen(name), Uses: schema.Uses(name), Shipped: true}
		if len(view.Uses) > 0 {
			view.Zh = view.Uses[0].Zh
		}
		row, ok, err := s.opt.Backend.Store().Get("CodeTable", name)
		if err != nil {
			return nil, fmt.Errorf("read code table: %w", err)
		}
		if ok && view.Open {
			view.Shipped, view.Origin, view.Seq, view.Time = false, row.Origin, row.Seq, row.Time
		}
		out.Items = append(out.Items, view)
	}
	return out, nil
}

// keepsTables says whether code tables are the viewer's to change.
func (s *Server) keepsTables(v *viewer) bool {
	return slices.Contains(written["CodeTable"], v.user.GetRole()) && v.area() == ""
}

type tablePreviewInput struct {
	Body schema.CodeTable
}

// CodeChange is a code that a table gains, loses or calls by another name.
type CodeChange struct {
	Code   string `json:"code"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// InvalidUse are records that would no longer conform.
type InvalidUse struct {
	schema.Use
	Code  string   `json:"code"`
	Name  string   `json:"name"`
	Count int      `json:"count"`
	Keys  []string `json:"keys,omitempty" doc:"of the first few"`
}

// TableEffect is what a code table would change in the place of the one in force.
type TableEffect struct {
	Refused  []string     `json:"refused,omitempty" doc:"every reason why it would not be taken"`
	Added    []CodeChange `json:"added,omitempty"`
	Removed  []CodeChange `json:"removed,omitempty"`
	Renamed  []CodeChange `json:"renamed,omitempty"`
	Invalid  []InvalidUse `json:"invalid,omitempty" doc:"base data that would have to be mended before it can be changed again"`
	Complete bool         `json:"complete" doc:"false: so many records hold such codes that not all were looked at"`
}

// Bounds of a look for records that would no longer conform.
const (
	mostLooked = 300_000
	mostNamed  = 5
)

func (s *Server) previewTable(ctx context.Context, v *viewer, in *tablePreviewInput) (*TableEffect, error) {
	if !s.keepsTables(v) {
		return nil, problem(http.StatusForbidden, codeForbidden, "code tables concern the whole site")
	}
	next := &in.Body
	out := &TableEffect{Refused: []string{}, Added: []CodeChange{}, Removed: []CodeChange{}, Renamed: []CodeChange{}, Invalid: []InvalidUse{}, Complete: true}
	raw, err := schema.Marshal(next)
	if err != nil {
		return nil, err
	}
	put := &schema.Put{Changes: []*schema.Change{{Type: "CodeTable", Record: raw, To: "*"}}, Role: v.user.GetRole()}
	violations, known := []*schema.Violation(nil), false
	if s.opt.Rehearser != nil {
		violations, known = s.opt.Rehearser.Check(v.user.GetLogin(), put)
	}
	if !known {
		violations = schema.Validate(next)
	}
	for _, x := range violations {
		out.Refused = append(out.Refused, strings.TrimSpace(fmt.Sprintf("%s %s: %s", x.GetField(), x.GetGot(), x.GetWanted())))
	}
	now := s.tables()
	out.differ(now, next)
	if len(out.Removed) == 0 || !schema.IsOpen(next.GetName()) {
		return out, nil
	}
	return out, s.invalidBy(ctx, now, next.GetName(), out)
}

// differ tells which codes come, go and are renamed.
func (out *TableEffect) differ(now *schema.InForce, next *schema.CodeTable) {
	is, _ := now.Table(next.GetName())
	after := map[string]*schema.Code{}
	for _, c := range next.GetCodes() {
		after[c.GetCode()] = c
		if !now.Has(next.GetName(), c.GetCode()) {
			out.Added = append(out.Added, CodeChange{Code: c.GetCode(), After: c.GetName()})
		}
	}
	for _, c := range is.GetCodes() {
		switch n := after[c.GetCode()]; {
		case n == nil:
			out.Removed = append(out.Removed, CodeChange{Code: c.GetCode(), Before: c.GetName()})
		case n.GetName() != c.GetName() || n.GetNameEn() != c.GetNameEn():
			out.Renamed = append(out.Renamed, CodeChange{Code: c.GetCode(), Before: c.GetName() + " " + c.GetNameEn(), After: n.GetName() + " " + n.GetNameEn()})
		}
	}
}

// invalidBy counts the base data that hold codes which would be gone.
func (s *Server) invalidBy(ctx context.Context, now *schema.InForce, table string, out *TableEffect) error {
	gone := map[string]int{} // place in Invalid by field and code
	removed := map[string]bool{}
	for _, c := range out.Removed {
		removed[c.Code] = true
	}
	looked := 0
	for _, use := range schema.Uses(table) {
		if !slices.Contains(sheet.Types, use.Type) || !checked(use, table) {
			continue
		}
		err := s.opt.Backend.Store().Each(ctx, store.Query{Type: use.Type}, func(r store.Row) (bool, error) {
			if looked++; looked > mostLooked {
				out.Complete = false
				return false, nil
			}
			for _, code := range valuesAt(r.Record.ProtoReflect(), strings.Split(use.Field, ".")) {
				if !removed[code] {
					continue
				}
				at, ok := gone[use.Type+"."+use.Field+"="+code]
				if !ok {
					at = len(out.Invalid)
					gone[use.Type+"."+use.Field+"="+code] = at
					out.Invalid = append(out.Invalid, InvalidUse{Use: use, Code: code, Name: now.Name(table, code), Keys: []string{}})
				}
				i := &out.Invalid[at]
				if i.Count++; len(i.Keys) < mostNamed {
					i.Keys = append(i.Keys, r.Key)
				}
			}
			return true, nil
		})
		if err != nil {
			return fmt.Errorf("look for codes in %s: %w", use.Type, err)
		}
	}
	return nil
}

// checked says whether records are judged by the table in that field.
func checked(use schema.Use, table string) bool {
	for _, f := range schema.Dictionary(use.Type).Fields {
		if f.Name == use.Field {
			return strings.Contains(f.Rule, "table="+table) || table == "region"
		}
	}
	return true
}

// valuesAt are the texts of a field, of each message of a list.
func valuesAt(m protoreflect.Message, path []string) (out []string) {
	fd := m.Descriptor().Fields().ByName(protoreflect.Name(path[0]))
	one := func(v protoreflect.Value) {
		if len(path) > 1 {
			out = append(out, valuesAt(v.Message(), path[1:])...)
		} else if text := v.String(); text != "" {
			out = append(out, text)
		}
	}
	if !fd.IsList() {
		one(m.Get(fd))
		return out
	}
	for i := range m.Get(fd).List().Len() {
		one(m.Get(fd).List().Get(i))
	}
	return out
}
