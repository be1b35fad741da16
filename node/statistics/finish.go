package statistics

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"dusthub/schema"
)

// result puts the counters together.
func (c *collector) result() *Result {
	o := &c.out
	hours := float64(o.To-o.From) / float64(hour)
	if hours > 0 {
		o.PerOperatorHour = float64(o.Alarms) / hours / float64(o.Positions)
		o.FloodShare = min(1, float64(c.windows)/max(1, hours*6)/float64(o.Positions))
	}
	c.shares()
	top10 := c.pareto()
	c.nuisances()
	o.Responses.Acknowledge, o.Responses.Dispose, o.Responses.Close = c.ack.view(), c.dispose.view(), c.closed.view()
	for _, role := range sortedKeys(c.actors) {
		name := schema.CodeName("role", role)
		switch role {
		case "site":
			name = "站点自动"
		case "elsewhere":
			name = "其他站点人员"
		}
		o.Actors = append(o.Actors, Actor{role, name, c.actors[role]})
	}
	slices.SortStableFunc(o.Actors, func(a, b Actor) int { return b.Count - a.Count })
	c.names()
	c.judge(top10)
	c.fill()
	return o
}

// shares counts by priority and kind.
func (c *collector) shares() {
	for _, p := range slices.Backward(schema.PriorityOrder) {
		c.out.ByPriority = append(c.out.ByPriority, PriorityCount{p, c.priorities[p], share(c.priorities[p], c.out.Alarms), c.f.Target(p)})
	}
	for _, k := range sortedKeys(c.kinds) {
		kind, _ := schema.MetricKind(k)
		name := kind.Zh
		if k == "" {
			name = "采集设备与企业"
		}
		c.out.ByKind = append(c.out.ByKind, KindCount{k, name, c.kinds[k]})
	}
	slices.SortStableFunc(c.out.ByKind, func(a, b KindCount) int { return b.Count - a.Count })
}

// pareto lists the metrics and the plants with most alarms; it returns the share of the first ten metrics.
func (c *collector) pareto() (top10 float64) {
	byMetric, of := map[string]int{}, map[string]string{}
	for k, s := range c.points {
		byMetric[k.metric] += s.count
		of[k.metric] = s.enterprise
	}
	sum := 0
	for i, m := range top(byMetric, shown) {
		sum += byMetric[m]
		c.out.ByMetric = append(c.out.ByMetric, MetricCount{Metric: m, Enterprise: of[m], Count: byMetric[m], Share: share(byMetric[m], c.out.Alarms), Cumulative: share(sum, c.out.Alarms)})
		if i < 10 {
			top10 = share(sum, c.out.Alarms)
		}
	}
	byPlant := map[string]int{}
	for code, p := range c.plants {
		if p.in && p.count > 0 {
			byPlant[code] = p.count
		}
	}
	sum = 0
	for _, e := range top(byPlant, shown) {
		sum += byPlant[e]
		c.out.ByEnterprise = append(c.out.ByEnterprise, EnterpriseCount{Enterprise: e, Count: byPlant[e], Share: share(byPlant[e], c.out.Alarms), Cumulative: share(sum, c.out.Alarms)})
	}
	return top10
}

// nuisances lists chattering and fleeting points.
func (c *collector) nuisances() {
	more := func(a, b Nuisance) int {
		return cmp.Or(b.Count-a.Count, cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Rule, b.Rule))
	}
	for k, s := range c.points {
		n := Nuisance{Metric: k.metric, Enterprise: s.enterprise, Rule: k.rule}
		if s.chatter > 0 {
			n.Count, n.ShortestMs = s.chatter, s.apart
			c.out.ChatteringCount++
			c.out.Chattering = worst(c.out.Chattering, n, shown, more)
		}
		if s.fleeting > 0 {
			n.Count, n.ShortestMs = s.fleeting, s.shortestFleet
			c.out.FleetingCount++
			c.out.Fleeting = worst(c.out.Fleeting, n, shown, more)
		}
	}
}

// names looks the names of what is shown up.
func (c *collector) names() {
	name := func(typ, key string) string {
		row, ok, err := c.rows.Get(typ, key)
		if n, named := row.Record.(interface{ GetName() string }); err == nil && ok && named {
			return n.GetName()
		}
		return ""
	}
	o := &c.out
	o.Peak.Name = name("Enterprise", o.Peak.Enterprise)
	for i := range o.Floods {
		o.Floods[i].Name = name("Enterprise", o.Floods[i].Enterprise)
	}
	for i := range o.ByMetric {
		m := &o.ByMetric[i]
		m.Name, m.EnterpriseName = name("Metric", m.Metric), name("Enterprise", m.Enterprise)
	}
	for i := range o.ByEnterprise {
		o.ByEnterprise[i].Name = name("Enterprise", o.ByEnterprise[i].Enterprise)
	}
	for _, list := range [][]Nuisance{o.Chattering, o.Fleeting} {
		for i := range list {
			list[i].Name = name("Metric", list[i].Metric)
		}
	}
	for i := range o.Standing {
		o.Standing[i].Name = name("Metric", o.Standing[i].Metric)
	}
}

// judge holds each figure against its limit. What must not be passed by a position is divided by their number.
func (c *collector) judge(top10 float64) {
	o := &c.out
	p := func(names ...string) (s float64) {
		for _, n := range names {
			s += share(c.priorities[n], o.Alarms)
		}
		return s
	}
	values := map[string]float64{
		"average": o.PerOperatorHour, "peak": float64(o.Peak.Count), "flood_share": o.FloodShare, "top10_share": top10, "chattering": float64(o.ChatteringCount),
		"fleeting": float64(o.FleetingCount), "standing": float64(o.StandingCount) / float64(o.Positions),
		"grave_share": p(schema.Critical, schema.High), "medium_share": p(schema.Medium), "low_share": p(schema.Low),
	}
	for _, l := range c.f.Limits {
		v, known := values[l.Code]
		judged := known && o.Alarms >= l.Least
		ok := v <= l.Value
		if l.AtLeast {
			ok = v >= l.Value
		}
		o.Verdicts = append(o.Verdicts, Verdict{Code: l.Code, Name: l.Name, Value: v, Unit: l.Unit, Limit: l.Value, AtLeast: l.AtLeast, OK: ok || !judged, Judged: judged, Source: l.Basis, Confidence: l.Confidence})
	}
}

// fill makes lists that are empty lists in JSON, too.
func (c *collector) fill() {
	o := &c.out
	some(&o.Floods)
	some(&o.ByKind)
	some(&o.ByMetric)
	some(&o.ByEnterprise)
	some(&o.Chattering)
	some(&o.Fleeting)
	some(&o.Standing)
	some(&o.Actors)
}

func some[T any](list *[]T) {
	if *list == nil {
		*list = []T{}
	}
}

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// top are the n keys with most, those of equal numbers by name.
func top(counts map[string]int, n int) []string {
	keys := sortedKeys(counts)
	slices.SortStableFunc(keys, func(a, b string) int { return counts[b] - counts[a] })
	return keys[:min(n, len(keys))]
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// ErrSteps says that a series would have too many steps, or none.
var ErrSteps = fmt.Errorf("statistics: a series has 1 to %d steps", maxSteps)

// Over counts alarms over time, by "hour" or by "day" (China time). Errors: ErrSteps, those of the rows.
func Over(ctx context.Context, rows Rows, q Query, step string) (*Series, error) {
	long := hour
	if step == "day" {
		long = day
	}
	index := func(t int64) int64 { return floor(t+chinaOffset, long) / long }
	first := index(q.From)
	n := index(q.To-1) - first + 1
	if q.To <= q.From || n > maxSteps {
		return nil, ErrSteps
	}
	out := &Series{Step: step, Points: make([]Point, n)}
	for i := range out.Points {
		out.Points[i].At = (first+int64(i))*long - chinaOffset
	}
	c := newCollector(rows, &q)
	c.onWindow = func(at int64) { out.Points[max(0, index(at)-first)].Flood++ }
	err := c.walk(ctx, func(p *plantStat, a *schema.Alarm) {
		if a.GetSuppressed() {
			return
		}
		x := &out.Points[index(a.GetOnset())-first]
		x.Count++
		if a.GetPriority() == schema.High || a.GetPriority() == schema.Critical {
			x.High++
		}
		c.announce(a.GetEnterprise(), p, a.GetOnset())
	})
	return out, err
}
