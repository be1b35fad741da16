package quality

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"
)

const (
	eventsHeld = 1 << 14
	restEvery  = 8 // counties, or plants, looked at before others get their turn
	restFor    = 5 * time.Millisecond
	lookEvery  = time.Second
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
