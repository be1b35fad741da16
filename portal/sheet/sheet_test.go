package sheet

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"dusthub/schema"

	"github.com/xuri/excelize/v2"
	"google.golang.org/protobuf/proto"
)

func workbook(t testing.TB, typ string, rows ...[]any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Template(&b, typ); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	for i, cells := range rows {
		if err := f.SetSheetRow(f.GetSheetName(0), cellName(1, firstRow+i), &cells); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if _, err := f.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func ptr[T any](v T) *T { return &v }

// TestRoundTrip: what is written is read again, equal, for every kind of field (F2.1).
func TestRoundTrip(t *testing.T) {
	for _, want := range []schema.Record{
		&schema.Enterprise{
			Code: "320505030001", Uscc: "91320505MA1MXXXX0X", Name: "=HYPERLINK(\"x\")", Region: "320505", Lng: 120.5, Industry: "3311", MemIndustry: "other", Scale: "small",
			Employees: 12, DustWorkers: 3, ShouldAccess: true, Dusts: []*schema.Dust{{Dust: "M01", DailyYieldKg: 12.5, Kst: 30}, {Dust: "M02"}},
		},
		&schema.Metric{Code: "320505030001C001T0101", Enterprise: "320505030001", Name: "温度", RangeLo: -20, RangeHi: 200, Limits: &schema.Limits{H: ptr(60.0), Hh: ptr(70.0), Deadband: 2, FaultState: ptr(int32(0))}},
		&schema.Collector{Code: "320505030001C001", Enterprise: "320505030001", Measures: []string{"venting", "isolation"}},
	} {
		typ := schema.TypeOf(want)
		var b bytes.Buffer
		if err := Write(&b, typ, []schema.Record{want}); err != nil {
			t.Fatal(err)
		}
		rows, problems, err := Read(b.Bytes(), typ)
		if err != nil || len(problems) > 0 || len(rows) != 1 || rows[0].Row != firstRow || !proto.Equal(rows[0].Record, want) {
			t.Errorf("%s: %v %v\nread   %v\nwanted %v", typ, err, problems, rows, want)
		}
	}
}

// TestTemplates: every type has one, and an empty one gives no records.
func TestTemplates(t *testing.T) {
	for _, typ := range Types {
		rows, problems, err := Read(workbook(t, typ), typ)
		if err != nil || len(rows)+len(problems) > 0 {
			t.Errorf("%s: %v %v %v", typ, rows, problems, err)
		}
	}
}

func TestNamesAndProblems(t *testing.T) {
	at := func(field string) int {
		for i, c := range columnsOf("Enterprise") {
			if c.name == field {
				return i
			}
		}
		t.Fatal(field)
		return 0
	}
	row := func(field, cell string) []any {
		cells := make([]any, at(field)+1)
		cells[0], cells[at(field)] = "320505030001", cell
		return cells
	}
	for _, c := range []struct{ field, cell, wanted string }{
		{"employees", "十二", "整数"}, {"employees", "1.5", "整数"}, {"employees", "1e300", "整数"}, {"lng", "东经", "数字"}, {"lng", "NaN", "数字"},
		{"should_access", "也许", "是 或 否"}, {"dusts", "铝粉:很多", "数字"}, {"dusts", "铝粉:1:2:3:4", "粉尘"},
	} {
		rows, problems, err := Read(workbook(t, "Enterprise", row(c.field, c.cell)), "Enterprise")
		if err != nil || len(rows) != 1 || len(problems) != 1 || problems[0].Row != firstRow || problems[0].Field != c.field || problems[0].Got != c.cell || !strings.Contains(problems[0].Wanted, c.wanted) || problems[0].Column == "" {
			t.Errorf("%s %q: %+v %v", c.field, c.cell, problems, err)
		}
	}
	name := schema.CodeName("scale", "small")
	rows, problems, err := Read(workbook(t, "Enterprise", row("scale", name), row("employees", "12.0")), "Enterprise")
	if err != nil || len(problems) > 0 || rows[0].Record.(*schema.Enterprise).GetScale() != "small" || rows[1].Record.(*schema.Enterprise).GetEmployees() != 12 {
		t.Errorf("%v %v %v", rows, problems, err)
	}
}

func TestNoWorkbook(t *testing.T) {
	many := make([][]any, MostRows+1)
	for i := range many {
		many[i] = []any{"320505030001"}
	}
	bomb := excelize.NewFile()
	if err := bomb.SetCellStr("Sheet1", "A2", "nonsense"); err != nil {
		t.Fatal(err)
	}
	var odd bytes.Buffer
	if _, err := bomb.WriteTo(&odd); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"nothing": nil, "text": []byte("a,b\n1,2"), "another type": workbook(t, "Workshop", []any{"x"}), "unknown fields": odd.Bytes(), "too many rows": workbook(t, "Enterprise", many...),
	} {
		if _, _, err := Read(content, "Enterprise"); !errors.Is(err, ErrWorkbook) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(workbook(f, "Enterprise", []any{"320505030001"}))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(_ *testing.T, content []byte) {
		_, _, _ = Read(content, "Enterprise") // must not panic
	})
}
