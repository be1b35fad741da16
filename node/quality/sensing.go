package quality

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dusthub/node/store"
	"dusthub/schema"
)

// Rules about readings.
const (
	gaps      = "gaps"
	overRange = "over_range"
	stuck     = "stuck"
	frequent  = "frequent"
)

const (
	minuteMs       = int64(time.Minute / time.Millisecond)
	hourMs         = 60 * minuteMs
	dayMs          = 24 * hourMs
	beijing        = 8 * hourMs
	settle         = minuteMs      // readings take so long to arrive
	least          = 5 * minuteMs  // of a metric's time that is judged
	plantsBetween  = 100           // rests
	mostPoints     = 1 << 17       // metrics with alarms that are told apart
	mostIssues     = 500           // of a county that are listed
	defaultPeriodS = int64(60 * 5) // of a metric that states none: one reading in five minutes is the least
)

// DayStart is the beginning of the Beijing day a time lies in, ms.
func DayStart(ms int64) int64 {
	at := ms + beijing
	return at - (at%dayMs+dayMs)%dayMs - beijing
}

// dayName is a Beijing day as records name it.
func dayName(start int64) string {
	return time.UnixMilli(start + beijing).UTC().Format(time.DateOnly)
}

// Readings is what a metric's readings of a time are judged by.
type Readings struct {
	Metric  *schema.Metric
	From    int64          // ms; since when it was to send
	To      int64          // ms, not included
	Buckets []store.Bucket // by the hour
	Alarms  int            // raised in the time
	Stuck   int            // of them: for a value that did not move
}

// JudgeReadings says what is wrong with a metric's readings, and how many there should have been and were. A metric that had hardly any
// time is not judged: expected is 0.
func JudgeReadings(r *Readings) (issues []*schema.SensingIssue, expected, received int64) {
	if r.To-r.From < least {
		return nil, 0, 0
	}
	m := r.Metric
	issue := func(rule string, count int64, worst float64) {
		issues = append(issues, &schema.SensingIssue{Enterprise: m.GetEnterprise(), Collector: m.GetCollector(), Metric: m.GetCode(), Rule: rule, Count: count, Expected: expected, Worst: worst})
	}
	period := int64(m.GetPeriodS())
	if period <= 0 {
		period = defaultPeriodS
	}
	const ms = 1000
	expected = (r.To - r.From) / (period * ms)
	out, worst, farthest := int64(0), 0.0, 0.0
	for _, b := range r.Buckets {
		received += int64(b.Count)
		below, above := m.GetRangeLo()-b.Min, b.Max-m.GetRangeHi()
		if below > 0 || above > 0 {
			out++
		}
		if below > farthest {
			worst, farthest = b.Min, below
		}
		if above > farthest {
			worst, farthest = b.Max, above
		}
	}
	received = min(received, expected) // of the hours at the edges a little more is counted
	if float64(received) < shipped.sensing[gaps].Value*float64(expected) {
		issue(gaps, expected-received, float64(received)/float64(expected))
	}
	if out >= int64(shipped.sensing[overRange].Value) && m.GetRangeHi() > m.GetRangeLo() {
		issue(overRange, out, worst)
	}
	if r.Stuck >= int(shipped.sensing[stuck].Value) {
		issue(stuck, int64(r.Stuck), 0)
	}
	if r.Alarms >= int(shipped.sensing[frequent].Value) {
		issue(frequent, int64(r.Alarms), 0)
	}
	return issues, expected, received
}

// alarmCount is how many alarms of a metric began.
type alarmCount struct{ all, stuck int }

// countAlarms counts the alarms of a time by metric. Those under a shelf do not count.
func countAlarms(ctx context.Context, st *store.Store, from, to int64) (map[string]alarmCount, error) {
	out := map[string]alarmCount{}
	err := st.Each(ctx, store.Query{Type: "Alarm", Index: "onset", From: from, To: to}, func(r store.Row) (bool, error) {
		a := r.Record.(*schema.Alarm)
		c, known := out[a.GetMetric()]
		if a.GetMetric() == "" || a.GetSuppressed() || !known && len(out) >= mostPoints {
			return true, nil
		}
		c.all++
		if a.GetRule() == stuck {
			c.stuck++
		}
		out[a.GetMetric()] = c
		return true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("count alarms: %w", err)
	}
	return out, nil
}

// pass judges the readings of every connected plant in a time, county by county.
type pass struct {
	store    *store.Store
	from, to int64
	alarms   map[string]alarmCount
	county   *schema.SensingDay
	sums     map[string]*schema.Sensing
	finished func(*schema.SensingDay) error // takes a county's list
}

// run judges. What it holds is bounded: sums of the regions, alarms of at most mostPoints metrics, issues of one county.
func (p *pass) run(ctx context.Context, k *Keeper) (map[string]*schema.Sensing, error) {
	var err error
	if p.alarms, err = countAlarms(ctx, p.store, p.from, p.to); err != nil {
		return nil, err
	}
	p.sums = map[string]*schema.Sensing{}
	n := 0
	k.each(func(region, code string, connected bool) bool {
		if err = ctx.Err(); err != nil || !connected || len(region) != countyDigits {
			return err == nil
		}
		if n++; n%plantsBetween == 0 {
			rest(ctx)
		}
		if err = p.enter(region); err == nil {
			err = p.plant(ctx, region, code)
		}
		return err == nil
	})
	if err == nil {
		err = p.leave()
	}
	return p.sums, err
}

// rest lets whoever judges live data go first.
func rest(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(restFor):
	}
}

// enter begins a county.
func (p *pass) enter(region string) error {
	id := dayName(DayStart(p.from)) + "/" + region
	if p.county.GetId() == id {
		return nil
	}
	if err := p.leave(); err != nil {
		return err
	}
	p.county = &schema.SensingDay{Id: id, From: p.from, End: p.to}
	return nil
}

// leave ends a county.
func (p *pass) leave() error {
	if p.county == nil {
		return nil
	}
	c := p.county
	p.county = nil
	return p.finished(c)
}

func (p *pass) plant(ctx context.Context, region, code string) error {
	var metrics []store.Row
	err := p.store.Each(ctx, store.Query{Type: "Metric", Prefix: []string{code}}, func(r store.Row) (bool, error) {
		metrics = append(metrics, r)
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("read metrics: %w", err)
	}
	for _, row := range metrics {
		m := row.Record.(*schema.Metric)
		if m.GetDisabled() {
			continue
		}
		r := Readings{Metric: m, From: max(p.from, row.Here+settle), To: p.to, Alarms: p.alarms[m.GetCode()].all, Stuck: p.alarms[m.GetCode()].stuck}
		if r.To-r.From < least {
			continue
		}
		if r.Buckets, err = p.store.Buckets(ctx, store.SeriesRef{Origin: row.Origin, Series: m.GetSeries()}, r.From, r.To, hourMs); err != nil {
			return fmt.Errorf("read readings: %w", err)
		}
		p.take(region, &r)
	}
	return nil
}

// take counts what was found in a metric's readings.
func (p *pass) take(region string, r *Readings) {
	issues, expected, received := JudgeReadings(r)
	for _, x := range issues {
		if len(p.county.GetIssues()) < mostIssues {
			p.county.Issues = append(p.county.Issues, x)
		} else {
			p.county.Omitted++
		}
	}
	for _, prefix := range regionsOf(region) {
		s := p.sums[prefix]
		if s == nil {
			s = &schema.Sensing{From: p.from, End: p.to}
			p.sums[prefix] = s
		}
		s.Series++
		s.Expected += expected
		s.Received += received
		for _, x := range issues {
			switch x.GetRule() {
			case gaps:
				s.Gaps++
			case overRange:
				s.OverRange++
			case stuck:
				s.Stuck++
			case frequent:
				s.Frequent++
			}
		}
	}
}

// IssuePlace is where a page of issues begins: a county's list and a place in it.
type IssuePlace struct {
	ID string // of the SensingDay
	At int
}

// Issues lists the issues of a region on a day (ms, its beginning), of one rule or of all ("") , from a place on. next is nil at the end.
// It looks at no more than mostLooked issues for one answer.
func Issues(ctx context.Context, st *store.Store, day int64, prefix, rule string, from IssuePlace, limit int) (out []*schema.SensingIssue, next *IssuePlace, err error) {
	const mostLooked = 20_000
	looked := 0
	q := store.Query{Type: "SensingDay", Prefix: []string{dayName(day) + "/" + prefix}}
	err = st.Each(ctx, q, func(r store.Row) (bool, error) {
		if strings.Compare(r.Key, from.ID) < 0 {
			return true, nil
		}
		list := r.Record.(*schema.SensingDay).GetIssues()
		start := 0
		if r.Key == from.ID {
			start = min(max(from.At, 0), len(list))
		}
		for i, x := range list[start:] {
			if len(out) == limit || looked >= mostLooked {
				next = &IssuePlace{r.Key, start + i}
				return false, nil
			}
			looked++
			if rule == "" || x.GetRule() == rule {
				out = append(out, x)
			}
		}
		return true, nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list issues: %w", err)
	}
	return slices.Clip(out), next, nil
}
