package quality

import (
	"context"
	"fmt"

	"dusthub/node/store"
	"dusthub/schema"
)

// How long days are kept. What was wrong with single metrics is of use while somebody can still mend it; how regions stood
// is read in reports over years. The ledger keeps what was said of both.
const (
	sensingKept = 92 * dayMs
	regionsKept = 5 * 366 * dayMs
	forgetMost  = 256 // of one kind in one run
)

// forget deletes days that are older than they are kept, the oldest first, a bounded number of them: the next run goes on.
func (s *Survey) forget(ctx context.Context, now int64, areas []string) error {
	// The keys of SensingDay begin with the day, those of RegionDay with the area.
	changes, err := s.before(ctx, store.Query{Type: "SensingDay"}, func(key string) bool { return key < dayName(now-sensingKept) })
	if err != nil {
		return err
	}
	for _, area := range areas {
		old, err := s.before(ctx, store.Query{Type: "RegionDay", Prefix: []string{area + "/"}}, func(key string) bool { return key < dayID(area, now-regionsKept) })
		if err != nil {
			return err
		}
		changes = append(changes, old...)
	}
	return s.change(ctx, changes)
}

// before lists deletions of the first rows of a query, in key order, up to the first that is not old.
func (s *Survey) before(ctx context.Context, q store.Query, old func(key string) bool) ([]*schema.Change, error) {
	var changes []*schema.Change
	err := s.opt.Site.Store().Each(ctx, q, func(r store.Row) (bool, error) {
		if !old(r.Key) {
			return false, nil
		}
		changes = append(changes, &schema.Change{Type: q.Type, Key: r.Key, Deleted: true})
		return len(changes) < forgetMost, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read old days: %w", err)
	}
	return changes, nil
}
