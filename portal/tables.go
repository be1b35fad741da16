package portal

import (
	"context"

	"dusthub/schema"
)

type nameInput struct {
	Name string `path:"name" maxLength:"50"`
}

// table is a code table: the site's own where it has one, the shipped one otherwise.
func (s *Server) table(_ context.Context, _ *viewer, in *nameInput) (*schema.CodeTable, error) {
	row, ok, err := s.opt.Backend.Store().Get("CodeTable", in.Name)
	if err != nil {
		return nil, err
	}
	if ok {
		return row.Record.(*schema.CodeTable), nil
	}
	if t, ok := schema.Table(in.Name); ok {
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
	handle(d, "dictionary", dictionary)
	handle(d, "model", s.model)
}
