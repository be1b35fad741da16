package replay

import (
	"context"
	"fmt"
	"slices"

	"dusthub/node/engine/risk"
	"dusthub/node/store"
	"dusthub/schema"
)

// mostPoints of a metric are in one answer; more are thinned by time.
const mostPoints = 3600

// Past is an interval of a plant: as it was, or as judged again.
type Past struct {
	Enterprise string     `json:"enterprise"`
	From       int64      `json:"from"`
	To         int64      `json:"to"`
	Model      string     `json:"model" doc:"versions by which it was judged, with commas between"`
	Samples    []Readings `json:"samples,omitempty"`
	StepMs     int64      `json:"step_ms" doc:"readings are thinned to one in so long; 0: all are here"`
	Track
	Actions []Action `json:"actions,omitempty"`
	// Of an interval that was judged again:
	Start       int64        `json:"start,omitempty" doc:"where the replay begins"`
	Whole       bool         `json:"whole,omitempty" doc:"it begins at the plant's birth: nothing is approximate but the phase of the clock"`
	Differences []Difference `json:"differences,omitempty" doc:"against the record"`
}

// Readings are those of a metric: time, value, quality.
type Readings struct {
	Metric string       `json:"metric"`
	Points [][3]float64 `json:"points,omitempty"`
}

// Recorded tells an interval as it was. Errors: ErrPlant, ErrInterval, ErrTooMuch.
func (r *Replayer) Recorded(ctx context.Context, plant string, from, to int64) (*Past, error) {
	h, _, err := r.history(ctx, plant, from, to)
	if err != nil {
		return nil, err
	}
	return r.recorded(ctx, h)
}

func (r *Replayer) history(ctx context.Context, plant string, from, to int64) (*history, string, error) {
	if err := r.interval(from, to); err != nil {
		return nil, "", err
	}
	origin, e, err := r.origin(plant)
	if err != nil {
		return nil, "", err
	}
	h := &history{plant: plant, origin: origin, from: from, to: to, warm: r.opt.WarmUp.Milliseconds()}
	if err = r.read(ctx, origin, []*history{h}, to); err == nil && h.full {
		err = ErrTooMuch
	}
	return h, e.GetRegion(), err
}

func (r *Replayer) recorded(ctx context.Context, h *history) (*Past, error) {
	out := &Past{Enterprise: h.plant, From: h.from, To: h.to, Track: *h.track(), Actions: h.actions()}
	out.Model = versions(&out.Track)
	if out.Model == "" {
		out.Model = h.level().GetModel()
	}
	var err error
	out.Samples, out.StepMs, err = r.readings(ctx, h)
	return out, err
}

func versions(t *Track) string {
	s := ""
	for i, v := range t.Models {
		if i > 0 {
			s += ", "
		}
		s += v
	}
	return s
}

// level is the last result before the interval.
func (h *history) level() *schema.RiskResult {
	var last *schema.RiskResult
	if list := all[*schema.RiskResult](&h.state, "RiskResult"); len(list) > 0 {
		last = list[0]
	}
	for i := range h.changes {
		if r, ok := h.changes[i].rec.(*schema.RiskResult); ok && h.changes[i].time < h.from {
			last = r
		}
	}
	return last
}

// track is what the ledger says was judged.
func (h *history) track() *Track {
	t, open := &Track{Level: h.level().GetLevel()}, map[string]*schema.Alarm{}
	for _, a := range all[*schema.Alarm](&h.state, "Alarm") {
		open[a.GetId()] = a
	}
	for i := range h.changes {
		c := &h.changes[i]
		if c.deleted {
			continue
		}
		if c.time >= h.from {
			t.add(c.time, c.rec)
		} else if a, ok := c.rec.(*schema.Alarm); ok {
			open[a.GetId()] = a
			if a.GetStage() == "closed" {
				delete(open, a.GetId())
			}
		}
	}
	for _, a := range open {
		t.Open = append(t.Open, a)
	}
	slices.SortFunc(t.Open, func(a, b *schema.Alarm) int {
		if d := a.GetRaised() - b.GetRaised(); d != 0 {
			return int(max(-1, min(1, d)))
		}
		if a.GetId() < b.GetId() {
			return -1
		}
		return 1
	})
	return t
}

// actions are what people did.
func (h *history) actions() []Action {
	out, steps := []Action{}, map[string]int{}
	for i := range h.changes {
		c := &h.changes[i]
		name := c.typ + "/" + c.key
		if r, ok := c.rec.(interface{ GetSteps() []*schema.Step }); ok {
			before := steps[name]
			steps[name] = len(r.GetSteps())
			for _, s := range r.GetSteps()[min(before, len(r.GetSteps())):] {
				if s.GetTime() >= h.from && s.GetTime() < h.to {
					out = append(out, Action{Time: s.GetTime(), Actor: s.GetActor(), Record: name, Action: s.GetAction(), Text: s.GetText()})
				}
			}
			continue
		}
		if inputs[c.typ] && c.time >= h.from {
			out = append(out, Action{Time: c.time, Actor: c.actor, Record: name, Action: map[bool]string{true: "deleted", false: "written"}[c.deleted]})
		}
	}
	return out
}

// readings are a plant's samples, thinned where there are many.
func (r *Replayer) readings(ctx context.Context, h *history) ([]Readings, int64, error) {
	out, step := []Readings{}, (h.to-h.from)/mostPoints
	if step < 1000 {
		step = 0
	}
	for code, m := range h.metrics() {
		s, next := Readings{Metric: code, Points: [][3]float64{}}, int64(0)
		for at := h.from; at < h.to; at += 6 * window {
			err := r.opt.Store.Points(ctx, store.SeriesRef{Origin: h.origin, Series: m.GetSeries()}, at, min(at+6*window, h.to), func(p store.Point) error {
				if p.Time >= next {
					s.Points = append(s.Points, [3]float64{float64(p.Time), p.Value, float64(p.Quality)})
					next = p.Time + step
				}
				return nil
			})
			if err != nil {
				return nil, 0, fmt.Errorf("read samples of %s: %w", code, err)
			}
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Readings) int {
		if a.Metric < b.Metric {
			return -1
		}
		return 1
	})
	return out, step, nil
}

// Again judges an interval anew, by a model or, without one, by that of the time, and says how it differs from the record. Errors: ErrPlant,
// ErrInterval, ErrTooMuch, ErrModel.
func (r *Replayer) Again(ctx context.Context, plant string, from, to int64, m *risk.Model) (*Past, error) {
	h, region, err := r.history(ctx, plant, from, to)
	if err != nil {
		return nil, err
	}
	was, err := r.recorded(ctx, h)
	if err != nil {
		return nil, err
	}
	tick := r.opt.Tick.Milliseconds()
	x, err := r.again(ctx, h, region, m, tick)
	if err != nil {
		return nil, err
	}
	out := *was
	out.Track, out.Start, out.Whole = x.out, h.start, h.start < h.birth
	out.Model = versions(&x.out)
	if out.Model == "" && x.engine != nil {
		out.Model = x.engine.Model().Version
	}
	out.Differences = append(compare(&was.Track, &x.out, tick), x.failed...)
	if n := len(out.Differences); n > mostDifferences {
		out.Differences = append(out.Differences[:mostDifferences], Difference{What: "more", Time: to, Recorded: fmt.Sprintf("%d more", n-mostDifferences)})
	}
	return &out, nil
}
