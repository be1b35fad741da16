package model

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"dusthub/node/engine"
	"dusthub/node/engine/risk"
	"dusthub/node/store"
	"dusthub/schema"

	"github.com/prometheus/client_golang/prometheus"
)

// Errors of the service, beside QuotaError, InputError and risk.Problems.
var (
	ErrModel = errors.New("model: no such model")            // a version that was never published here
	ErrPlant = errors.New("model: not a plant of this site") // plants are judged at the site that keeps them
)

// InputError says everything that is wrong with given inputs.
type InputError struct{ Reasons []string }

func (e *InputError) Error() string { return "inputs: " + strings.Join(e.Reasons, "; ") }

// Proposer has a command applied by the site.
type Proposer interface {
	Propose(ctx context.Context, cmd *schema.Command) (*schema.Result, error)
}

// Options of a service. Store, Proposer and Running are needed.
type Options struct {
	Store      *store.Store
	Proposer   Proposer
	Running    func() *risk.Model
	Configured *risk.Model // in force as long as none is published
	// Inspect tells what a plant is judged by; nil: no plant is known.
	Inspect    func(plant string) (engine.Inspection, bool)
	Replica    string // id, since every replica counts for itself
	Quota      Quota  // zero fields: the defaults
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time
}

func (o *Options) fill() {
	if o.Configured == nil {
		o.Configured = risk.Shipped()
	}
	if o.Inspect == nil {
		o.Inspect = func(string) (engine.Inspection, bool) { return engine.Inspection{}, false }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	q := &o.Quota
	if q.Rate == 0 {
		q.Rate, q.Burst = 100, 1000
	}
	if q.Concurrent == 0 {
		q.Concurrent = 4
	}
	if q.Batch == 0 {
		q.Batch = 1000
	}
}

// Service judges for callers. Its methods may be called by any goroutine.
type Service struct {
	opt   Options
	gate  *gate
	calls *prometheus.CounterVec
	lost  prometheus.Counter

	mu       sync.Mutex
	uses     map[string]*schema.ModelUse // not written yet
	flushing sync.Mutex

	parsed  sync.Mutex
	version string // of the last published model asked for
	model   *risk.Model
}

// New makes a service; Run writes its usage log.
func New(opt Options) (*Service, error) {
	if opt.Store == nil || opt.Proposer == nil || opt.Running == nil {
		return nil, errors.New("model: store, proposer and running model are needed")
	}
	opt.fill()
	s := &Service{
		opt: opt, gate: newGate(opt.Quota, opt.Now), uses: map[string]*schema.ModelUse{},
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dusthub_model_calls_total", Help: "Calls of the risk model as a service."}, []string{"operation", "outcome"}),
		lost:  prometheus.NewCounter(prometheus.CounterOpts{Name: "dusthub_model_usage_lost_total", Help: "Calls that the usage log had no room for."}),
	}
	for _, c := range []prometheus.Collector{s.calls, s.lost} {
		if err := opt.Registerer.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return s, nil
}

// Choice names a model: a version, or a draft document (YAML); neither is the one in force.
type Choice struct {
	Version  string `json:"version,omitempty" maxLength:"50" doc:"a published model; empty: the one in force"`
	Document string `json:"document,omitempty" maxLength:"1048576" doc:"a draft (YAML) instead of a version"`
}

// Resolve finds the model a choice names. Errors: ErrModel, risk.Problems.
func (s *Service) Resolve(c Choice) (*risk.Model, error) {
	if c.Document != "" {
		m, err := risk.Parse([]byte(c.Document))
		if err != nil {
			return nil, err
		}
		return m, nil
	}
	running := s.opt.Running()
	switch c.Version {
	case "", running.Version:
		return running, nil
	case s.opt.Configured.Version:
		return s.opt.Configured, nil
	}
	return s.published(c.Version)
}

// published parses a published model; the last one is kept, since its document never changes.
func (s *Service) published(version string) (*risk.Model, error) {
	s.parsed.Lock()
	defer s.parsed.Unlock()
	if s.version == version {
		return s.model, nil
	}
	row, ok, err := s.opt.Store.Get("RiskModel", version)
	if err != nil {
		return nil, fmt.Errorf("read risk model: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrModel, version)
	}
	m, err := risk.Parse(row.Record.(*schema.RiskModel).GetDocument())
	if err != nil {
		return nil, err
	}
	s.version, s.model = version, m
	return m, nil
}

// Label is how the usage log names a choice.
func (s *Service) Label(m *risk.Model, c Choice) string {
	const longest = 50
	switch {
	case m == nil:
		return "unknown"
	case c.Document != "":
		return "draft " + string([]rune(m.Version)[:min(len([]rune(m.Version)), longest)])
	}
	return string([]rune(m.Version)[:min(len([]rune(m.Version)), longest)])
}

// Call runs one call of a caller within its quota, of at most so many plants, and counts it. Errors: QuotaError, ErrModel,
// risk.Problems, and what run returns.
func (s *Service) Call(caller, operation string, c Choice, plants int, run func(m *risk.Model) error) error {
	begun := s.opt.Now()
	if err := s.gate.enter(caller); err != nil {
		s.note(caller, operation, s.Label(nil, c), plants, true, 0)
		return err
	}
	defer s.gate.leave(caller)
	if err := s.gate.take(caller, plants); err != nil {
		s.note(caller, operation, s.Label(nil, c), plants, true, 0)
		return err
	}
	m, err := s.Resolve(c)
	if err == nil {
		err = run(m)
	}
	s.note(caller, operation, s.Label(m, c), plants, err != nil, s.opt.Now().Sub(begun))
	return err
}

// Evaluate judges one plant's inputs.
func (s *Service) Evaluate(caller string, c Choice, in *Inputs) (out *Judgement, err error) {
	err = s.Call(caller, OpEvaluate, c, 1, func(m *risk.Model) error {
		out, err = evaluate(m, in)
		return err
	})
	return out, err
}

func evaluate(m *risk.Model, in *Inputs) (*Judgement, error) {
	snap, err := in.snapshot()
	if err != nil {
		return nil, err
	}
	return resultOf(m, snap), nil
}

// Item is one of a batch.
type Item struct {
	Key    string `json:"key" maxLength:"100" doc:"the caller's own name for it"`
	Inputs Inputs `json:"inputs"`
}

// Judged is what became of an item: a result, or why there is none.
type Judged struct {
	Key    string     `json:"key"`
	Result *Judgement `json:"result,omitempty"`
	Error  string     `json:"error,omitempty"`
}

// Batch judges many plants' inputs by one model. One that is wrong does not hold up the others.
func (s *Service) Batch(caller string, c Choice, items []Item) (out []Judged, err error) {
	if len(items) > s.opt.Quota.Batch {
		return nil, &InputError{[]string{fmt.Sprintf("items: %d, at most %d in one call", len(items), s.opt.Quota.Batch)}}
	}
	err = s.Call(caller, OpBatch, c, len(items), func(m *risk.Model) error {
		out = make([]Judged, len(items))
		for i := range items {
			out[i] = judged(m, &items[i])
		}
		return nil
	})
	return out, err
}

func judged(m *risk.Model, it *Item) Judged {
	r, err := evaluate(m, &it.Inputs)
	if err != nil {
		return Judged{Key: it.Key, Error: err.Error()}
	}
	return Judged{Key: it.Key, Result: r}
}

// Stream is a call in which inputs come one after the other. It counts as one call under way; each item is taken out of the
// caller's allowance, and the whole is one line of the usage log.
type Stream struct {
	s       *Service
	caller  string
	model   *risk.Model
	choice  Choice
	plants  int
	begun   time.Time
	refused bool
}

// OpenStream begins a stream; Close ends it. Errors: QuotaError, ErrModel, risk.Problems.
func (s *Service) OpenStream(caller string, c Choice) (*Stream, error) {
	if err := s.gate.enter(caller); err != nil {
		s.note(caller, OpStream, s.Label(nil, c), 0, true, 0)
		return nil, err
	}
	m, err := s.Resolve(c)
	if err != nil {
		s.gate.leave(caller)
		s.note(caller, OpStream, s.Label(nil, c), 0, true, 0)
		return nil, err
	}
	return &Stream{s: s, caller: caller, model: m, choice: c, begun: s.opt.Now()}, nil
}

// Judge judges one item. Errors: QuotaError; what is wrong with the item is in the answer.
func (st *Stream) Judge(it *Item) (Judged, error) {
	if err := st.s.gate.take(st.caller, 1); err != nil {
		st.refused = true
		return Judged{}, err
	}
	st.plants++
	return judged(st.model, it), nil
}

// Close ends the stream and counts it.
func (st *Stream) Close() {
	st.s.gate.leave(st.caller)
	st.s.note(st.caller, OpStream, st.s.Label(st.model, st.choice), st.plants, false, st.s.opt.Now().Sub(st.begun))
	if st.refused {
		st.s.note(st.caller, OpStream, st.s.Label(st.model, st.choice), 0, true, 0)
	}
}
