package print

import (
	"errors"
	"fmt"
	"io"

	"dusthub/node/report"
	"dusthub/schema"

	"github.com/xuri/excelize/v2"
)

// WorkbookType is the media type of a workbook.
const WorkbookType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// page is one sheet of a workbook.
type page struct {
	name string
	head []any
	rows [][]any
}

// Workbook writes a report's figures as a workbook (Excel), numbers as numbers.
func Workbook(w io.Writer, r *schema.Report) error {
	s, err := read(r)
	if err != nil {
		return err
	}
	f := excelize.NewFile()
	defer func() { _ = f.Close() }() // it is in memory alone
	for i, p := range []page{s.overview(), s.daily(), s.byRegion(), s.byKind(), counts("报警企业", "企业", "区域", s.f.Alarms.ByPlant), counts("报警指标", "指标", "企业", s.f.Alarms.ByMetric), s.rules(), counts("漏清扫", "企业", "区域", s.f.Cleaning.Missed)} {
		if err := p.write(f, i == 0); err != nil {
			return fmt.Errorf("sheet %s: %w", p.name, err)
		}
	}
	if _, err := f.WriteTo(w); err != nil {
		return fmt.Errorf("write workbook: %w", err)
	}
	return nil
}

func (p page) write(f *excelize.File, first bool) error {
	if first {
		if err := f.SetSheetName("Sheet1", p.name); err != nil {
			return fmt.Errorf("name: %w", err)
		}
	} else if _, err := f.NewSheet(p.name); err != nil {
		return fmt.Errorf("add: %w", err)
	}
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"DCEBEC"}}})
	if err != nil {
		return fmt.Errorf("style: %w", err)
	}
	const wide = 20
	last, err := excelize.ColumnNumberToName(max(1, len(p.head)))
	if err != nil {
		return fmt.Errorf("columns: %w", err)
	}
	for i, row := range append([][]any{p.head}, p.rows...) { // not streamed: streams are written in no order
		at, err := excelize.CoordinatesToCellName(1, i+1)
		if err == nil {
			err = f.SetSheetRow(p.name, at, &row)
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", i+1, err)
		}
	}
	return errors.Join(
		f.SetColWidth(p.name, "A", last, wide), f.SetCellStyle(p.name, "A1", last+"1", bold),
		f.SetPanes(p.name, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}),
	)
}

// rateCell is a rate in percent; an empty cell when it is not known.
func rateCell(v *float64) any {
	if v == nil {
		return nil
	}
	const digits = 1000
	return float64(int64(*v*100*digits+0.5)) / digits
}

func (s *sheet) overview() page {
	f, a, w := s.f, s.f.Alarms, s.f.Warnings
	n := f.Now
	if n == nil {
		n = &report.Standing{}
	}
	rows := [][]any{
		{"报告", s.title()}, {"报告期", s.p.Words()}, {"编号", s.r.GetId()}, {"编制单位", f.SiteName},
		{"应接入企业", n.Due}, {"已接入企业", n.Connected}, {"接入率 %", rateCell(share(n.Connected, n.Due))}, {"日均在线率 %", rateCell(online(f.Days, plantsOnline))},
		{"应接入除尘系统", n.SystemsDue}, {"已接入除尘系统", n.SystemsConnected}, {"除尘系统日均在线率 %", rateCell(online(f.Days, systemsOnline))},
		{"重大风险企业", n.Red}, {"较大风险企业", n.Orange}, {"一般风险企业", n.Yellow}, {"低风险企业", n.Blue},
		{"报警", a.Count}, {"上期报警", a.Before}, {"严重报警", a.Grave}, {"已核销报警", a.Closed}, {"超期报警", a.Overdue}, {"升级报警", a.Escalated}, {"检修屏蔽报警", a.Suppressed},
		{"签收用时中位数 s", seconds(a.Respond.P50, a.Respond.N)}, {"处置用时中位数 s", seconds(a.Dispose.P50, a.Dispose.N)}, {"核销用时中位数 s", seconds(a.Close.P50, a.Close.N)},
		{"发布预警", w.Count}, {"上期预警", w.Before}, {"已关闭预警", w.Closed}, {"预警关闭率 %", rateCell(share(w.Closed, w.Count))}, {"超期预警", w.Overdue},
		{"新发现重大隐患", f.Hazards.Found}, {"消除重大隐患", f.Hazards.Closed}, {"未消除重大隐患", f.Hazards.Open}, {"超期重大隐患", f.Hazards.Overdue},
		{"资料完整率 %", rateCell(share(n.Filled, n.Asked))}, {"资料准确率 %", rateCell(share(n.Records-n.Wrong, n.Records))},
		{"下发抽查", f.Checks.Issued}, {"已反馈抽查", f.Checks.Answered}, {"责令整改", f.Checks.Ordered}, {"已办结抽查", f.Checks.Closed}, {"抽查发现问题", f.Checks.Findings}, {"其中重大隐患", f.Checks.Grave},
		{"有清扫计划企业", f.Cleaning.Plants}, {"应清扫", f.Cleaning.Slots}, {"按时清扫", f.Cleaning.Done}, {"清扫完成率 %", rateCell(share(f.Cleaning.Done, f.Cleaning.Slots))}, {"打卡记录", f.Cleaning.Records},
	}
	return page{"概况", []any{"项目", "数值"}, rows}
}

func seconds(ms int64, n int) any {
	if n == 0 {
		return nil
	}
	return ms / 1000
}

func (s *sheet) daily() page {
	p := page{"每日", []any{"日期", "在线率 %", "系统在线率 %", "重大风险", "较大风险", "报警", "严重报警", "预警", "资料完整率 %", "资料准确率 %", "采样到达率 %", "数据缺失指标", "超量程指标", "数值不变指标", "频繁报警指标"}, nil}
	for _, d := range s.f.Days {
		p.rows = append(p.rows, []any{
			dayOf(d.Day), rateCell(d.Online), rateCell(d.Systems), cellOf(level(d, func(n *report.Standing) int { return n.Red })), cellOf(level(d, func(n *report.Standing) int { return n.Orange })),
			d.Alarms, d.Grave, d.Warnings, rateCell(complete(d)), rateCell(right(d)), rateCell(d.Received), d.Gaps, d.OverRange, d.Stuck, d.Frequent,
		})
	}
	return p
}

func cellOf(v *float64) any {
	if v == nil {
		return nil
	}
	return *v
}

func (s *sheet) byRegion() page {
	p := page{"分区域", []any{"区域", "区划代码", "应接入", "已接入", "在线", "重大风险", "较大风险", "一般风险", "低风险", "报警", "超期报警", "预警"}, nil}
	for _, x := range s.f.Parts {
		n := x.Standing
		if n == nil {
			n = &report.Standing{}
		}
		p.rows = append(p.rows, []any{x.Name, x.Region, n.Due, n.Connected, n.Online, n.Red, n.Orange, n.Yellow, n.Blue, x.Alarms, x.Overdue, x.Warnings})
	}
	return p
}

func (s *sheet) byKind() page {
	p := page{"报警类型", []any{"类型", "代码", "报警数", "占比 %"}, nil}
	for _, k := range s.f.Alarms.ByKind {
		p.rows = append(p.rows, []any{k.Name, k.Kind, k.Count, rateCell(share(k.Count, s.f.Alarms.Count))})
	}
	return p
}

func counts(name, what, of string, list []report.NamedCount) page {
	p := page{name, []any{what, "编码", of, "数量", "占比 %"}, nil}
	for _, x := range list {
		p.rows = append(p.rows, []any{x.Name, x.Key, x.Of, x.Count, rateCell(&x.Share)})
	}
	return p
}

func (s *sheet) rules() page {
	p := page{"基础数据", []any{"规则", "编号", "企业数", "记录数"}, nil}
	for _, r := range s.f.Rules {
		p.rows = append(p.rows, []any{r.Text, r.ID, r.Plants, r.Records})
	}
	return p
}
