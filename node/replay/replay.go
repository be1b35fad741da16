package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"dusthub/node/engine"
	"dusthub/node/engine/risk"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"
)

const (
	wholeLife = 2             // a plant that is at most so many warm-ups older than the interval is replayed from its birth
	window    = int64(600000) // ms of samples in memory at once
)

// Options of a replayer. Store is needed; zero values are the defaults.
type Options struct {
	Store      *store.Store
	Engine     engine.Config // as the site judges; site, region and model are those of the plant replayed
	Configured *risk.Model   // the model as long as none is published
	Tick       time.Duration // how often the site looks at the clock, 1 s
	WarmUp     time.Duration // 24 h
	Longest    time.Duration // longest interval, 31 days
	Plants     int           // most plants of a back-test, 100 000
}

// Replayer judges the past again. Any goroutine may use it.
type Replayer struct {
	opt     Options
	backing chan struct{} // one back-test at a time
}

// New makes a replayer.
func New(opt Options) (*Replayer, error) {
	if opt.Store == nil {
		return nil, errors.New("replay: a store is needed")
	}
	if opt.Configured == nil {
		opt.Configured = risk.Shipped()
	}
	for _, d := range []struct {
		v *time.Duration
		d time.Duration
	}{{&opt.Tick, time.Second}, {&opt.WarmUp, 24 * time.Hour}, {&opt.Longest, 31 * 24 * time.Hour}} {
		if *d.v == 0 {
			*d.v = d.d
		}
	}
	if opt.Plants == 0 {
		opt.Plants = 100_000
	}
	if opt.Engine.OfflineAfter == 0 {
		opt.Engine.OfflineAfter = (10 * time.Minute).Milliseconds()
	}
	return &Replayer{opt: opt, backing: make(chan struct{}, 1)}, nil
}

func (r *Replayer) interval(from, to int64) error {
	if from <= 0 || to <= from || to-from > r.opt.Longest.Milliseconds() {
		return fmt.Errorf("%w: from before to, at most %s long", ErrInterval, r.opt.Longest)
	}
	return nil
}

// Version is a record as it stood from a time on.
type Version[T schema.Record] struct {
	Time   int64 `json:"time"`
	Record T     `json:"record"`
}

// Track is what became of a plant in an interval: every version of what was judged, in order of time.
type Track struct {
	Alarms   []Version[*schema.Alarm]      `json:"alarms,omitempty"`
	Risk     []Version[*schema.RiskResult] `json:"risk,omitempty"`
	Warnings []Version[*schema.Warning]    `json:"warnings,omitempty"`
	Models   []string                      `json:"models,omitempty" doc:"risk models by which it was judged"`
	Open     []*schema.Alarm               `json:"open,omitempty" doc:"alarms that were open at the beginning"`
	Level    string                        `json:"level,omitempty" table:"level" doc:"at the beginning; absent when not judged yet"`
}

func (t *Track) add(at int64, rec schema.Record) {
	switch x := rec.(type) {
	case *schema.Alarm:
		t.Alarms = append(t.Alarms, Version[*schema.Alarm]{at, x})
	case *schema.Warning:
		t.Warnings = append(t.Warnings, Version[*schema.Warning]{at, x})
	case *schema.RiskResult:
		t.Risk = append(t.Risk, Version[*schema.RiskResult]{at, x})
		if !slices.Contains(t.Models, x.GetModel()) {
			t.Models = append(t.Models, x.GetModel())
		}
	}
}

// Action is what somebody did.
type Action struct {
	Time   int64  `json:"time"`
	Actor  string `json:"actor"`
	Record string `json:"record" doc:"type and key"`
	Action string `json:"action" doc:"a step of a life cycle, written or deleted"`
	Text   string `json:"text,omitempty"`
}

// run is one replay under way.
type run struct {
	r        *Replayer
	h        *history
	engine   *engine.Engine
	own      bool // by the models of that time
	tick     int64
	series   map[string]uint32 // in the engine, by metric
	gateways map[string]string // by metric
	heard    map[string]int64  // by gateway, in the engine
	sampled  map[string]int64  // by gateway: when a sample of its came
	offline  map[string][]int64
	state    map[string]string          // of gateways, as recorded
	steps    map[string]int             // of alarms, warnings and shelves, as recorded
	open     map[string]string          // ids in the engine of open alarms, by thing
	recorded map[string]*schema.Warning // open warnings, as recorded
	warnings []*schema.Warning          // open ones in the engine
	alarms   map[string]*schema.Alarm   // in the engine, open
	pending  []inject
	known    map[string]*schema.Metric
	out      Track
	failed   []Difference
	begun    bool
}

// again runs a replay over a history by a model, nil: by those of the time.
func (r *Replayer) again(ctx context.Context, h *history, region string, m *risk.Model, tick int64) (*run, error) {
	x := &run{
		r: r, h: h, own: m == nil, tick: tick, series: map[string]uint32{}, gateways: map[string]string{}, heard: map[string]int64{}, sampled: map[string]int64{}, offline: map[string][]int64{}, state: map[string]string{}, steps: map[string]int{},
		open: map[string]string{}, recorded: map[string]*schema.Warning{}, alarms: map[string]*schema.Alarm{},
		known: h.metrics(),
	}
	if h.birth == 0 {
		return x, nil // nothing is known of it before the end
	}
	if h.full {
		return nil, ErrTooMuch
	}
	if m == nil {
		var err error
		if m, err = r.model(x.firstModel()); err != nil {
			return nil, err
		}
	}
	cfg := r.opt.Engine
	cfg.Site, cfg.Level, cfg.Parent, cfg.Model = h.origin, "province", "", m
	if len(region) == 6 {
		cfg.Region = region[:2] + "0000"
	}
	x.engine = engine.New(cfg)
	if err := x.restore(ctx); err != nil {
		return nil, err
	}
	if err := x.foresee(ctx); err != nil {
		return nil, err
	}
	return x, x.through(ctx)
}

// firstModel is the version by which the plant was judged when the replay begins.
func (x *run) firstModel() string {
	if results := all[*schema.RiskResult](&x.h.state, "RiskResult"); len(results) > 0 {
		return results[0].GetModel()
	}
	for i := range x.h.changes {
		if r, ok := x.h.changes[i].rec.(*schema.RiskResult); ok {
			return r.GetModel()
		}
	}
	return x.r.opt.Configured.Version
}

// model finds a version that was in force once.
func (r *Replayer) model(version string) (*risk.Model, error) {
	if version == r.opt.Configured.Version {
		return r.opt.Configured, nil
	}
	row, ok, err := r.opt.Store.Get("RiskModel", version)
	if err != nil {
		return nil, fmt.Errorf("read risk model: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrModel, version)
	}
	return risk.Parse(row.Record.(*schema.RiskModel).GetDocument())
}

func (x *run) restore(ctx context.Context) error {
	if x.h.whole() {
		x.h.start = x.h.birth - 1
		return nil
	}
	st := x.h.state.engineState(x.h.start, x.r.opt.Engine.OfflineAfter)
	if err := x.readings(ctx, st); err != nil {
		return err
	}
	raw, err := schema.Marshal(st)
	if err != nil {
		return err
	}
	if err := x.engine.UnmarshalState(raw); err != nil {
		return err
	}
	for _, p := range st.GetPlants() {
		for _, a := range p.GetAlarms() {
			x.open[thing(a)], x.alarms[a.GetId()] = a.GetId(), a
			x.steps["Alarm/"+a.GetId()] = len(a.GetSteps())
		}
		for _, w := range p.GetWarnings() {
			x.recorded[w.GetId()] = w
			x.steps["Warning/"+w.GetId()] = len(w.GetSteps())
		}
		for _, h := range p.GetShelves() {
			x.steps["Shelf/"+h.GetId()] = len(h.GetSteps())
		}
		x.warnings = slices.Clone(p.GetWarnings())
		for _, pt := range p.GetPoints() {
			x.series[pt.GetMetric().GetCode()], x.gateways[pt.GetMetric().GetCode()] = pt.GetMetric().GetSeries(), pt.GetMetric().GetGateway()
		}
		for _, g := range p.GetGateways() {
			x.state[g.GetGateway().GetCode()], x.heard[g.GetGateway().GetCode()] = g.GetState(), g.GetHeard()
		}
	}
	return nil
}

// lookBack is how far a replay looks back for a metric's last reading, and since when it has stood.
const lookBack = int64(3_600_000) // ms

// readings gives points the last reading before the replay, and since when they have had that value, as far as an hour tells.
func (x *run) readings(ctx context.Context, st *schema.EngineState) error {
	for _, p := range st.GetPlants() {
		for _, pt := range p.GetPoints() {
			ref := store.SeriesRef{Origin: x.h.origin, Series: pt.GetMetric().GetSeries()}
			err := x.r.opt.Store.Points(ctx, ref, x.h.start-lookBack, x.h.start+1, func(s store.Point) error {
				if s.Quality == frame.Backfill {
					return nil
				}
				if s.Value != pt.GetLast() || pt.GetTime() == 0 {
					pt.Changed = s.Time
				}
				pt.Last, pt.Quality, pt.Time, pt.Seen = s.Value, uint32(s.Quality), s.Time, s.Time
				return nil
			})
			if err != nil {
				return fmt.Errorf("read samples of %s: %w", pt.GetMetric().GetCode(), err)
			}
		}
	}
	return nil
}
