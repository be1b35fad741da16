package ingest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"dusthub/crypto/keys"
	"dusthub/crypto/sm"
	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"
)

// Options of an Intake. Zero values mean the defaults named.
type Options struct {
	Store      *store.Store
	Hub        *live.Hub
	Proposer   Proposer
	Keys       keys.Provider // opens the keys of the SM4 door; nil: that door is shut
	Mapping    *Mapping      // fields of the SM4 door's reports; DefaultMapping
	LateWindow time.Duration // older readings are refused, 7 d
	LiveWithin time.Duration // older readings are back-fill, 10 min
	Rate       float64       // readings a second of one gateway on average, 10,000; it may save up a minute's worth
	MaxBody    int64         // bytes of a request, 1 MB
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil: metrics are kept but not shown
	Now        func() time.Time      // time.Now
}

// Intake is what the doors share. Make it with New and let it Run.
type Intake struct {
	opt       Options
	directory *Directory
	batcher   *Batcher
	rate      *limiter // readings, by gateway
	failures  *limiter // wrong secrets, by address and name
	refusals  *limiter // quarantine records, by gateway
	heard     *limiter // heartbeats, by gateway
	changes   *limiter // lost and found sources, by gateway
	readings  *prometheus.CounterVec
	denied    *prometheus.CounterVec
	dropped   prometheus.Counter
}

// Limits of what one gateway may cause.
const (
	defaultRate      = 10000
	rateSavedSeconds = 60
	defaultMaxBody   = 1 << 20
	failuresBurst    = 5
	failuresRate     = 0.2
	refusalsBurst    = 10
	refusalsRate     = 0.2
	heardEvery       = 10 * time.Second
	changesBurst     = 3
	excerptBytes     = 4096
	violationsKept   = 100 // of one request in quarantine
)

// Errors a caller decides on.
var (
	// ErrCredential says that a gateway is unknown, disabled, or its secret is wrong; which of them is not told.
	ErrCredential = errors.New("ingest: wrong gateway or secret")
)

// RateError says that a gateway sends too much, or tried wrong secrets too often.
type RateError struct {
	Wait time.Duration // until it may try again
}

func (e *RateError) Error() string {
	return fmt.Sprintf("ingest: too much, wait %s", e.Wait.Round(time.Millisecond))
}

// New makes the intake of a site.
func New(opt Options) (*Intake, error) {
	if opt.Store == nil || opt.Hub == nil || opt.Proposer == nil {
		return nil, errors.New("ingest: store, hub and proposer are needed")
	}
	if err := opt.fill(); err != nil {
		return nil, err
	}
	in := &Intake{
		opt: opt, directory: NewDirectory(opt.Store, opt.Hub), batcher: NewBatcher(opt.Proposer, opt.Registerer),
		rate:     newLimiter(opt.Rate, opt.Rate*rateSavedSeconds, opt.Now),
		failures: newLimiter(failuresRate, failuresBurst, opt.Now),
		refusals: newLimiter(refusalsRate, refusalsBurst, opt.Now),
		heard:    newLimiter(1/heardEvery.Seconds(), 1, opt.Now),
		changes:  newLimiter(1, changesBurst, opt.Now),
		readings: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dusthub_ingest_readings_total", Help: "Readings by door: stored (duplicates among them) or refused."}, []string{"door", "outcome"}),
		denied:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dusthub_ingest_denied_total", Help: "Requests denied by door: credential or rate."}, []string{"door", "reason"}),
		dropped:  prometheus.NewCounter(prometheus.CounterOpts{Name: "dusthub_ingest_quarantine_dropped_total", Help: "Refusals told to the sender but not kept in quarantine, for their number."}),
	}
	if opt.Registerer != nil {
		opt.Registerer.MustRegister(in.readings, in.denied, in.dropped)
	}
	return in, nil
}

func (o *Options) fill() error {
	if o.Mapping == nil {
		o.Mapping = DefaultMapping()
	}
	if err := o.Mapping.check(); err != nil {
		return err
	}
	if o.LateWindow == 0 {
		o.LateWindow = 7 * 24 * time.Hour
	}
	if o.LiveWithin == 0 {
		o.LiveWithin = 10 * time.Minute
	}
	if o.Rate == 0 {
		o.Rate = defaultRate
	}
	if o.MaxBody == 0 {
		o.MaxBody = defaultMaxBody
	}
	if o.LateWindow < 0 || o.LiveWithin < 0 || o.Rate < 0 || o.MaxBody < 0 {
		return errors.New("ingest: late window, live window, rate and body limit must be positive")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

// Run batches and follows changes of base data until ctx ends.
func (in *Intake) Run(ctx context.Context) error {
	watched := make(chan error, 1)
	go func() { watched <- in.directory.Run(ctx) }()
	return errors.Join(in.batcher.Run(ctx), <-watched)
}

// Authenticate checks a gateway's secret; from is where the attempt comes from. Errors: ErrCredential, *RateError.
func (in *Intake) Authenticate(ctx context.Context, door, from, gateway, secret string) (*Gateway, error) {
	g, ok, err := in.directory.Gateway(ctx, gateway)
	if err != nil {
		return nil, err
	}
	var want []byte
	if ok && !g.Record.GetDisabled() {
		want = g.Credential.GetSecretSm3()
	}
	return g, in.prove(door, from+"/"+gateway, want, secret)
}

// prove compares a secret with the digest it must have, in constant time. Whoever was wrong too often is not heard for a while,
// right or wrong.
func (in *Intake) prove(door, who string, digest []byte, secret string) error {
	if wait := in.failures.wait(who, 1); wait > 0 {
		in.denied.WithLabelValues(door, "rate").Inc()
		return &RateError{wait}
	}
	got := sm.SM3([]byte(secret))
	if len(digest) == len(got) && sm.Equal(digest, got[:]) {
		return nil
	}
	in.denied.WithLabelValues(door, "credential").Inc()
	in.failures.take(who, 1)
	return ErrCredential
}

// Take judges a batch, commits what is good in it, and keeps what is not in quarantine. When it returns without an
// error every reading is either committed or refused. Errors: ErrUnavailable, *RateError, ErrCredential (no such gateway), the context's.
func (in *Intake) Take(ctx context.Context, b *Batch) (Outcome, error) {
	g, ok, err := in.directory.Gateway(ctx, b.Gateway)
	if err != nil {
		return Outcome{}, err
	}
	if !ok || g.Record.GetDisabled() {
		return Outcome{}, ErrCredential
	}
	if err = in.admit(ctx, b); err != nil {
		return Outcome{}, err
	}
	samples, out, err := in.judge(g, b)
	if err != nil {
		return Outcome{}, err
	}
	if err = in.commit(ctx, samples, &out); err != nil {
		return Outcome{}, err
	}
	in.readings.WithLabelValues(b.Door, "stored").Add(float64(out.Stored + out.Duplicates))
	in.readings.WithLabelValues(b.Door, "refused").Add(float64(out.BadCount))
	in.quarantine(ctx, b, out)
	return out, in.hear(ctx, b, len(samples))
}

// admit holds a gateway to its rate.
func (in *Intake) admit(ctx context.Context, b *Batch) error {
	n := float64(max(1, len(b.Readings)+b.BadCount))
	for {
		wait := in.rate.take(b.Gateway, n)
		if wait == 0 {
			return nil
		}
		if !b.Patient {
			in.denied.WithLabelValues(b.Door, "rate").Inc()
			return &RateError{wait}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("wait for the gateway's rate: %w", ctx.Err())
		case <-timer.C:
		}
	}
}

// judge sorts good readings from bad.
func (in *Intake) judge(g *Gateway, b *Batch) ([]frame.Sample, Outcome, error) {
	j := judge{now: in.opt.Now().UnixMilli(), live: in.opt.LiveWithin.Milliseconds(), late: in.opt.LateWindow.Milliseconds()}
	out := Outcome{Refused: b.Bad, BadCount: b.BadCount}
	samples := make([]frame.Sample, 0, len(b.Readings))
	for _, r := range b.Readings {
		before := len(out.Refused)
		m, err := in.metric(g, b, r, &out.Refused)
		if err != nil {
			return nil, out, err
		}
		out.Refused = j.reading(b.Where, r, out.Refused)
		if len(out.Refused) > before {
			out.BadCount++
			continue
		}
		samples = append(samples, frame.Sample{Series: m.Series, Time: r.Time, Value: r.Value, Quality: j.quality(r, m, b.Backfill)})
	}
	return samples, out, nil
}

// metric finds a reading's metric among the gateway's, or says why it may not send it.
func (in *Intake) metric(g *Gateway, b *Batch, r Reading, bad *[]*schema.Violation) (*Metric, error) {
	m, ok := g.Metrics[r.Metric]
	if !ok { // another's, or younger than what the directory holds
		var err error
		if m, ok, err = in.directory.Metric(r.Metric); err != nil {
			return nil, err
		}
	}
	switch {
	case !ok:
		*bad = append(*bad, violation(b.Where, r.At, "metric", ruleUnknown, r.Metric, "code of a metric of this gateway"))
	case m.Gateway != b.Gateway:
		*bad = append(*bad, violation(b.Where, r.At, "metric", ruleOwner, r.Metric, "a metric of this gateway, not another's"))
	case m.Disabled:
		*bad = append(*bad, violation(b.Where, r.At, "metric", ruleDisabled, r.Metric, "a metric in use"))
	}
	return m, nil
}

func (in *Intake) commit(ctx context.Context, samples []frame.Sample, out *Outcome) error {
	if len(samples) == 0 {
		return nil
	}
	r, alone, err := in.batcher.Submit(ctx, samples)
	switch {
	case err != nil:
		return err
	case schema.Refuses(r.GetViolations()):
		out.Refused = append(out.Refused, r.GetViolations()...)
		out.BadCount += len(samples)
	case alone:
		out.Stored, out.Duplicates, out.Conflicts = int(r.GetStored()), int(r.GetDuplicates()), int(r.GetConflicts())
	default:
		out.Stored = len(samples)
	}
	return nil
}

// quarantine keeps what was refused, with an excerpt of the request. The sender has the reasons in any case.
func (in *Intake) quarantine(ctx context.Context, b *Batch, out Outcome) {
	if len(out.Refused) == 0 {
		return
	}
	if in.refusals.take(b.Gateway, 1) > 0 {
		in.dropped.Inc()
		return
	}
	now := in.opt.Now().UnixMilli()
	q := &schema.Quarantine{
		Id: quarantineID(in.opt.Store.Site(), now), Source: b.Gateway, Door: b.Door, Time: now, Count: uint32(max(1, out.BadCount)),
		Violations: out.Refused[:min(len(out.Refused), violationsKept)], Content: b.Content[:min(len(b.Content), excerptBytes)],
	}
	cmd := &schema.Command{Actor: b.Gateway, Body: &schema.Command_Refused{Refused: &schema.Refused{Quarantine: proto.CloneOf(q)}}}
	r, err := in.propose(ctx, cmd)
	if err == nil && schema.Refuses(r.GetViolations()) {
		err = fmt.Errorf("refused: %v", r.GetViolations())
	}
	if err != nil {
		in.dropped.Inc()
		in.opt.Logger.Warn("refused readings are not in quarantine", "gateway", b.Gateway, "door", b.Door, "readings", out.BadCount, "err", err)
	}
}

func quarantineID(site string, now int64) string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails: it ends the program instead
	return fmt.Sprintf("Q-%s-%013d-%s", site, now, hex.EncodeToString(random[:]))
}

// hear tells the site that a gateway spoke, when no reading says so: a heartbeat, or its link to the PLC changed.
func (in *Intake) hear(ctx context.Context, b *Batch, stored int) error {
	if stored > 0 {
		return nil
	}
	row, ok, err := in.opt.Store.Get("GatewayState", b.Gateway)
	if err != nil {
		return fmt.Errorf("look up state of %s: %w", b.Gateway, err)
	}
	state, _ := row.Record.(*schema.GatewayState)
	limit := in.heard
	if b.SourceLost != (ok && state.GetState() == "source_lost") {
		limit = in.changes
	}
	if limit.take(b.Gateway, 1) > 0 {
		return nil
	}
	_, err = in.propose(ctx, &schema.Command{Actor: b.Gateway, Body: &schema.Command_Heard{Heard: &schema.Heard{Gateway: b.Gateway, SourceLost: b.SourceLost}}})
	return err
}

func (in *Intake) propose(ctx context.Context, cmd *schema.Command) (*schema.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	r, err := in.opt.Proposer.Propose(ctx, cmd)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return r, nil
}

// toValid makes text valid UTF-8, as protobuf strings must be.
func toValid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
