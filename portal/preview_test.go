package portal

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"

	"dusthub/schema"
)

// current reads a plant's record as the pages do, with its version.
func (s *site) current(p Portal, login, typ, key string) *RecordRow {
	s.t.Helper()
	var page struct {
		Items []struct {
			Key    string          `json:"key"`
			Seq    uint64          `json:"seq"`
			Record json.RawMessage `json:"record"`
		} `json:"items"`
	}
	index := "?index=enterprise&prefix=" + plantA
	if typ == "Enterprise" {
		index = "?prefix=" + plantA
	}
	s.must(p, login, http.MethodGet, "/api/v1/records/"+typ+index, nil).into(s.t, &page)
	for _, it := range page.Items {
		if it.Key == key {
			rec, _ := schema.New(typ)
			if err := json.Unmarshal(it.Record, rec); err != nil {
				s.t.Fatal(err)
			}
			return &RecordRow{Key: it.Key, Seq: it.Seq, Record: rec}
		}
	}
	s.t.Fatalf("%s/%s is not listed", typ, key)
	return nil
}

func writing(typ string, rec schema.Record, seq uint64) object {
	return object{"changes": []object{{"type": typ, "record": rec, "seq": seq}}}
}

func fieldsOf(list []FieldChange) map[string][2]string {
	out := map[string][2]string{}
	for _, f := range list {
		out[f.Field] = [2]string{f.Before, f.After}
	}
	return out
}

// TestPreview: the effect of a change is shown before it is saved, by the engine itself, and nothing is written (F3.6).
func TestPreview(t *testing.T) {
	s := provisioned(t)
	collector, metric := plantA+"C001", plantA+"C001T0101"
	preview := func(body object) (out PreviewView) {
		t.Helper()
		s.must(Enterprise, "m0001", http.MethodPost, "/api/v1/records/preview", body).into(t, &out)
		return out
	}
	head, _ := s.server.opt.Backend.Store().Head(siteID)

	row := s.current(Enterprise, "m0001", "Enterprise", plantA)
	e := row.Record.(*schema.Enterprise)
	e.DustWorkers, e.MaxShiftWorkers = 60, 40
	got := preview(writing("Enterprise", e, row.Seq))
	if !got.OK || got.Items[0].Outcome != "changed" || fieldsOf(got.Items[0].Fields)["dust_workers"] != [2]string{"35", "60"} || len(got.Items[0].Fields) != 2 {
		t.Errorf("more workers: %+v", got.Items)
	}
	if len(got.Effects) != 1 || got.Effects[0].After.InherentMilli <= got.Effects[0].Before.InherentMilli || len(got.Effects[0].Moves) == 0 {
		t.Errorf("more workers raise no inherent risk: %+v", got.Effects)
	}

	e.DustWorkers, e.MaxShiftWorkers, e.Name = 200, 300, ""
	got = preview(writing("Enterprise", e, row.Seq))
	var rules []string
	for _, x := range got.Items[0].Refused {
		rules = append(rules, x.GetField())
	}
	if got.OK || got.Items[0].Outcome != "refused" || !slices.Contains(rules, "dust_workers") || !slices.Contains(rules, "max_shift_workers") || !slices.Contains(rules, "name") || len(got.Effects) != 0 {
		t.Errorf("not every reason: %v %+v", rules, got)
	}

	c := s.current(Enterprise, "m0001", "Collector", collector).Record.(*schema.Collector)
	c.Measures = nil
	got = preview(writing("Collector", c, 0))
	if h := got.Effects[0].Hazards; len(h) != 1 || h[0].Code != "MH03" || !h[0].Begins {
		t.Errorf("a collector without measures: %+v", h)
	}

	for range 3 {
		s.sample(55)
	}
	m := s.current(Enterprise, "m0001", "Metric", metric).Record.(*schema.Metric)
	h := 50.0
	m.Limits.H = &h
	got = preview(writing("Metric", m, 0))
	if a := got.Effects[0].Alarms; len(a) != 1 || a[0].Rule != "H" || !a[0].Raised || a[0].Value != 55 || a[0].Limit != 50 {
		t.Errorf("a limit below the present value: %+v", a)
	}
	if b := got.Effects[0]; b.After.DynamicMilli <= b.Before.DynamicMilli {
		t.Errorf("the alarm weighs nothing: %d, %d", b.Before.DynamicMilli, b.After.DynamicMilli)
	}
	h = 65
	if got = preview(writing("Metric", m, 0)); got.OK || got.Items[0].Refused[0].GetRule() != "relax" {
		t.Errorf("a plant relaxes: %+v", got)
	}

	new := object{"changes": []object{{"type": "Workshop", "record": object{"code": plantA + "W02", "enterprise": plantA, "name": "二车间", "building": "multi_nonframe"}}}}
	if got = preview(new); !got.OK || got.Items[0].Outcome != "created" || len(got.Effects[0].Hazards) != 1 {
		t.Errorf("a workshop in a building that may not hold it: %+v", got)
	}
	gone := object{"changes": []object{{"type": "Collector", "key": collector, "delete": true}}}
	if got = preview(gone); got.OK || got.Items[0].Refused[0].GetRule() != "in_use" {
		t.Errorf("a collector with metrics is deleted: %+v", got)
	}
	other := object{"changes": []object{{"type": "Workshop", "record": object{"code": plantB + "W02", "enterprise": plantB, "name": "x", "building": "multi_nonframe"}}}}
	if got := s.on(Enterprise, "m0001", http.MethodPost, "/api/v1/records/preview", other); got.status != http.StatusNotFound {
		t.Errorf("another's plant: %d %s", got.status, got.body)
	}

	var alarms Page[*AlarmView]
	s.must(Regulator, "js01", http.MethodGet, "/api/v1/alarms?stage=open", nil).into(t, &alarms)
	if now, _ := s.server.opt.Backend.Store().Head(siteID); len(alarms.Items) != 0 || s.current(Enterprise, "m0001", "Enterprise", plantA).Seq != row.Seq || now.Seq < head.Seq {
		t.Errorf("a preview was written: %d alarms", len(alarms.Items))
	}
}

// TestVersions: who changed a record, when and what; an earlier version comes back as a new one (F3.6).
func TestVersions(t *testing.T) {
	s := provisioned(t)
	key := plantA + "W01"
	write := func(p Portal, login string, area float64) {
		t.Helper()
		row := s.current(p, login, "Workshop", key)
		w := row.Record.(*schema.Workshop)
		w.AreaM2 = area
		s.must(p, login, http.MethodPost, "/api/v1/records", writing("Workshop", w, row.Seq))
	}
	write(Enterprise, "m0001", 1500)
	write(Regulator, "js01", 1800)
	read := func(query string) (v VersionPage) {
		t.Helper()
		var raw struct {
			VersionPage
			Items []struct {
				VersionView
				Record json.RawMessage `json:"record"`
			} `json:"items"`
		}
		s.must(Enterprise, "m0001", http.MethodGet, "/api/v1/records/Workshop/"+key+"/versions"+query, nil).into(t, &raw)
		v = raw.VersionPage
		v.Items = nil
		for _, it := range raw.Items {
			v.Items = append(v.Items, it.VersionView)
		}
		return v
	}
	v := read("")
	if len(v.Items) != 4 || !v.May || v.Origin != siteID || v.Items[0].Actor != "js01" || v.Items[1].Actor != "m0001" || !v.Items[0].Current || v.Items[1].Current {
		t.Fatalf("versions: %+v", v)
	}
	if f := fieldsOf(v.Items[0].Fields); len(f) != 1 || f["area_m2"] != [2]string{"1500", "1800"} {
		t.Errorf("what changed: %v", f)
	}
	if page := read("?limit=2"); len(page.Items) != 2 || page.Next != v.Items[1].Seq {
		t.Errorf("a page: %+v", page)
	} else if rest := read("?limit=2&before=" + jsonOf(t, page.Next)); len(rest.Items) != 2 || rest.Next != 0 || rest.Items[0].Seq != v.Items[2].Seq {
		t.Errorf("the rest: %+v", rest)
	}
	restore := object{"changes": []object{{"type": "Workshop", "key": key, "restore": v.Items[3].Seq, "seq": v.Items[0].Seq}}}
	var p PreviewView
	s.must(Enterprise, "m0001", http.MethodPost, "/api/v1/records/preview", restore).into(t, &p)
	if f := fieldsOf(p.Items[0].Fields); f["area_m2"] != [2]string{"1800", "1200"} {
		t.Errorf("restoring would change %v", f)
	}
	s.must(Enterprise, "m0001", http.MethodPost, "/api/v1/records", restore)
	if w := s.current(Enterprise, "m0001", "Workshop", key).Record.(*schema.Workshop); w.GetAreaM2() != 1200 || len(read("").Items) != 5 {
		t.Errorf("restored: %v", w)
	}
	for path, login := range map[string]string{"/api/v1/records/Workshop/" + plantB + "W01/versions": "m0001", "/api/v1/records/User/m0001/versions": "m0001"} {
		if got := s.on(Enterprise, login, http.MethodGet, path, nil); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	s.must(Regulator, "js01", http.MethodPost, "/api/v1/records", object{"changes": []object{{"type": "DustSystem", "record": object{"code": plantA + "S01", "enterprise": plantA, "name": "1号", "mode": "negative", "dusts": []string{"2"}}}}})
	s.must(Regulator, "js01", http.MethodPost, "/api/v1/records", object{"changes": []object{{"type": "CleaningPlan", "key": plantA + "-floor", "delete": true}, {"type": "Workshop", "key": key, "delete": true}}})
	if v = read(""); !v.Items[0].Deleted || v.Items[1].Deleted {
		t.Errorf("after its deletion: %+v", v.Items[0])
	}
	s.must(Enterprise, "m0001", http.MethodPost, "/api/v1/records", object{"changes": []object{{"type": "Workshop", "key": key, "restore": v.Items[1].Seq}}})
	s.current(Enterprise, "m0001", "Workshop", key)
}

// TestOutdated: of two who edit one record, the second is told what the first did (F3.6).
func TestOutdated(t *testing.T) {
	s := provisioned(t)
	row := s.current(Enterprise, "m0001", "Enterprise", plantA)
	e := row.Record.(*schema.Enterprise)
	e.Address = "一号路"
	s.must(Regulator, "js01", http.MethodPost, "/api/v1/records", writing("Enterprise", e, row.Seq))
	e.Address, e.Employees = "", 140
	got := s.on(Enterprise, "m0001", http.MethodPost, "/api/v1/records", writing("Enterprise", e, row.Seq))
	var p struct {
		Code     string `json:"code"`
		Outdated struct {
			Current struct {
				Seq uint64 `json:"seq"`
			} `json:"current"`
			Fields []FieldChange `json:"fields"`
		} `json:"outdated"`
	}
	if err := json.Unmarshal(got.body, &p); err != nil {
		t.Fatal(err)
	}
	if f := fieldsOf(p.Outdated.Fields); got.status != http.StatusConflict || p.Code != codeChanged || f["address"] != [2]string{"一号路", ""} || f["employees"] != [2]string{"126", "140"} {
		t.Errorf("the second: %d %s", got.status, got.body)
	}
	var view PreviewView
	s.must(Enterprise, "m0001", http.MethodPost, "/api/v1/records/preview", writing("Enterprise", e, row.Seq)).into(t, &view)
	if view.OK || view.Items[0].Refused[0].GetRule() != codeChanged {
		t.Errorf("preview of an outdated change: %+v", view)
	}
	s.must(Enterprise, "m0001", http.MethodPost, "/api/v1/records", writing("Enterprise", e, p.Outdated.Current.Seq))

	// Both read the same version, and both proposals are on their way: the engine takes the first alone.
	now := s.current(Enterprise, "m0001", "Enterprise", plantA)
	mine := now.Record.(*schema.Enterprise)
	mine.Employees = 150
	change := s.server.change(mine)
	change.Over = now.Seq
	user := &schema.User{Login: "m0001", Role: plantManager}
	if _, err := s.server.put(t.Context(), user, change); err != nil {
		t.Fatal(err)
	}
	_, err := s.server.put(t.Context(), user, change)
	var refused *Problem
	if !errors.As(err, &refused) || refused.Code != codeChanged || refused.Status != http.StatusConflict {
		t.Errorf("the second proposal: %v", err)
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
