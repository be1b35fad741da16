package quality

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"
)

const (
	provinceDigits = 2
	cityDigits     = 4
	countyDigits   = 6
	eventsHeld     = 1 << 14
	restEvery      = 8 // counties, or plants, looked at before others get their turn
	restFor        = 5 * time.Millisecond
	lookEvery      = time.Second
)

// Keeper holds what was found in every plant, and adds it up by region. Sync keeps it up; a Survey calls it.
type Keeper struct {
	store *store.Store
	hub   *live.Hub
	now   func() time.Time

	work  sync.Mutex // one judges at a time
	mu    sync.Mutex // over what follows
	state map[string]*entry
	order []place           // plants by region and code
	found map[uint8][]place // the same, of those that a rule finds wanting
	sums  map[string]*sums
	done  bool // every plant was judged once
	at    int64
	dirty map[string]bool

	events <-chan live.Event
	stop   func()
}

// place is where a plant stands in lists.
type place struct{ region, code string }

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.region, o.region), cmp.Compare(p.code, o.code))
}

// cell is how many of a plant's records a rule finds wanting.
type cell struct {
	rule    uint8
	records uint16
}

// entry is what is known of a plant.
type entry struct {
	region         string
	due, connected bool
	level          string
	offline        map[string]bool // gateways that are known, whether they are not heard
	systems        [][]string      // the gateways of each dust system
	cells          []cell
	j              Judgement // without its findings
}

// Count is how many plants and records a rule finds wanting.
type Count struct{ Plants, Records int }

// sums are a region's.
type sums struct {
	s     schema.Standing
	rules []Count
}

// NewKeeper makes a keeper that knows nothing yet.
func NewKeeper(st *store.Store, hub *live.Hub, now func() time.Time) *Keeper {
	k := &Keeper{store: st, hub: hub, now: now, state: map[string]*entry{}, sums: map[string]*sums{}, dirty: map[string]bool{}, found: map[uint8][]place{}}
	k.events, k.stop = hub.Subscribe(eventsHeld)
	return k
}

// Close ends the keeper's subscription; no Sync may be under way.
func (k *Keeper) Close() { k.stop() }

// Sync takes in what has changed; at first every plant. It rests now and then, so that whoever judges live data is not held up.
func (k *Keeper) Sync(ctx context.Context) error {
	k.work.Lock()
	defer k.work.Unlock()
	lost := k.hear()
	k.mu.Lock()
	all := !k.done || lost
	k.mu.Unlock()
	if all {
		if err := k.listAll(ctx); err != nil {
			return err
		}
	}
	return k.judgeDirty(ctx)
}

// listAll marks every plant there is.
func (k *Keeper) listAll(ctx context.Context) error {
	var codes []string
	err := k.store.Each(ctx, store.Query{Type: "Enterprise"}, func(r store.Row) (bool, error) {
		codes = append(codes, r.Key)
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("list plants: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range codes {
		k.dirty[c] = true
	}
	for code := range k.state {
		k.dirty[code] = true // it may be gone
	}
	return nil
}

// judgeDirty judges the plants that changed, in order, those of a county together.
func (k *Keeper) judgeDirty(ctx context.Context) error {
	k.mu.Lock()
	counties := map[string][]string{}
	for c := range k.dirty {
		county := c[:min(countyDigits, len(c))]
		counties[county] = append(counties[county], c)
	}
	k.mu.Unlock()
	for i, county := range sortedKeys(counties) {
		if i%restEvery == restEvery-1 {
			rest(ctx)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		slices.Sort(counties[county])
		if err := k.judge(ctx, county, counties[county]); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.done, k.at = true, k.now().UnixMilli()
	return nil
}

// hear notes what the hub has told; true when something was lost.
func (k *Keeper) hear() bool {
	lost := false
	for {
		select {
		case e := <-k.events:
			lost = lost || e.Lost
			for _, r := range e.Rows {
				k.note(r)
			}
		default:
			return lost
		}
	}
}

// note marks the plant of a row. Of a risk result only the level is of interest, which needs no new judgement.
func (k *Keeper) note(r store.Row) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch rec := r.Record.(type) {
	case nil:
		if slices.Contains(Types, r.Type) && len(r.Key) >= plantDigits {
			k.dirty[r.Key[:plantDigits]] = true // codes of what belongs to a plant begin with the plant's
		}
	case *schema.RiskResult:
		if e := k.state[rec.GetEnterprise()]; e != nil {
			k.count(e, -1)
			e.level = rec.GetLevel()
			k.count(e, 1)
		}
	case *schema.Enterprise:
		k.dirty[rec.GetCode()] = true
	case interface{ GetEnterprise() string }:
		if slices.Contains(Types, r.Type) || r.Type == "GatewayState" {
			k.dirty[rec.GetEnterprise()] = true
		}
	}
}

const plantDigits = 12

// seen is what was read of a plant.
type seen struct {
	Plant
	offline map[string]bool
	level   string
}

// read reads everything of the plants whose codes begin with one of some prefixes: a county's, or plants'.
func (k *Keeper) read(ctx context.Context, prefixes ...string) (map[string]*seen, error) {
	out := map[string]*seen{}
	err := k.store.EachKeyed(ctx, readTypes, prefixes, func(r store.Row) error {
		if len(r.Key) < plantDigits {
			return nil
		}
		code := r.Key[:plantDigits]
		if out[code] == nil {
			out[code] = &seen{}
		}
		out[code].take(r.Record)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read plants: %w", err)
	}
	return out, nil
}

var readTypes = append([]string{"GatewayState", "RiskResult"}, Types...)

func (p *seen) take(rec schema.Record) {
	switch r := rec.(type) {
	case *schema.GatewayState:
		if p.offline == nil {
			p.offline = map[string]bool{}
		}
		p.offline[r.GetGateway()] = r.GetState() == "offline"
	case *schema.RiskResult:
		p.level = r.GetLevel()
	default:
		p.Add(rec)
	}
}

// GatherAll reads the base data of plants. Those that are gone are left out.
func (k *Keeper) GatherAll(ctx context.Context, codes []string) ([]*Plant, error) {
	all, err := k.read(ctx, codes...)
	if err != nil {
		return nil, err
	}
	out := make([]*Plant, 0, len(codes))
	for _, code := range codes {
		if p := all[code]; p != nil && p.Enterprise != nil {
			out = append(out, &p.Plant)
		}
	}
	return out, nil
}

// judge judges plants of a county anew and puts them in place of what was known of them.
func (k *Keeper) judge(ctx context.Context, county string, codes []string) error {
	prefix := county
	if len(codes) == 1 {
		prefix = codes[0]
	}
	k.mu.Lock()
	for _, code := range codes {
		delete(k.dirty, code)
	}
	k.mu.Unlock()
	all, err := k.read(ctx, prefix)
	if err != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, code := range codes {
			k.dirty[code] = true
		}
		return err
	}
	for _, code := range codes {
		var fresh *entry
		if p := all[code]; p != nil && p.Enterprise != nil {
			fresh = p.entry()
		}
		k.mu.Lock()
		k.replace(code, k.state[code], fresh)
		k.mu.Unlock()
	}
	return nil
}

// replace puts what is known of a plant in place of what was; nil: nothing. The caller holds mu.
func (k *Keeper) replace(code string, old, fresh *entry) {
	if old != nil {
		at := place{old.region, code}
		k.count(old, -1)
		k.order = without(k.order, at)
		for _, c := range old.cells {
			k.found[c.rule] = without(k.found[c.rule], at)
		}
		delete(k.state, code)
	}
	if fresh == nil {
		return
	}
	at := place{fresh.region, code}
	k.state[code] = fresh
	k.count(fresh, 1)
	k.order = with(k.order, at)
	for _, c := range fresh.cells {
		k.found[c.rule] = with(k.found[c.rule], at)
	}
}

// with is a sorted list with a place, without the same without it.
func with(list []place, at place) []place {
	if i, there := slices.BinarySearchFunc(list, at, place.compare); !there {
		return slices.Insert(list, i, at)
	}
	return list
}

func without(list []place, at place) []place {
	if i, there := slices.BinarySearchFunc(list, at, place.compare); there {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// entry judges a plant.
func (p *seen) entry() *entry {
	e := &entry{
		region: p.Enterprise.GetRegion(), due: Due(p.Enterprise), connected: Connected(p.Enterprise), systems: p.wiring(), j: Judge(&p.Plant), level: p.level, offline: p.offline,
	}
	for _, f := range e.j.Findings {
		i := slices.IndexFunc(e.cells, func(c cell) bool { return c.rule == uint8(f.Rule) })
		if i < 0 {
			e.cells = append(e.cells, cell{rule: uint8(f.Rule)})
			i = len(e.cells) - 1
		}
		e.cells[i].records++
	}
	e.j.Findings, e.cells = nil, slices.Clip(e.cells)
	return e
}

// online says whether one of the gateways is heard; one that was never heard is not.
func (e *entry) online(gateways []string) bool {
	return slices.ContainsFunc(gateways, func(g string) bool { off, known := e.offline[g]; return known && !off })
}

// heard says whether the plant is: one of its gateways is.
func (e *entry) heard() bool {
	for _, off := range e.offline {
		if !off {
			return true
		}
	}
	return false
}

// regionsOf are the regions a plant counts in.
func regionsOf(region string) []string {
	if len(region) != countyDigits {
		return []string{""}
	}
	return []string{"", region[:provinceDigits], region[:cityDigits], region}
}

// count adds a plant's part to its regions, or takes it away. The caller holds mu.
func (k *Keeper) count(e *entry, sign int) {
	one := e.standing()
	for _, r := range regionsOf(e.region) {
		to := k.sums[r]
		if to == nil {
			to = &sums{rules: make([]Count, len(shipped.rules))}
			k.sums[r] = to
		}
		add(&to.s, one, int64(sign))
		for _, c := range e.cells {
			to.rules[c.rule].Plants += sign
			to.rules[c.rule].Records += sign * int(c.records)
		}
	}
}

// Figures is how a region stands.
type Figures struct {
	Standing *schema.Standing
	Rules    []Count // by the number of the rule
	Plants   int     // judged, of the whole site
	Left     int     // of the whole site, to be judged anew
	Done     bool    // every plant was judged at least once
	At       int64   // ms, when the last change was taken in
}

// Region is how a region (0, 2, 4 or 6 digits) stands.
func (k *Keeper) Region(prefix string) Figures {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := Figures{Standing: &schema.Standing{}, Rules: make([]Count, len(shipped.rules)), Plants: len(k.state), Left: len(k.dirty), Done: k.done, At: k.at}
	if s := k.sums[prefix]; s != nil {
		add(out.Standing, &s.s, 1)
		copy(out.Rules, s.rules)
	}
	return out
}

// Parts is how each of a region's parts stands that has plants: of the country its provinces, and so on.
func (k *Keeper) Parts(prefix string) map[string]*schema.Standing {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[string]*schema.Standing{}
	for r, s := range k.sums {
		if len(r) == len(prefix)+provinceDigits && strings.HasPrefix(r, prefix) && s.s.GetPlants() > 0 {
			out[r] = &schema.Standing{}
			add(out[r], &s.s, 1)
		}
	}
	return out
}

// Wanting lists plants of a region that a rule finds wanting, in the order of region and code, after a plant ("" from the first); next is
// where to go on, "" at the end.
func (k *Keeper) Wanting(prefix string, rule int, after string, limit int) (codes []string, next string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	start := place{region: prefix}
	if e := k.state[after]; e != nil {
		start = place{e.region, after + "\x00"}
	}
	list := k.found[uint8(rule)]
	i, _ := slices.BinarySearchFunc(list, start, place.compare)
	for ; i < len(list) && strings.HasPrefix(list[i].region, prefix); i++ {
		if len(codes) == limit {
			return codes, codes[limit-1]
		}
		codes = append(codes, list[i].code)
	}
	return codes, ""
}

// each calls fn for every plant in order, until it returns false. The order is that of the call; plants that came since are left out.
func (k *Keeper) each(fn func(region, code string, connected bool) bool) {
	k.mu.Lock()
	order := slices.Clone(k.order)
	k.mu.Unlock()
	for _, p := range order {
		k.mu.Lock()
		e := k.state[p.code]
		connected := e != nil && e.connected
		k.mu.Unlock()
		if !fn(p.region, p.code, connected) {
			return
		}
	}
}
