package quality

import (
	"context"
	"fmt"
	"slices"

	"dusthub/node/store"
	"dusthub/schema"
)

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
