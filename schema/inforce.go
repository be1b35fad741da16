package schema

import (
	"context"
	"slices"
	"strings"
)

// InForce are the code tables that hold at a site: the shipped ones, and those that CodeTable records put in the place of some.
// It does not change; With makes another. nil is the shipped ones alone.
type InForce struct {
	tables  map[string]*CodeTable
	members map[string]map[string]*Code
}

// Open are the shipped tables that a CodeTable record may replace (A1.6): the program only lists and checks their codes. By the
// codes of all others it decides something (what wet is, who may do what), so that they change with the program.
var Open = []string{"camera_site", "cause", "cleaning_method", "collector_location", "industry", "mem_industry", "region", "scale"}

// IsOpen says whether a table may be written: an open one, or one that does not come with the program.
func IsOpen(table string) bool {
	_, shipped := tables[table]
	return !shipped || slices.Contains(Open, table)
}

// With are the tables with one more put in its place. One that may not be replaced changes nothing.
func (t *InForce) With(table *CodeTable) *InForce {
	if !IsOpen(table.GetName()) {
		return t
	}
	out := &InForce{tables: map[string]*CodeTable{}, members: map[string]map[string]*Code{}}
	if t != nil {
		for name, old := range t.tables {
			out.tables[name], out.members[name] = old, t.members[name]
		}
	}
	m := make(map[string]*Code, len(table.GetCodes()))
	for _, c := range table.GetCodes() {
		m[c.GetCode()] = c
	}
	out.tables[table.GetName()], out.members[table.GetName()] = table, m
	return out
}

// Table is the table in force of that name.
func (t *InForce) Table(name string) (*CodeTable, bool) {
	if t != nil {
		if own, ok := t.tables[name]; ok {
			return own, true
		}
	}
	return Table(name)
}

// Has says whether a table in force has a code.
func (t *InForce) Has(table, code string) bool { return t.code(table, code) != nil }

// Name is the Chinese name of a code; the code itself when the table does not have it.
func (t *InForce) Name(table, code string) string {
	if c := t.code(table, code); c != nil {
		return c.GetName()
	}
	return code
}

func (t *InForce) code(table, code string) *Code {
	if t != nil {
		if own, ok := t.members[table]; ok {
			return own[code]
		}
	}
	return members[table][code]
}

// Replaced are the tables that stand in the place of shipped ones, or beside them, by name.
func (t *InForce) Replaced() []*CodeTable {
	if t == nil {
		return nil
	}
	var out []*CodeTable
	for _, table := range t.tables {
		out = append(out, table)
	}
	slices.SortFunc(out, func(a, b *CodeTable) int { return strings.Compare(a.GetName(), b.GetName()) })
	return out
}

type inForceKey struct{}

// inForce are the tables a record is being judged by.
func inForce(ctx context.Context) *InForce {
	t, _ := ctx.Value(inForceKey{}).(*InForce)
	return t
}

// Use is a field whose values are codes of a table.
type Use struct {
	Type   string `json:"type"`
	TypeZh string `json:"type_zh"`
	Field  string `json:"field" doc:"name in the data dictionary; dusts.dust within a message"`
	Zh     string `json:"zh"`
}

// Uses are the fields of records whose values are codes of a table, in order of type.
func Uses(table string) []Use {
	out := []Use{}
	for _, typ := range Types() {
		e := Dictionary(typ)
		add := func(path, zh string, f DictionaryField) {
			if f.Table == table || table == "region" && strings.Contains(","+f.Rule+",", ",region,") {
				out = append(out, Use{Type: typ, TypeZh: e.Zh, Field: path + f.Name, Zh: zh + f.Zh})
			}
		}
		for _, f := range e.Fields {
			add("", "", f)
			for _, inner := range f.Fields {
				add(f.Name+".", f.Zh+" ", inner)
			}
		}
	}
	return out
}
