package portal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dusthub/node/store"
	"dusthub/schema"
)

// The newest alarms, warnings and major hidden dangers of every region, and the newest that are open, are kept in memory with each
// change, so that a list of a city reads the city's and not the country's. Each list holds recentKept at most and says how far back
// it is complete; what lies behind is read from the store.
//
// Memory: a place is 32 bytes and stands in up to eight lists (country, province, city, county; all and open). China's 3,300
// regions, three types and two lists each, all of them full, come to 195 MB (there is room for 303) and their keys, and the four noted
// types to 130 MB; a country of 43,000 plants with 20,000 alarms has 5 MB.

const (
	recentKept  = 256
	narrowMost  = 512 // plants of a region whose own indexes are read for what lies behind its list
	typeAlarm   = "Alarm"
	typeWarning = "Warning"
	typeHazard  = "Hazard"

	typeShelf      = "Shelf"
	typeSpotCheck  = "SpotCheck"
	typeDelivery   = "Delivery"
	typeQuarantine = "Quarantine"
	notedMost      = 50_000 // of a type that grows for ever, read when the world is built
	plantCode      = 12     // digits
)

// recentTypes are the types whose newest are kept, and the newest open ones; notedTypes those whose newest are kept alone.
var (
	recentTypes = []string{typeAlarm, typeWarning, typeHazard}
	notedTypes  = []string{typeShelf, typeSpotCheck, typeDelivery, typeQuarantine}
)

// recentKey names a list: type, region by the beginning of its plants' codes, and whether it holds the open ones only.
type recentKey struct {
	typ, region string
	open        bool
}

// recent is such a list, newest first. Once cut, it holds all down to floor and nothing behind it.
type recent struct {
	kept  int
	list  []recentEntry
	cut   bool
	floor place
}

type recentEntry struct {
	place
	plant *plantState
}

func (e recentEntry) order(p place) int {
	switch {
	case e.before(p):
		return -1
	case p.before(e.place):
		return 1
	}
	return 0
}

func (r *recent) add(p place, plant *plantState) {
	if r.cut && r.floor.before(p) {
		return
	}
	i, there := slices.BinarySearchFunc(r.list, p, recentEntry.order)
	if there {
		r.list[i].plant = plant
		return
	}
	if len(r.list) < r.kept {
		r.list = slices.Insert(r.list, i, recentEntry{p, plant})
		return
	}
	if i < r.kept { // the last one goes first, so that the list never takes room for more than it keeps
		r.list = slices.Insert(r.list[:r.kept-1], i, recentEntry{p, plant})
	}
	r.cut, r.floor = true, r.list[r.kept-1].place
}

func (r *recent) drop(p place) {
	if i, there := slices.BinarySearchFunc(r.list, p, recentEntry.order); there {
		r.list = slices.Delete(r.list, i, i+1)
	}
}

// cutBehind forgets what stands behind a place.
func (r *recent) cutBehind(p place) {
	if r.cut && r.floor.before(p) {
		return
	}
	r.list = slices.DeleteFunc(r.list, func(e recentEntry) bool { return p.before(e.place) })
	r.cut, r.floor = true, p
}

func (w *world) recent(k recentKey) *recent {
	r := w.recents[k]
	if r == nil {
		r = &recent{kept: w.kept}
		if floor, some := w.floors[k.typ]; some {
			r.cut, r.floor = true, floor
		}
		w.recents[k] = r
	}
	return r
}

func (w *world) states(typ string) map[string]alarmState {
	switch typ {
	case typeAlarm:
		return w.alarms
	case typeHazard:
		return w.hazards
	}
	return w.warnings
}

// open is how many of a type a plant has open.
func (p *plantState) open(typ string) int {
	switch typ {
	case typeAlarm:
		return p.alarmsOpen
	case typeHazard:
		return p.hazardsOpen
	}
	return p.warningsOpen
}

// note brings the lists of a plant's regions up to date with an alarm or a warning, which is among the world's already.
func (w *world) note(typ, key string, p *plantState, old, is alarmState) {
	at := place{is.time, key}
	for _, region := range regionsOf(p) {
		all, open := w.recent(recentKey{typ, region, false}), recentKey{typ, region, true}
		if old.time != is.time {
			all.drop(place{old.time, key})
			w.closed(open, place{old.time, key})
		}
		all.add(at, p)
		if is.open {
			w.recent(open).add(at, p)
		} else {
			w.closed(open, at)
		}
	}
}

// closed takes one off a list of open ones, and fills it anew when few are left of a longer one: the world knows all that are open.
func (w *world) closed(k recentKey, at place) {
	r := w.recent(k)
	if r.drop(at); !r.cut || len(r.list) >= r.kept/2 {
		return
	}
	*r = recent{kept: w.kept}
	for key, a := range w.states(k.typ) {
		if p := w.plants[a.enterprise]; a.open && p != nil && slices.Contains(regionsOf(p), k.region) {
			r.add(place{a.time, key}, p)
		}
	}
}

// noted are types of which the newest of every region are kept as well, but not those that are open alone, and not of the whole country, which
// the store has in order.
var noted = map[string]struct {
	at      func(schema.Record) int64
	plant   func(schema.Record) string
	byPlant string // index that holds a plant's own in order; "": none does
	order   string // index that holds all in order; "": there are few
}{
	typeShelf:      {shelfFrom, enterpriseOf, "enterprise,from", ""},
	typeSpotCheck:  {checkIssued, enterpriseOf, "enterprise,issued", ""},
	typeDelivery:   {deliveryAt, enterpriseOf, "", "at"},
	typeQuarantine: {quarantineTime, plantOfSource, "", "time"},
}

// plantOfSource is the plant whose gateway sent what was refused; what belongs to a plant begins with its code.
func plantOfSource(r schema.Record) string {
	source := r.(*schema.Quarantine).GetSource()
	return source[:min(len(source), plantCode)]
}

// noteNew takes a record of a noted type into the lists of its plant's regions.
func (w *world) noteNew(row store.Row) {
	n := noted[row.Type]
	code := n.plant(row.Record)
	p := w.plants[code]
	if p == nil || p.enterprise == nil {
		w.orphans[code] = true
		return
	}
	for _, region := range regionsOf(p)[1:] {
		w.recent(recentKey{row.Type, region, false}).add(place{n.at(row.Record), row.Key}, p)
	}
}

// loadNoted reads the noted types; of those that grow for ever the newest.
func (w *world) loadNoted(ctx context.Context) error {
	for _, typ := range []string{typeShelf, typeDelivery, typeQuarantine} { // spot checks are read already, to be counted
		n, seen := noted[typ], 0
		q := store.Query{Type: typ}
		if n.order != "" {
			q.Index, q.Desc = n.order, true
		}
		err := w.store.Each(ctx, q, func(r store.Row) (bool, error) {
			w.noteNew(r)
			if seen++; n.order == "" || seen < w.notedMost {
				return true, nil
			}
			w.cutNoted(typ, place{n.at(r.Record), r.Key})
			return false, nil
		})
		if err != nil {
			return fmt.Errorf("read %s: %w", typ, err)
		}
	}
	return nil
}

// cutNoted says of all lists of a type that what stands behind a place is in the store only.
func (w *world) cutNoted(typ string, floor place) {
	w.floors[typ] = floor
	for k, r := range w.recents {
		if k.typ == typ {
			r.cutBehind(floor)
		}
	}
}

// areaRecent is the list in memory that begins a list of a noted type for a viewer who does not see the whole country; nil when an index of
// the store is narrower.
func areaRecent(typ string, v *viewer, narrower bool) *recentKey {
	if narrower || v.owned() != "" || v.area() == "" {
		return nil
	}
	return &recentKey{typ, v.area(), false}
}

// moved brings the lists of the regions up to date that a plant left or came to.
func (w *world) moved(code string, p *plantState, was []string) {
	is := regionsOf(p)
	if p.enterprise == nil {
		w.orphans[code] = true
	}
	for _, typ := range slices.Concat(recentTypes, notedTypes) {
		for _, region := range was {
			if slices.Contains(is, region) {
				continue
			}
			for _, open := range []bool{false, true} {
				r := w.recent(recentKey{typ, region, open})
				r.list = slices.DeleteFunc(r.list, func(e recentEntry) bool { return e.plant == p })
			}
		}
		if came := slices.DeleteFunc(slices.Clone(is), func(r string) bool { return slices.Contains(was, r) }); len(came) > 0 && !w.bulk {
			if n, is := noted[typ]; is && n.byPlant == "" && len(was) == 1 && !w.orphans[code] {
				continue // a plant nobody has heard of has nothing yet
			}
			w.came(typ, code, p, came)
		}
	}
	if p.enterprise != nil {
		delete(w.orphans, code)
	}
}

// came adds a plant's alarms or warnings to the lists of regions it came to: its newest, one more than a list holds, so that a list is cut
// if the plant has more, and all that are open.
func (w *world) came(typ, code string, p *plantState, regions []string) {
	places, err := w.newestOf(typ, code)
	for _, region := range regions {
		all := w.recent(recentKey{typ, region, false})
		if err != nil {
			all.cutBehind(place{time: w.now().UnixMilli() + ahead}) // what was before is in the store only
		}
		for _, at := range places {
			all.add(at, p)
		}
	}
	if _, is := noted[typ]; is || p.open(typ) == 0 {
		return
	}
	for key, a := range w.states(typ) {
		for _, region := range regions {
			if a.open && a.enterprise == code {
				w.recent(recentKey{typ, region, true}).add(place{a.time, key}, p)
			}
		}
	}
}

// storedNewest are a plant's newest in the store, one more than a list holds.
func (w *world) storedNewest(typ, enterprise string) ([]place, error) {
	q, at := store.Query{Type: typ, Index: "enterprise,onset", Prefix: []string{enterprise}, Desc: true}, alarmOnset
	switch typ {
	case typeWarning:
		q.Index, at = "enterprise,raised", warningRaised
	case typeHazard:
		q.Index, at = plantHazards, hazardFound
	}
	if n, is := noted[typ]; is {
		if q.Index, at = n.byPlant, n.at; n.byPlant == "" {
			return nil, errors.New("no index by plant")
		}
	}
	var out []place
	err := w.store.Each(context.Background(), q, func(r store.Row) (bool, error) {
		out = append(out, place{at(r.Record), r.Key})
		return len(out) <= w.kept, nil
	})
	return out, err
}

// newest are the places of a list that stand behind from, newest first; rest is the place behind which only the store knows more,
// nil when there is no more.
func (w *world) newest(k recentKey, from *place) (list []place, rest *place) {
	w.view(func() {
		r := w.recent(k)
		for _, e := range r.list {
			if from == nil || from.before(e.place) {
				list = append(list, e.place)
			}
		}
		if r.cut {
			floor := r.floor
			rest = &floor
		}
	})
	if rest != nil && from != nil && rest.before(*from) {
		rest = from
	}
	return list, rest
}

// remembered reads a list's beginning by what is kept in memory: up to limit+1 rows. The store has to go on behind rest; nil: no need.
func (s *Server) remembered(n newest, from *place, limit int) (rows []store.Row, rest *place, err error) {
	q := n.queries[0]
	places, rest := s.world.newest(*n.recent, from)
	for _, p := range places {
		if p.time < q.From || len(rows) > limit {
			return rows, nil, nil
		}
		if q.To != 0 && p.time >= q.To {
			continue
		}
		r, ok, err := s.opt.Backend.Store().Get(q.Type, p.key)
		if err != nil {
			return nil, nil, fmt.Errorf("list %s: %w", q.Type, err)
		}
		if ok && n.time(r.Record) == p.time && (n.keep == nil || n.keep(r)) {
			rows = append(rows, r)
		}
	}
	if len(rows) > limit {
		rest = nil
	}
	return rows, rest, nil
}

// narrowed are the queries for what lies behind a list in memory, and how many rows each may look at: of a region with few plants
// their own indexes, so that the rest of the country is not read.
func (s *Server) narrowed(n newest, limit int) (queries []store.Query, most int) {
	index := n.byPlant
	if n.recent == nil || n.recent.region == "" || index == "" && (len(n.queries) != 1 || len(n.queries[0].Prefix) > 0) {
		return n.queries, s.scan
	}
	if index == "" {
		index = "enterprise," + n.queries[0].Index
	}
	if m, ok := schema.MetaOf(n.queries[0].Type); !ok || !slices.ContainsFunc(m.Index, func(ix []string) bool { return strings.Join(ix, ",") == index }) {
		return n.queries, s.scan
	}
	s.world.view(func() {
		set := s.world.index.any(byRegion, n.recent.region)
		if set.GetCardinality() > narrowMost {
			return
		}
		for it := set.Iterator(); it.HasNext(); {
			q := n.queries[0]
			q.Index, q.Prefix = index, []string{s.world.index.plants[it.Next()].enterprise.GetCode()}
			queries = append(queries, q)
		}
	})
	if len(queries) == 0 {
		return n.queries, s.scan
	}
	return queries, max(limit+2, s.scan/len(queries))
}

// recentOf is the list in memory that begins a list of alarms or warnings of a region; nil when an index of the store is narrower.
func recentOf(typ string, v *viewer, region string, narrower bool, stage string, open []string) *recentKey {
	if narrower || v.owned() != "" {
		return nil
	}
	return &recentKey{typ, region, stage == "open" || slices.Contains(open, stage)}
}
