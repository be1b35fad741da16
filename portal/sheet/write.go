package sheet

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"dusthub/schema"

	"github.com/xuri/excelize/v2"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	namesRow   = 2 // 1 has the titles, 3 the hints
	firstRow   = 4
	lastRow    = 5000
	mostChoice = 60 // names in a list to choose from
	wide       = 18
)

// Template writes an empty workbook of a record type, with what each column wants.
func Template(w io.Writer, typ string) error { return Write(w, typ, nil) }

// Write writes a workbook of records of one type.
func Write(w io.Writer, typ string, records []schema.Record) error {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }() // it is in memory alone
	cols := columnsOf(typ)
	title := schema.Dictionary(typ).Zh
	if err := f.SetSheetName("Sheet1", title); err != nil {
		return fmt.Errorf("name sheet: %w", err)
	}
	if err := choices(f, title, cols); err != nil {
		return err
	}
	out, err := f.NewStreamWriter(title)
	if err != nil {
		return fmt.Errorf("begin sheet: %w", err)
	}
	if err := head(f, out, cols); err != nil {
		return err
	}
	for i, r := range records {
		row := make([]any, len(cols))
		for k := range cols {
			row[k] = cellOf(&cols[k], r.ProtoReflect())
		}
		if err := out.SetRow(cellName(1, firstRow+i), row); err != nil {
			return fmt.Errorf("write row: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("end sheet: %w", err)
	}
	if _, err := f.WriteTo(w); err != nil {
		return fmt.Errorf("write workbook: %w", err)
	}
	return nil
}

// Table writes a workbook of one plain table: titles and rows. Cells are strings, numbers and booleans; no string is taken for a formula.
func Table(w io.Writer, title string, titles []string, rows [][]any) error {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }() // it is in memory alone
	if err := f.SetSheetName("Sheet1", title); err != nil {
		return fmt.Errorf("name sheet: %w", err)
	}
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"DCEBEC"}}})
	if err != nil {
		return fmt.Errorf("style: %w", err)
	}
	out, err := f.NewStreamWriter(title)
	if err != nil {
		return fmt.Errorf("begin sheet: %w", err)
	}
	if err := out.SetColWidth(1, len(titles), wide); err != nil {
		return fmt.Errorf("width: %w", err)
	}
	if err := out.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: cellName(1, namesRow), ActivePane: "bottomLeft"}); err != nil {
		return fmt.Errorf("panes: %w", err)
	}
	head := make([]any, len(titles))
	for i, t := range titles {
		head[i] = excelize.Cell{StyleID: bold, Value: t}
	}
	for i, cells := range append([][]any{head}, rows...) {
		if err := out.SetRow(cellName(1, i+1), cells); err != nil {
			return fmt.Errorf("write row: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("end sheet: %w", err)
	}
	if _, err := f.WriteTo(w); err != nil {
		return fmt.Errorf("write workbook: %w", err)
	}
	return nil
}

func cellName(column, row int) string {
	name, _ := excelize.CoordinatesToCellName(column, row) // both are positive
	return name
}

// head writes titles, names and hints, and keeps them in sight.
func head(f *excelize.File, out *excelize.StreamWriter, cols []column) error {
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"DCEBEC"}}})
	if err != nil {
		return fmt.Errorf("style: %w", err)
	}
	grey, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Color: "6B7785", Size: 9}})
	if err != nil {
		return fmt.Errorf("style: %w", err)
	}
	if err := out.SetColWidth(1, len(cols), wide); err != nil {
		return fmt.Errorf("width: %w", err)
	}
	if err := out.SetPanes(&excelize.Panes{Freeze: true, YSplit: firstRow - 1, TopLeftCell: cellName(1, firstRow), ActivePane: "bottomLeft"}); err != nil {
		return fmt.Errorf("panes: %w", err)
	}
	titles, names, hints := make([]any, len(cols)), make([]any, len(cols)), make([]any, len(cols))
	for i := range cols {
		title := cols[i].zh
		if cols[i].required() {
			title += " *"
		}
		titles[i], names[i], hints[i] = excelize.Cell{StyleID: bold, Value: title}, excelize.Cell{StyleID: grey, Value: cols[i].name}, excelize.Cell{StyleID: grey, Value: cols[i].hint()}
	}
	for row, cells := range [][]any{titles, names, hints} {
		if err := out.SetRow(cellName(1, row+1), cells); err != nil {
			return fmt.Errorf("write head: %w", err)
		}
	}
	return nil
}

// choices lets a person choose from the names of short code tables.
func choices(f *excelize.File, sheet string, cols []column) error {
	const longest = 250 // of a list, as Excel has it
	for i := range cols {
		var names []string
		switch t, ok := schema.Table(cols[i].info.Table); {
		case cols[i].field().IsList():
			continue
		case cols[i].field().Kind() == protoreflect.BoolKind:
			names = []string{yes, no}
		case ok && len(t.GetCodes()) <= mostChoice:
			for _, r := range t.GetCodes() {
				names = append(names, r.GetName())
			}
		}
		if len(names) == 0 || len([]rune(strings.Join(names, ","))) > longest {
			continue
		}
		v := excelize.NewDataValidation(true)
		v.SetSqref(cellName(i+1, firstRow) + ":" + cellName(i+1, lastRow))
		if err := v.SetDropList(names); err != nil {
			return fmt.Errorf("list of choices: %w", err)
		}
		if err := f.AddDataValidation(sheet, v); err != nil {
			return fmt.Errorf("list of choices: %w", err)
		}
	}
	return nil
}

const yes, no = "是", "否"

// cellOf is what a cell says of a field; nil when it is not set. Texts are written as texts: none becomes a formula.
func cellOf(c *column, m protoreflect.Message) any {
	for _, fd := range c.path[:len(c.path)-1] {
		if !m.Has(fd) {
			return nil
		}
		m = m.Get(fd).Message()
	}
	fd := c.field()
	if !m.Has(fd) {
		return nil
	}
	if !fd.IsList() {
		switch v := m.Get(fd); fd.Kind() {
		case protoreflect.BoolKind:
			return yes
		case protoreflect.StringKind:
			return said(c.info.Table, v.String())
		default:
			return v.Interface()
		}
	}
	list := m.Get(fd).List()
	parts := make([]string, list.Len())
	for i := range parts {
		if fd.Kind() == protoreflect.MessageKind {
			parts[i] = itemText(list.Get(i).Message())
		} else {
			parts[i] = said(c.info.Table, list.Get(i).String())
		}
	}
	return strings.Join(parts, ";")
}

// said is a code's name where its table has one of that name alone.
func said(table, code string) string {
	if table == "" {
		return code
	}
	if name := schema.CodeName(table, code); name != "" && codeOf(table, name) == code {
		return name
	}
	return code
}

// itemText is an item of a list of messages: its flat fields, with colons, without the empty ones at its end.
func itemText(m protoreflect.Message) string {
	d := m.Descriptor()
	var parts []string
	for i, info := range schema.FieldsOf(d) {
		fd := d.Fields().Get(i)
		switch {
		case !flat(fd):
		case !m.Has(fd):
			parts = append(parts, "")
		case fd.Kind() == protoreflect.StringKind:
			parts = append(parts, said(info.Table, m.Get(fd).String()))
		case fd.Kind() == protoreflect.DoubleKind:
			parts = append(parts, strconv.FormatFloat(m.Get(fd).Float(), 'g', -1, 64))
		default:
			parts = append(parts, m.Get(fd).String())
		}
	}
	return strings.TrimRight(strings.Join(parts, ":"), ":")
}
