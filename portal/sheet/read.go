package sheet

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"dusthub/schema"

	"github.com/xuri/excelize/v2"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ErrWorkbook says that a file is no workbook of a record type.
var ErrWorkbook = errors.New("not a workbook of this record type")

// MostRows is how many records one workbook may have.
const MostRows = 2000

const (
	unzipped   = 64 << 20 // bytes, of the whole file
	longestRow = 200      // cells
)

// Row is a record and the row it came from, counted from 1.
type Row struct {
	Row    int
	Record schema.Record
}

// CellError is what is wrong with a cell, or, without a column, with a row.
type CellError struct {
	Row    int    `json:"row"`
	Column string `json:"column,omitempty" doc:"letters, as Excel counts"`
	Field  string `json:"field,omitempty"`
	Title  string `json:"title,omitempty" doc:"of the column"`
	Got    string `json:"got,omitempty"`
	Wanted string `json:"wanted"`
}

// Read takes the records of one type out of a workbook. Cells that cannot be read are problems; the schema's rules are not applied.
// Errors: ErrWorkbook.
func Read(content []byte, typ string) ([]Row, []CellError, error) {
	f, err := excelize.OpenReader(bytes.NewReader(content), excelize.Options{UnzipSizeLimit: unzipped, UnzipXMLSizeLimit: unzipped, RawCellValue: true})
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrWorkbook, err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	rows, err := f.Rows(f.GetSheetName(0))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrWorkbook, err)
	}
	defer func() { _ = rows.Close() }()
	var r reader
	for at := 1; rows.Next(); at++ {
		cells, err := rows.Columns()
		if err != nil || len(cells) > longestRow {
			return nil, nil, fmt.Errorf("%w: row %d cannot be read", ErrWorkbook, at)
		}
		switch {
		case at == namesRow:
			if err := r.names(cells, typ); err != nil {
				return nil, nil, err
			}
		case at >= firstRow && strings.TrimSpace(strings.Join(cells, "")) != "":
			if len(r.out) == MostRows {
				return nil, nil, fmt.Errorf("%w: more than %d rows", ErrWorkbook, MostRows)
			}
			r.row(at, cells, typ)
		}
	}
	if err := rows.Error(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrWorkbook, err)
	}
	if r.cols == nil {
		return nil, nil, fmt.Errorf("%w: it has no row of names", ErrWorkbook)
	}
	return r.out, r.problems, nil
}

type reader struct {
	cols     []*column // by place in the sheet; nil: not read
	out      []Row
	problems []CellError
}

// names reads the second row: which field each column is.
func (r *reader) names(cells []string, typ string) error {
	known := columnsOf(typ)
	r.cols = make([]*column, len(cells))
	for i, name := range cells {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		k := slices.IndexFunc(known, func(c column) bool { return c.name == name })
		if k < 0 {
			return fmt.Errorf("%w: %s has no field %q", ErrWorkbook, typ, name)
		}
		if slices.Contains(r.cols, &known[k]) {
			return fmt.Errorf("%w: two columns are %q", ErrWorkbook, name)
		}
		r.cols[i] = &known[k]
	}
	if !slices.ContainsFunc(r.cols, func(c *column) bool { return c != nil }) {
		return fmt.Errorf("%w: its second row names no field", ErrWorkbook)
	}
	return nil
}

func (r *reader) row(at int, cells []string, typ string) {
	rec, _ := schema.New(typ)
	for i, c := range r.cols {
		if i >= len(cells) || c == nil {
			continue
		}
		cell := strings.TrimSpace(cells[i])
		if cell == "" {
			continue
		}
		if wanted := set(c, rec.ProtoReflect(), cell); wanted != "" {
			r.problems = append(r.problems, At(at, typ, c.name, cell, wanted, i))
		}
	}
	r.out = append(r.out, Row{at, rec})
}

// At is a problem of a field in a row; place is the column's, from 0, or negative for where the template has it.
func At(row int, typ, field, got, wanted string, place int) CellError {
	const longest = 100
	p := CellError{Row: row, Field: field, Wanted: wanted, Got: got}
	if g := []rune(got); len(g) > longest {
		p.Got = string(g[:longest]) + "…"
	}
	for i, c := range columnsOf(typ) {
		if c.name == field {
			p.Title = c.zh
			if place < 0 {
				place = i
			}
		}
	}
	if place >= 0 {
		p.Column, _ = excelize.ColumnNumberToName(place + 1)
	}
	return p
}

// set reads a cell into its field, or says what it wants instead.
func set(c *column, m protoreflect.Message, cell string) (wanted string) {
	for _, fd := range c.path[:len(c.path)-1] {
		m = m.Mutable(fd).Message()
	}
	fd := c.field()
	if !fd.IsList() {
		v, wanted := value(fd, c.info.Table, cell)
		if wanted == "" {
			m.Set(fd, v)
		}
		return wanted
	}
	list := m.Mutable(fd).List()
	for part := range strings.FieldsFuncSeq(cell, func(r rune) bool { return r == ';' || r == '；' || r == '、' }) {
		part = strings.TrimSpace(part)
		if fd.Kind() != protoreflect.MessageKind {
			v, wanted := value(fd, c.info.Table, part)
			if wanted != "" {
				return wanted
			}
			list.Append(v)
			continue
		}
		item := list.NewElement()
		if wanted := setItem(item.Message(), part); wanted != "" {
			return wanted
		}
		list.Append(item)
	}
	return ""
}

func setItem(m protoreflect.Message, text string) (wanted string) {
	d := m.Descriptor()
	parts := strings.Split(strings.ReplaceAll(text, "：", ":"), ":")
	for i, info := range schema.FieldsOf(d) {
		fd := d.Fields().Get(i)
		if !flat(fd) || len(parts) == 0 {
			continue
		}
		if part := strings.TrimSpace(parts[0]); part != "" {
			v, wanted := value(fd, info.Table, part)
			if wanted != "" {
				return info.Zh + ": " + wanted
			}
			m.Set(fd, v)
		}
		parts = parts[1:]
	}
	if len(parts) > 0 {
		return strings.Join(titles(d), ":")
	}
	return ""
}

// value reads one value of a field's kind.
func value(fd protoreflect.FieldDescriptor, table, cell string) (v protoreflect.Value, wanted string) {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		switch strings.ToLower(cell) {
		case yes, "true", "1", "y", "yes":
			return protoreflect.ValueOfBool(true), ""
		case no, "false", "0", "n", "no":
			return protoreflect.ValueOfBool(false), ""
		}
		return v, yes + " 或 " + no
	case protoreflect.DoubleKind:
		n, err := strconv.ParseFloat(cell, 64)
		if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
			return v, "数字"
		}
		return protoreflect.ValueOfFloat64(n), ""
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind:
		return whole(fd, cell)
	case protoreflect.StringKind:
		if table != "" {
			cell = codeOf(table, cell)
		}
		return protoreflect.ValueOfString(cell), ""
	default:
		return v, "不能由表格填写"
	}
}

func whole(fd protoreflect.FieldDescriptor, cell string) (v protoreflect.Value, wanted string) {
	n, err := strconv.ParseFloat(cell, 64) // Excel writes 12 as 12 or 12.0
	switch {
	case err != nil || n != math.Trunc(n) || math.Abs(n) > math.MaxInt32 && fd.Kind() != protoreflect.Int64Kind || math.Abs(n) > 1<<53 || n < 0 && fd.Kind() == protoreflect.Uint32Kind:
		return v, "整数"
	case fd.Kind() == protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(n)), ""
	case fd.Kind() == protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(n)), ""
	}
	return protoreflect.ValueOfUint32(uint32(n)), ""
}

// codeOf is the code that a code or a name means in a table; what means none stays as it is, and the schema refuses it.
func codeOf(table, said string) string {
	t, ok := schema.Table(table)
	if !ok {
		return said
	}
	found := ""
	for _, r := range t.GetCodes() {
		if r.GetCode() == said {
			return said
		}
		if r.GetName() == said {
			if found != "" {
				return said // two have that name
			}
			found = r.GetCode()
		}
	}
	if found != "" {
		return found
	}
	return said
}
