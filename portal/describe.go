package portal

import (
	"reflect"
	"slices"
	"strings"

	"dusthub/schema"

	"github.com/danielgtaylor/huma/v2"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// fixed are the code tables whose codes the program itself decides on; a site may rename them, not add to them. Codes of all
// other tables are described as text.
var fixed = []string{"alarm_priority", "alarm_stage", "channel_kind", "delivery_state", "level", "role", "shelf_kind", "shelf_stage", "warning_stage"}

// describe makes the description say what Go's types alone do not, so that clients generated from it are strict where the API is:
// which fields a record always has, which codes a field takes, and that a list is left out, not null, when it is empty.
func describe(doc *huma.OpenAPI) {
	r := doc.Components.Schemas
	for name, s := range r.Map() {
		t := r.TypeFromRef("#/components/schemas/" + name)
		if isRecord(t) {
			describeRecord(s, schema.FieldsOf(schema.File_dusthub_v1_records_proto.Messages().ByName(protoreflect.Name(t.Name()))))
		}
		describeView(s, t)
		for field, p := range s.Properties {
			settle(p, slices.Contains(s.Required, field))
		}
		s.PrecomputeMessages()
	}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			describeAnswer(op)
		}
	}
}

// describeAnswer says of an answer that is a list that it is never null (neverNull).
func describeAnswer(op *huma.Operation) {
	if op == nil || op.Responses["200"] == nil {
		return
	}
	for _, m := range op.Responses["200"].Content {
		if m.Schema != nil {
			settle(m.Schema, false)
		}
	}
}

// isRecord says whether a type is a record, or a part of one.
func isRecord(t reflect.Type) bool {
	return t != nil && t.PkgPath() == reflect.TypeFor[schema.Alarm]().PkgPath() &&
		schema.File_dusthub_v1_records_proto.Messages().ByName(protoreflect.Name(t.Name())) != nil
}

// settle says of a list that it is never null where it cannot be: it is left out when empty, or its length is given.
func settle(p *huma.Schema, required bool) {
	if p.Type == huma.TypeArray && (!required || p.MinItems != nil && p.MaxItems != nil && *p.MinItems == *p.MaxItems) {
		p.Nullable = false
	}
	if p.Items != nil {
		settle(p.Items, true)
	}
}

// describeRecord gives a record's schema what the rules of its fields say.
func describeRecord(s *huma.Schema, fields []schema.DictionaryField) {
	for _, f := range fields {
		p := s.Properties[f.Name]
		if p == nil {
			continue
		}
		p.Nullable = false // protobuf's JSON tags leave empty lists out
		rules := strings.Split(strings.Split(f.Rule, ",dive")[0], ",")
		if always(rules) && !f.Personal {
			s.Required = append(s.Required, f.Name)
		}
		if codes := valuesOf(f.Table, rules); codes != nil && !f.List {
			p.Enum = codes
		}
	}
	slices.Sort(s.Required)
}

// always says whether a value of zero breaks the rules, so that the field is never left out.
func always(rules []string) bool {
	return !slices.Contains(rules, "omitempty") && (slices.Contains(rules, "required") || slices.Contains(rules, "gte=1") || slices.Contains(rules, "gt=0"))
}

// valuesOf are the values a field can have when they are fixed; nil when they are not.
func valuesOf(table string, rules []string) []any {
	var codes []any
	for _, rule := range rules {
		if list, ok := strings.CutPrefix(rule, "oneof="); ok {
			for _, code := range strings.Fields(list) {
				codes = append(codes, code)
			}
		}
	}
	if slices.Contains(fixed, table) {
		codes = append(codes, tableCodes(table)...)
	}
	return codes
}

func tableCodes(table string) []any {
	var codes []any
	t, _ := schema.Table(table)
	for _, c := range t.GetCodes() {
		codes = append(codes, c.GetCode())
	}
	return codes
}

// describeView gives the fields of a view that name a fixed table (tag table) its codes, and those whose Go type says nothing the
// kinds of JSON values they hold (tag kinds).
func describeView(s *huma.Schema, t reflect.Type) {
	if t == nil || t.Kind() != reflect.Struct {
		return
	}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		p := s.Properties[name]
		if p == nil {
			continue
		}
		if table := f.Tag.Get("table"); table != "" {
			p.Enum = tableCodes(table)
		}
		switch kinds := strings.Split(f.Tag.Get("kinds"), ","); {
		case kinds[0] != "" && len(kinds) == 1:
			p.Type = kinds[0]
		case len(kinds) > 1:
			for _, kind := range kinds {
				p.OneOf = append(p.OneOf, &huma.Schema{Type: kind})
			}
		}
	}
}

// streamed says what the parts of an answer are that is sent bit by bit: lines of JSON, or data of events.
func (d *door) streamed(id, mediaType string, parts ...reflect.Type) {
	a := accessOf(id)
	if !slices.Contains(a.Portals, d.portal) {
		return
	}
	one := &huma.Schema{}
	for _, part := range parts {
		one.OneOf = append(one.OneOf, d.api.OpenAPI().Components.Schemas.Schema(part, true, ""))
	}
	operationOf(d.api.OpenAPI(), a).Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{mediaType: {Schema: one}}}
}

// operationOf is an access's operation in the description.
func operationOf(doc *huma.OpenAPI, a Access) *huma.Operation {
	item := doc.Paths[a.Path]
	return map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "DELETE": item.Delete, "PATCH": item.Patch, "PUT": item.Put}[a.Method]
}
