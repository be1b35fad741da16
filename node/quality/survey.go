package quality

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"
)

// Site is what a survey needs of its node.
type Site interface {
	Propose(ctx context.Context, cmd *schema.Command) (*schema.Result, error)
	Store() *store.Store
	Hub() *live.Hub
	IsLeader() bool
}

// Options of a survey. Site is needed.
type Options struct {
	Site          Site
	SampleEvery   time.Duration // how often the leader writes how regions stand; 0: 1 h
	ReadingsEvery time.Duration // how often it judges the readings of the day; 0: 6 h
	Logger        *slog.Logger
	Now           func() time.Time // nil: the system's clock
}

// Survey keeps a Keeper up and, on the leader, writes RegionDay and SensingDay records.
type Survey struct {
	opt    Options
	log    *slog.Logger
	keeper *Keeper
}

const (
	actor      = "site"
	putWithin  = 10 * time.Second
	atOnce     = 16 // records of one command
	checkEvery = 5 * time.Second
	countryID  = "00"
)

// New makes a survey.
func New(opt Options) *Survey {
	if opt.SampleEvery <= 0 {
		opt.SampleEvery = time.Hour
	}
	if opt.ReadingsEvery <= 0 {
		opt.ReadingsEvery = 6 * time.Hour
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Survey{opt: opt, log: opt.Logger, keeper: NewKeeper(opt.Site.Store(), opt.Site.Hub(), opt.Now)}
}

// Keeper is what was found in base data, on this replica.
func (s *Survey) Keeper() *Keeper { return s.keeper }

// Run works until ctx ends.
func (s *Survey) Run(ctx context.Context) error {
	defer s.keeper.Close()
	var both sync.WaitGroup
	defer both.Wait()
	both.Go(func() {
		every(ctx, lookEvery, func() error { return s.keeper.Sync(ctx) }, func(err error) { s.log.Warn("base data were not judged", "err", err) })
	})
	every(ctx, min(checkEvery, s.opt.SampleEvery), func() error { return s.Turn(ctx) }, func(err error) { s.log.Warn("regions were not surveyed", "err", err) })
	return nil
}

// every calls fn again and again until ctx ends, and tells what went wrong.
func every(ctx context.Context, pause time.Duration, fn func() error, failed func(error)) {
	t := time.NewTicker(pause)
	defer t.Stop()
	for {
		if err := fn(); err != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// errNotLeading ends what only the leader does.
var errNotLeading = errors.New("this replica does not lead")

// Turn does what is due, on the leader.
func (s *Survey) Turn(ctx context.Context) error {
	if !s.opt.Site.IsLeader() {
		return nil
	}
	now := s.opt.Now().UnixMilli()
	if err := s.sample(ctx, now); err != nil {
		return err
	}
	return s.readings(ctx, now)
}

// dayID names the record of an area ("00", or a province) on a day.
func dayID(area string, start int64) string { return area + "/" + dayName(start) }

// areaOf is the record a region's row stands in: the country and the provinces' sums in "00", their parts in theirs.
func areaOf(prefix string) string {
	if len(prefix) < provinceDigits {
		return countryID
	}
	return prefix[:provinceDigits]
}

// areasOf are the areas that the records of some regions are of.
func areasOf(prefixes []string) []string {
	areas := []string{countryID}
	for _, prefix := range prefixes {
		if len(prefix) == provinceDigits {
			areas = append(areas, prefix)
		}
	}
	return areas
}

// day reads an area's record of a day; an empty one when there is none.
func (s *Survey) day(area string, start int64) (*schema.RegionDay, error) {
	row, ok, err := s.opt.Site.Store().Get("RegionDay", dayID(area, start))
	if err != nil {
		return nil, fmt.Errorf("read day: %w", err)
	}
	if ok {
		return row.Record.(*schema.RegionDay), nil
	}
	return &schema.RegionDay{Id: dayID(area, start), Day: start}, nil
}

// sample adds how every region stands to today's records.
func (s *Survey) sample(ctx context.Context, now int64) error {
	start, every := DayStart(now), s.opt.SampleEvery.Milliseconds()
	today, err := s.day(countryID, start)
	if err != nil || today.GetSampled() != 0 && now/every == today.GetSampled()/every {
		return err
	}
	all := s.keeper.all()
	if all == nil {
		return nil // not every plant was judged yet
	}
	prefixes := sortedKeys(all)
	if err := s.revise(ctx, start, prefixes, func(d *schema.RegionDay) { d.Samples++; d.Sampled = now }, func(row *schema.RegionFigures) { addSample(row, all[row.GetRegion()]) }); err != nil {
		return err
	}
	return s.forget(ctx, now, areasOf(prefixes))
}

// revise changes a day's records, and in them the rows of some regions. The country's record is written last: it says that all is done.
func (s *Survey) revise(ctx context.Context, start int64, prefixes []string, whole func(*schema.RegionDay), row func(*schema.RegionFigures)) error {
	areas := map[string][]string{}
	for _, prefix := range prefixes {
		areas[areaOf(prefix)] = append(areas[areaOf(prefix)], prefix)
		if len(prefix) == provinceDigits {
			areas[countryID] = append(areas[countryID], prefix)
		}
	}
	var records []schema.Record
	for _, area := range slices.Backward(sortedKeys(areas)) {
		d, err := s.day(area, start)
		if err != nil {
			return err
		}
		whole(d)
		for _, prefix := range areas[area] {
			row(rowOf(d, prefix))
		}
		records = append(records, d)
	}
	return s.put(ctx, records)
}

// addSample adds a standing to a region's row.
func addSample(row *schema.RegionFigures, now *schema.Standing) {
	row.Last = now
	row.PlantsConnectedSum += int64(now.GetPlantsConnected())
	row.PlantsOnlineSum += int64(now.GetPlantsOnline())
	row.SystemsConnectedSum += int64(now.GetSystemsConnected())
	row.SystemsOnlineSum += int64(now.GetSystemsOnline())
}

// rowOf is a region's row of a day; a new one when it has none.
func rowOf(d *schema.RegionDay, prefix string) *schema.RegionFigures {
	for _, r := range d.GetRows() {
		if r.GetRegion() == prefix {
			return r
		}
	}
	r := &schema.RegionFigures{Region: prefix}
	d.Rows = append(d.Rows, r)
	return r
}

// all is how every region with plants stands; nil as long as not every plant was judged.
func (k *Keeper) all() map[string]*schema.Standing {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.done {
		return nil
	}
	out := map[string]*schema.Standing{}
	for r, s := range k.sums {
		if s.s.GetPlants() > 0 {
			out[r] = &schema.Standing{}
			add(out[r], &s.s, 1)
		}
	}
	return out
}

// readings judges the readings of yesterday, once they are all there, and then those of today so far.
func (s *Survey) readings(ctx context.Context, now int64) error {
	today, end := DayStart(now), now-settle
	for _, start := range []int64{today - dayMs, today} {
		to := min(start+dayMs, end)
		d, err := s.day(countryID, start)
		if err != nil {
			return err
		}
		if d.GetSamples() == 0 || to-start < least {
			continue // nothing was known on that day
		}
		judged := rowOf(d, "").GetSensing().GetEnd()
		whole := to == start+dayMs
		if judged >= to || !whole && now-judged < s.opt.ReadingsEvery.Milliseconds() {
			continue
		}
		if err := s.judgeDay(ctx, start, to); err != nil {
			return err
		}
	}
	return nil
}

// judgeDay judges the readings of a day up to a time, and writes what was found.
func (s *Survey) judgeDay(ctx context.Context, start, to int64) error {
	began := time.Now()
	p := &pass{store: s.opt.Site.Store(), from: start, to: to}
	var held []schema.Record
	p.finished = func(d *schema.SensingDay) error {
		if held = append(held, d); len(held) < atOnce {
			return nil
		}
		list := held
		held = nil
		return s.put(ctx, list)
	}
	sums, err := p.run(ctx, s.keeper)
	if err == nil {
		err = s.put(ctx, held)
	}
	if err != nil {
		return err
	}
	if sums[""] == nil { // nothing to judge; that it was looked at is kept all the same
		sums[""] = &schema.Sensing{From: start, End: to}
	}
	s.log.Info("readings judged", "day", dayName(start), "series", sums[""].GetSeries(), "took", time.Since(began).Round(time.Millisecond))
	return s.revise(ctx, start, sortedKeys(sums), func(*schema.RegionDay) {}, func(row *schema.RegionFigures) { row.Sensing = sums[row.GetRegion()] })
}

// put writes records of the site's own.
func (s *Survey) put(ctx context.Context, records []schema.Record) error {
	changes, err := schema.Changes(records...)
	if err != nil {
		return err
	}
	return s.change(ctx, changes)
}

// change has changes made, a few in one command, while this replica leads.
func (s *Survey) change(ctx context.Context, changes []*schema.Change) error {
	for part := range slices.Chunk(changes, atOnce) {
		if !s.opt.Site.IsLeader() {
			return errNotLeading
		}
		within, cancel := context.WithTimeout(ctx, putWithin)
		res, err := s.opt.Site.Propose(within, &schema.Command{Actor: actor, Body: &schema.Command_Put{Put: &schema.Put{Changes: part}}})
		cancel()
		if err != nil {
			return err
		}
		if schema.Refuses(res.GetViolations()) {
			return fmt.Errorf("%s refused: %v", part[0].GetType(), res.GetViolations())
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// DayFigures is how a region stood on a day.
type DayFigures struct {
	Day     int64 // ms, its beginning
	Samples int
	Row     *schema.RegionFigures
}

// Days reads how a region (0, 2, 4 or 6 digits) stood on each day of [from, to) that was sampled, oldest first.
func Days(ctx context.Context, st *store.Store, prefix string, from, to int64) ([]DayFigures, error) {
	var out []DayFigures
	err := st.Each(ctx, store.Query{Type: "RegionDay", Prefix: []string{areaOf(prefix) + "/"}, Desc: true}, func(r store.Row) (bool, error) {
		d := r.Record.(*schema.RegionDay)
		if d.GetDay() < from {
			return false, nil
		}
		for _, row := range d.GetRows() {
			if d.GetDay() < to && row.GetRegion() == prefix {
				out = append(out, DayFigures{d.GetDay(), int(d.GetSamples()), row})
			}
		}
		return true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read days: %w", err)
	}
	slices.Reverse(out)
	return out, nil
}

// PartsOn reads how each part of a region stood at the last sample of a day (ms, its beginning): of the country its provinces, and so on.
func PartsOn(st *store.Store, prefix string, day int64) (map[string]*schema.Standing, error) {
	out := map[string]*schema.Standing{}
	row, ok, err := st.Get("RegionDay", dayID(areaOf(prefix), DayStart(day)))
	if err != nil {
		return nil, fmt.Errorf("read day: %w", err)
	}
	if !ok {
		return out, nil
	}
	for _, r := range row.Record.(*schema.RegionDay).GetRows() {
		if len(r.GetRegion()) == len(prefix)+provinceDigits && strings.HasPrefix(r.GetRegion(), prefix) {
			out[r.GetRegion()] = r.GetLast()
		}
	}
	return out, nil
}
