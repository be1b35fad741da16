package quality

import (
	"cmp"
	"context"
	"errors"
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
	restEvery      = 100 // plants judged before others get their turn
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
	order []place // plants by region and code
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
	k := &Keeper{store: st, hub: hub, now: now, state: map[string]*entry{}, sums: map[string]*sums{}, dirty: map[string]bool{}}
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

// judgeDirty judges the plants that changed, in order.
func (k *Keeper) judgeDirty(ctx context.Context) error {
	k.mu.Lock()
	codes := make([]string, 0, len(k.dirty))
	for c := range k.dirty {
		codes = append(codes, c)
	}
	k.mu.Unlock()
	slices.Sort(codes)
	for i, code := range codes {
		if i%restEvery == restEvery-1 {
			rest(ctx)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := k.judge(ctx, code); err != nil {
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

// ErrGone says that a plant is not there.
var ErrGone = errors.New("no such plant")

// Gather reads a plant's base data.
func (k *Keeper) Gather(ctx context.Context, code string) (*Plant, error) {
	row, ok, err := k.store.Get("Enterprise", code)
	if err != nil {
		return nil, fmt.Errorf("read plant: %w", err)
	}
	if !ok {
		return nil, ErrGone
	}
	p := &Plant{}
	p.Add(row.Record)
	for _, typ := range Types[1:] {
		err := k.store.Each(ctx, store.Query{Type: typ, Prefix: []string{code}}, func(r store.Row) (bool, error) {
			p.Add(r.Record)
			return true, nil
		})
		if err != nil {
			return nil, fmt.Errorf("read %s of a plant: %w", typ, err)
		}
	}
	return p, nil
}

// judge judges one plant anew and puts it in place of what was known of it.
func (k *Keeper) judge(ctx context.Context, code string) error {
	k.mu.Lock()
	delete(k.dirty, code)
	k.mu.Unlock()
	fresh, err := k.look(ctx, code)
	if err != nil && !errors.Is(err, ErrGone) {
		k.mu.Lock()
		k.dirty[code] = true
		k.mu.Unlock()
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if old := k.state[code]; old != nil {
		k.count(old, -1)
		delete(k.state, code)
		if i, found := slices.BinarySearchFunc(k.order, place{old.region, code}, place.compare); found && (fresh == nil || fresh.region != old.region) {
			k.order = slices.Delete(k.order, i, i+1)
		}
	}
	if fresh == nil {
		return nil
	}
	k.state[code] = fresh
	k.count(fresh, 1)
	if i, found := slices.BinarySearchFunc(k.order, place{fresh.region, code}, place.compare); !found {
		k.order = slices.Insert(k.order, i, place{fresh.region, code})
	}
	return nil
}

// look reads and judges a plant.
func (k *Keeper) look(ctx context.Context, code string) (*entry, error) {
	p, err := k.Gather(ctx, code)
	if err != nil {
		return nil, err
	}
	e := &entry{region: p.Enterprise.GetRegion(), due: Due(p.Enterprise), connected: Connected(p.Enterprise), systems: p.wiring(), j: Judge(p)}
	for _, f := range e.j.Findings {
		i := slices.IndexFunc(e.cells, func(c cell) bool { return c.rule == uint8(f.Rule) })
		if i < 0 {
			e.cells = append(e.cells, cell{rule: uint8(f.Rule)})
			i = len(e.cells) - 1
		}
		e.cells[i].records++
	}
	e.j.Findings, e.cells = nil, slices.Clip(e.cells)
	if row, ok, err := k.store.Get("RiskResult", code); err == nil && ok {
		e.level = row.Record.(*schema.RiskResult).GetLevel()
	}
	err = k.store.Each(ctx, store.Query{Type: "GatewayState", Prefix: []string{code}}, func(r store.Row) (bool, error) {
		if e.offline == nil {
			e.offline = map[string]bool{}
		}
		g := r.Record.(*schema.GatewayState)
		e.offline[g.GetGateway()] = g.GetState() == "offline"
		return true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read gateways of a plant: %w", err)
	}
	return e, nil
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
	i, _ := slices.BinarySearchFunc(k.order, start, place.compare)
	for ; i < len(k.order) && strings.HasPrefix(k.order[i].region, prefix); i++ {
		code := k.order[i].code
		if !slices.ContainsFunc(k.state[code].cells, func(c cell) bool { return int(c.rule) == rule }) {
			continue
		}
		if len(codes) == limit {
			return codes, codes[limit-1]
		}
		codes = append(codes, code)
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
