package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"dusthub/node/quality"
	"dusthub/node/statistics"
	"dusthub/node/store"
	"dusthub/schema"
)

const (
	shown       = 10
	mostRules   = 12
	dayMs       = int64(24 * 60 * 60 * 1000)
	hourMs      = dayMs / 24
	countyWidth = 6
)

// scope is the region a report is about, and its plants.
type scope struct {
	prefix  string
	regions map[string]string // of its plants
	names   map[string]string
	ctx     context.Context //nolint:containedctx // of one collecting
	rows    *store.Store
	period  Period
	out     *Figures
	parts   map[string]*Part
	days    map[int64]*Day
}

// Prefix is what the codes of a region's parts begin with.
func Prefix(region string) string {
	p := strings.TrimRight(region, "0")
	if len(p)%2 == 1 {
		p += "0"
	}
	return p
}

// Collect counts what a report of a region says. rules is what is found in base data now, by the number of the rule. Errors are the store's, and
// the context's.
func Collect(ctx context.Context, st *store.Store, p Period, region string, rules []quality.Count) (*Figures, error) {
	s := &scope{
		prefix: Prefix(region), regions: map[string]string{}, names: map[string]string{}, ctx: ctx, rows: st, period: p, parts: map[string]*Part{}, days: map[int64]*Day{},
		out: &Figures{Version: figuresVersion, Days: []Day{}, Parts: []Part{}, Rules: []Rule{}},
	}
	if region != "" {
		s.out.RegionName = schema.RegionName(region)
	}
	for from := p.From.UnixMilli(); from < p.Until.UnixMilli(); from += dayMs {
		s.days[from] = &Day{Day: from}
	}
	for _, step := range []func() error{s.plants, s.standing, s.alarms, s.warnings, s.hazards, s.checks, s.cleaning} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("collect report: %w", err)
		}
	}
	s.finish(rules)
	return s.out, nil
}

// plants lists the region's plants.
func (s *scope) plants() error {
	return s.each(store.Query{Type: "Enterprise"}, func(r store.Row) {
		if e := r.Record.(*schema.Enterprise); strings.HasPrefix(e.GetRegion(), s.prefix) {
			s.regions[e.GetCode()], s.names[e.GetCode()] = e.GetRegion(), e.GetName()
		}
	})
}

func (s *scope) each(q store.Query, fn func(store.Row)) error {
	return s.rows.Each(s.ctx, q, func(r store.Row) (bool, error) {
		fn(r)
		return true, nil
	})
}

// within narrows a query over an index of times to the period.
func (s *scope) within(typ, index string) store.Query {
	return store.Query{Type: typ, Index: index, From: s.period.From.UnixMilli(), To: s.period.Until.UnixMilli()}
}

func (s *scope) has(plant string) bool { _, ok := s.regions[plant]; return ok }

// part is the part of the region a plant lies in; nil in a county.
func (s *scope) part(plant string) *Part {
	region := s.regions[plant]
	width := len(s.prefix) + 2
	if len(region) != countyWidth || width > countyWidth {
		return nil
	}
	return s.partOf(region[:width])
}

func (s *scope) partOf(prefix string) *Part {
	p := s.parts[prefix]
	if p == nil {
		code := (prefix + "000000")[:countyWidth]
		p = &Part{Region: code, Name: schema.RegionName(code)}
		s.parts[prefix] = p
	}
	return p
}

func (s *scope) day(at int64) *Day { return s.days[quality.DayStart(at)] }

// standing reads how the region and its parts stood, day by day.
func (s *scope) standing() error {
	from, until := s.period.From.UnixMilli(), s.period.Until.UnixMilli()
	list, err := quality.Days(s.ctx, s.rows, s.prefix, from, until)
	if err != nil {
		return err
	}
	for _, x := range list {
		d := s.days[x.Day]
		if d == nil {
			continue
		}
		r := x.Row
		d.Standing = standingOf(r.GetLast())
		d.Online, d.Systems = rate(r.GetPlantsOnlineSum(), r.GetPlantsConnectedSum()), rate(r.GetSystemsOnlineSum(), r.GetSystemsConnectedSum())
		if q := r.GetSensing(); q != nil {
			d.Received = rate(q.GetReceived(), q.GetExpected())
			d.Gaps, d.OverRange, d.Stuck, d.Frequent, d.Series = q.GetGaps(), q.GetOverRange(), q.GetStuck(), q.GetFrequent(), q.GetSeries()
		}
		if d.Standing != nil {
			s.out.Now = d.Standing
		}
	}
	before := s.period.Before()
	list, err = quality.Days(s.ctx, s.rows, s.prefix, before.From.UnixMilli(), before.Until.UnixMilli())
	if err != nil {
		return err
	}
	if len(list) > 0 {
		s.out.Before = standingOf(list[len(list)-1].Row.GetLast())
	}
	last, err := quality.PartsOn(s.rows, s.prefix, until-dayMs)
	for prefix, x := range last {
		s.partOf(prefix).Standing = standingOf(x)
	}
	return err
}

func rate(part, whole int64) *float64 {
	if whole <= 0 {
		return nil
	}
	v := float64(part) / float64(whole)
	return &v
}

func (s *scope) alarms() error {
	q := statistics.Query{From: s.period.From.UnixMilli(), To: s.period.Until.UnixMilli(), Keep: s.has}
	r, err := statistics.Collect(s.ctx, s.rows, q)
	if err != nil {
		return err
	}
	a := &s.out.Alarms
	a.Count, a.Respond, a.Dispose, a.Close = r.Alarms, r.Responses.Acknowledge, r.Responses.Dispose, r.Responses.Close
	a.Overdue, a.Escalated, a.ByKind = r.Responses.Overdue, r.Responses.Escalated, r.ByKind
	a.Suppressed = r.Suppressed.Shelved + r.Suppressed.OutOfService + r.Suppressed.Design
	a.ByMetric, a.ByPlant = []NamedCount{}, []NamedCount{}
	for _, m := range r.ByMetric[:min(shown, len(r.ByMetric))] {
		a.ByMetric = append(a.ByMetric, NamedCount{m.Metric, m.Name, m.EnterpriseName, m.Count, m.Share, m.Cumulative})
	}
	for _, e := range r.ByEnterprise[:min(shown, len(r.ByEnterprise))] {
		a.ByPlant = append(a.ByPlant, NamedCount{e.Enterprise, e.Name, schema.RegionName(s.regions[e.Enterprise]), e.Count, e.Share, e.Cumulative})
	}
	err = s.each(s.within("Alarm", "onset"), func(r store.Row) {
		if x := r.Record.(*schema.Alarm); s.has(x.GetEnterprise()) && !x.GetSuppressed() {
			s.alarm(x)
		}
	})
	if err != nil {
		return err
	}
	before := s.period.Before()
	return s.each(store.Query{Type: "Alarm", Index: "onset", From: before.From.UnixMilli(), To: before.Until.UnixMilli()}, func(r store.Row) {
		if x := r.Record.(*schema.Alarm); s.has(x.GetEnterprise()) && !x.GetSuppressed() {
			a.Before++
		}
	})
}

// alarm counts one by level, day and part.
func (s *scope) alarm(x *schema.Alarm) {
	const grave = 2
	if x.GetStage() == "closed" || x.GetStage() == "false_alarm" {
		s.out.Alarms.Closed++
	}
	d := s.day(x.GetOnset())
	if d != nil {
		d.Alarms++
	}
	if x.GetLevel() == grave {
		s.out.Alarms.Grave++
		if d != nil {
			d.Grave++
		}
	}
	if p := s.part(x.GetEnterprise()); p != nil {
		p.Alarms++
		if x.GetOverdue() {
			p.Overdue++
		}
	}
}

func (s *scope) warnings() error {
	w := &s.out.Warnings
	var took []int64
	err := s.each(s.within("Warning", "raised"), func(r store.Row) {
		x := r.Record.(*schema.Warning)
		if !s.has(x.GetEnterprise()) {
			return
		}
		w.Count++
		switch x.GetToLevel() {
		case schema.Red:
			w.Red++
		case schema.Orange:
			w.Orange++
		case schema.Yellow:
			w.Yellow++
		}
		if x.GetStage() == "closed" {
			w.Closed++
			took = append(took, x.GetClosed()-x.GetRaised())
		}
		if x.GetOverdue() {
			w.Overdue++
		}
		if d := s.day(x.GetRaised()); d != nil {
			d.Warnings++
		}
		if p := s.part(x.GetEnterprise()); p != nil {
			p.Warnings++
		}
	})
	if err != nil {
		return err
	}
	if len(took) > 0 {
		slices.Sort(took)
		w.Median = took[len(took)/2]
	}
	before := s.period.Before()
	return s.each(store.Query{Type: "Warning", Index: "raised", From: before.From.UnixMilli(), To: before.Until.UnixMilli()}, func(r store.Row) {
		if s.has(r.Record.(*schema.Warning).GetEnterprise()) {
			w.Before++
		}
	})
}

func (s *scope) in(ms int64) bool {
	return ms >= s.period.From.UnixMilli() && ms < s.period.Until.UnixMilli()
}

func (s *scope) hazards() error {
	h := &s.out.Hazards
	return s.each(store.Query{Type: "Hazard"}, func(r store.Row) {
		x := r.Record.(*schema.Hazard)
		if !s.has(x.GetEnterprise()) {
			return
		}
		if s.in(x.GetFound()) {
			h.Found++
		}
		switch {
		case x.GetClosed() == 0:
			h.Open++
			if x.GetOverdue() {
				h.Overdue++
			}
		case s.in(x.GetClosed()):
			h.Closed++
		}
	})
}

func (s *scope) checks() error {
	c := &s.out.Checks
	return s.each(s.within("SpotCheck", "issued"), func(r store.Row) {
		x := r.Record.(*schema.SpotCheck)
		if !s.has(x.GetEnterprise()) {
			return
		}
		c.Issued++
		if x.GetStage() != "issued" {
			c.Answered++
		}
		if x.GetOrdered() != 0 {
			c.Ordered++
		}
		if x.GetStage() == "closed" {
			c.Closed++
		}
		c.Findings += len(x.GetFindings())
		for _, f := range x.GetFindings() {
			if f.GetGrave() {
				c.Grave++
			}
		}
	})
}

// slotOf is how long a cleaning plan's slot is, ms. A month is a slot of a monthly report alone.
func slotOf(cycle string) int64 {
	const shift = 8
	switch cycle {
	case "shift":
		return shift * hourMs
	case "day":
		return dayMs
	case "week":
		return week * dayMs
	}
	return 0
}

func (s *scope) cleaning() error {
	c := &s.out.Cleaning
	c.Missed = []NamedCount{}
	type plan struct {
		row store.Row
		p   *schema.CleaningPlan
	}
	var plans []plan
	err := s.each(store.Query{Type: "CleaningPlan"}, func(r store.Row) {
		if p := r.Record.(*schema.CleaningPlan); s.has(p.GetEnterprise()) && !p.GetDisabled() {
			plans = append(plans, plan{r, p})
		}
	})
	if err != nil {
		return err
	}
	missed, slots := map[string]int{}, map[string]int{}
	for _, x := range plans {
		due, done, records, err := s.kept(x.row, x.p)
		if err != nil {
			return err
		}
		c.Slots += due
		c.Done += done
		c.Records += records
		missed[x.p.GetEnterprise()] += due - done
		slots[x.p.GetEnterprise()] += due
	}
	c.Plants = len(slots)
	for code, n := range missed {
		if n > 0 {
			c.Missed = append(c.Missed, NamedCount{Key: code, Name: s.names[code], Of: schema.RegionName(s.regions[code]), Count: n, Share: float64(n) / float64(slots[code])})
		}
	}
	slices.SortFunc(c.Missed, func(a, b NamedCount) int { return cmp.Or(b.Count-a.Count, cmp.Compare(a.Key, b.Key)) })
	c.Missed = c.Missed[:min(shown, len(c.Missed))]
	return nil
}

// kept counts a plan's slots in the period, those with a check-in, and the check-ins. A plan counts from when it was first here.
func (s *scope) kept(row store.Row, p *schema.CleaningPlan) (due, done, records int, err error) {
	from, until := s.period.From.UnixMilli(), s.period.Until.UnixMilli()
	length := slotOf(p.GetCycle())
	if length == 0 {
		length = until - from
		if s.period.Kind != Monthly {
			length = until - from + 1 // no whole slot
		}
	}
	did := map[int64]bool{}
	q := store.Query{Type: "CleaningRecord", Index: "plan,time", Prefix: []string{p.GetId()}, From: from, To: until}
	err = s.each(q, func(r store.Row) {
		records++
		did[(r.Record.(*schema.CleaningRecord).GetTime()-from)/length] = true
	})
	for at := from; at+length <= until; at += length {
		if at < row.Here {
			continue
		}
		due++
		if did[(at-from)/length] {
			done++
		}
	}
	return due, done, records, err
}

// finish puts days, parts and rules in order.
func (s *scope) finish(rules []quality.Count) {
	for from := s.period.From.UnixMilli(); from < s.period.Until.UnixMilli(); from += dayMs {
		s.out.Days = append(s.out.Days, *s.days[from])
	}
	for _, p := range s.parts {
		s.out.Parts = append(s.out.Parts, *p)
	}
	slices.SortFunc(s.out.Parts, func(a, b Part) int { return cmp.Compare(a.Region, b.Region) })
	for i, r := range quality.Rules() {
		if i < len(rules) && rules[i].Records > 0 {
			s.out.Rules = append(s.out.Rules, Rule{r.ID, r.Zh, rules[i].Plants, rules[i].Records})
		}
	}
	slices.SortStableFunc(s.out.Rules, func(a, b Rule) int { return b.Records - a.Records })
	s.out.Rules = s.out.Rules[:min(mostRules, len(s.out.Rules))]
}
