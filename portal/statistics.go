package portal

import (
	"context"
	"errors"
	"strings"
	"time"

	"dusthub/node/statistics"
)

type statisticsInput struct {
	From       int64  `query:"from" doc:"ms, onset not before; seven days before to by default"`
	To         int64  `query:"to" doc:"ms, onset before; now by default"`
	Region     string `query:"region" maxLength:"6" doc:"GB/T 2260"`
	Enterprise string `query:"enterprise"`
	Industry   string `query:"industry" doc:"table mem_industry"`
}

const (
	latest         = int64(253_402_300_799_999) // ms, the end of the year 9999: sums of times do not overflow
	statisticsDays = 7
	statisticsMost = 366 * dayMs
	statisticsFor  = 30 * time.Second // the same question is answered by the same count for so long
	statisticsKept = 64
)

// statisticsQuery is what a viewer may count: plants in sight, of the region and industry asked for.
func (s *Server) statisticsQuery(v *viewer, in *statisticsInput) (statistics.Query, error) {
	q := statistics.Query{From: in.From, To: in.To, Enterprise: only(v, in.Enterprise)}
	if q.To == 0 {
		q.To = s.nowMs()
	}
	if q.From == 0 {
		q.From = q.To - statisticsDays*dayMs
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
	area, own := v.area(), v.owned()
	s.world.view(func() {
		for code, p := range s.world.plants {
			if wanted(p, code) && p.enterprise.GetAccessState() == "connected" && (own == code || own == "" && strings.HasPrefix(p.enterprise.GetRegion(), area)) {
				q.Positions++
			}
		}
	})
	return q, nil
}

// statisticsKey is what a count depends on: what was asked for, and what the asker sees.
type statisticsKey struct {
	in          statisticsInput
	area, owned string
}

// statistics counts once for all who ask the same at about the same time: hundreds of thousands of alarms take seconds.
func (s *Server) statistics(ctx context.Context, v *viewer, in *statisticsInput) (*statistics.Result, error) {
	return s.counted.get(ctx, statisticsKey{*in, v.area(), v.owned()}, func(ctx context.Context) (*statistics.Result, error) {
		q, err := s.statisticsQuery(v, in)
		if err != nil {
			return nil, err
		}
		return statistics.Collect(ctx, s.opt.Backend.Store(), q)
	})
}

type statisticsSeriesInput struct {
	From       int64  `query:"from" doc:"ms; seven days before to by default"`
	To         int64  `query:"to" doc:"ms; now by default"`
	Region     string `query:"region" maxLength:"6" doc:"GB/T 2260"`
	Enterprise string `query:"enterprise"`
	Industry   string `query:"industry" doc:"table mem_industry"`
	Step       string `query:"step" enum:"hour,day" default:"hour"`
}

func (s *Server) statisticsSeries(ctx context.Context, v *viewer, in *statisticsSeriesInput) (*statistics.Series, error) {
	q, err := s.statisticsQuery(v, &statisticsInput{in.From, in.To, in.Region, in.Enterprise, in.Industry})
	if err != nil {
		return nil, err
	}
	out, err := statistics.Over(ctx, s.opt.Backend.Store(), q, in.Step)
	if errors.Is(err, statistics.ErrSteps) {
		return nil, invalid("query.step", err.Error(), in.Step)
	}
	return out, err
}

func (d *door) statisticRoutes() {
	handle(d, "alarm-statistics", d.s.statistics)
	handle(d, "alarm-statistics-series", d.s.statisticsSeries)
}
