package replay

import (
	"context"
	"errors"
	"slices"

	"dusthub/node/store"
	"dusthub/schema"
)

// inject is a sign of life of a gateway that no sample shows: the ledger does not have them, only what came of them.
type inject struct {
	at      int64
	gateway string
	must    bool // else a sample within a tick before says the same
}

// foresee finds when gateways must have spoken without readings: so long before they were said to be offline as that takes, and before a
// metric of theirs was said to send nothing, which is said only while its gateway is heard.
func (x *run) foresee(ctx context.Context) error {
	var silent []*change
	known := map[string]bool{}
	for _, a := range all[*schema.Alarm](&x.h.state, "Alarm") {
		known[a.GetId()] = true
	}
	for i := range x.h.changes {
		c := &x.h.changes[i]
		switch r := c.rec.(type) {
		case *schema.GatewayState:
			if r.GetState() == "offline" {
				x.offline[r.GetGateway()] = append(x.offline[r.GetGateway()], c.time)
				x.pending = append(x.pending, inject{c.time - x.r.opt.Engine.OfflineAfter - 1, r.GetGateway(), false})
			}
		case *schema.Alarm:
			if again := !known[r.GetId()] || r.GetCondition() == "active" && r.GetSince() == c.time; again && r.GetRule() == "no_data" && r.GetMetric() != "" {
				silent = append(silent, c)
			}
			known[r.GetId()] = true
		}
	}
	var young []*change
	for _, c := range silent {
		a := c.rec.(*schema.Alarm)
		spoke, err := x.spoke(ctx, a.GetMetric(), "", c.time-x.patience(a.GetMetric())-x.tick, c.time)
		if err != nil {
			return err
		}
		if spoke {
			young = append(young, c)
		} else {
			x.pending = append(x.pending, inject{c.time - 1, a.GetGateway(), true}) // long silent: it is the gateway's word that told
		}
	}
	for _, c := range young {
		if err := x.recent(ctx, c); err != nil {
			return err
		}
	}
	x.pending = slices.DeleteFunc(x.pending, func(p inject) bool { return p.at <= x.h.start })
	slices.SortStableFunc(x.pending, func(a, b inject) int { return int(max(-1, min(1, a.at-b.at))) })
	return nil
}

// recent sees to it that a gateway was heard recently enough when a metric of its fell silent, and not longer than is known.
func (x *run) recent(ctx context.Context, c *change) error {
	a := c.rec.(*schema.Alarm)
	from := c.time - x.patience(a.GetMetric())
	if slices.ContainsFunc(x.pending, func(p inject) bool { return p.gateway == a.GetGateway() && p.at >= from && p.at <= c.time }) {
		return nil
	}
	spoke, err := x.spoke(ctx, "", a.GetGateway(), from, c.time)
	if err == nil && !spoke {
		x.pending = append(x.pending, inject{from, a.GetGateway(), true})
	}
	return err
}

// metrics are all metrics the plant had, as they were last, by code.
func (h *history) metrics() map[string]*schema.Metric {
	out := map[string]*schema.Metric{}
	for _, m := range all[*schema.Metric](&h.state, "Metric") {
		out[m.GetCode()] = m
	}
	for i := range h.changes {
		if m, ok := h.changes[i].rec.(*schema.Metric); ok {
			out[m.GetCode()] = m
		}
	}
	return out
}

// patience is how long a metric may be silent, ms (domain 2.4).
func (x *run) patience(metric string) int64 {
	const periods, atLeast = 3, 180_000
	return max(periods*int64(x.known[metric].GetPeriodS())*1000, atLeast)
}

// spoke says whether there are samples of a metric, or of any metric of a gateway, within a time.
func (x *run) spoke(ctx context.Context, metric, gateway string, from, to int64) (bool, error) {
	found := errors.New("found")
	for code, m := range x.known {
		if code != metric && (gateway == "" || m.GetGateway() != gateway) {
			continue
		}
		err := x.r.opt.Store.Points(ctx, store.SeriesRef{Origin: x.h.origin, Series: m.GetSeries()}, from, to, func(store.Point) error { return found })
		if errors.Is(err, found) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}
