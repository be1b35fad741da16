package replay

import (
	"maps"
	"slices"
	"sort"
	"strings"

	"dusthub/schema"
)

// state is a plant as its records had it at a time.
type state struct {
	records map[string]schema.Record // by type and key: base data, what is open, the last result
	since   map[string]int64         // when a record first came
	outages map[string][]*schema.Outage
	first   map[string]int64 // when a gateway was first heard
	cleaned map[string][]int64
	raised  map[string][]int64 // by metric
	former  map[string]string  // by thing: the alarm that was closed last
	level   string
	moved   int64 // when the level last moved
}

func (s *state) take(c *change) {
	if s.records == nil {
		*s = state{
			records: map[string]schema.Record{}, since: map[string]int64{}, outages: map[string][]*schema.Outage{}, first: map[string]int64{}, cleaned: map[string][]int64{},
			raised: map[string][]int64{}, former: map[string]string{},
		}
	}
	name := c.typ + "/" + c.key
	if c.deleted {
		delete(s.records, name)
		return
	}
	if _, known := s.since[name]; !known {
		s.since[name] = c.time
	}
	switch r := c.rec.(type) {
	case *schema.CleaningRecord:
		s.cleaned[r.GetPlan()] = keep(s.cleaned[r.GetPlan()], r.GetTime())
		return
	case *schema.Alarm:
		before, _ := s.records[name].(*schema.Alarm)
		if r.GetCondition() == "active" && r.GetSince() != before.GetSince() && r.GetRule() != "frequent" && r.GetCombined() == "" {
			s.raised[r.GetMetric()] = keep(s.raised[r.GetMetric()], c.time) // an open alarm may come again
		}
		if r.GetStage() == "closed" {
			s.former[thing(r)] = r.GetId()
			delete(s.records, name)
			return
		}
	case *schema.Warning:
		if r.GetStage() == "closed" {
			delete(s.records, name)
			return
		}
	case *schema.Hazard:
		if r.GetClosed() != 0 {
			delete(s.records, name)
			return
		}
	case *schema.Shelf:
		if r.GetStage() != "requested" && r.GetStage() != "approved" {
			delete(s.records, name)
			return
		}
	case *schema.RiskResult:
		if r.GetLevel() != s.level {
			s.level, s.moved = r.GetLevel(), r.GetTime()
		}
	case *schema.GatewayState:
		s.gateway(r)
	}
	s.records[name] = c.rec
}

func (s *state) gateway(r *schema.GatewayState) {
	list := s.outages[r.GetGateway()]
	switch r.GetState() {
	case "online":
		if s.first[r.GetGateway()] == 0 {
			s.first[r.GetGateway()] = r.GetSince()
		}
		if n := len(list); n > 0 && list[n-1].GetEnd() == 0 {
			list[n-1].End = r.GetSince()
		}
	case "offline":
		const most = 1000
		list = append(list, &schema.Outage{Start: r.GetSince()})
		s.outages[r.GetGateway()] = list[max(0, len(list)-most):]
	}
}

func keep(list []int64, v int64) []int64 {
	const most = 100
	list = append(list, v)
	return list[max(0, len(list)-most):]
}

// thing names what an alarm is about, as the engine does.
func thing(a *schema.Alarm) string {
	return a.GetRule() + "|" + a.GetMetric() + "|" + a.GetGateway() + "|" + a.GetCombined()
}

// all are the records of a type, in order of key.
func all[T schema.Record](s *state, typ string) []T {
	var out []T
	for _, name := range slices.Sorted(maps.Keys(s.records)) {
		if strings.HasPrefix(name, typ+"/") {
			if r, ok := s.records[name].(T); ok {
				out = append(out, r)
			}
		}
	}
	return out
}

// engineState is what an engine that has the plant alone remembers at a time, as far as the records tell it. offlineAfter is how
// long a gateway was silent before it was said to be offline, ms.
func (s *state) engineState(now, offlineAfter int64) *schema.EngineState {
	out := &schema.EngineState{Now: now, Swept: now}
	enterprises := all[*schema.Enterprise](s, "Enterprise")
	if len(enterprises) == 0 {
		return out
	}
	p := &schema.PlantState{
		Enterprise: enterprises[0], Workshops: all[*schema.Workshop](s, "Workshop"), Systems: all[*schema.DustSystem](s, "DustSystem"),
		Collectors: all[*schema.Collector](s, "Collector"), Cameras: all[*schema.Camera](s, "Camera"), Alarms: all[*schema.Alarm](s, "Alarm"),
		Warnings: all[*schema.Warning](s, "Warning"), Hazards: all[*schema.Hazard](s, "Hazard"), Shelves: all[*schema.Shelf](s, "Shelf"), Level: s.level, LevelSince: s.moved,
	}
	sort.SliceStable(p.Alarms, func(i, j int) bool { return p.GetAlarms()[i].GetRaised() < p.GetAlarms()[j].GetRaised() })
	sort.SliceStable(p.Warnings, func(i, j int) bool { return p.GetWarnings()[i].GetRaised() < p.GetWarnings()[j].GetRaised() })
	sort.SliceStable(p.Hazards, func(i, j int) bool { return p.GetHazards()[i].GetCode() < p.GetHazards()[j].GetCode() })
	if results := all[*schema.RiskResult](s, "RiskResult"); len(results) > 0 {
		p.Risk = results[0]
	}
	for _, h := range p.GetShelves() {
		if h.GetStage() == "approved" && h.GetCondition() == "" && now >= h.GetFrom() && now < h.GetUntil() {
			p.InForce = append(p.InForce, h.GetId())
		}
	}
	for _, t := range slices.Sorted(maps.Keys(s.former)) {
		p.Former = append(p.Former, &schema.Former{Thing: t, Alarm: s.former[t]})
	}
	for _, c := range all[*schema.CleaningPlan](s, "CleaningPlan") {
		p.Plans = append(p.Plans, &schema.PlanWatch{Plan: c, Since: s.since["CleaningPlan/"+c.GetId()], Done: s.cleaned[c.GetId()]})
	}
	s.watches(p, now, offlineAfter)
	for _, m := range all[*schema.Metric](s, "Metric") {
		out.Series = max(out.GetSeries(), m.GetSeries())
		p.Points = append(p.Points, &schema.PointState{Metric: m, Raised: s.raised[m.GetCode()], Rules: s.rules(p, m.GetCode())})
	}
	for _, c := range all[*schema.CombinedRule](s, "CombinedRule") {
		st := &schema.CombinedState{Rule: c, State: &schema.RuleState{Rule: "combined"}, Unsure: true}
		for _, a := range p.GetAlarms() {
			if a.GetCombined() == c.GetId() && a.GetCondition() == "active" {
				st.State = ruleState(a)
			}
		}
		p.Combined = append(p.Combined, st)
	}
	out.Plants = []*schema.PlantState{p}
	return out
}

func (s *state) watches(p *schema.PlantState, now, offlineAfter int64) {
	for _, g := range all[*schema.Gateway](s, "Gateway") {
		w := &schema.GatewayWatch{Gateway: g, First: s.first[g.GetCode()]}
		if st, ok := s.records["GatewayState/"+g.GetCode()].(*schema.GatewayState); ok {
			w.State, w.Since, w.Heard = st.GetState(), st.GetSince(), now
			switch st.GetState() {
			case "offline":
				w.Heard = st.GetSince() - offlineAfter
			case "source_lost":
				w.Lost = st.GetSince()
			}
		}
		for _, o := range s.outages[g.GetCode()] {
			w.Outages = append(w.Outages, &schema.Outage{Start: o.GetStart() - offlineAfter, End: o.GetEnd()})
		}
		p.Gateways = append(p.Gateways, w)
	}
}

// rules are the rules of a metric that are active, by its open alarms.
func (s *state) rules(p *schema.PlantState, metric string) []*schema.RuleState {
	var out []*schema.RuleState
	for _, a := range p.GetAlarms() {
		if a.GetMetric() == metric && a.GetCombined() == "" && a.GetCondition() == "active" {
			out = append(out, ruleState(a))
		}
	}
	return out
}

func ruleState(a *schema.Alarm) *schema.RuleState {
	return &schema.RuleState{Rule: a.GetRule(), Since: a.GetSince(), Alarm: a.GetId(), Peak: a.GetPeak(), Wrote: a.GetRaised(), From: a.GetSince()}
}
