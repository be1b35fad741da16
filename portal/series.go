package portal

import (
	"context"
	"errors"
	"fmt"
	"math"

	"dusthub/node/store"
	"dusthub/schema"
)

type seriesInput struct {
	Metric string `path:"metric" maxLength:"32"`
	From   int64  `query:"from" doc:"ms; a day ago by default, the beginning for step=0"`
	To     int64  `query:"to" doc:"ms, not included; now by default"`
	Step   int64  `query:"step" default:"-1" minimum:"-1" doc:"ms; 0 is the readings themselves, -1 chooses some 300 steps"`
	Limit  int    `query:"limit" minimum:"0" maximum:"20000" doc:"readings at most (step=0)"`
}

// BucketView is one step of a series. Mean is sum/count.
type BucketView struct {
	Start int64   `json:"start"`
	Count uint64  `json:"count"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	Sum   float64 `json:"sum"`
	Last  float64 `json:"last"`
}

// SeriesView is a series in steps, or its readings as they are.
type SeriesView struct {
	Metric  string       `json:"metric"`
	Unit    string       `json:"unit"`
	Step    int64        `json:"step"`
	Buckets []BucketView `json:"buckets,omitempty" doc:"empty for step=0; steps without readings are left out"`
	Points  [][3]float64 `json:"points,omitempty" doc:"[time, value, quality] for step=0"`
	Next    *int64       `json:"next,omitempty" doc:"from of the page behind it"`
}

const (
	pointsPage = 10_000
	autoSteps  = 300
	minuteMs   = int64(60_000)
	ahead      = 10 * minuteMs // readings may be a little ahead of our clock
)

var errPageFull = errors.New("page is full")

// finite keeps an answer encodable whatever was stored; the doors refuse what is no number.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

func (s *Server) series(ctx context.Context, v *viewer, in *seriesInput) (*SeriesView, error) {
	row, err := s.record(v, "Metric", in.Metric)
	if err != nil {
		return nil, err
	}
	m := row.Record.(*schema.Metric)
	out := &SeriesView{Metric: in.Metric, Unit: m.GetUnit(), Step: in.Step, Buckets: []BucketView{}, Points: [][3]float64{}}
	ref := store.SeriesRef{Origin: row.Origin, Series: m.GetSeries()}
	to := in.To
	if to == 0 {
		to = s.nowMs() + ahead
	}
	if in.Step == 0 {
		return out, s.points(ctx, out, ref, in.From, to, in.Limit)
	}
	from := in.From
	if from == 0 {
		from = to - dayMs
	}
	if out.Step < 0 {
		out.Step = autoStep(to - from)
	}
	buckets, err := s.opt.Backend.Store().Buckets(ctx, ref, from, to, out.Step)
	if err != nil {
		return nil, fmt.Errorf("read series %s: %w", in.Metric, err)
	}
	for _, b := range buckets {
		out.Buckets = append(out.Buckets, BucketView{b.Start, b.Count, finite(b.Min), finite(b.Max), finite(b.Sum), finite(b.Last)})
	}
	return out, nil
}

// autoStep is a step of whole minutes, or of seconds for short spans, that makes some 300 of a span.
func autoStep(span int64) int64 {
	const second = 1000
	step := span / autoSteps
	if step >= minuteMs {
		return step / minuteMs * minuteMs
	}
	return max(second, step/second*second)
}

// points reads a page of readings; the next page begins at the first reading that did not fit.
func (s *Server) points(ctx context.Context, out *SeriesView, ref store.SeriesRef, from, to int64, limit int) error {
	if limit == 0 {
		limit = pointsPage
	}
	err := s.opt.Backend.Store().Points(ctx, ref, from, to, func(p store.Point) error {
		if len(out.Points) == limit {
			out.Next = &p.Time
			return errPageFull
		}
		out.Points = append(out.Points, [3]float64{float64(p.Time), finite(p.Value), float64(p.Quality)})
		return nil
	})
	if err != nil && !errors.Is(err, errPageFull) {
		return fmt.Errorf("read series %s: %w", out.Metric, err)
	}
	return nil
}
