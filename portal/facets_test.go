package portal

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dusthub/node/store"
	"dusthub/schema"

	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"
)

// TestFacetsEqualSearches: each count of a dimension is what a search with that value in its place finds (F2.4).
func TestFacetsEqualSearches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := emptyWorld(beginning)
		now := int64(beginning)
		for range rapid.IntRange(5, 60).Draw(t, "rows") {
			w.apply(someRow(t, now))
		}
		in := someSearch(t)
		area := rapid.SampledFrom([]string{"", "32", "3205"}).Draw(t, "area")
		f := (&facetSearch{w: w, in: in, area: area}).all()
		check := func(dimension, value string, count int, set func(*enterprisesInput)) {
			asked := *in
			set(&asked)
			if _, total, _ := w.search(&asked, area, 1); total != count {
				t.Fatalf("%s %s of %+v in %q: %d, a search finds %d", dimension, value, *in, area, count, total)
			}
		}
		check("all", "", f.Total, func(*enterprisesInput) {})
		for _, d := range []struct {
			name   string
			counts []FacetCount
			set    func(in *enterprisesInput, value string)
		}{
			{"region", f.Region, func(in *enterprisesInput, v string) { in.Region = v }},
			{"industry", f.Industry, func(in *enterprisesInput, v string) { in.Industry = v }},
			{"level", f.Level, func(in *enterprisesInput, v string) { in.Level = v }},
			{"dust_category", f.DustCategory, func(in *enterprisesInput, v string) { in.DustCategory = v }},
			{"online", f.Online, func(in *enterprisesInput, v string) { in.Online = v }},
			{"alarm", f.Alarm, func(in *enterprisesInput, v string) { in.Alarm = v }},
			{"alarm_level", f.AlarmLevel, func(in *enterprisesInput, v string) { n, _ := strconv.Atoi(v); in.AlarmLevel = int32(n) }},
			{"alarm_overdue", f.AlarmOverdue, func(in *enterprisesInput, v string) { in.AlarmOverdue = v }},
			{"warning", f.Warning, func(in *enterprisesInput, v string) { in.Warning = v }},
			{"warning_overdue", f.WarningOverdue, func(in *enterprisesInput, v string) { in.WarningOverdue = v }},
		} {
			for _, c := range d.counts {
				check(d.name, c.Value, c.Count, func(in *enterprisesInput) { d.set(in, c.Value) })
			}
		}
		for _, b := range f.Workers {
			check("workers", strconv.Itoa(int(b.Min)), b.Count, func(in *enterprisesInput) { in.MinWorkers, in.MaxWorkers = b.Min, b.Max })
		}
	})
}

// TestFacetsHoldScope: nobody learns of plants outside of their region from counts.
func TestFacetsHoldScope(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		login, query string
		total        int
		regions      []string
	}{
		{"ministry", "", 3, []string{"320000"}}, {"ministry", "?region=320000", 3, []string{"320200", "320500", "321200"}}, {"ministry", "?region=320505&level=orange", 1, []string{"320505"}},
		{"suzhou", "", 1, []string{"320505"}}, {"suzhou", "?region=320200", 0, []string{"320505"}},
	} {
		var f Facets
		s.must(Regulator, c.login, http.MethodGet, "/api/v1/search/facets"+c.query, nil).into(t, &f)
		var regions []string
		for _, r := range f.Region {
			regions = append(regions, r.Value)
		}
		if f.Total != c.total || !slices.Equal(regions, c.regions) {
			t.Errorf("%s %s: %d plants in %v, wanted %d in %v", c.login, c.query, f.Total, regions, c.total, c.regions)
		}
	}
}

// TestEnterprisesExport: a workbook holds what the search finds and no more, and the export is in the audit.
func TestEnterprisesExport(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		login, query string
		want         []string
	}{{"ministry", "", []string{plantB, plantA, plantC}}, {"ministry", "?region=320500&alarm=true", []string{plantA}}, {"suzhou", "", []string{plantA}}, {"suzhou", "?level=red", nil}} {
		got := s.as(c.login, http.MethodGet, "/api/v1/search/export"+c.query, nil)
		f, err := excelize.OpenReader(bytes.NewReader(got.body))
		if err != nil {
			t.Fatalf("%d %s: %v", got.status, got.body, err)
		}
		rows, err := f.GetRows(f.GetSheetName(0))
		if err != nil || rows[0][0] != "企业编码" {
			t.Fatal(rows, err)
		}
		var codes []string
		for _, r := range rows[1:] {
			codes = append(codes, r[0])
			if r[6] != "较大风险" || r[7] != "61" || r[8] != "在线" || r[9] != "1" {
				t.Errorf("row %v", r)
			}
		}
		if !slices.Equal(codes, c.want) {
			t.Errorf("%s %s: %v, wanted %v", c.login, c.query, codes, c.want)
		}
	}
	var audited int
	err := s.backend.store.Each(t.Context(), store.Query{Type: "AuditEntry"}, func(r store.Row) (bool, error) {
		if e := r.Record.(*schema.AuditEntry); e.GetAction() == "enterprises-export" && e.GetResult() == "ok" {
			audited++
		}
		return true, nil
	})
	if err != nil || audited != 4 {
		t.Errorf("%d exports in the audit, wanted 4 (%v)", audited, err)
	}
}

// TestDrawFromASearch: a draw takes every dimension of a search, and its record says which.
func TestDrawFromASearch(t *testing.T) {
	s := newSite(t)
	for name, c := range map[string]struct {
		criteria object
		pool     int
		text     string
	}{
		"text longer than what is indexed": {object{"q": plantA}, 1, "q=" + plantA}, "at most": {object{"max_workers": 30}, 3, "max_workers=30"}, "at most none": {object{"max_workers": 0, "region": "320500"}, 0, ""},
		"on line":  {object{"online": "true", "alarm": "true", "alarm_level": 1, "warning": "true", "alarm_overdue": "false", "warning_overdue": "false"}, 3, "alarm=true&alarm_level=1&alarm_overdue=false&online=true&warning=true&warning_overdue=false"},
		"off line": {object{"online": "false"}, 0, ""},
	} {
		got := s.as("ministry", http.MethodPost, "/api/v1/spot-checks/draw", object{"preview": true, "count": 1, "title": "查", "criteria": c.criteria})
		if c.pool == 0 {
			if got.status != http.StatusUnprocessableEntity {
				t.Errorf("%s: %d", name, got.status)
			}
			continue
		}
		var d DrawView
		got.into(t, &d)
		if d.Pool != c.pool || d.Criteria != c.text {
			t.Errorf("%s: %d by %q, wanted %d by %q", name, d.Pool, d.Criteria, c.pool, c.text)
		}
	}
}

func TestSavedSearches(t *testing.T) {
	s := newSite(t)
	const path = "/api/v1/search/saved"
	save := func(login string, body object) *schema.SavedSearch {
		t.Helper()
		q := &schema.SavedSearch{}
		s.must(Regulator, login, http.MethodPost, path, body).into(t, q)
		return q
	}
	list := func(login string) (names []string, by string) {
		t.Helper()
		var p Page[*schema.SavedSearch]
		s.must(Regulator, login, http.MethodGet, path, nil).into(t, &p)
		for _, q := range p.Items {
			names = append(names, q.GetName())
			if q.GetDefault() {
				by += q.GetName()
			}
		}
		return names, by
	}
	red := save("ministry", object{"name": "重大", "query": "level=red&alarm=&region=320500", "default": true})
	if red.GetQuery() != "level=red&region=320500" || red.GetLogin() != "ministry" {
		t.Errorf("%v", red)
	}
	save("ministry", object{"name": "离线", "query": "online=false", "default": true})
	save("suzhou", object{"name": "重大", "query": ""})
	if names, by := list("ministry"); !slices.Equal(names, []string{"离线", "重大"}) || by != "离线" {
		t.Errorf("%v, default %q", names, by)
	}
	if names, _ := list("suzhou"); len(names) != 1 {
		t.Errorf("another's: %v", names)
	}
	save("ministry", object{"id": red.GetId(), "name": "红", "query": "level=red", "default": true})
	if names, by := list("ministry"); !slices.Equal(names, []string{"离线", "红"}) || by != "红" {
		t.Errorf("%v, default %q", names, by)
	}
	for name, c := range map[string]struct {
		login  string
		body   object
		status int
	}{
		"a name twice":        {"ministry", object{"name": "离线", "query": ""}, http.StatusUnprocessableEntity},
		"no name":             {"ministry", object{"name": "", "query": ""}, http.StatusUnprocessableEntity},
		"no parameter of it":  {"ministry", object{"name": "x", "query": "after=1"}, http.StatusUnprocessableEntity},
		"a parameter twice":   {"ministry", object{"name": "x", "query": "level=red&level=blue"}, http.StatusUnprocessableEntity},
		"no query":            {"ministry", object{"name": "x", "query": "%zz"}, http.StatusUnprocessableEntity},
		"another's":           {"suzhou", object{"id": red.GetId(), "name": "x", "query": ""}, http.StatusNotFound},
		"login is not theirs": {"suzhou", object{"name": "x", "query": "", "login": "ministry"}, http.StatusUnprocessableEntity},
	} {
		if got := s.as(c.login, http.MethodPost, path, c.body); got.status != c.status {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if got := s.as("suzhou", http.MethodDelete, path+"/"+url.PathEscape(red.GetId()), nil); got.status != http.StatusNotFound {
		t.Errorf("another's deleted: %d", got.status)
	}
	s.must(Regulator, "ministry", http.MethodDelete, path+"/"+url.PathEscape(red.GetId()), nil)
	if names, by := list("ministry"); len(names) != 1 || by != "" {
		t.Errorf("after deleting: %v, default %q", names, by)
	}
	for i := 1; i < searchesMost; i++ {
		save("ministry", object{"name": strings.Repeat("查", i), "query": ""})
	}
	if got := s.as("ministry", http.MethodPost, path, object{"name": "多", "query": ""}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("more than %d: %d", searchesMost, got.status)
	}
}
