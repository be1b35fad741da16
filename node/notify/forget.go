package notify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dusthub/node/store"
	"dusthub/schema"
)

const (
	keepFor     = 90 * 24 * time.Hour // what is finished
	forgetEvery = time.Minute
	forgetMost  = 500    // in one run
	searchMost  = 10_000 // rows one run looks at
)

// forgetting deletes old deliveries little by little, until ctx ends. The ledger keeps what was said of them.
func (n *Notifier) forgetting(ctx context.Context) {
	tick := time.NewTicker(forgetEvery)
	defer tick.Stop()
	var from int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var err error
		if from, err = n.forget(ctx, from); err != nil && ctx.Err() == nil {
			n.log.Warn("old deliveries were not deleted", "err", err)
		}
	}
}

// forget deletes finished deliveries that are older than keepFor, from a time on, and says from when the next run is to go on:
// 0 when it came to the end. Those of an open alarm or warning stay: the call would be planned anew.
func (n *Notifier) forget(ctx context.Context, from int64) (next int64, err error) {
	if !n.opt.Site.IsLeader() {
		return 0, nil
	}
	var changes []*schema.Change
	seen := 0
	q := store.Query{Type: "Delivery", Index: "at", From: from, To: n.opt.Now().Add(-keepFor).UnixMilli()}
	err = n.opt.Site.Store().Each(ctx, q, func(r store.Row) (bool, error) {
		d := r.Record.(*schema.Delivery)
		needed, err := n.needed(d)
		if err != nil {
			return false, err
		}
		if !needed {
			changes = append(changes, &schema.Change{Type: "Delivery", Key: d.GetId(), Deleted: true})
		}
		seen++
		if len(changes) < forgetMost && seen < searchMost {
			return true, nil
		}
		next = d.GetAt()
		return false, nil
	})
	if err != nil {
		return from, fmt.Errorf("read old deliveries: %w", err)
	}
	if err := n.change(ctx, changes); err != nil {
		return from, err
	}
	n.metrics.forgotten.Add(float64(len(changes)))
	return next, nil
}

// needed says whether a delivery is still needed: it waits, or what it is about calls people yet.
func (n *Notifier) needed(d *schema.Delivery) (bool, error) {
	if slices.Contains(unfinished, d.GetStage()) {
		return true, nil
	}
	typ, key, _ := strings.Cut(d.GetSubject(), "/")
	row, ok, err := n.opt.Site.Store().Get(typ, key)
	if err != nil || !ok {
		return false, err
	}
	_, called := callOf(row.Record)
	return called, nil
}
