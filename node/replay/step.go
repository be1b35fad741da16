package replay

import (
	"context"
	"slices"

	"dusthub/node/engine"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"
)

// sample is a stored reading of a metric.
type sample struct {
	metric string
	store.Point
}

// through lets time pass from the beginning of the replay to the end of the interval: at each moment the samples, then what people
// did, then the clock.
func (x *run) through(ctx context.Context) error {
	changes, now := x.h.changes, x.h.start+1
	next := now + (x.tick-now%x.tick)%x.tick
	for from := now; from < x.h.to; from += window {
		samples, err := x.samples(ctx, from, min(from+window, x.h.to))
		if err != nil {
			return err
		}
		for now < min(from+window, x.h.to) {
			if err := ctx.Err(); err != nil {
				return err
			}
			at := next
			if len(samples) > 0 {
				at = min(at, samples[0].Time)
			}
			if len(changes) > 0 {
				at = min(at, changes[0].time)
			}
			if len(x.pending) > 0 {
				at = min(at, max(now, x.pending[0].at))
			}
			if now = max(at, now); now >= min(from+window, x.h.to) {
				break
			}
			n, c := 0, 0
			for n < len(samples) && samples[n].Time <= now {
				n++
			}
			for c < len(changes) && changes[c].time <= now {
				c++
			}
			if err := x.moment(now, samples[:n], changes[:c], now == next); err != nil {
				return err
			}
			if samples, changes = samples[n:], changes[c:]; now == next {
				next += x.tick
			}
			now++
		}
		now = max(now, min(from+window, x.h.to))
	}
	return nil
}

// samples reads a window of all metrics of the plant, in order of time.
func (x *run) samples(ctx context.Context, from, to int64) ([]sample, error) {
	var out []sample
	for code, m := range x.known {
		err := x.r.opt.Store.Points(ctx, store.SeriesRef{Origin: x.h.origin, Series: m.GetSeries()}, from, to, func(p store.Point) error {
			out = append(out, sample{code, p})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b sample) int {
		switch {
		case a.Time != b.Time:
			return int(max(-1, min(1, a.Time-b.Time)))
		case a.metric < b.metric:
			return -1
		}
		return 1
	})
	return out, nil
}

// moment applies what came at one time.
func (x *run) moment(now int64, samples []sample, changes []change, tick bool) error {
	if !x.begun && now >= x.h.from {
		x.begin()
	}
	x.frame(now, samples)
	for len(x.pending) > 0 && x.pending[0].at <= now {
		p := x.pending[0]
		x.pending = x.pending[1:]
		if (p.must || now-x.sampled[p.gateway] > x.tick) && x.state[p.gateway] != "offline" {
			x.hear(now, p.gateway, x.state[p.gateway] == "source_lost")
		}
	}
	for len(changes) > 0 {
		n := 1
		for n < len(changes) && changes[n].cause == changes[0].cause && changes[n].actor == changes[0].actor && changes[n].time == changes[0].time {
			n++
		}
		if err := x.command(changes[:n]); err != nil {
			return err
		}
		tick = tick || changes[0].actor == "site"
		changes = changes[n:]
	}
	if tick {
		x.alive(now)
		x.apply(&schema.Command{Time: now, Actor: "site", Body: &schema.Command_Tick{Tick: &schema.Tick{}}})
	}
	return nil
}

// begin notes how things stand when the interval begins.
func (x *run) begin() {
	x.begun = true
	for _, id := range x.open {
		x.out.Open = append(x.out.Open, x.alarms[id])
	}
	slices.SortFunc(x.out.Open, func(a, b *schema.Alarm) int {
		if a.GetRaised() != b.GetRaised() {
			return int(max(-1, min(1, a.GetRaised()-b.GetRaised())))
		}
		if thing(a) < thing(b) {
			return -1
		}
		return 1
	})
	if is, ok := x.engine.Inspect(x.h.plant); ok {
		x.out.Level = is.Level
	}
}

func (x *run) frame(now int64, samples []sample) {
	var batch []frame.Sample
	for _, s := range samples {
		if series, ok := x.series[s.metric]; ok {
			batch = append(batch, frame.Sample{Series: series, Time: s.Time, Value: s.Value, Quality: s.Quality})
			if g := x.gateways[s.metric]; g != "" {
				x.heard[g], x.sampled[g] = now, now
			}
		}
	}
	if len(batch) > 0 {
		x.apply(&schema.Command{Time: now, Body: &schema.Command_Frame{Frame: frame.Append(nil, batch)}})
	}
}

func (x *run) hear(now int64, gateway string, lost bool) {
	x.heard[gateway] = now
	x.apply(&schema.Command{Time: now, Actor: gateway, Body: &schema.Command_Heard{Heard: &schema.Heard{Gateway: gateway, SourceLost: lost}}})
}

// alive lets those gateways speak that the engine would otherwise take for offline while the record has them online: they spoke
// without readings.
func (x *run) alive(now int64) {
	limit := x.r.opt.Engine.OfflineAfter
	for _, g := range x.names() {
		if x.state[g] == "offline" || x.state[g] == "" || now-x.heard[g] <= limit {
			continue
		}
		soon := slices.ContainsFunc(x.offline[g], func(t int64) bool { return t >= now && t <= now+limit })
		if !soon {
			x.hear(now, g, x.state[g] == "source_lost")
		}
	}
}

func (x *run) names() []string {
	out := make([]string, 0, len(x.state))
	for g := range x.state {
		out = append(out, g)
	}
	slices.Sort(out)
	return out
}

// apply has the engine judge a command and keeps what it says.
func (x *run) apply(cmd *schema.Command) engine.Effects {
	eff := x.engine.Apply(cmd)
	x.note(cmd.GetTime(), eff)
	return eff
}

func (x *run) note(now int64, eff engine.Effects) {
	for _, c := range eff.Changes {
		switch r := c.Record.(type) {
		case *schema.Metric:
			x.series[r.GetCode()], x.gateways[r.GetCode()] = r.GetSeries(), r.GetGateway()
		case *schema.Alarm:
			if r.GetStage() == "closed" {
				delete(x.open, thing(r))
				delete(x.alarms, r.GetId())
			} else {
				x.open[thing(r)], x.alarms[r.GetId()] = r.GetId(), r
			}
		case *schema.Warning:
			x.warnings = slices.DeleteFunc(x.warnings, func(w *schema.Warning) bool { return w.GetId() == r.GetId() })
			if r.GetStage() != "closed" {
				x.warnings = append(x.warnings, r)
				slices.SortStableFunc(x.warnings, func(a, b *schema.Warning) int { return int(max(-1, min(1, a.GetRaised()-b.GetRaised()))) })
			}
		}
		if now >= x.h.from && c.Record != nil {
			x.out.add(now, c.Record)
		}
	}
}
