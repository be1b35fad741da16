// Package print makes the PDF and the workbook (Excel) of a report. The same report gives the same bytes, on every replica.
package print

import (
	"fmt"
	"strconv"
	"time"

	"dusthub/node/report"
	"dusthub/schema"
)

// unknown is what is written where nothing is known.
const unknown = "—"

var kindName = map[report.Kind]string{report.Daily: "日报", report.Weekly: "周报", report.Monthly: "月报"}

// sheet is a report as it is printed.
type sheet struct {
	r *schema.Report
	f *report.Figures
	p report.Period
}

func read(r *schema.Report) (*sheet, error) {
	f, err := report.Read(r)
	if err != nil {
		return nil, err
	}
	return &sheet{r, f, report.PeriodOf(report.Kind(r.GetKind()), time.UnixMilli(r.GetFrom()))}, nil
}

func (s *sheet) region() string {
	if s.f.RegionName == "" {
		return "全国"
	}
	return s.f.RegionName
}

func (s *sheet) title() string {
	return s.region() + "粉尘涉爆企业安全生产风险监测预警" + kindName[s.p.Kind]
}

// Name is what the file of a report is called, without its ending.
func Name(r *schema.Report) string {
	s, err := read(r)
	if err != nil {
		return r.GetId()
	}
	return s.title() + " " + s.p.Words()
}

func percent(v *float64) string {
	if v == nil {
		return unknown
	}
	return fmt.Sprintf("%.1f%%", *v*100)
}

func share[T int | int64](part, whole T) *float64 {
	if whole <= 0 {
		return nil
	}
	v := float64(part) / float64(whole)
	return &v
}

// number writes a count with its thousands apart.
func number[T int | int64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// change says how a count moved since the period before.
func change(now, before int) string {
	d := now - before
	switch {
	case d == 0:
		return "持平"
	case before == 0:
		return fmt.Sprintf("%+d", d)
	}
	return fmt.Sprintf("%+d（%+.1f%%）", d, float64(d)/float64(before)*100)
}

// moved says the same in a sentence.
func moved(now, before int) string {
	d := now - before
	words := "较上期增加"
	if d < 0 {
		words, d = "较上期减少", -d
	}
	switch {
	case d == 0:
		return "与上期持平"
	case before == 0:
		return words + number(d) + "起"
	}
	return fmt.Sprintf("%s%s起（%.1f%%）", words, number(d), float64(d)/float64(before)*100)
}

// span writes a time that something took.
func span(ms int64, n int) string {
	if n == 0 {
		return unknown
	}
	d := time.Duration(ms) * time.Millisecond
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d 秒", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%.1f 分钟", d.Minutes())
	case d < 2*day:
		return fmt.Sprintf("%.1f 小时", d.Hours())
	}
	return fmt.Sprintf("%.1f 天", d.Hours()/day.Hours())
}

func dayOf(ms int64) string { return time.UnixMilli(ms).In(report.Beijing).Format("01-02") }

// online is the mean of the days' online rates that are known.
func online(days []report.Day, of func(report.Day) *float64) *float64 {
	sum, n := 0.0, 0
	for _, d := range days {
		if v := of(d); v != nil {
			sum += *v
			n++
		}
	}
	if n == 0 {
		return nil
	}
	sum /= float64(n)
	return &sum
}

func plantsOnline(d report.Day) *float64  { return d.Online }
func systemsOnline(d report.Day) *float64 { return d.Systems }
func received(d report.Day) *float64      { return d.Received }
func complete(d report.Day) *float64 {
	if d.Standing == nil {
		return nil
	}
	return share(d.Standing.Filled, d.Standing.Asked)
}

func right(d report.Day) *float64 {
	if d.Standing == nil {
		return nil
	}
	return share(d.Standing.Records-d.Standing.Wrong, d.Standing.Records)
}
