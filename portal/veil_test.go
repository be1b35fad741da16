package portal

import (
	"reflect"
	"testing"

	"dusthub/schema"
)

// What the veil costs a page of 1000 sealed plants.
func BenchmarkVeil(b *testing.B) {
	s := newSite(b)
	page := &EnterprisePage{}
	for range 1000 {
		e := &schema.Enterprise{Code: plantA, SafetyHead: "诸葛不亮", SafetyPhone: "13987654321"}
		if err := s.server.sealRecord(b.Context(), e); err != nil {
			b.Fatal(err)
		}
		page.Items = append(page.Items, &EnterpriseView{Enterprise: e})
	}
	m := &mask{s: s.server, v: &viewer{user: people[0], portal: Regulator}}
	b.ResetTimer()
	for b.Loop() {
		out, _ := veilOf(reflect.TypeOf(page)).apply(m, reflect.ValueOf(page))
		if out.Interface().(*EnterprisePage).Items[999].Enterprise.GetSafetyPhone() != "139****4321" {
			b.Fatal(out)
		}
	}
}

// The read model is never changed by what is shown of it; a type that holds nothing personal costs nothing.
func TestVeilCopies(t *testing.T) {
	s := newSite(t)
	m := &mask{s: s.server, v: &viewer{user: people[0], portal: Regulator}}
	type holder struct {
		List  []*schema.Enterprise
		Map   map[string]*schema.Enterprise
		Any   any
		Self  *holder
		Name  string `personal:"yes"`
		Other string
	}
	e := &schema.Enterprise{Code: plantA, SafetyHead: "张小三"}
	in := &holder{List: []*schema.Enterprise{nil, e}, Map: map[string]*schema.Enterprise{"a": e}, Any: e, Self: &holder{Any: []any{e}}, Name: "李小四", Other: "王小五"}
	out, changed := veilOf(reflect.TypeOf(in)).apply(m, reflect.ValueOf(in))
	got := out.Interface().(*holder)
	for i, x := range []schema.Record{got.List[1], got.Map["a"], got.Any.(schema.Record), got.Self.Any.([]any)[0].(schema.Record)} {
		if x.(*schema.Enterprise).GetSafetyHead() != "张*三" {
			t.Errorf("%d: %v", i, x)
		}
	}
	if !changed || e.GetSafetyHead() != "张小三" || in.Name != "李小四" || got.Name != "李*四" || got.Other != "王小五" {
		t.Errorf("%v %+v %+v", e, in, got)
	}
	for _, v := range []any{SeriesView{}, &RiskHistory{}, []plainThing{}} {
		if veilOf(reflect.TypeOf(v)) != nil {
			t.Errorf("%T is looked through in vain", v)
		}
	}
}

// plainThing is a type without personal fields.
type plainThing struct{ A, B string }
