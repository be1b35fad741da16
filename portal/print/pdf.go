package print

import (
	"fmt"
	"math"
	"strings"
	"time"

	"dusthub/node/report"
	"dusthub/portal/document"
	"dusthub/schema"
)

// PDF prints a report. Errors: document.ErrFont.
func PDF(r *schema.Report) ([]byte, error) {
	s, err := read(r)
	if err != nil {
		return nil, err
	}
	d, err := document.New(document.Meta{Title: s.title(), Site: s.f.SiteName, Period: "报告期 " + s.p.Words(), Made: time.UnixMilli(r.GetMade()).In(report.Beijing)})
	if err != nil {
		return nil, err
	}
	d.Title(s.title(), fmt.Sprintf("%s    编号 %s", s.p.Words(), r.GetId()))
	d.Paragraph(s.summary())
	for i, part := range []struct {
		title string
		write func(*document.Document)
	}{
		{"总体态势", s.situation}, {"报警与处置", s.alarms}, {"风险预警与重大事故隐患", s.warnings}, {"接入与在线", s.access}, {"数据质量", s.quality}, {"在线抽查与清扫", s.work},
	} {
		d.Heading([]string{"一", "二", "三", "四", "五", "六"}[i] + "、" + part.title)
		part.write(d)
	}
	d.Note(notes)
	return d.Bytes()
}

const notes = "说明：应接入指应当接入且未豁免、未关闭的企业；在线率为各次采集在线数与已接入数之比的日均值；报警按发生时间计入报告期，检修屏蔽的报警单列；" +
	"风险等级、接入与资料数据取报告期最后一次采集；处置、预警、隐患、抽查的状态截至报告生成时。“" + unknown + "”表示报告期内没有该项数据。"

// summary is the report in one paragraph.
func (s *sheet) summary() string {
	var b strings.Builder
	f := s.f
	if n := f.Now; n != nil {
		fmt.Fprintf(&b, "截至%s，%s应接入粉尘涉爆企业%s家，已接入%s家，接入率%s；报告期日均在线率%s。重大风险企业%d家、较大风险%d家、一般风险%d家、低风险%s家。",
			s.p.Until.AddDate(0, 0, -1).Format("1月2日"), s.region(), number(n.Due), number(n.Connected), percent(share(n.Connected, n.Due)), percent(online(f.Days, plantsOnline)), n.Red, n.Orange, n.Yellow, number(n.Blue))
	} else {
		b.WriteString("报告期内没有接入与风险等级的采集数据。")
	}
	a, w := f.Alarms, f.Warnings
	fmt.Fprintf(&b, "报告期内发生报警%s起，%s，其中严重报警%s起；已核销%s起，超期%d起。发布风险预警%d次，已关闭%d次，关闭率%s。新发现重大事故隐患%d项，尚未消除%d项。",
		number(a.Count), moved(a.Count, a.Before), number(a.Grave), number(a.Closed), a.Overdue, w.Count, w.Closed, percent(share(w.Closed, w.Count)), f.Hazards.Found, f.Hazards.Open)
	return b.String()
}

// tone is red when there is something to do.
func tone(n int) *document.Colour {
	if n > 0 {
		return &document.Red
	}
	return nil
}

// known is a count at the end of the period; a dash when there was no sample.
func (s *sheet) known(n int) string {
	if s.f.Now == nil {
		return unknown
	}
	return number(n)
}

func (s *sheet) situation(d *document.Document) {
	f, n, b := s.f, s.f.Now, s.f.Before
	if n == nil {
		n = &report.Standing{}
	}
	if b == nil {
		b = &report.Standing{}
	}
	d.Figures([]document.Figure{
		{Label: "企业接入率", Value: percent(share(n.Connected, n.Due)), Note: fmt.Sprintf("已接入 %s / 应接入 %s", s.known(n.Connected), s.known(n.Due))},
		{Label: "日均在线率", Value: percent(online(f.Days, plantsOnline)), Note: "除尘系统 " + percent(online(f.Days, systemsOnline))},
		{Label: "重大风险企业", Value: s.known(n.Red), Note: "较大风险 " + s.known(n.Orange), Tone: tone(n.Red)},
		{Label: "报警", Value: number(f.Alarms.Count), Note: "较上期 " + change(f.Alarms.Count, f.Alarms.Before)},
		{Label: "超期报警", Value: number(f.Alarms.Overdue), Note: "升级 " + number(f.Alarms.Escalated), Tone: tone(f.Alarms.Overdue)},
		{Label: "预警关闭率", Value: percent(share(f.Warnings.Closed, f.Warnings.Count)), Note: fmt.Sprintf("关闭 %d / 发布 %d", f.Warnings.Closed, f.Warnings.Count)},
		{Label: "重大事故隐患", Value: number(f.Hazards.Open), Note: fmt.Sprintf("新发现 %d · 消除 %d", f.Hazards.Found, f.Hazards.Closed), Tone: tone(f.Hazards.Overdue)},
		{Label: "资料准确率", Value: percent(share(n.Records-n.Wrong, n.Records)), Note: "完整率 " + percent(share(n.Filled, n.Asked))},
	})
	if s.f.Now == nil {
		return
	}
	d.Caption("风险等级分布")
	d.Shares([]document.Part{
		{Name: "重大风险", Value: float64(n.Red), Colour: document.Red}, {Name: "较大风险", Value: float64(n.Orange), Colour: document.Orange},
		{Name: "一般风险", Value: float64(n.Yellow), Colour: document.Yellow}, {Name: "低风险", Value: float64(n.Blue), Colour: document.Blue},
	})
	before := func(v int) string {
		if s.f.Before == nil {
			return unknown
		}
		return number(v)
	}
	move := func(now, was int) string {
		if s.f.Before == nil {
			return unknown
		}
		return change(now, was)
	}
	rows := [][]string{}
	for _, x := range []struct {
		name     string
		now, was int
	}{
		{"重大风险企业", n.Red, b.Red}, {"较大风险企业", n.Orange, b.Orange}, {"一般风险企业", n.Yellow, b.Yellow}, {"低风险企业", n.Blue, b.Blue}, {"已接入企业", n.Connected, b.Connected}, {"已接入除尘系统", n.SystemsConnected, b.SystemsConnected},
	} {
		rows = append(rows, []string{x.name, number(x.now), before(x.was), move(x.now, x.was)})
	}
	d.Table([]document.Column{{Title: "指标", Share: 3}, {Title: "本期末", Share: 2, Right: true}, {Title: "上期末", Share: 2, Right: true}, {Title: "变化", Share: 3, Right: true}}, rows, "")
	if len(f.Days) > 1 {
		d.Caption("高风险企业数（每日最后一次采集）")
		d.Bars(document.Chart{Labels: s.labels(), Series: []document.Series{
			{Name: "重大风险", Colour: document.Red, Values: s.values(func(x report.Day) *float64 { return level(x, func(n *report.Standing) int { return n.Red }) })},
			{Name: "较大风险", Colour: document.Orange, Values: s.values(func(x report.Day) *float64 { return level(x, func(n *report.Standing) int { return n.Orange }) })},
		}})
	}
}

func level(d report.Day, of func(*report.Standing) int) *float64 {
	if d.Standing == nil {
		return nil
	}
	v := float64(of(d.Standing))
	return &v
}

func (s *sheet) labels() []string {
	out := make([]string, len(s.f.Days))
	for i, d := range s.f.Days {
		out[i] = dayOf(d.Day)
	}
	return out
}

// values are a figure of each day; NaN where it is not known.
func (s *sheet) values(of func(report.Day) *float64) []float64 {
	out := make([]float64, len(s.f.Days))
	for i, d := range s.f.Days {
		out[i] = math.NaN()
		if v := of(d); v != nil {
			out[i] = *v
		}
	}
	return out
}

// percents are a rate of each day in percent.
func (s *sheet) percents(of func(report.Day) *float64) []float64 {
	out := s.values(of)
	for i := range out {
		out[i] *= 100
	}
	return out
}

// low is where an axis of percents begins, so that something is to be seen.
func low(list ...[]float64) float64 {
	const step = 20
	least := 100.0
	for _, l := range list {
		for _, v := range l {
			if !math.IsNaN(v) {
				least = min(least, v)
			}
		}
	}
	return max(0, math.Floor((least-1)/step)*step)
}

func (s *sheet) alarms(d *document.Document) {
	a := s.f.Alarms
	d.Paragraph(fmt.Sprintf("报警%s起（一般%s起，严重%s起），上期%s起；已核销%s起，超期%d起，升级%d起；另有检修屏蔽%d起。",
		number(a.Count), number(a.Count-a.Grave), number(a.Grave), number(a.Before), number(a.Closed), a.Overdue, a.Escalated, a.Suppressed))
	if len(s.f.Days) > 1 {
		d.Caption("每日报警数")
		d.Bars(document.Chart{Labels: s.labels(), Series: []document.Series{
			{Name: "一般", Colour: document.Accent, Values: s.values(func(x report.Day) *float64 { v := float64(x.Alarms - x.Grave); return &v })},
			{Name: "严重", Colour: document.Red, Values: s.values(func(x report.Day) *float64 { v := float64(x.Grave); return &v })},
		}})
	}
	rows := [][]string{}
	for _, x := range []struct {
		name          string
		p50, p90, p99 int64
		n             int
	}{
		{"签收", a.Respond.P50, a.Respond.P90, a.Respond.P99, a.Respond.N}, {"处置", a.Dispose.P50, a.Dispose.P90, a.Dispose.P99, a.Dispose.N}, {"核销", a.Close.P50, a.Close.P90, a.Close.P99, a.Close.N},
	} {
		rows = append(rows, []string{x.name, span(x.p50, x.n), span(x.p90, x.n), span(x.p99, x.n), number(x.n)})
	}
	d.Caption("处置时效（自报警起）")
	d.Table([]document.Column{{Title: "环节", Share: 2}, {Title: "中位数", Share: 2, Right: true}, {Title: "90 分位", Share: 2, Right: true}, {Title: "99 分位", Share: 2, Right: true}, {Title: "件数", Share: 1.4, Right: true}}, rows, "")
	rows = nil
	sum := 0
	for _, k := range a.ByKind {
		sum += k.Count
		rows = append(rows, []string{k.Name, number(k.Count), percent(share(k.Count, a.Count)), percent(share(sum, a.Count))})
	}
	d.Caption("按监测指标类型（帕累托）")
	d.Table([]document.Column{{Title: "类型", Share: 4}, {Title: "报警数", Share: 2, Right: true}, {Title: "占比", Share: 2, Right: true}, {Title: "累计占比", Share: 2, Right: true}}, rows, "报告期内没有报警")
	d.Caption("报警最多的企业")
	d.Table([]document.Column{{Title: "企业", Share: 5}, {Title: "区域", Share: 4}, {Title: "报警数", Share: 1.6, Right: true}, {Title: "占比", Share: 1.6, Right: true}}, named(a.ByPlant), "报告期内没有报警")
	d.Caption("报警最多的指标")
	d.Table([]document.Column{{Title: "指标", Share: 4}, {Title: "企业", Share: 5}, {Title: "报警数", Share: 1.6, Right: true}, {Title: "占比", Share: 1.6, Right: true}}, named(a.ByMetric), "报告期内没有报警")
}

func named(list []report.NamedCount) [][]string {
	rows := [][]string{}
	for _, x := range list {
		name := x.Name
		if name == "" {
			name = x.Key
		}
		rows = append(rows, []string{name, x.Of, number(x.Count), percent(&x.Share)})
	}
	return rows
}

func (s *sheet) warnings(d *document.Document) {
	w, h := s.f.Warnings, s.f.Hazards
	median := unknown
	if w.Closed > 0 {
		median = span(w.Median, w.Closed)
	}
	d.Table([]document.Column{{Title: "风险预警", Share: 3}, {Title: "本期", Share: 2, Right: true}, {Title: "重大事故隐患", Share: 3}, {Title: "数量", Share: 2, Right: true}}, [][]string{
		{"发布预警", number(w.Count) + "（上期 " + number(w.Before) + "）", "报告期内新发现", number(h.Found)},
		{"升至重大 / 较大 / 一般", fmt.Sprintf("%d / %d / %d", w.Red, w.Orange, w.Yellow), "报告期内消除", number(h.Closed)},
		{"已关闭（关闭率）", number(w.Closed) + "（" + percent(share(w.Closed, w.Count)) + "）", "尚未消除", number(h.Open)},
		{"超期 / 关闭用时中位数", number(w.Overdue) + " / " + median, "其中超过整改期限", number(h.Overdue)},
	}, "")
}

func (s *sheet) access(d *document.Document) {
	if len(s.f.Days) > 1 {
		plants, systems := s.percents(plantsOnline), s.percents(systemsOnline)
		d.Caption("日均在线率")
		d.Lines(document.Chart{Labels: s.labels(), Unit: "%", Low: low(plants, systems), High: 100, Series: []document.Series{
			{Name: "企业", Colour: document.Accent, Values: plants}, {Name: "除尘系统", Colour: document.Orange, Values: systems},
		}})
	}
	rows := [][]string{}
	for _, p := range s.f.Parts {
		n := p.Standing
		if n == nil {
			n = &report.Standing{}
		}
		rows = append(rows, []string{p.Name, number(n.Due), number(n.Connected), percent(share(n.Connected, n.Due)), percent(share(n.Online, n.Connected)), number(n.Red), number(n.Orange), number(p.Alarms), number(p.Overdue), number(p.Warnings)})
	}
	d.Caption("分区域情况（期末）")
	d.Table([]document.Column{
		{Title: "区域", Share: 4}, {Title: "应接入", Share: 1.6, Right: true}, {Title: "已接入", Share: 1.6, Right: true}, {Title: "接入率", Share: 1.7, Right: true}, {Title: "在线率", Share: 1.7, Right: true},
		{Title: "重大", Share: 1.2, Right: true}, {Title: "较大", Share: 1.2, Right: true}, {Title: "报警", Share: 1.4, Right: true}, {Title: "超期", Share: 1.2, Right: true}, {Title: "预警", Share: 1.2, Right: true},
	}, rows, "没有下级区域的数据")
}

func (s *sheet) quality(d *document.Document) {
	if len(s.f.Days) > 1 {
		c, a, r := s.percents(complete), s.percents(right), s.percents(received)
		d.Caption("资料完整率、准确率与采样到达率")
		d.Lines(document.Chart{Labels: s.labels(), Unit: "%", Low: low(c, a, r), High: 100, Series: []document.Series{
			{Name: "完整率", Colour: document.Accent, Values: c}, {Name: "准确率", Colour: document.Green, Values: a}, {Name: "采样到达率", Colour: document.Orange, Values: r},
		}})
	}
	rows := [][]string{}
	for _, r := range s.f.Rules {
		rows = append(rows, []string{r.Text, number(r.Plants), number(r.Records)})
	}
	d.Caption("基础数据不符合项（生成报告时）")
	d.Table([]document.Column{{Title: "规则", Share: 7}, {Title: "企业数", Share: 1.5, Right: true}, {Title: "记录数", Share: 1.5, Right: true}}, rows, "没有不符合项")
	rows = [][]string{}
	for _, x := range s.f.Days {
		if x.Series > 0 {
			rows = append(rows, []string{dayOf(x.Day), number(x.Series), percent(x.Received), number(x.Gaps), number(x.OverRange), number(x.Stuck), number(x.Frequent)})
		}
	}
	d.Caption("感知数据（指标数）")
	d.Table([]document.Column{
		{Title: "日期", Share: 1.5}, {Title: "应上传指标", Share: 2, Right: true}, {Title: "采样到达率", Share: 2, Right: true}, {Title: "数据缺失", Share: 1.7, Right: true}, {Title: "超量程", Share: 1.7, Right: true},
		{Title: "数值不变", Share: 1.7, Right: true}, {Title: "频繁报警", Share: 1.7, Right: true},
	}, rows, "报告期内没有评判感知数据")
}

func (s *sheet) work(d *document.Document) {
	c, k := s.f.Checks, s.f.Cleaning
	d.Table([]document.Column{{Title: "在线抽查", Share: 3}, {Title: "数量", Share: 2, Right: true}, {Title: "清扫打卡", Share: 3}, {Title: "数量", Share: 2, Right: true}}, [][]string{
		{"下发抽查", number(c.Issued), "有清扫计划的企业", number(k.Plants)},
		{"已反馈", number(c.Answered), "应清扫", number(k.Slots)},
		{"发现问题（重大隐患）", fmt.Sprintf("%d（%d）", c.Findings, c.Grave), "按时清扫（完成率）", number(k.Done) + "（" + percent(share(k.Done, k.Slots)) + "）"},
		{"责令整改 / 已办结", fmt.Sprintf("%d / %d", c.Ordered, c.Closed), "打卡记录", number(k.Records)},
	}, "")
	if len(k.Missed) > 0 {
		d.Caption("漏清扫最多的企业")
		d.Table([]document.Column{{Title: "企业", Share: 5}, {Title: "区域", Share: 4}, {Title: "漏清扫", Share: 1.6, Right: true}, {Title: "占应清扫", Share: 1.8, Right: true}}, named(k.Missed), "")
	}
}
