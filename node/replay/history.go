package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// Errors of a replay.
var (
	ErrPlant    = errors.New("replay: no such plant")
	ErrInterval = errors.New("replay: bad interval")
	ErrTooMuch  = errors.New("replay: too much happened in the interval; ask for a shorter one")
	ErrModel    = errors.New("replay: the model of that time is not here")
)

// change is one entry of the ledger about a plant.
type change struct {
	seq     uint64
	time    int64
	typ     string
	key     string
	actor   string
	cause   string
	deleted bool
	rec     schema.Record // nil when deleted
}

// mostChanges bounds the memory of one plant's history.
const mostChanges = 200_000

// inputs are the types people and programs write and a plant is judged by; derived are those the engine makes of them.
var (
	inputs = map[string]bool{
		"Enterprise": true, "Workshop": true, "DustSystem": true, "Collector": true, "Gateway": true, "Metric": true, "Camera": true,
		"CleaningPlan": true, "CleaningRecord": true, "CombinedRule": true, "Shelf": true,
	}
	derived = map[string]bool{"Alarm": true, "Warning": true, "RiskResult": true, "GatewayState": true, "Hazard": true}
)

// history is what a ledger says of one plant: its state at the beginning of a replay, and what came then.
type history struct {
	plant   string
	origin  string
	from    int64 // of the interval asked for
	to      int64
	warm    int64
	birth   int64
	start   int64 // of the replay
	state   state
	changes []change // start < time < to
	full    bool     // more than mostChanges
}

// whole says whether the replay begins where the plant does.
func (h *history) whole() bool { return h.start < h.birth }

// take takes the next entry of the ledger.
func (h *history) take(c *change) {
	if h.birth == 0 {
		h.birth = c.time
		h.start = h.from - h.warm
		if h.birth >= h.from-wholeLife*h.warm {
			h.start = min(h.start, h.birth-1)
		}
	}
	switch {
	case c.time <= h.start:
		h.state.take(c)
	case c.time >= h.to:
	case len(h.changes) >= mostChanges:
		h.full = true
	default:
		h.changes = append(h.changes, *c)
	}
}

// read reads the histories of some plants of one ledger in one go, up to a time.
func (r *Replayer) read(ctx context.Context, origin string, plants []*history, to int64) error {
	head, ok := r.opt.Store.Head(origin)
	if !ok {
		return nil
	}
	by, owner := map[string]*history{}, map[string]*history{}
	for _, h := range plants {
		by[h.plant] = h
	}
	stop := errors.New("stop")
	err := r.opt.Store.Ledger(ctx, origin, head.Epoch, 1, int(head.Seq), func(seq uint64, item *schema.Item) error {
		raw := item.GetEntry()
		if raw == nil {
			return nil
		}
		e := &schema.Entry{}
		if err := proto.Unmarshal(raw, e); err != nil {
			return fmt.Errorf("ledger of %s, entry %d: %w", origin, seq, err)
		}
		if e.GetTime() >= to {
			return stop // times of a ledger never go back
		}
		if !inputs[e.GetType()] && !derived[e.GetType()] {
			return nil
		}
		c := change{seq: seq, time: e.GetTime(), typ: e.GetType(), key: e.GetKey(), actor: e.GetActor(), cause: e.GetCause(), deleted: e.GetDeleted()}
		name := c.typ + "/" + c.key
		h := owner[name]
		if !c.deleted {
			if h == nil && foreign(c.key, by) {
				return nil
			}
			rec, err := schema.Decode(c.typ, e.GetRecord())
			if err != nil {
				return nil //nolint:nilerr // a record of a newer schema stays in the ledger alone, as it did when it came
			}
			c.rec = rec
			if h = by[plantOf(rec)]; h != nil && inputs[c.typ] {
				owner[name] = h
			}
		}
		if h != nil {
			h.take(&c)
		}
		return nil
	})
	if err != nil && !errors.Is(err, stop) {
		return fmt.Errorf("read ledger of %s: %w", origin, err)
	}
	return nil
}

// foreign says by its key alone that a record belongs to none of the plants: most keys begin with their plant's code.
func foreign(key string, plants map[string]*history) bool {
	const digits = 12
	if len(key) < digits || strings.Trim(key[:digits], "0123456789") != "" || len(key) > digits && strings.Trim(key, "0123456789") == "" {
		return false // ids of alarms, numbers of cameras
	}
	return plants[key[:digits]] == nil
}

func plantOf(rec schema.Record) string {
	switch r := rec.(type) {
	case *schema.Enterprise:
		return r.GetCode()
	case interface{ GetEnterprise() string }:
		return r.GetEnterprise()
	}
	return ""
}

// origin is the site whose ledger has a plant.
func (r *Replayer) origin(plant string) (string, *schema.Enterprise, error) {
	row, ok, err := r.opt.Store.Get("Enterprise", plant)
	if err != nil {
		return "", nil, fmt.Errorf("read enterprise: %w", err)
	}
	if !ok {
		return "", nil, fmt.Errorf("%w: %s", ErrPlant, plant)
	}
	return row.Origin, row.Record.(*schema.Enterprise), nil
}
