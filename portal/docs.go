package portal

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
)

//go:embed docs.html
var docsPage string

var docsTemplate = template.Must(template.New("docs").Parse(docsPage))

// docsType names a schema as a reader wants it, "list of AlarmView": the type that has a name, if any, with the words around it; or words.
type docsType struct{ Before, Name, After, Words string }

type docsParam struct {
	Name, In string
	Type     docsType
	Doc      string
}

type docsRoute struct {
	ID, Method, Path, Summary, Roles string
	Params                           []docsParam
	Body, Answer                     *docsType
}

type docsTag struct {
	Name, Anchor string
	Routes       []docsRoute
}

type docsField struct {
	Name   string
	Type   docsType
	Always bool
	Doc    string
}

type docsSchema struct {
	Name   string
	Fields []docsField
}

// typeOf names a schema.
func typeOf(s *huma.Schema) docsType {
	switch {
	case s == nil:
		return docsType{}
	case s.Ref != "":
		return docsType{Name: s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]}
	case s.Type == huma.TypeArray:
		t := typeOf(s.Items)
		t.Before = "list of " + t.Before
		return t
	case len(s.AnyOf) > 0: // a value or null (Maybe)
		t := typeOf(s.AnyOf[0])
		t.After += " or null"
		return t
	case len(s.Enum) > 0:
		return docsType{Words: strings.ReplaceAll(strings.Trim(fmt.Sprint(s.Enum), "[]"), " ", " | ")}
	case s.Type == "":
		return docsType{Words: "any of " + kinds(s.OneOf)}
	}
	return docsType{Words: s.Type}
}

// kinds names the kinds a value can have.
func kinds(of []*huma.Schema) string {
	names := make([]string, 0, len(of))
	for _, s := range of {
		t := typeOf(s)
		names = append(names, t.Name+t.Words)
	}
	return strings.Join(names, ", ")
}

func bodyOf(content map[string]*huma.MediaType) *docsType {
	for _, m := range content {
		t := typeOf(m.Schema)
		return &t
	}
	return nil
}

func docsRouteOf(a Access, op *huma.Operation) docsRoute {
	r := docsRoute{ID: a.ID, Method: a.Method, Path: a.Path, Summary: a.Summary, Roles: op.Description}
	for _, p := range op.Parameters {
		r.Params = append(r.Params, docsParam{p.Name, p.In, typeOf(p.Schema), p.Description})
	}
	if op.RequestBody != nil {
		r.Body = bodyOf(op.RequestBody.Content)
	}
	if ok := op.Responses["200"]; ok != nil {
		r.Answer = bodyOf(ok.Content)
	}
	return r
}

// docsTypesOf lists the types of a description, by name.
func docsTypesOf(doc *huma.OpenAPI) []docsSchema {
	all := doc.Components.Schemas.Map()
	out := make([]docsSchema, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := docsSchema{Name: name}
		for _, field := range slices.Sorted(maps.Keys(all[name].Properties)) {
			p := all[name].Properties[field]
			s.Fields = append(s.Fields, docsField{field, typeOf(p), slices.Contains(all[name].Required, field), p.Description})
		}
		out = append(out, s)
	}
	return out
}

// docs lists the API from the same description as /openapi.json, in one page that needs nothing but itself and sends nothing.
func (d *door) docs(c *fiber.Ctx) error {
	var tags []docsTag
	for _, a := range accesses {
		if !slices.Contains(a.Portals, d.portal) {
			continue
		}
		i := slices.IndexFunc(tags, func(t docsTag) bool { return t.Name == a.Tag })
		if i < 0 {
			i, tags = len(tags), append(tags, docsTag{Name: a.Tag, Anchor: "group-" + strings.ReplaceAll(a.Tag, " ", "-")})
		}
		tags[i].Routes = append(tags[i].Routes, docsRouteOf(a, operationOf(d.api.OpenAPI(), a)))
	}
	var page bytes.Buffer
	if err := docsTemplate.Execute(&page, map[string]any{"Portal": d.portal, "Tags": tags, "Types": docsTypesOf(d.api.OpenAPI())}); err != nil {
		return fmt.Errorf("write documentation: %w", err)
	}
	c.Set(fiber.HeaderContentSecurityPolicy, docsPolicy)
	c.Type("html", "utf-8")
	return c.Send(page.Bytes())
}
