// Package sheet puts base data into Excel workbooks and takes it out again (F2.1, F3.6): a row a record, a column a field of the data
// dictionary. What it reads is not judged here but for its form: the schema and the engine judge records.
package sheet

import (
	"strings"

	"dusthub/schema"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Types are the record types that have a workbook, in the order in which a plant is described.
var Types = []string{"Enterprise", "Workshop", "DustSystem", "Collector", "Gateway", "Metric", "Camera", "CleaningPlan"}

// column is a field of a record type, or of a message in it (limits.hh).
type column struct {
	name string // as the second row of a workbook has it
	zh   string
	path []protoreflect.FieldDescriptor
	info schema.DictionaryField
}

func (c *column) field() protoreflect.FieldDescriptor { return c.path[len(c.path)-1] }

// required says whether a record cannot do without.
func (c *column) required() bool {
	return len(c.path) == 1 && (c.info.Rule == "required" || strings.HasPrefix(c.info.Rule, "required,"))
}

// hint is what a person must know to fill the column.
func (c *column) hint() string {
	var parts []string
	if c.info.Unit != "" {
		parts = append(parts, "单位 "+c.info.Unit)
	}
	switch fd := c.field(); {
	case c.info.Table != "" && fd.IsList():
		parts = append(parts, "代码或名称，用 ; 分隔")
	case c.info.Table != "":
		parts = append(parts, "代码或名称")
	case fd.IsList() && fd.Kind() == protoreflect.MessageKind:
		parts = append(parts, "每项 "+strings.Join(titles(fd.Message()), ":")+"，项间用 ; 分隔")
	case fd.IsList():
		parts = append(parts, "用 ; 分隔")
	case fd.Kind() == protoreflect.BoolKind:
		parts = append(parts, "是 或 否")
	case c.info.Ref != "":
		parts = append(parts, "已有的编码")
	}
	return strings.Join(parts, "；")
}

func titles(d protoreflect.MessageDescriptor) []string {
	var out []string
	for i, f := range schema.FieldsOf(d) {
		if flat(d.Fields().Get(i)) {
			out = append(out, f.Zh)
		}
	}
	return out
}

// flat says whether a field fits in a part of a cell.
func flat(fd protoreflect.FieldDescriptor) bool {
	return !fd.IsList() && fd.Kind() != protoreflect.MessageKind
}

// columns are the columns of a record type.
func columns(d protoreflect.MessageDescriptor) []column {
	var out []column
	for i, info := range schema.FieldsOf(d) {
		fd := d.Fields().Get(i)
		if fd.Kind() != protoreflect.MessageKind || fd.IsList() {
			out = append(out, column{string(fd.Name()), info.Zh, []protoreflect.FieldDescriptor{fd}, info})
			continue
		}
		for k, inner := range schema.FieldsOf(fd.Message()) {
			sub := fd.Message().Fields().Get(k)
			if flat(sub) {
				out = append(out, column{string(fd.Name()) + "." + string(sub.Name()), info.Zh + " " + inner.Zh, []protoreflect.FieldDescriptor{fd, sub}, inner})
			}
		}
	}
	return out
}

func columnsOf(typ string) []column {
	r, ok := schema.New(typ)
	if !ok {
		return nil
	}
	return columns(r.ProtoReflect().Descriptor())
}
