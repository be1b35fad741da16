package schema

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Entry of the data dictionary: one record type with its fields, read from the definition itself.
type DictionaryEntry struct {
	Type   string            `json:"type"`
	Zh     string            `json:"zh"`
	Group  string            `json:"group"`
	Scope  string            `json:"scope"`
	Key    string            `json:"key,omitempty"`
	Clause string            `json:"clause,omitempty"`
	Fields []DictionaryField `json:"fields"`
}

// DictionaryField is one field of a record type.
type DictionaryField struct {
	Name     string `json:"name"`
	Zh       string `json:"zh"`
	Kind     string `json:"kind"` // string, double, int64, ..., or the name of a message
	List     bool   `json:"list,omitempty"`
	Rule     string `json:"rule,omitempty"`
	Unit     string `json:"unit,omitempty"`
	Table    string `json:"table,omitempty"`
	Ref      string `json:"ref,omitempty"`
	Personal bool   `json:"personal,omitempty"`
	Source   string `json:"source,omitempty"`
	// Optional: absent is not the same as zero.
	Optional bool `json:"optional,omitempty"`
	// Fields are those of the message a field of this kind holds.
	Fields []DictionaryField `json:"fields,omitempty"`
}

// Field is the description of a field of the record type, nil when there is none of that name.
func (m *Meta) Field(name string) protoreflect.FieldDescriptor {
	return m.desc.Fields().ByName(protoreflect.Name(name))
}

// Dictionary is the dictionary entry of a record type; empty for an unknown one.
func Dictionary(typ string) DictionaryEntry {
	m, ok := MetaOf(typ)
	if !ok {
		return DictionaryEntry{}
	}
	e := DictionaryEntry{Type: m.Name, Zh: m.Zh, Group: m.Group.String(), Scope: m.Scope.String(), Key: m.Key, Clause: m.Clause}
	e.Fields = FieldsOf(m.desc)
	return e
}

// FieldsOf are the dictionary fields of a message, in the order of its definition.
func FieldsOf(d protoreflect.MessageDescriptor) []DictionaryField {
	var out []DictionaryField
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		o, _ := proto.GetExtension(fd.Options(), E_F).(*FieldOptions)
		f := DictionaryField{
			Name: string(fd.Name()), Zh: o.GetZh(), Kind: fd.Kind().String(), List: fd.IsList(), Rule: ruleOf(fd), Unit: o.GetUnit(),
			Table: o.GetTable(), Ref: o.GetRef(), Personal: o.GetPersonal(), Source: o.GetSource(), Optional: fd.HasOptionalKeyword(),
		}
		if fd.Kind() == protoreflect.MessageKind {
			f.Kind = string(fd.Message().Name())
			f.Fields = FieldsOf(fd.Message())
		}
		out = append(out, f)
	}
	return out
}
