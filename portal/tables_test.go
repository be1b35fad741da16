package portal

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"dusthub/node/engine"
	"dusthub/schema"
)

// TestCodeTables: a table in the place of another is previewed with what would no longer conform, holds for what is written from
// then on, and has a history (A1.6).
func TestCodeTables(t *testing.T) {
	s := provisioned(t)
	shipped, _ := schema.Table("cleaning_method")
	codes := func(keep func(string) bool, more ...object) []object {
		var out []object
		for _, c := range shipped.GetCodes() {
			if keep(c.GetCode()) {
				out = append(out, object{"code": c.GetCode(), "name": c.GetName(), "name_en": c.GetNameEn()})
			}
		}
		return append(out, more...)
	}
	robot := object{"code": "robot", "name": "清扫机器人", "name_en": "Cleaning robot"}
	all := func(string) bool { return true }
	var effect TableEffect
	s.must(Regulator, "admin", http.MethodPost, "/api/v1/code-tables/preview", object{"name": "cleaning_method", "version": "2", "codes": codes(func(c string) bool { return c != "ex_vacuum" }, robot)}).into(t, &effect)
	if len(effect.Refused) != 0 || len(effect.Added) != 1 || len(effect.Removed) != 1 || !effect.Complete {
		t.Errorf("effect: %+v", effect)
	}
	if i := effect.Invalid; len(i) != 1 || i[0].Type != "CleaningPlan" || i[0].Field != "method" || i[0].Count != 1 || i[0].Keys[0] != plantA+"-floor" {
		t.Errorf("no longer conform: %+v", effect.Invalid)
	}
	plan := object{"id": plantA + "-robot", "enterprise": plantA, "item": "管道", "cycle": "shift", "method": "robot"}
	write := func(login string, typ string, rec object) reply {
		return s.on(Regulator, login, http.MethodPost, "/api/v1/records", object{"changes": []object{{"type": typ, "record": rec}}})
	}
	if got := write("admin", "CleaningPlan", plan); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a code that is in no table: %d", got.status)
	}
	if got := write("admin", "CodeTable", object{"name": "cleaning_method", "version": "2", "codes": codes(all, robot)}); got.status != http.StatusOK {
		t.Fatalf("written: %d %s", got.status, got.body)
	}
	if got := write("admin", "CleaningPlan", plan); got.status != http.StatusOK {
		t.Errorf("a code of the new table: %d %s", got.status, got.body)
	}
	var list TableList
	s.must(Regulator, "admin", http.MethodGet, "/api/v1/code-tables", nil).into(t, &list)
	i := slices.IndexFunc(list.Items, func(v TableView) bool { return v.Name == "cleaning_method" })
	if v := list.Items[i]; v.Shipped || v.Version != "2" || v.Codes != len(shipped.GetCodes())+1 || !v.Open || v.Zh != "方式" || !list.May {
		t.Errorf("in the list: %+v %v", v, list.May)
	}
	s.must(Regulator, "admin", http.MethodGet, "/api/v1/records/CodeTable/cleaning_method/versions", nil)
	var refused TableEffect
	s.must(Regulator, "admin", http.MethodPost, "/api/v1/code-tables/preview", object{"name": "role", "version": "2", "codes": []object{{"code": "x", "name": "甲"}, {"code": "x", "name": "乙"}}}).into(t, &refused)
	if len(refused.Refused) != 2 {
		t.Errorf("a table the program decides by, with a code twice: %v", refused.Refused)
	}
	if got := write("js01", "CodeTable", object{"name": "scale", "version": "2", "codes": []object{{"code": "x", "name": "甲"}}}); got.status != http.StatusForbidden {
		t.Errorf("a province's regulator: %d", got.status)
	}
	if got := s.on(Enterprise, "m0001", http.MethodGet, "/api/v1/records/CodeTable/cleaning_method/versions", nil); got.status != http.StatusNotFound {
		t.Errorf("a plant reads who keeps the tables: %d", got.status)
	}
}

// TestTablesBelongToTheRoot: a site with a parent takes its tables from there.
func TestTablesBelongToTheRoot(t *testing.T) {
	e := engine.New(engine.Config{Site: siteID, Level: "province", Region: "320000", Parent: "ministry"})
	table := &schema.CodeTable{Name: "scale", Version: "2", Codes: []*schema.Code{{Code: "x", Name: "甲"}}}
	raw, err := schema.Marshal(table)
	if err != nil {
		t.Fatal(err)
	}
	put := &schema.Put{Changes: []*schema.Change{{Type: "CodeTable", Record: raw}}}
	if vs := e.Check("admin", put); len(vs) != 1 || vs[0].GetRule() != "root" {
		t.Errorf("written below the root: %v", vs)
	}
	e.Observe("ministry", "CodeTable", "scale", table, 1)
	if !e.Tables().Has("scale", "x") || e.Tables().Has("scale", "small") {
		t.Error("the parent's table does not hold")
	}
	state, err := e.MarshalState()
	if err != nil {
		t.Fatal(err)
	}
	again, err := e.Alike(state)
	if err != nil || !again.Tables().Has("scale", "x") {
		t.Errorf("after a start the parent's table does not hold: %v", err)
	}
}

// TestLimitAdministration: which metrics deviate from the defaults, by whom, and tightening many at once.
func TestLimitAdministration(t *testing.T) {
	s := provisioned(t)
	metric := plantA + "C001T0101"
	var defaults List[schema.CatalogueLimit]
	s.must(Regulator, "admin", http.MethodGet, "/api/v1/limits/defaults", nil).into(t, &defaults)
	if !slices.ContainsFunc(defaults.Items, func(l schema.CatalogueLimit) bool { return l.Kind == "T01" && l.Field == "hh" && l.Basis != "" }) {
		t.Errorf("defaults: %+v", defaults.Items)
	}
	relaxed := object{"limits": object{"h": 80, "hh": 90, "deadband": 2.2, "off_delay_ms": 2000}, "reason": "工艺要求"}
	s.must(Regulator, "js01", http.MethodPost, "/api/v1/metrics/"+metric+"/limits", relaxed)
	list := func(query string) (d Deviations) {
		t.Helper()
		s.must(Regulator, "js01", http.MethodGet, "/api/v1/limits/deviations"+query, nil).into(t, &d)
		return d
	}
	d := list("?direction=laxer")
	if len(d.Items) != 1 || d.Looked != 1 || d.Items[0].Metric != metric || d.Items[0].Actor != "js01" || d.Items[0].Reason != "工艺要求" || !d.Items[0].Local {
		t.Fatalf("deviations: %+v", d.Items)
	}
	laxer := map[string]LimitDeviation{}
	for _, x := range d.Items[0].Deviations {
		laxer[x.Field] = x
	}
	if h := laxer["h"]; h.Actual != 80 || h.Default >= 80 || h.Basis == "" {
		t.Errorf("what deviates: %+v", laxer)
	}
	if n := len(list("?kind=P01").Items) + len(list("?region=110000").Items); n != 0 {
		t.Errorf("%d of another kind or region", n)
	}
	tighten := func(preview bool) (v TightenView) {
		t.Helper()
		s.must(Regulator, "js01", http.MethodPost, "/api/v1/limits/tighten", object{"metrics": []string{metric}, "reason": "统一收紧", "preview": preview}).into(t, &v)
		return v
	}
	for range 2 {
		s.sample(75)
	}
	p := tighten(true)
	if p.Written != 0 || len(p.Items) != 1 || fieldsOf(p.Items[0].Fields)["limits.h"][0] != "80" || len(p.Effects) != 1 || len(p.Effects[0].Alarms) == 0 {
		t.Errorf("preview: %+v", p)
	}
	if v := tighten(false); v.Written != 1 {
		t.Errorf("tightened: %+v", v)
	}
	if left := list("?direction=laxer"); len(left.Items) != 0 {
		t.Errorf("still laxer: %+v", left.Items[0].Deviations)
	}
	if v := tighten(false); v.Written != 0 || len(v.Items[0].Fields) != 0 {
		t.Errorf("tightened twice: %+v", v)
	}
}

// TestBaseStatistics: what the sets count is what a walk over the plants counts, within the viewer's region (F2.1).
func TestBaseStatistics(t *testing.T) {
	s := newSite(t)
	for _, login := range []string{"ministry", "suzhou"} {
		var page EnterprisePage
		var got BaseStatistics
		s.as(login, http.MethodGet, "/api/v1/enterprises?limit=1000", nil).into(t, &page)
		s.as(login, http.MethodGet, "/api/v1/base/statistics", nil).into(t, &got)
		var workers int64
		scales, bands := map[string]int{}, make([]int, len(got.Bands))
		for _, v := range page.Items {
			e := v.Enterprise
			workers += int64(e.GetDustWorkers())
			scales[e.GetScale()]++
			for i, b := range got.Bands {
				if e.GetDustWorkers() >= b.Min && (b.Max < 0 || e.GetDustWorkers() <= b.Max) {
					bands[i]++
				}
			}
		}
		regions := 0
		for _, r := range got.Regions {
			regions += r.Count
		}
		if got.Enterprises != len(page.Items) || got.Workers != workers || regions != len(page.Items) {
			t.Errorf("%s: %+v, wanted %d plants, %d workers", login, got, len(page.Items), workers)
		}
		for _, r := range got.Scales {
			if r.Count != scales[r.Code] || r.Name == r.Code {
				t.Errorf("%s: size %+v, wanted %d", login, r, scales[r.Code])
			}
		}
		for i, b := range got.Bands {
			if b.Count != bands[i] {
				t.Errorf("%s: band %+v, wanted %d", login, b, bands[i])
			}
		}
	}
	var one BaseStatistics
	s.as("ministry", http.MethodGet, "/api/v1/base/statistics?region=320505", nil).into(t, &one)
	if one.Enterprises != 1 {
		t.Errorf("of one county: %+v", one)
	}
}

// TestPlantFile: all base data of a plant, each with its version (F2.1).
func TestPlantFile(t *testing.T) {
	s := provisioned(t)
	var raw struct {
		Local   bool     `json:"local"`
		Missing []string `json:"missing"`
		Parts   []struct {
			Type  string `json:"type"`
			Items []struct {
				Seq uint64 `json:"seq"`
			} `json:"items"`
		} `json:"parts"`
	}
	for p, login := range map[Portal]string{Regulator: "js01", Enterprise: "m0001"} {
		s.must(p, login, http.MethodGet, "/api/v1/enterprises/"+plantA+"/file", nil).into(t, &raw)
		n := 0
		for _, part := range raw.Parts {
			for _, it := range part.Items {
				n++
				if it.Seq == 0 {
					t.Errorf("a %s without a version", part.Type)
				}
			}
		}
		if n != 6 || !raw.Local || !slices.Contains(raw.Missing, "address") || strings.Join(raw.Missing, ",") == "" {
			t.Errorf("%s: %d records, %+v", login, n, raw)
		}
	}
	var forms List[FormView]
	s.must(Enterprise, "m0001", http.MethodGet, "/api/v1/record-forms", nil).into(t, &forms)
	if f := forms.Items[0]; f.Type != "Enterprise" || f.Create || !f.Write || !slices.Contains(f.Fixed, "region") {
		t.Errorf("a plant's own form: %+v", f)
	}
}
