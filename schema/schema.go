// Package schema says what the records of dusthub are. The nouns stand in proto/dusthub/v1/records.proto;
// the rules, names, units, sources and scopes of every field stand beside them as options, and this package
// reads them from there: validation (Validate), metadata (MetaOf), the data dictionary and JSON Schema.
package schema

import (
	"fmt"
	"sort"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Version is the schema version this program speaks, major.minor. Sites of another major version are refused.
const Version = "1.0"

// MaxEntryBytes bounds one record, and so one ledger entry: what passes 1 MiB belongs into an attachment.
const MaxEntryBytes = 1 << 20

// Record is a message that is kept as a record.
type Record = proto.Message

// Meta describes a record type.
type Meta struct {
	Name   string // "Alarm"
	Zh     string // "报警"
	Group  Group
	Scope  Scope
	Key    string     // proto name of the field that identifies a record
	Index  [][]string // proto names of indexed fields, in order
	Clause string
	desc   protoreflect.MessageDescriptor
	typ    protoreflect.MessageType
}

// metas is filled at first use: the descriptors it reads are not there before the init functions have run.
var metas = sync.OnceValue(loadMetas)

func loadMetas() map[string]*Meta {
	m := map[string]*Meta{}
	messages := File_dusthub_v1_records_proto.Messages()
	for i := range messages.Len() {
		d := messages.Get(i)
		o, ok := proto.GetExtension(d.Options(), E_Record).(*RecordOptions)
		if !ok || o.GetKey() == "" {
			continue
		}
		t, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
		if err != nil {
			panic(fmt.Sprintf("schema: record type %s is not registered: %v", d.FullName(), err))
		}
		meta := &Meta{Name: string(d.Name()), Zh: o.GetZh(), Group: o.GetGroup(), Scope: o.GetScope(), Key: o.GetKey(), Clause: o.GetClause(), desc: d, typ: t}
		for _, ix := range o.GetIndex() {
			meta.Index = append(meta.Index, splitComma(ix))
		}
		m[meta.Name] = meta
	}
	return m
}

func splitComma(s string) []string {
	var out []string
	start := 0
	for i := 0; i <= len(s); i++ {
		if i == len(s) || s[i] == ',' {
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return out
}

// Types lists the record types by name, sorted.
func Types() []string {
	names := make([]string, 0, len(metas()))
	for n := range metas() {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// MetaOf describes the record type of that name.
func MetaOf(typ string) (*Meta, bool) { m, ok := metas()[typ]; return m, ok }

// New makes an empty record of that type; false when there is no such type.
func New(typ string) (Record, bool) {
	m, ok := metas()[typ]
	if !ok {
		return nil, false
	}
	return m.typ.New().Interface(), true
}

// TypeOf is the type name of a record.
func TypeOf(r Record) string { return string(r.ProtoReflect().Descriptor().Name()) }

// KeyOf is the value of a record's key field; empty when it has none.
func KeyOf(r Record) string {
	m, ok := metas()[TypeOf(r)]
	if !ok {
		return ""
	}
	return r.ProtoReflect().Get(m.desc.Fields().ByName(protoreflect.Name(m.Key))).String()
}

var marshal = proto.MarshalOptions{Deterministic: true}

// Marshal encodes a message so that equal messages give equal bytes on every replica.
func Marshal(m proto.Message) ([]byte, error) {
	b, err := marshal.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return b, nil
}

// Changes are records to be written, encoded for a Put.
func Changes(records ...Record) ([]*Change, error) {
	out := make([]*Change, 0, len(records))
	for _, r := range records {
		raw, err := Marshal(r)
		if err != nil {
			return nil, err
		}
		out = append(out, &Change{Type: TypeOf(r), Record: raw})
	}
	return out, nil
}

// Decode decodes a record of that type. Unknown fields, from a newer minor version, are kept.
func Decode(typ string, b []byte) (Record, error) {
	r, ok := New(typ)
	if !ok {
		return nil, fmt.Errorf("decode record: unknown type %q", typ)
	}
	if err := proto.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("decode %s: %w", typ, err)
	}
	return r, nil
}
