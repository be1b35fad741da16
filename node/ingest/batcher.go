package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"dusthub/schema"
	"dusthub/schema/frame"

	"github.com/prometheus/client_golang/prometheus"
)

// Proposer brings a command before raft and waits until it is applied; replica and node are proposers. A result with
// violations is a refusal, an error means that it is not known to be committed.
type Proposer interface {
	Propose(ctx context.Context, cmd *schema.Command) (*schema.Result, error)
}

// ErrUnavailable says that a reading could not be committed: no leader, or the site is stopping. It is to be sent again.
var ErrUnavailable = errors.New("ingest: not committed")

const (
	lingerFor      = 5 * time.Millisecond // how long a frame waits for company
	framesInFlight = 2
	queueLength    = 256              // submissions that wait
	proposeTimeout = 10 * time.Second // raft that does not commit within it has no leader
	actorSite      = "site"
)

// Batcher makes frames of what all doors submit within 5 ms, and proposes them, at most two at a time.
type Batcher struct {
	proposer Proposer
	queue    chan *submission
	slots    chan struct{}
	stopped  chan struct{}
	m        batcherMetrics
}

type submission struct {
	samples []frame.Sample
	done    chan committed // holds one
}

// committed is what became of a frame; alone says that it held one submission only.
type committed struct {
	result *schema.Result
	err    error
	alone  bool
}

type batcherMetrics struct {
	depth   prometheus.GaugeFunc
	frames  prometheus.Counter
	samples prometheus.Counter
	seconds prometheus.Histogram
	failed  prometheus.Counter
}

// NewBatcher makes a batcher; Run makes it work.
func NewBatcher(p Proposer, reg prometheus.Registerer) *Batcher {
	b := &Batcher{proposer: p, queue: make(chan *submission, queueLength), slots: make(chan struct{}, framesInFlight), stopped: make(chan struct{})}
	b.m = batcherMetrics{
		depth:   prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "dusthub_ingest_queue_depth", Help: "Submissions waiting for a frame."}, func() float64 { return float64(len(b.queue)) }),
		frames:  prometheus.NewCounter(prometheus.CounterOpts{Name: "dusthub_ingest_frames_total", Help: "Frames committed."}),
		samples: prometheus.NewCounter(prometheus.CounterOpts{Name: "dusthub_ingest_samples_total", Help: "Samples in committed frames."}),
		failed:  prometheus.NewCounter(prometheus.CounterOpts{Name: "dusthub_ingest_frames_failed_total", Help: "Frames that could not be committed."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "dusthub_ingest_commit_seconds", Help: "From proposing a frame to its commit.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)}),
	}
	if reg != nil {
		reg.MustRegister(b.m.depth, b.m.frames, b.m.samples, b.m.failed, b.m.seconds)
	}
	return b
}

// Submit waits until samples are committed, and says whether the result is theirs alone. samples is sorted in place
// and may be used again after it. Errors: ErrUnavailable, the context's. Whoever gives up waiting does not know what became of them.
func (b *Batcher) Submit(ctx context.Context, samples []frame.Sample) (*schema.Result, bool, error) {
	total := &schema.Result{}
	alone := true
	for len(samples) > 0 {
		n := min(len(samples), frame.MaxSamples)
		c, err := b.submit(ctx, append([]frame.Sample(nil), samples[:n]...))
		if err != nil {
			return nil, false, err
		}
		samples = samples[n:]
		alone = alone && c.alone
		total.Stored += c.result.GetStored()
		total.Duplicates += c.result.GetDuplicates()
		total.Conflicts += c.result.GetConflicts()
		total.Violations = append(total.Violations, c.result.GetViolations()...)
	}
	return total, alone, nil
}

func (b *Batcher) submit(ctx context.Context, samples []frame.Sample) (committed, error) {
	s := &submission{samples: samples, done: make(chan committed, 1)}
	select {
	case b.queue <- s:
	case <-b.stopped:
		return committed{}, ErrUnavailable
	case <-ctx.Done():
		return committed{}, fmt.Errorf("wait for the queue: %w", ctx.Err())
	}
	select {
	case c := <-s.done:
		return c, c.err
	case <-b.stopped:
		select { // it may have been committed just before
		case c := <-s.done:
			return c, c.err
		default:
			return committed{}, ErrUnavailable
		}
	case <-ctx.Done():
		return committed{}, fmt.Errorf("wait for the commit: %w", ctx.Err())
	}
}

// Run makes and proposes frames until ctx ends; frames under way are waited for.
func (b *Batcher) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer close(b.stopped)
	defer group.Wait()
	g := gathering{timer: time.NewTimer(time.Hour)}
	defer g.timer.Stop()
	for {
		in, out := b.queue, b.slots
		if g.next != nil || g.count >= frame.MaxSamples {
			in = nil // full: the queue fills up, and then the doors wait
		}
		if !g.due {
			out = nil
		}
		select {
		case <-ctx.Done():
			g.fail()
			return nil
		case s := <-in:
			g.add(s)
		case <-g.timer.C:
			g.due = g.count > 0
		case out <- struct{}{}:
			subs, count := g.take()
			group.Go(func() {
				defer func() { <-b.slots }()
				b.propose(context.WithoutCancel(ctx), subs, count)
			})
		}
	}
}

// gathering is the frame that is being filled.
type gathering struct {
	subs  []*submission
	count int
	next  *submission // did not fit; begins the next frame
	due   bool        // it is to go as soon as there is a slot
	timer *time.Timer
}

func (g *gathering) add(s *submission) {
	if g.count+len(s.samples) > frame.MaxSamples {
		g.next, g.due = s, true
		return
	}
	if g.count == 0 {
		g.timer.Reset(lingerFor)
	}
	g.subs = append(g.subs, s)
	if g.count += len(s.samples); g.count == frame.MaxSamples {
		g.due = true
	}
}

func (g *gathering) take() ([]*submission, int) {
	subs, count, next := g.subs, g.count, g.next
	g.subs, g.count, g.next, g.due = nil, 0, nil, false
	if next != nil {
		g.add(next)
	}
	return subs, count
}

func (g *gathering) fail() {
	if g.next != nil {
		g.subs = append(g.subs, g.next)
	}
	for _, s := range g.subs {
		s.done <- committed{err: ErrUnavailable}
	}
}

func (b *Batcher) propose(ctx context.Context, subs []*submission, count int) {
	samples := subs[0].samples
	if len(subs) > 1 {
		samples = make([]frame.Sample, 0, count)
		for _, s := range subs {
			samples = append(samples, s.samples...)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	start := time.Now()
	cmd := &schema.Command{Actor: actorSite, Body: &schema.Command_Frame{Frame: frame.Append(nil, samples)}}
	c := committed{alone: len(subs) == 1}
	var err error
	if c.result, err = b.proposer.Propose(ctx, cmd); err != nil {
		b.m.failed.Inc()
		c.err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	} else {
		b.m.frames.Inc()
		b.m.samples.Add(float64(count))
		b.m.seconds.Observe(time.Since(start).Seconds())
	}
	for _, s := range subs {
		s.done <- c
	}
}
