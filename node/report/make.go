package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"dusthub/node/quality"
	"dusthub/node/store"
	"dusthub/schema"

	"github.com/robfig/cron/v3"
	"google.golang.org/protobuf/proto"
)

// Site is what making reports needs of its node.
type Site interface {
	Propose(ctx context.Context, cmd *schema.Command) (*schema.Result, error)
	Store() *store.Store
	Leader() (id string, self bool)
}

// Options of a Maker. Site is needed.
type Options struct {
	Site     Site
	SiteName string
	Region   string                              // of the site; empty: the whole country
	Rules    func(prefix string) []quality.Count // what is found in base data now; nil: nothing is said of it
	Back     int                                 // so many periods of each kind are made up for after the site was down; 0: 7
	Logger   *slog.Logger
	Now      func() time.Time // nil: the system's clock
}

// Maker makes reports.
type Maker struct {
	opt Options
	log *slog.Logger
}

const (
	actorSite    = "site"
	putWithin    = 10 * time.Second
	collectMost  = 10 * time.Minute
	defaultBack  = 7
	catchUpEvery = "@every 10m"
)

// schedule is when each kind is made: after the day's readings were judged.
var schedule = map[Kind]string{Daily: "0 2 * * *", Weekly: "20 2 * * 1", Monthly: "40 2 1 * *"}

// dueAfter is how long after its end a period's report is made at the earliest, so that the schedule and what makes up for it agree.
const dueAfter = 2 * time.Hour

// NewMaker makes a maker.
func NewMaker(opt Options) *Maker {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Back <= 0 {
		opt.Back = defaultBack
	}
	return &Maker{opt: opt, log: opt.Logger}
}

// Run makes the reports of the site's own region, whenever this replica leads, until ctx ends.
func (m *Maker) Run(ctx context.Context) error {
	jobs := cron.New(cron.WithLocation(Beijing), cron.WithChain(cron.SkipIfStillRunning(cron.DiscardLogger)))
	job := func() { m.turn(ctx) }
	for _, at := range []string{schedule[Daily], schedule[Weekly], schedule[Monthly], catchUpEvery} {
		if _, err := jobs.AddFunc(at, job); err != nil {
			return fmt.Errorf("schedule reports %s: %w", at, err)
		}
	}
	jobs.Start()
	<-ctx.Done()
	<-jobs.Stop().Done()
	return nil
}

func (m *Maker) turn(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, collectMost)
	defer cancel()
	if err := m.Due(ctx); err != nil && ctx.Err() == nil {
		m.log.Warn("reports were not made", "err", err)
	}
}

// Due makes every report that is due and not there, oldest first; nothing on a replica that does not lead. A period the site took no sample in is
// left out: it did not run, and has nothing to say.
func (m *Maker) Due(ctx context.Context) error {
	if _, self := m.opt.Site.Leader(); !self {
		return nil
	}
	now := m.opt.Now()
	for _, k := range Kinds {
		p := PeriodOf(k, now)
		var due []Period
		for range m.opt.Back {
			p = p.Before()
			due = append([]Period{p}, due...)
		}
		for _, p := range due {
			if now.Before(p.Until.Add(dueAfter)) {
				continue
			}
			if err := m.missing(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// missing makes a report of the site's own region that is not there.
func (m *Maker) missing(ctx context.Context, p Period) error {
	if _, ok, err := m.opt.Site.Store().Get("Report", p.ID(m.opt.Region)); ok || err != nil {
		return err
	}
	days, err := quality.Days(ctx, m.opt.Site.Store(), Prefix(m.opt.Region), p.From.UnixMilli(), p.Until.UnixMilli())
	if err != nil || len(days) == 0 {
		return err
	}
	r, err := m.Make(ctx, p, m.opt.Region, actorSite)
	if err == nil {
		m.log.Info("report made", "id", r.GetId())
	}
	return err
}

// ErrNotOver says that a report's period is not over.
var ErrNotOver = errors.New("the period is not over")

// Make makes the report of a region for a period, or returns the one that is there. Errors: ErrNotOver, and those of the site.
func (m *Maker) Make(ctx context.Context, p Period, region, actor string) (*schema.Report, error) {
	now := m.opt.Now()
	if !p.Over(now) {
		return nil, ErrNotOver
	}
	if r, err := m.existing(p.ID(region)); r != nil || err != nil {
		return r, err
	}
	var rules []quality.Count
	if m.opt.Rules != nil {
		rules = m.opt.Rules(Prefix(region))
	}
	f, err := Collect(ctx, m.opt.Site.Store(), p, region, rules)
	if err != nil {
		return nil, err
	}
	f.SiteName = m.opt.SiteName
	raw, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encode figures: %w", err)
	}
	r := &schema.Report{
		Id: p.ID(region), Kind: string(p.Kind), Region: region, From: p.From.UnixMilli(), Until: p.Until.UnixMilli(), Made: now.UnixMilli(), Actor: actor, Figures: raw,
	}
	return r, m.put(ctx, r)
}

func (m *Maker) existing(id string) (*schema.Report, error) {
	row, ok, err := m.opt.Site.Store().Get("Report", id)
	if err != nil || !ok {
		return nil, err
	}
	return row.Record.(*schema.Report), nil
}

// put writes a report, once. Who was told that somebody else did meanwhile finds that one with Get.
func (m *Maker) put(ctx context.Context, r *schema.Report) error {
	raw, err := schema.Marshal(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, putWithin)
	defer cancel()
	put := &schema.Put{Changes: []*schema.Change{{Type: "Report", Record: raw, Create: true}}}
	res, err := m.opt.Site.Propose(ctx, &schema.Command{Actor: actorSite, Body: &schema.Command_Put{Put: put}})
	if err != nil {
		return fmt.Errorf("keep report: %w", err)
	}
	if !schema.Refuses(res.GetViolations()) {
		return nil
	}
	if there, err := m.existing(r.GetId()); err == nil && there != nil {
		r.Reset()
		proto.Merge(r, there)
		return nil
	}
	return fmt.Errorf("report %s refused: %v", r.GetId(), res.GetViolations())
}
