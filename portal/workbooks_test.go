package portal

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"dusthub/portal/sheet"
	"dusthub/schema"
)

func book(t testing.TB, records ...schema.Record) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := sheet.Write(&b, schema.TypeOf(records[0]), records); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestWorkbooks: base data go out into a workbook and come in again, judged row by row by the real engine; all rows or none (F2.1, F3.6).
func TestWorkbooks(t *testing.T) {
	s := provisioned(t)
	excel := func(r *http.Request) { r.Header.Set("Content-Type", workbookType) }
	send := func(p Portal, login, path string, content []byte) reply {
		return s.on(p, login, http.MethodPost, "/api/v1/records/"+path, content, excel)
	}
	got := s.must(Regulator, "js01", http.MethodGet, "/api/v1/records/Enterprise/export", nil)
	rows, problems, err := sheet.Read(got.body, "Enterprise")
	if err != nil || len(rows) != 1 || len(problems) > 0 || got.header.Get("Content-Type") != workbookType {
		t.Fatalf("exported: %v %v %v", rows, problems, err)
	}
	first := rows[0].Record.(*schema.Enterprise)
	var v ImportView
	send(Regulator, "js01", "Enterprise/import", got.body).into(t, &v)
	if v.Rows != 1 || v.Same != 1 || v.Written {
		t.Errorf("the same again: %+v", v)
	}
	second := &schema.Enterprise{
		Code: "320505030077", Uscc: "91320505MA1000371T", UsccOverride: "测试", Name: "新厂", Region: "320505", Industry: "C33", MemIndustry: "machinery", Scale: "small", Employees: 20, DustWorkers: 5,
		MaxShiftWorkers: 5, ProductionState: "normal", AccessState: "connected", Dusts: []*schema.Dust{{Dust: "2"}},
	}
	bad := book(t, &schema.Enterprise{Code: first.GetCode(), DustWorkers: -1}, second, second, &schema.Enterprise{Code: "320505030078", Name: "缺"}, &schema.Enterprise{Name: "无编码"})
	send(Regulator, "js01", "Enterprise/import?preview=true", bad).into(t, &v)
	told := map[int][]string{}
	for _, p := range v.Problems {
		told[p.Row] = append(told[p.Row], p.Field)
	}
	if v.Written || len(told[4]) == 0 || told[4][0] != "dust_workers" || len(told[5]) != 0 || len(told[6]) != 1 || len(told[7]) < 3 || len(told[8]) != 1 {
		t.Errorf("problems by row: %v", told)
	}
	if got := send(Regulator, "js01", "Enterprise/import", bad); got.status != http.StatusUnprocessableEntity || !strings.Contains(string(got.body), "row 4 column") {
		t.Errorf("a bad workbook: %d %s", got.status, got.body)
	}
	if got := s.on(Regulator, "js01", http.MethodGet, "/api/v1/enterprises/"+second.GetCode(), nil); got.status != http.StatusNotFound {
		t.Errorf("a row of a refused workbook was written: %d", got.status)
	}
	send(Regulator, "js01", "Enterprise/import", book(t, &schema.Enterprise{Code: first.GetCode(), Employees: 130}, second)).into(t, &v)
	if !v.Written || v.Created != 1 || v.Changed != 1 {
		t.Errorf("imported: %+v", v)
	}
	var plant PlantView
	s.must(Regulator, "js01", http.MethodGet, "/api/v1/enterprises/"+first.GetCode(), nil).into(t, &plant)
	if plant.Enterprise.GetEmployees() != 130 || plant.Enterprise.GetName() != first.GetName() || len(plant.Enterprise.GetDusts()) != 1 {
		t.Errorf("empty cells took something away: %v", plant.Enterprise)
	}
	// What only the engine knows is told of its row too, and a plant reaches nothing of another's.
	if got := send(Regulator, "js01", "Workshop/import", book(t, &schema.Workshop{Code: "320505030099W01", Enterprise: "320505030099", Name: "x", Building: "single_frame"})); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a workshop of no enterprise: %d %s", got.status, got.body)
	}
	if got := send(Enterprise, "m0001", "Enterprise/import", book(t, &schema.Enterprise{Code: second.GetCode(), Name: "夺"})); got.status != http.StatusUnprocessableEntity {
		t.Errorf("another's plant: %d %s", got.status, got.body)
	}
	rows, _, err = sheet.Read(s.must(Enterprise, "m0001", http.MethodGet, "/api/v1/records/Enterprise/export", nil).body, "Enterprise")
	if err != nil || len(rows) != 1 || rows[0].Record.(*schema.Enterprise).GetCode() != first.GetCode() {
		t.Errorf("a plant's export: %v %v", rows, err)
	}
	for path, content := range map[string][]byte{"Enterprise/import": []byte("PK no workbook"), "User/import": nil, "Nonsense/import": nil} {
		if got := send(Regulator, "js01", path, content); got.status/100 != 4 {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	if rows, _, err := sheet.Read(s.must(Enterprise, "m0001", http.MethodGet, "/api/v1/records/Metric/template", nil).body, "Metric"); err != nil || len(rows) != 0 {
		t.Errorf("template: %v %v", rows, err)
	}
}
