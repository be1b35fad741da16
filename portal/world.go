package portal

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"
)

// world is the portal's read model: of every plant what lists and overviews show, and of every alarm and warning enough to
// count it. It is built once from the rows, and from then on follows the hub, so that an overview of a country reads
// counters (areas.go) and short lists (recent.go) and does not scan the store. Readers call sync first: an event is in the hub's channel before
// the hub says that its command was applied, so a reader who waited for a command sees it here.
type world struct {
	store *store.Store
	hub   *live.Hub
	now   func() time.Time

	mu         sync.Mutex
	events     <-chan live.Event
	stop       func()
	loaded     bool
	plants     map[string]*plantState
	collectors map[string]string // collector to plant
	alarms     map[string]alarmState
	warnings   map[string]alarmState
	hazards    map[string]alarmState
	counted    map[uint64]bool // hash of type and key: whether its life cycle is over
	origins    map[string]*originCount
	areas      map[areaKey]*area
	index      *searchIndex
	tables     *schema.InForce
	recents    map[recentKey]*recent
	floors     map[string]place                              // of noted types: what stands behind was not read
	orphans    map[string]bool                               // plants that are not known, of which something is
	kept       int                                           // length of each
	notedMost  int                                           // read of a type that grows for ever
	newestOf   func(typ, enterprise string) ([]place, error) // in the store
	metrics    int
	pruned     int64 // ms
	bulk       bool  // rows are being loaded, counters come after
}

// plantState is what is known of one plant. enterprise is nil as long as only parts of it have arrived.
type plantState struct {
	enterprise   *schema.Enterprise
	origin       string
	collectors   int
	gateways     map[string]string // state by gateway
	risk         *schema.RiskResult
	levels       []levelAt // of the last day
	dusts        []string  // categories
	alarmsOpen   int
	warningsOpen int
	hazardsOpen  int

	alarmsLevel                    [3]int // open ones, by level
	alarmsOverdue, warningsOverdue int
	alarmDays, warningDays         []dayCount // how many began, by day

	found found // by what search finds it
}

// levelAt is a level from a time on.
type levelAt struct {
	time  int64
	level string
}

// alarmState is an alarm, or a warning, as far as it is counted.
type alarmState struct {
	enterprise string
	level      int32
	time       int64 // onset, or when raised
	open       bool
	overdue    bool
}

// originCount is how many of a site's records are here.
type originCount struct {
	alarms, alarmsClosed, warnings, warningsClosed, spotChecks, answers int
}

const (
	eventsHeld  = 1 << 16 // between two looks at the hub; more, and the world is built anew
	syncEvery   = 250 * time.Millisecond
	dayMs       = int64(24 * time.Hour / time.Millisecond)
	pruneEvery  = int64(time.Minute / time.Millisecond)
	trendScan   = 50_000 // ledger entries of an origin read backwards for the trend's beginning
	chinaOffset = int64(8 * time.Hour / time.Millisecond)
)

func newWorld(st *store.Store, hub *live.Hub, now func() time.Time) (*world, error) {
	if st == nil || hub == nil {
		return nil, errors.New("portal: the backend has no store or no hub")
	}
	w := &world{store: st, hub: hub, now: now, kept: recentKept, notedMost: notedMost}
	w.newestOf = w.storedNewest
	w.events, w.stop = hub.Subscribe(eventsHeld)
	return w, nil
}

func (w *world) close() { w.stop() }

// run takes events in while nobody asks, so that they do not pile up.
func (w *world) run(ctx context.Context) {
	t := time.NewTicker(syncEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			w.mu.Lock()
			w.sync()
			w.mu.Unlock()
		}
	}
}

// view calls fn with the world as it is now.
func (w *world) view(fn func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sync()
	fn()
}

// sync takes in what the hub has. The caller holds mu.
func (w *world) sync() {
	if !w.loaded || len(w.events) == cap(w.events) {
		w.load()
	}
	for {
		select {
		case e := <-w.events:
			if e.Lost {
				w.load()
			}
			for _, r := range e.Rows {
				w.apply(r)
			}
		default:
			w.prune()
			return
		}
	}
}

// load builds the world from the rows. Events that arrive meanwhile are applied after it; they lead to the same end.
func (w *world) load() {
	for len(w.events) > 0 {
		<-w.events
	}
	w.plants, w.collectors = map[string]*plantState{}, map[string]string{}
	w.alarms, w.warnings, w.hazards = map[string]alarmState{}, map[string]alarmState{}, map[string]alarmState{}
	w.counted, w.origins = map[uint64]bool{}, map[string]*originCount{}
	w.floors, w.orphans = map[string]place{}, map[string]bool{}
	w.bulk, w.areas, w.index, w.recents, w.metrics = true, map[areaKey]*area{}, newSearchIndex(), map[recentKey]*recent{}, 0
	defer func() {
		w.bulk = false
		w.recount()
	}()
	ctx := context.Background()
	w.tables = nil
	for _, typ := range []string{"CodeTable", "Enterprise", "Collector", "GatewayState", "RiskResult", "Alarm", "Warning", "Hazard", "SpotCheck", "SpotCheckAnswer", "Metric"} {
		err := w.store.Each(ctx, store.Query{Type: typ}, func(r store.Row) (bool, error) {
			w.apply(r)
			return true, nil
		})
		if err != nil {
			return // the store is closing or broken: the next look tries again
		}
	}
	if err := w.loadNoted(ctx); err != nil {
		return
	}
	for origin := range w.origins {
		if err := w.loadTrend(ctx, origin); err != nil {
			return
		}
	}
	w.loaded = true
}

// loadTrend finds the last day's levels in an origin's ledger; rows keep only the current one.
func (w *world) loadTrend(ctx context.Context, origin string) error {
	from := w.now().UnixMilli() - dayMs
	var back []*schema.RiskResult
	_, err := ledgerBackwards(ctx, w.store, origin, trendScan, func(e *schema.Entry) (bool, error) {
		if e.GetTime() < from {
			return false, nil
		}
		if e.GetType() == "RiskResult" && !e.GetDeleted() {
			r, err := schema.Decode("RiskResult", e.GetRecord())
			if err != nil {
				return false, fmt.Errorf("stored entry: %w", err)
			}
			back = append(back, r.(*schema.RiskResult))
		}
		return true, nil
	})
	for _, r := range back {
		if p := w.plants[r.GetEnterprise()]; p != nil {
			p.levels = nil
		}
	}
	for i := len(back) - 1; i >= 0; i-- {
		w.change(back[i].GetEnterprise(), func(p *plantState) { p.judged(back[i]) })
	}
	return err
}

func (w *world) plant(code string) *plantState {
	p := w.plants[code]
	if p == nil {
		p = &plantState{gateways: map[string]string{}}
		w.plants[code] = p
	}
	return p
}

func (w *world) origin(id string) *originCount {
	o := w.origins[id]
	if o == nil {
		o = &originCount{}
		w.origins[id] = o
	}
	return o
}

// apply takes one row in; a deleted one has no record.
func (w *world) apply(row store.Row) {
	if row.Record == nil {
		w.remove(row)
		return
	}
	switch r := row.Record.(type) {
	case *schema.Enterprise:
		w.change(r.GetCode(), func(p *plantState) {
			was := regionsOf(p)
			p.enterprise, p.origin, p.dusts = r, row.Origin, categoriesOf(r)
			w.moved(r.GetCode(), p, was)
		})
		w.origin(row.Origin)
	case *schema.Collector:
		if old, ok := w.collectors[r.GetCode()]; ok {
			w.plant(old).collectors--
		}
		w.collectors[r.GetCode()] = r.GetEnterprise()
		w.plant(r.GetEnterprise()).collectors++
	case *schema.GatewayState:
		w.change(r.GetEnterprise(), func(p *plantState) { p.gateways[r.GetGateway()] = r.GetState() })
	case *schema.RiskResult:
		w.change(r.GetEnterprise(), func(p *plantState) { p.judged(r) })
	case *schema.Alarm:
		a := alarmState{r.GetEnterprise(), r.GetLevel(), r.GetOnset(), openAlarm(r.GetStage()), r.GetOverdue()}
		w.change(a.enterprise, func(p *plantState) {
			old, known := w.alarms[row.Key]
			w.alarms[row.Key] = a
			p.alarm(old, -1)
			p.alarm(a, 1)
			w.note(row.Type, row.Key, p, old, a)
			if !known {
				p.alarmDays = onDay(p.alarmDays, a.time)
			}
		})
		o := w.origin(row.Origin)
		w.tally(row, !a.open, &o.alarms, &o.alarmsClosed)
	case *schema.Warning:
		a := alarmState{r.GetEnterprise(), 0, r.GetRaised(), r.GetStage() != "closed", r.GetOverdue()}
		w.change(a.enterprise, func(p *plantState) {
			old, known := w.warnings[row.Key]
			w.warnings[row.Key] = a
			p.warning(old, -1)
			p.warning(a, 1)
			w.note(row.Type, row.Key, p, old, a)
			if !known {
				p.warningDays = onDay(p.warningDays, a.time)
			}
		})
		o := w.origin(row.Origin)
		w.tally(row, !a.open, &o.warnings, &o.warningsClosed)
	case *schema.Hazard:
		h := alarmState{r.GetEnterprise(), 0, r.GetFound(), r.GetClosed() == 0, r.GetOverdue()}
		w.change(h.enterprise, func(p *plantState) {
			old := w.hazards[row.Key]
			w.hazards[row.Key] = h
			p.hazard(old, -1)
			p.hazard(h, 1)
			w.note(row.Type, row.Key, p, old, h)
		})
	case *schema.SpotCheck:
		w.tally(row, false, &w.origin(row.Origin).spotChecks, new(int))
		w.noteNew(row)
	case *schema.Shelf, *schema.Delivery, *schema.Quarantine:
		w.noteNew(row)
	case *schema.SpotCheckAnswer:
		w.tally(row, false, &w.origin(row.Origin).answers, new(int))
	case *schema.CodeTable:
		w.tables = w.tables.With(r)
	case *schema.Metric:
		w.tally(row, false, &w.metrics, new(int))
	}
}

// alarm adds an alarm to a plant's counts, or takes it away.
func (p *plantState) alarm(a alarmState, sign int) {
	if !a.open {
		return
	}
	p.alarmsOpen += sign
	p.alarmsLevel[max(0, min(2, a.level))] += sign
	if a.overdue {
		p.alarmsOverdue += sign
	}
}

// warning does the same with a warning.
func (p *plantState) warning(a alarmState, sign int) {
	if !a.open {
		return
	}
	p.warningsOpen += sign
	if a.overdue {
		p.warningsOverdue += sign
	}
}

// hazard does the same with a major hidden danger.
func (p *plantState) hazard(h alarmState, sign int) {
	if h.open {
		p.hazardsOpen += sign
	}
}

// tally counts a record once, and once more when its life cycle ends. Keys are kept as hashes: there are millions.
func (w *world) tally(row store.Row, over bool, all, ended *int) {
	k := hashed(row)
	was, known := w.counted[k]
	if !known {
		*all++
	}
	if over && !was {
		*ended++
	}
	w.counted[k] = was || over
}

func hashed(row store.Row) uint64 {
	h := fnv.New64a()
	h.Write([]byte(row.Type + "/" + row.Key))
	return h.Sum64()
}

func (w *world) remove(row store.Row) {
	switch row.Type {
	case "Enterprise":
		if w.plants[row.Key] != nil {
			w.change(row.Key, func(p *plantState) {
				was := regionsOf(p)
				p.enterprise = nil
				w.moved(row.Key, p, was)
			})
		}
	case "Collector":
		if plant, ok := w.collectors[row.Key]; ok {
			w.plant(plant).collectors--
			delete(w.collectors, row.Key)
		}
	case "Metric":
		if _, known := w.counted[hashed(row)]; known {
			delete(w.counted, hashed(row))
			w.metrics--
		}
	}
}

// prune forgets alarms, warnings and hidden dangers that are over and older than a day: nothing shows them but their own page.
func (w *world) prune() {
	const many = 4096
	now := w.now().UnixMilli()
	if now-w.pruned < pruneEvery {
		return
	}
	w.pruned = now
	before := now - dayMs
	for _, a := range w.areas {
		a.forget(now)
	}
	for _, list := range []map[string]alarmState{w.alarms, w.warnings, w.hazards} {
		if len(list) < many {
			continue
		}
		for k, a := range list {
			if !a.open && a.time < before {
				delete(list, k)
			}
		}
	}
}

// judged takes a judgement in.
func (p *plantState) judged(r *schema.RiskResult) {
	if p.risk == nil || r.GetTime() >= p.risk.GetTime() {
		p.risk = r
	}
	before := r.GetTime() - dayMs
	if n := len(p.levels); n == 0 {
		if from := r.GetPreviousLevel(); from != "" {
			p.levels = append(p.levels, levelAt{0, from})
		}
	} else if p.levels[n-1].level == r.GetLevel() {
		return
	}
	p.levels = append(p.levels, levelAt{r.GetTime(), r.GetLevel()})
	for len(p.levels) > 1 && p.levels[1].time < before {
		p.levels = p.levels[1:]
	}
}

// level is the plant's level now; empty when it was never judged.
func (p *plantState) level() string { return p.risk.GetLevel() }

// levelWas is the plant's level at a time; empty before it was first judged.
func (p *plantState) levelWas(at int64) string {
	level := ""
	for _, l := range p.levels {
		if l.time > at {
			break
		}
		level = l.level
	}
	return level
}

// online: a plant is online as long as one of its gateways is heard (domain 2.4); a broken link to the PLC is another matter.
func (p *plantState) online() bool {
	for _, s := range p.gateways {
		if s != "offline" {
			return true
		}
	}
	return false
}

func openAlarm(stage string) bool { return stage != "closed" && stage != "false_alarm" }

// regionOf is a plant's region; false when the plant is not known.
func (w *world) regionOf(code string) (region string, ok bool) {
	w.view(func() {
		if p := w.plants[code]; p != nil && p.enterprise != nil {
			region, ok = p.enterprise.GetRegion(), true
		}
	})
	return region, ok
}

// nameOf is a plant's name; empty when the plant is not known.
func (w *world) nameOf(code string) (name string) {
	w.view(func() {
		if p := w.plants[code]; p != nil {
			name = p.enterprise.GetName()
		}
	})
	return name
}
