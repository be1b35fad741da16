package print

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dusthub/node/report"
	"dusthub/node/statistics"
	"dusthub/portal/document"
	"dusthub/schema"

	"github.com/xuri/excelize/v2"
)

var keep = flag.String("keep", "", "folder to keep the documents in, to look at them")

// sample is a report with something under every heading; a region's name is long, and a plant's has a character beyond the basic plane.
func sample(t *testing.T, k report.Kind) *schema.Report {
	t.Helper()
	p := report.PeriodOf(k, time.Date(2026, 11, 18, 12, 0, 0, 0, report.Beijing))
	rate := func(v float64) *float64 { return &v }
	f := &report.Figures{
		Version: 1, SiteName: "江苏省应急管理厅", RegionName: "江苏省",
		Now:    &report.Standing{Plants: 1500, Due: 1480, Connected: 1376, Online: 1290, SystemsDue: 2960, SystemsConnected: 2614, SystemsOnline: 2470, Red: 3, Orange: 31, Yellow: 290, Blue: 1052, Asked: 192_400, Filled: 186_480, Records: 23_680, Wrong: 590},
		Before: &report.Standing{Plants: 1490, Due: 1470, Connected: 1350, Online: 1280, SystemsDue: 2940, SystemsConnected: 2580, SystemsOnline: 2450, Red: 5, Orange: 28, Yellow: 300, Blue: 1017},
		Alarms: report.Alarms{
			Count: 1284, Before: 1410, Grave: 96, Closed: 1190, Overdue: 7, Escalated: 12, Suppressed: 40, Respond: statistics.Durations{P50: 240_000, P90: 1_500_000, P99: 9_000_000, N: 1270},
			Dispose: statistics.Durations{P50: 3_600_000, P90: 14_000_000, P99: 80_000_000, N: 1240}, Close: statistics.Durations{P50: 40_000_000, P90: 170_000_000, P99: 400_000_000, N: 1190},
			ByKind: []statistics.KindCount{{Kind: "T01", Name: "灰斗内部温度", Count: 610}, {Kind: "P01", Name: "进出口风压差", Count: 402}, {Kind: "K01", Name: "锁气卸灰故障", Count: 190}, {Kind: "", Name: "采集设备与企业", Count: 82}},
		},
		Warnings: report.Warnings{Count: 42, Before: 51, Red: 2, Orange: 14, Yellow: 26, Closed: 37, Overdue: 1, Median: 90_000_000}, Hazards: report.Hazards{Found: 6, Closed: 4, Open: 19, Overdue: 2},
		Checks: report.Checks{Issued: 30, Answered: 28, Ordered: 6, Closed: 22, Findings: 11, Grave: 1}, Cleaning: report.Cleaning{Plants: 1210, Slots: 30_400, Done: 28_911, Records: 29_800},
		Rules: []report.Rule{{ID: "collector_required", Text: "除尘器缺少必选监测指标", Plants: 96, Records: 138}, {ID: "schema", Text: "记录不符合数据规范（必填、取值范围、代码表、字段间关系）", Plants: 2, Records: 2}},
	}
	for i, name := range []string{"苏州虎丘明辉铝轮毂有限公司", "昆山精锐镁合金压铸有限公司", "江阴宏达面粉有限公司", "常州𬭎达金属制品有限公司与一个长得要分成两行才写得下的企业名称股份公司"} {
		f.Alarms.ByPlant = append(f.Alarms.ByPlant, report.NamedCount{Key: "32050503000" + string(rune('1'+i)), Name: name, Of: "江苏省苏州市虎丘区", Count: 90 - 17*i, Share: 0.07 - 0.01*float64(i)})
		f.Alarms.ByMetric = append(f.Alarms.ByMetric, report.NamedCount{Key: "320505030001C001T0101", Name: "灰斗内部温度", Of: name, Count: 60 - 11*i, Share: 0.05})
		f.Cleaning.Missed = append(f.Cleaning.Missed, report.NamedCount{Key: "320505030001", Name: name, Of: "江苏省苏州市虎丘区", Count: 12 - i, Share: 0.2})
	}
	n := 0
	for at := p.From; at.Before(p.Until); at = at.AddDate(0, 0, 1) {
		n++
		d := report.Day{Day: at.UnixMilli(), Alarms: 150 + n*7%60, Grave: n % 14, Warnings: n % 5}
		if n != 3 { // a day the site was down
			s := *f.Now
			s.Red, s.Orange, s.Wrong = 3+n%3, 28+n%7, int64(590+n*4)
			d.Standing, d.Online, d.Systems, d.Received = &s, rate(0.93+0.01*float64(n%4)), rate(0.9+0.012*float64(n%5)), rate(0.97-0.004*float64(n%6))
			d.Series, d.Gaps, d.OverRange, d.Stuck, d.Frequent = 10_210, 86, 14, 9, 23
		}
		f.Days = append(f.Days, d)
	}
	for i, city := range []string{"320100", "320200", "320300", "320400", "320500", "320600", "320700", "320800", "320900", "321000", "321100", "321200", "321300"} {
		f.Parts = append(f.Parts, report.Part{Region: city, Name: schema.RegionName(city), Standing: &report.Standing{Due: 90 + i*5, Connected: 84 + i*4, Online: 80 + i*4, Red: i % 2, Orange: i % 4}, Alarms: 60 + i*7, Overdue: i % 3, Warnings: i % 5})
	}
	raw, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return &schema.Report{Id: p.ID("320000"), Kind: string(k), Region: "320000", From: p.From.UnixMilli(), Until: p.Until.UnixMilli(), Made: p.Until.Add(2 * time.Hour).UnixMilli(), Actor: "site", Figures: raw}
}

// printed makes a report's PDF. Without the font it skips, but where all that is needed must be there (make test-unit).
func printed(t *testing.T, r *schema.Report) []byte {
	t.Helper()
	b, err := PDF(r)
	if errors.Is(err, document.ErrFont) && os.Getenv("REQUIRED") == "" {
		t.Skip("make web brings the font")
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPDF(t *testing.T) {
	for _, k := range report.Kinds {
		t.Run(string(k), func(t *testing.T) {
			r := sample(t, k)
			b := printed(t, r)
			if *keep != "" {
				if err := os.WriteFile(filepath.Join(*keep, r.GetId()+".pdf"), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if again := printed(t, r); !bytes.Equal(b, again) {
				t.Error("the same report gave other bytes")
			}
			const most = 400 << 10 // the font is cut to what is used
			if len(b) > most || !bytes.HasPrefix(b, []byte("%PDF-")) {
				t.Errorf("%d bytes", len(b))
			}
		})
	}
}

// TestPDFText: what is printed can be searched and copied, and every page says what it is of.
func TestPDFText(t *testing.T) {
	b := printed(t, sample(t, report.Weekly))
	tool, err := exec.LookPath("pdftotext")
	if err != nil && os.Getenv("REQUIRED") == "" {
		t.Skip("make test-deps brings pdftotext")
	}
	cmd := exec.Command(tool, "-layout", "-", "-")
	cmd.Stdin = bytes.NewReader(b)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	text := string(out)
	for _, want := range []string{
		"江苏省粉尘涉爆企业安全生产风险监测预警周报", "2026年11月16日至2026年11月22日", "编号 weekly-320000-2026-11-16", "江苏省应急管理厅", "生成时间 2026-11-23 02:00", "一、总体态势", "六、在线抽查与清扫", "较上期减少126起（8.9%）", "1,284",
		"93.0%", "灰斗内部温度", "常州〓达金属制品", "苏州虎丘明辉铝轮毂有限公司", "江苏省南京市",
	} {
		if !strings.Contains(joined(text), joined(want)) {
			t.Errorf("%q is not in it", want)
		}
	}
	pages := strings.Count(text, "\f")
	if n := strings.Count(text, "报告期 2026年11月16日"); n != pages || pages < 3 || !strings.Contains(text, "第 1 页，共") {
		t.Errorf("%d feet on %d pages", n, pages)
	}
}

// joined is text without the ends of its lines.
func joined(s string) string { return strings.Join(strings.Fields(s), "") }

func TestWorkbook(t *testing.T) {
	r := sample(t, report.Weekly)
	var a, b bytes.Buffer
	for _, to := range []*bytes.Buffer{&a, &b} {
		if err := Workbook(to, r); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("the same report gave other bytes")
	}
	f, err := excelize.OpenReader(&a)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range []struct{ sheet, cell, want string }{
		{"概况", "B4", r.GetId()}, {"概况", "B7", "1376"}, {"每日", "A2", "11-16"}, {"每日", "B4", ""}, {"分区域", "A2", "江苏省南京市"}, {"报警类型", "C2", "610"}, {"报警企业", "A2", "苏州虎丘明辉铝轮毂有限公司"}, {"基础数据", "D2", "138"}, {"漏清扫", "D2", "12"},
	} {
		if got, err := f.GetCellValue(c.sheet, c.cell); err != nil || got != c.want {
			t.Errorf("%s %s: %q, want %q %v", c.sheet, c.cell, got, c.want, err)
		}
	}
}

// TestEmptyReport: a report of a time in which nothing was known is printed all the same, and says so.
func TestEmptyReport(t *testing.T) {
	p := report.PeriodOf(report.Daily, time.Date(2026, 11, 18, 12, 0, 0, 0, report.Beijing))
	raw, err := json.Marshal(&report.Figures{Version: 1, SiteName: "应急管理部"})
	if err != nil {
		t.Fatal(err)
	}
	r := &schema.Report{Id: p.ID(""), Kind: "daily", From: p.From.UnixMilli(), Until: p.Until.UnixMilli(), Made: p.Until.UnixMilli(), Actor: "site", Figures: raw}
	printed(t, r)
	var b bytes.Buffer
	if err := Workbook(&b, r); err != nil {
		t.Error(err)
	}
	r.Figures = []byte("{")
	if _, err := PDF(r); err == nil {
		t.Error("figures that are none are printed")
	}
}
