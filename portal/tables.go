package portal

import (
	"context"

	"dusthub/schema"
)

// tables are the code tables in force.
func (s *Server) tables() (t *schema.InForce) {
	s.world.view(func() { t = s.world.tables })
	return t
}

type nameInput struct {
	Name string `path:"name" maxLength:"50"`
}

// table is a code table in force: one that was put in the place of a shipped one, or the shipped one.
func (s *Server) table(_ context.Context, _ *viewer, in *nameInput) (*schema.CodeTable, error) {
	if t, ok := s.tables().Table(in.Name); ok {
		return t, nil
	}
	return nil, notFound("code table", in.Name)
}

func dictionary(context.Context, *viewer, *none) ([]schema.DictionaryEntry, error) {
	types := schema.Types()
	out := make([]schema.DictionaryEntry, 0, len(types))
	for _, t := range types {
		out = append(out, schema.Dictionary(t))
	}
	return out, nil
}

func (s *Server) model(context.Context, *viewer, *none) (*ModelView, error) {
	return modelView(s.opt.Model()), nil
}

func (d *door) schemaRoutes() {
	s := d.s
	handle(d, "tables", func(context.Context, *viewer, *none) ([]string, error) { return schema.Tables(), nil })
	handle(d, "table", s.table)
	handle(d, "code-tables", s.codeTables)
	handle(d, "code-table-preview", s.previewTable)
	handle(d, "dictionary", dictionary)
	handle(d, "model", s.model)
}
