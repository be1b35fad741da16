// Package statistics counts the alarms of a time by the figures of EEMUA 191 and ISA-18.2 and holds each figure against its limit
// (schema/tables/statistics.yaml). It reads the store's rows once, in the order of their onset, and keeps counters alone: of each plant,
// and of at most maxPoints points. An operator's position is that of a plant: alarms of two plants are no flood together.
//
// An open alarm that returns and comes again stays one record, and counts once. Its coming again is seen where the engine told it as
// frequent; such points are listed as chattering.
package statistics

import (
	"context"
	"fmt"
	"slices"

	"dusthub/node/store"
	"dusthub/schema"
)

const (
	minute      = int64(60_000)
	hour        = 60 * minute
	day         = 24 * hour
	window      = 10 * minute
	chinaOffset = 8 * hour

	maxPoints   = 1 << 17 // points told apart
	maxActors   = 1 << 14 // logins looked up
	maxShelves  = 1 << 14
	shown       = 20
	listed      = 50
	maxSteps    = 10_000
	actionAck   = "acknowledge"
	actionClose = "close"
)

// Rows are the records of a site.
type Rows interface {
	Each(ctx context.Context, q store.Query, fn func(store.Row) (bool, error)) error
	Get(typ, key string) (store.Row, bool, error)
}

// Query says which alarms are counted.
type Query struct {
	From, To   int64                        // ms, onset; To not included
	Enterprise string                       // empty: of all that Keep lets in
	Keep       func(enterprise string) bool // nil: all
	Positions  int                          // operators' positions; below 1 is 1
	Figures    *schema.StatisticFigures     // nil: the shipped ones
}

// Collect counts. Errors are those of the rows, and of the context.
func Collect(ctx context.Context, rows Rows, q Query) (*Result, error) {
	c := newCollector(rows, &q)
	if err := c.walk(ctx, c.count); err != nil {
		return nil, err
	}
	if err := c.stand(ctx); err != nil {
		return nil, err
	}
	return c.result(), nil
}

type pointKey struct{ metric, rule string }

// pointStat is what is kept of a point.
type pointStat struct {
	enterprise           string
	count                int
	last, before         int64 // onsets of the two newest alarms, 0: none
	chatter, fleeting    int
	apart, shortestFleet int64
}

// plantStat is what is kept of a plant.
type plantStat struct {
	in     bool // the query wants it
	count  int
	window int64 // number of the window under count
	inside int   // alarms in it
	flood  *Flood
}

type collector struct {
	rows Rows
	q    *Query
	f    *schema.StatisticFigures

	begins, ends, chatterCount        int
	chatterMs, fleetingMs, standingMs int64

	out                  Result
	plants               map[string]*plantStat
	points               map[pointKey]*pointStat
	priorities           map[string]int
	kinds                map[string]int
	actors               map[string]int    // by role
	roles                map[string]string // of logins
	shelves              map[string]string // kinds of shelves
	windows              int               // with more than begins alarms
	onWindow             func(at int64)    // told of each such window
	ack, dispose, closed spread
}

func newCollector(rows Rows, q *Query) *collector {
	if q.Figures == nil {
		q.Figures = schema.Statistics()
	}
	q.Positions = max(1, q.Positions)
	f := q.Figures
	return &collector{
		rows: rows, q: q, f: f, begins: int(f.Parameter("flood_begins")), ends: int(f.Parameter("flood_ends")), chatterCount: int(f.Parameter("chatter_count")),
		chatterMs: f.Parameter("chatter_ms"), fleetingMs: f.Parameter("fleeting_ms"), standingMs: f.Parameter("standing_ms"),
		out: Result{From: q.From, To: q.To, Positions: q.Positions}, plants: map[string]*plantStat{}, points: map[pointKey]*pointStat{}, priorities: map[string]int{},
		kinds: map[string]int{}, actors: map[string]int{}, roles: map[string]string{}, shelves: map[string]string{},
	}
}

// walk reads the alarms of the query, in the order of their onset.
func (c *collector) walk(ctx context.Context, each func(p *plantStat, a *schema.Alarm)) error {
	q := store.Query{Type: "Alarm", Index: "onset", From: c.q.From, To: c.q.To}
	if c.q.Enterprise != "" {
		q.Index, q.Prefix = "enterprise,onset", []string{c.q.Enterprise}
	}
	err := c.rows.Each(ctx, q, func(r store.Row) (bool, error) {
		a, ok := r.Record.(*schema.Alarm)
		if ok {
			if p := c.plant(a.GetEnterprise()); p.in {
				each(p, a)
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("count alarms: %w", err)
	}
	for _, code := range sortedKeys(c.plants) {
		p := c.plants[code]
		c.endWindow(p)
		c.endFlood(p, c.q.To)
	}
	return nil
}

func (c *collector) plant(code string) *plantStat {
	p := c.plants[code]
	if p == nil {
		p = &plantStat{in: c.q.Keep == nil || c.q.Keep(code)}
		c.plants[code] = p
	}
	return p
}

// count takes one alarm in.
func (c *collector) count(p *plantStat, a *schema.Alarm) {
	if a.GetSuppressed() {
		c.suppress(a.GetShelf())
		return
	}
	c.out.Alarms++
	p.count++
	priority := a.GetPriority()
	if priority == "" {
		priority = schema.Alarming().Priority(a) // written before alarms had one
	}
	c.priorities[priority]++
	c.kinds[a.GetKind()]++
	c.out.ByHour[floor(a.GetOnset()+chinaOffset, hour)/hour%24]++
	c.announce(a.GetEnterprise(), p, a.GetOnset())
	c.point(a)
	c.respond(a)
}

// suppress counts an alarm that was under a shelf.
func (c *collector) suppress(shelf string) {
	kind, known := c.shelves[shelf]
	if !known {
		if row, ok, err := c.rows.Get("Shelf", shelf); err == nil && ok {
			kind = row.Record.(*schema.Shelf).GetKind()
		}
		if len(c.shelves) < maxShelves {
			c.shelves[shelf] = kind
		}
	}
	switch kind {
	case "out_of_service":
		c.out.Suppressed.OutOfService++
	case "design":
		c.out.Suppressed.Design++
	default:
		c.out.Suppressed.Shelved++
	}
}

// announce puts an alarm into its plant's window of ten minutes.
func (c *collector) announce(code string, p *plantStat, onset int64) {
	w := floor(onset, window) / window
	if w != p.window || p.inside == 0 {
		c.endWindow(p)
		if p.flood != nil && w > p.window+1 {
			c.endFlood(p, (p.window+1)*window) // a window without alarms lies between
		}
		p.window = w
	}
	p.inside++
	if p.inside > c.out.Peak.Count {
		c.out.Peak = Peak{At: w * window, Count: p.inside, Enterprise: code}
	}
	if p.inside > c.begins && p.flood == nil {
		p.flood = &Flood{From: w * window, Enterprise: code}
	}
}

// endWindow closes a plant's window.
func (c *collector) endWindow(p *plantStat) {
	if p.inside == 0 {
		return
	}
	if p.inside > c.begins {
		c.windows++
		if c.onWindow != nil {
			c.onWindow(p.window * window)
		}
	}
	if p.flood != nil {
		if p.inside < c.ends {
			c.endFlood(p, p.window*window)
		} else {
			p.flood.Count += p.inside
			p.flood.Peak = max(p.flood.Peak, p.inside)
			p.flood.To = (p.window + 1) * window
		}
	}
	p.inside = 0
}

func (c *collector) endFlood(p *plantStat, at int64) {
	if p.flood == nil {
		return
	}
	p.flood.To = min(max(p.flood.To, p.flood.From), max(at, p.flood.From))
	c.out.FloodCount++
	c.out.Floods = worst(c.out.Floods, *p.flood, listed, func(a, b Flood) int { return b.Count - a.Count })
	p.flood = nil
}

// point keeps what tells chattering and fleeting alarms.
func (c *collector) point(a *schema.Alarm) {
	k := pointKey{a.GetMetric(), a.GetRule()}
	if k.metric == "" {
		k.metric = a.GetGateway() // of a gateway, or of the plant itself
	}
	s := c.points[k]
	if s == nil {
		if len(c.points) >= maxPoints {
			c.out.Uncounted++
			return
		}
		s = &pointStat{enterprise: a.GetEnterprise()}
		c.points[k] = s
	}
	s.count++
	onset := a.GetOnset()
	if s.last != 0 && (s.apart == 0 || onset-s.last < s.apart) {
		s.apart = onset - s.last
	}
	if c.chatters(s, onset) || k.rule == "frequent" {
		s.chatter++
	}
	s.before, s.last = s.last, onset
	began := max(onset, a.GetSince())
	if lasted := a.GetReturned() - began; a.GetCondition() == "returned" && a.GetReturned() != 0 && lasted >= 0 && lasted < c.fleetingMs {
		if s.fleeting == 0 || lasted < s.shortestFleet {
			s.shortestFleet = lasted
		}
		s.fleeting++
	}
}

// chatters says whether a point's alarm is the third (chatter_count 3) within the time of chattering.
func (c *collector) chatters(s *pointStat, onset int64) bool {
	first := s.before
	if c.chatterCount <= 2 {
		first = s.last
	}
	return first != 0 && onset-first <= c.chatterMs
}

// respond keeps how soon people answered.
func (c *collector) respond(a *schema.Alarm) {
	raised := a.GetRaised()
	if raised == 0 {
		raised = a.GetOnset()
	}
	var acked, disposed, closed bool
	for _, st := range a.GetSteps() {
		c.actors[c.role(st.GetActor())]++
		switch st.GetAction() {
		case actionAck:
			if !acked {
				c.ack.add(st.GetTime() - raised)
			}
			acked = true
		case "dispose":
			if !disposed {
				c.dispose.add(st.GetTime() - raised)
			}
			disposed = true
		case actionClose:
			if !closed {
				c.closed.add(st.GetTime() - raised)
			}
			closed = true
		}
	}
	if a.GetOverdue() {
		c.out.Responses.Overdue++
	}
	if a.GetEscalation() > 0 {
		c.out.Responses.Escalated++
	}
}

// role is a person's role; people of other sites are not known here.
func (c *collector) role(login string) string {
	role, known := c.roles[login]
	if known {
		return role
	}
	role = "elsewhere"
	if login == "site" {
		role = login
	} else if row, ok, err := c.rows.Get("User", login); err == nil && ok {
		role = row.Record.(*schema.User).GetRole()
	}
	if len(c.roles) < maxActors {
		c.roles[login] = role
	}
	return role
}

// openStages are those in which an alarm can be active.
var openStages = []string{"raised", "acknowledged", "disposed", "fed_back"}

// stand lists alarms that have been active for long, as is known now, whenever they began.
func (c *collector) stand(ctx context.Context) error {
	var queries []store.Query
	for _, stage := range openStages {
		queries = append(queries, store.Query{Type: "Alarm", Index: "stage,onset", Prefix: []string{stage}, To: c.q.To - c.standingMs})
	}
	if c.q.Enterprise != "" { // its own are fewer than all that are open
		queries = []store.Query{{Type: "Alarm", Index: "enterprise,onset", Prefix: []string{c.q.Enterprise}, To: c.q.To - c.standingMs}}
	}
	for _, q := range queries {
		err := c.rows.Each(ctx, q, func(r store.Row) (bool, error) {
			a, ok := r.Record.(*schema.Alarm)
			if !ok || a.GetCondition() != "active" || a.GetSuppressed() || !slices.Contains(openStages, a.GetStage()) || !c.plant(a.GetEnterprise()).in {
				return true, nil
			}
			since := max(a.GetOnset(), a.GetSince())
			if c.q.To-since <= c.standingMs {
				return true, nil
			}
			c.out.StandingCount++
			c.out.Standing = worst(c.out.Standing, Standing{
				Alarm: a.GetId(), Metric: a.GetMetric(), Enterprise: a.GetEnterprise(), Since: since, Hours: float64(c.q.To-since) / float64(hour),
			}, listed, func(a, b Standing) int { return int(a.Since/minute - b.Since/minute) })
			return true, nil
		})
		if err != nil {
			return fmt.Errorf("list standing alarms: %w", err)
		}
	}
	return nil
}

// worst keeps a sorted list of at most n.
func worst[T any](list []T, v T, n int, cmp func(a, b T) int) []T {
	i, _ := slices.BinarySearchFunc(list, v, func(a, b T) int {
		if cmp(a, b) <= 0 {
			return -1
		}
		return 1
	})
	if i >= n {
		return list
	}
	list = slices.Insert(list, i, v)
	return list[:min(n, len(list))]
}

// floor rounds down to a whole multiple, also below zero.
func floor(v, step int64) int64 { return v - (v%step+step)%step }
