package portal

import (
	"context"
	"errors"
	"strings"
	"time"

	"dusthub/node/statistics"
)

type statisticsInput struct {
	From       int64  `query:"from" doc:"ms, onset not before; so many days before to by default"`
	To         int64  `query:"to" doc:"ms, onset before; now by default"`
	Days       int    `query:"days" minimum:"1" maximum:"366" default:"7" doc:"instead of from; a question without from and to is answered by a count that is kept up (to says when it was made)"`
	Region     string `query:"region" maxLength:"6" doc:"GB/T 2260"`
	Enterprise string `query:"enterprise"`
	Industry   string `query:"industry" doc:"table mem_industry"`
}

const (
	latest         = int64(253_402_300_799_999) // ms, the end of the year 9999: sums of times do not overflow
	statisticsMost = 366 * dayMs
	statisticsFor  = 30 * time.Second // the same question is answered by the same count for so long
	statisticsKept = 64
	// A wall screen asks every five minutes: it gets the count made when it asked before, and has one made for the next time, so that nobody
	// but the first waits until a week of a country's alarms is read.
	statisticsStale = 11 * time.Minute
)

// statisticsQuery is what a viewer may count: plants in sight, of the region and industry asked for.
func (s *Server) statisticsQuery(v *viewer, in *statisticsInput) (statistics.Query, error) {
	q := statistics.Query{From: in.From, To: in.To, Enterprise: only(v, in.Enterprise)}
	if q.To == 0 {
		q.To = s.nowMs()
	}
	if q.From == 0 {
		q.From = q.To - int64(max(1, in.Days))*dayMs
	}
	if q.From < 0 || q.To > latest || q.To <= q.From || q.To-q.From > statisticsMost {
		return q, invalid("query.from", "a time of at most 366 days before to", in.From)
	}
	region := regionPrefix(in.Region)
	wanted := func(p *plantState, code string) bool {
		return p != nil && p.enterprise != nil && (in.Industry == "" || p.enterprise.GetMemIndustry() == in.Industry) && strings.HasPrefix(p.enterprise.GetRegion(), region) &&
			(q.Enterprise == "" || q.Enterprise == code)
	}
	narrowed := in.Industry != "" || region != ""
	q.Keep = func(code string) (keep bool) {
		if !s.sees(v, code) {
			return false
		}
		if !narrowed {
			return true // also a plant whose record has not arrived yet, for whoever sees all
		}
		s.world.view(func() { keep = wanted(s.world.plants[code], code) })
		return keep
	}
	q.Positions = s.positions(v, in.Region, in.Industry, q.Enterprise)
	return q, nil
}

// positions is how many plants that a viewer sees are connected: in a region, of an industry, or one of them. It reads counters and walks no
// plants.
func (s *Server) positions(v *viewer, region, industry, enterprise string) (n int) {
	within, sees := v.within(region)
	if own := v.owned(); !sees || own != "" && own != enterprise {
		return 0
	}
	s.world.view(func() {
		if enterprise == "" {
			n = s.world.look(areaKey{within, industry}).connected
			return
		}
		p := s.world.plants[enterprise]
		if p != nil && p.enterprise.GetAccessState() == "connected" && strings.HasPrefix(p.enterprise.GetRegion(), within) && (industry == "" || p.enterprise.GetMemIndustry() == industry) {
			n = 1
		}
	})
	return n
}

// statisticsKey is what a count depends on: what was asked for, and what the asker sees.
type statisticsKey struct {
	in   statisticsInput
	area string
}

// statistics counts once for all who ask the same at about the same time: hundreds of thousands of alarms take seconds. Those of one plant are
// few, and counted anew.
func (s *Server) statistics(ctx context.Context, v *viewer, in *statisticsInput) (*statistics.Result, error) {
	count := func(ctx context.Context) (*statistics.Result, error) {
		q, err := s.statisticsQuery(v, in)
		if err != nil {
			return nil, err
		}
		return statistics.Collect(ctx, s.opt.Backend.Store(), q)
	}
	if only(v, in.Enterprise) != "" {
		return count(ctx)
	}
	return s.counted.get(ctx, statisticsKey{*in, v.area()}, count)
}

type statisticsSeriesInput struct {
	From       int64  `query:"from" doc:"ms; so many days before to by default"`
	To         int64  `query:"to" doc:"ms; now by default"`
	Days       int    `query:"days" minimum:"1" maximum:"366" default:"7" doc:"instead of from"`
	Region     string `query:"region" maxLength:"6" doc:"GB/T 2260"`
	Enterprise string `query:"enterprise"`
	Industry   string `query:"industry" doc:"table mem_industry"`
	Step       string `query:"step" enum:"hour,day" default:"hour"`
}

// seriesKey is what a count over time depends on.
type seriesKey struct {
	statisticsKey
	step string
}

func (s *Server) statisticsSeries(ctx context.Context, v *viewer, in *statisticsSeriesInput) (*statistics.Series, error) {
	whole := statisticsInput{in.From, in.To, in.Days, in.Region, in.Enterprise, in.Industry}
	count := func(ctx context.Context) (*statistics.Series, error) {
		q, err := s.statisticsQuery(v, &whole)
		if err != nil {
			return nil, err
		}
		out, err := statistics.Over(ctx, s.opt.Backend.Store(), q, in.Step)
		if errors.Is(err, statistics.ErrSteps) {
			return nil, invalid("query.step", err.Error(), in.Step)
		}
		return out, err
	}
	if only(v, in.Enterprise) != "" {
		return count(ctx)
	}
	return s.countedOver.get(ctx, seriesKey{statisticsKey{whole, v.area()}, in.Step}, count)
}

func (d *door) statisticRoutes() {
	handle(d, "alarm-statistics", d.s.statistics)
	handle(d, "alarm-statistics-series", d.s.statisticsSeries)
}
