package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"dusthub/node/store"
	"dusthub/portal/sheet"
	"dusthub/schema"

	"github.com/danielgtaylor/huma/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	workbookType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	mostExported = 50_000 // records of one workbook
)

type workbookInput struct {
	Type   string `path:"type" maxLength:"32"`
	Region string `query:"region" doc:"of an export of enterprises: GB/T 2260"`
	Clear  string `query:"clear" enum:"true,false" doc:"of an export, for regulators: personal data in clear; a reason is needed, which the audit keeps"`
	Reason string `query:"reason" maxLength:"200"`
}

// clearly says whether an export is to hold personal data in clear, once the audit has the reason.
func (s *Server) clearly(ctx context.Context, v *viewer, in *workbookInput) (bool, error) {
	if in.Clear != "true" {
		return false, nil
	}
	if !slices.Contains(regulators, v.user.GetRole()) || v.key != nil {
		return false, problem(http.StatusForbidden, codeForbidden, "an export in clear is a regulator's to ask for, and no machine's; without clear=true it is masked as the pages are")
	}
	if err := goodReason("query.reason", in.Reason); err != nil {
		return false, err
	}
	return true, s.attest(ctx, v, "record-export clear", in.Type+" "+in.Region, in.Reason)
}

// hasWorkbook refuses types that no person fills in.
func hasWorkbook(typ string) error {
	if !slices.Contains(sheet.Types, typ) {
		return notFound("workbook", typ)
	}
	return nil
}

func (s *Server) template(_ context.Context, _ *viewer, in *workbookInput) (*huma.StreamResponse, error) {
	if err := hasWorkbook(in.Type); err != nil {
		return nil, err
	}
	return s.workbook(in.Type+"-template", func(b *bytes.Buffer) error { return sheet.Template(b, in.Type) })
}

// export writes all records of a type in sight into a workbook that import takes (F2.1). Its personal data is masked as on the pages;
// import leaves what is masked as it is.
func (s *Server) export(ctx context.Context, v *viewer, in *workbookInput) (*huma.StreamResponse, error) {
	if err := hasWorkbook(in.Type); err != nil {
		return nil, err
	}
	clear, err := s.clearly(ctx, v, in)
	if err != nil {
		return nil, err
	}
	prefix := regionPrefix(in.Region)
	var records []schema.Record
	err = s.opt.Backend.Store().Each(ctx, store.Query{Type: in.Type}, func(r store.Row) (bool, error) {
		e, enterprise := r.Record.(*schema.Enterprise)
		if s.inArea(v, r.Record) && (!enterprise || strings.HasPrefix(e.GetRegion(), prefix)) {
			records = append(records, r.Record)
		}
		return len(records) <= mostExported, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", in.Type, err)
	}
	if len(records) > mostExported {
		return nil, problem(http.StatusUnprocessableEntity, codeRefused, "more than %d records: export region by region", mostExported)
	}
	return s.workbook(in.Type, func(b *bytes.Buffer) error { return sheet.Write(b, in.Type, s.shown(v, clear, records)) })
}

// workbook answers with a file.
func (s *Server) workbook(name string, write func(*bytes.Buffer) error) (*huma.StreamResponse, error) {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return nil, err
	}
	return s.file(name+".xlsx", workbookType, b.Bytes()), nil
}

// file answers with a file to be saved.
func (s *Server) file(name, mediaType string, content []byte) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", mediaType)
		ctx.SetHeader("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(name))
		if _, err := ctx.BodyWriter().Write(content); err != nil {
			s.log.Warn("file was not sent whole", "name", name, "err", err)
		}
	}}
}

type importInput struct {
	Type    string `path:"type" maxLength:"32"`
	Preview string `query:"preview" enum:"true,false" doc:"only say what is wrong and what would be written"`
	RawBody []byte `contentType:"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"`
}

// ImportView is what came of a workbook.
type ImportView struct {
	Rows     int               `json:"rows"`
	Created  int               `json:"created"`
	Changed  int               `json:"changed"`
	Same     int               `json:"same" doc:"rows that say what is known"`
	Written  bool              `json:"written"`
	Problems []sheet.CellError `json:"problems,omitempty" doc:"of a preview; an import with problems is refused as a whole"`
	Items    []ImportItem      `json:"items,omitempty" doc:"what becomes of each row, of the first 500 that change something"`
}

// ImportItem is what becomes of a row.
type ImportItem struct {
	Row     int           `json:"row"`
	Key     string        `json:"key"`
	Name    string        `json:"name"`
	Outcome string        `json:"outcome" doc:"created, changed"`
	Fields  []FieldChange `json:"fields,omitempty"`
}

// mostItems is how many rows a preview shows one by one.
const mostItems = 500

// importing is a workbook on its way in.
type importing struct {
	typ   string
	at    map[string]int // row by key
	fresh map[string]string
	view  ImportView
}

func (i *importing) wrong(row int, field, got, wanted string) {
	i.view.Problems = append(i.view.Problems, sheet.At(row, i.typ, field, got, wanted, -1))
}

// importWorkbook writes the records of a workbook, all or none. What a row leaves empty stays as it is.
func (s *Server) importWorkbook(ctx context.Context, v *viewer, in *importInput) (*ImportView, error) {
	if err := hasWorkbook(in.Type); err != nil {
		return nil, err
	}
	if !slices.Contains(written[in.Type], v.user.GetRole()) {
		return nil, problem(http.StatusForbidden, codeForbidden, "the role %s does not write %s", v.user.GetRole(), in.Type)
	}
	rows, problems, err := sheet.Read(in.RawBody, in.Type)
	if errors.Is(err, sheet.ErrWorkbook) {
		return nil, problem(http.StatusUnprocessableEntity, codeRefused, "%s", err)
	}
	if err != nil {
		return nil, fmt.Errorf("read workbook: %w", err)
	}
	i := &importing{typ: in.Type, at: map[string]int{}, fresh: map[string]string{}, view: ImportView{Rows: len(rows), Problems: problems}}
	if i.view.Problems == nil {
		i.view.Problems = []sheet.CellError{}
	}
	i.view.Items = []ImportItem{}
	var changes []*schema.Change
	for _, r := range rows {
		c, err := s.importRow(ctx, v, i, r)
		if err != nil {
			return nil, err
		}
		if c != nil {
			changes = append(changes, c)
		}
	}
	if in.Preview == "true" && len(changes) > 0 && s.opt.Rehearser != nil {
		refused, _ := s.opt.Rehearser.Check(v.user.GetLogin(), &schema.Put{Changes: changes, Role: v.user.GetRole()})
		i.blame(refused)
	}
	if in.Preview != "true" && len(i.view.Problems) == 0 && len(changes) > 0 {
		_, err := s.put(ctx, v.user, changes...)
		if err = i.refused(err); err != nil {
			return nil, err
		}
		i.view.Written = len(i.view.Problems) == 0
	}
	if in.Preview != "true" && len(i.view.Problems) > 0 {
		return nil, badWorkbook(i.view.Problems)
	}
	return &i.view, nil
}

// importRow judges a row; no change when there is none, or when it is bad.
func (s *Server) importRow(ctx context.Context, v *viewer, i *importing, r sheet.Row) (*schema.Change, error) {
	key := schema.KeyOf(r.Record)
	meta, _ := schema.MetaOf(i.typ)
	if before, twice := i.at[key]; twice || key == "" {
		wanted := "a key"
		if twice {
			wanted = fmt.Sprintf("another key than row %d", before)
		}
		i.wrong(r.Row, meta.Key, key, wanted)
		return nil, nil //nolint:nilnil // told as a problem
	}
	i.at[key] = r.Row
	old, existed, err := s.opt.Backend.Store().Get(i.typ, key)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", i.typ, err)
	}
	rec := r.Record
	if existed && s.inArea(v, old.Record) {
		rec = completed(old.Record, r.Record)
		if bad := s.unmasked(v, rec, old.Record); bad != nil {
			i.wrong(r.Row, bad.GetField(), bad.GetGot(), bad.GetRule()+": "+bad.GetWanted())
			return nil, nil //nolint:nilnil // told as a problem
		}
	}
	good := true
	for _, x := range s.tables().ValidateAt(rec, s.nowMs()) {
		if !x.GetWarning() {
			good = false
			i.wrong(r.Row, x.GetField(), x.GetGot(), x.GetRule()+": "+x.GetWanted())
		}
	}
	raw, err := json.Marshal(rec)
	if err != nil {
		return nil, fmt.Errorf("encode row %d: %w", r.Row, err)
	}
	d, violation, err := s.recordChange(ctx, v, RecordChange{Type: i.typ, Record: raw}, r.Row, i.fresh)
	var p *Problem
	switch {
	case errors.As(err, &p):
		i.wrong(r.Row, meta.Key, key, p.Detail)
		return nil, nil //nolint:nilnil // told as a problem
	case err != nil:
		return nil, err
	case violation != nil:
		i.wrong(r.Row, violation.GetField(), violation.GetGot(), violation.GetWanted())
		return nil, nil //nolint:nilnil // told as a problem
	case !good:
		return nil, nil //nolint:nilnil // told as problems
	case !existed:
		i.view.Created++
		i.note(r.Row, "created", nil, rec)
	case proto.Equal(old.Record, rec):
		i.view.Same++
		return nil, nil //nolint:nilnil // nothing changes
	default:
		i.view.Changed++
		i.note(r.Row, "changed", old.Record, rec)
	}
	return d.change, nil
}

// completed is a record with the fields that another sets; messages in it likewise.
func completed(old, with schema.Record) schema.Record {
	out := proto.Clone(old)
	overlay(out.ProtoReflect(), with.ProtoReflect())
	return out
}

func overlay(out, with protoreflect.Message) {
	with.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Kind() == protoreflect.MessageKind && !fd.IsList() {
			overlay(out.Mutable(fd).Message(), v.Message())
		} else {
			out.Set(fd, v)
		}
		return true
	})
}

// refused turns what the engine refused into problems of rows.
func (i *importing) refused(err error) error {
	var p *Problem
	if !errors.As(err, &p) || len(p.Violations) == 0 {
		return err
	}
	i.blame(p.Violations)
	return nil
}

// blame puts each refusal to its row.
func (i *importing) blame(violations []*schema.Violation) {
	for _, x := range violations {
		if x.GetWarning() {
			continue
		}
		_, key, _ := strings.Cut(x.GetRecord(), "/")
		i.wrong(i.at[key], x.GetField(), x.GetGot(), x.GetRule()+": "+x.GetWanted())
	}
}

// note tells what becomes of a row.
func (i *importing) note(row int, outcome string, old, rec schema.Record) {
	if len(i.view.Items) == mostItems {
		return
	}
	item := ImportItem{Row: row, Key: schema.KeyOf(rec), Outcome: outcome, Fields: fieldChanges(old, rec)}
	if named, ok := rec.(interface{ GetName() string }); ok {
		item.Name = named.GetName()
	}
	i.view.Items = append(i.view.Items, item)
}

func badWorkbook(problems []sheet.CellError) error {
	p := problem(http.StatusUnprocessableEntity, codeRefused, "nothing was written: %d cells or rows are not as they must be", len(problems))
	for _, x := range problems {
		p.Errors = append(p.Errors, &huma.ErrorDetail{Location: fmt.Sprintf("row %d column %s %s", x.Row, x.Column, x.Field), Message: x.Wanted, Value: x.Got})
	}
	return p
}

func (d *door) workbookRoutes() {
	handleRaw(d, "record-template", d.s.template)
	handleRaw(d, "record-export", d.s.export)
	handle(d, "record-import", d.s.importWorkbook)
}
