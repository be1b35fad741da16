package portal

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
)

//go:embed docs.html
var docsPage string

var docsTemplate = template.Must(template.New("docs").Parse(docsPage))

type docsParam struct{ Name, In, Type, Doc string }

type docsRoute struct {
	Method, Path, Summary, Roles string
	Params                       []docsParam
	Body, Answer                 string
}

type docsTag struct {
	Name   string
	Routes []docsRoute
}

// typeOf names a schema as a reader wants it: "Alarm", "Page of AlarmView", "integer".
func typeOf(s *huma.Schema) string {
	switch {
	case s == nil:
		return ""
	case s.Ref != "":
		return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
	case s.Type == "array":
		return "list of " + typeOf(s.Items)
	case len(s.Enum) > 0:
		return strings.Trim(fmt.Sprint(s.Enum), "[]")
	}
	return s.Type
}

func bodyOf(content map[string]*huma.MediaType) string {
	for _, m := range content {
		return typeOf(m.Schema)
	}
	return ""
}

// docs lists the API from the same description as /openapi.json, in one page that needs nothing but itself.
func (d *door) docs(c *fiber.Ctx) error {
	var tags []docsTag
	for _, a := range accesses {
		if !slices.Contains(a.Portals, d.portal) {
			continue
		}
		op := operationOf(d.api.OpenAPI(), a)
		r := docsRoute{Method: a.Method, Path: a.Path, Summary: a.Summary, Roles: op.Description}
		for _, p := range op.Parameters {
			r.Params = append(r.Params, docsParam{p.Name, p.In, typeOf(p.Schema), p.Description})
		}
		if op.RequestBody != nil {
			r.Body = bodyOf(op.RequestBody.Content)
		}
		if ok := op.Responses["200"]; ok != nil {
			r.Answer = bodyOf(ok.Content)
		}
		if n := len(tags); n == 0 || tags[n-1].Name != a.Tag {
			tags = append(tags, docsTag{Name: a.Tag})
		}
		tags[len(tags)-1].Routes = append(tags[len(tags)-1].Routes, r)
	}
	var page bytes.Buffer
	if err := docsTemplate.Execute(&page, map[string]any{"Portal": d.portal, "Tags": tags}); err != nil {
		return fmt.Errorf("write documentation: %w", err)
	}
	c.Type("html", "utf-8")
	c.Set(fiber.HeaderContentSecurityPolicy, docsPolicy)
	return c.Send(page.Bytes())
}
