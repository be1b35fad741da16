package report

import (
	"fmt"
	"time"
)

// Kind is how long a report's period is.
type Kind string

// The kinds of reports.
const (
	Daily   Kind = "daily"
	Weekly  Kind = "weekly" // from Monday on
	Monthly Kind = "monthly"
)

// Kinds lists the kinds, shortest first.
var Kinds = []Kind{Daily, Weekly, Monthly}

// Beijing is the zone of every report. It is fixed here: the zone's files need not be on the host, and there is no summer time.
var Beijing = time.FixedZone("Asia/Shanghai", 8*60*60)

const (
	week  = 7
	whole = "000000" // the country, in ids
)

// Period is a report's time: [From, Until).
type Period struct {
	Kind        Kind
	From, Until time.Time
}

// PeriodOf is the period of a kind that a moment lies in.
func PeriodOf(k Kind, at time.Time) Period {
	at = at.In(Beijing)
	from := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, Beijing)
	switch k {
	case Weekly:
		from = from.AddDate(0, 0, -(int(from.Weekday())+week-1)%week)
	case Monthly:
		from = from.AddDate(0, 0, 1-from.Day())
	}
	return Period{k, from, next(k, from)}
}

func next(k Kind, from time.Time) time.Time {
	switch k {
	case Weekly:
		return from.AddDate(0, 0, week)
	case Monthly:
		return from.AddDate(0, 1, 0)
	}
	return from.AddDate(0, 0, 1)
}

// Before is the period before.
func (p Period) Before() Period { return PeriodOf(p.Kind, p.From.Add(-time.Hour)) }

// Over says whether the period is over.
func (p Period) Over(now time.Time) bool { return !now.Before(p.Until) }

// ID names the report of a region ("" is the country) for the period.
func (p Period) ID(region string) string {
	if region == "" {
		region = whole
	}
	return fmt.Sprintf("%s-%s-%s", p.Kind, region, p.From.Format(time.DateOnly))
}

// Words is the period in Chinese.
func (p Period) Words() string {
	last := p.Until.AddDate(0, 0, -1)
	switch p.Kind {
	case Weekly:
		return p.From.Format("2006年1月2日") + "至" + last.Format("2006年1月2日")
	case Monthly:
		return p.From.Format("2006年1月")
	}
	return p.From.Format("2006年1月2日")
}
