package engine

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"dusthub/node/engine/risk"
	"dusthub/schema"
)

// base is what is known of a plant by its base data; it is worked out anew when they, or the model, change.
type base struct {
	known    bool
	h        float64 // inherent risk
	dusts    []risk.Dust
	building string
	measures string
	points   [][]*point // by system
	lacking  [][]string // required kinds nothing measures, by system
	filled   float64    // share of mandatory base data that is there
	missing  []string   // what is not, in words
	found    []danger   // major hidden dangers
}

// changed says that a plant's base data changed.
func (e *Engine) changed(p *plant) {
	p.base.known = false
	e.touch(p)
}

func (e *Engine) knowBase(p *plant) {
	if p.base.known {
		return
	}
	b := base{known: true, building: p.building(), measures: p.measures(), found: p.dangers()}
	for _, d := range p.enterprise.GetDusts() {
		b.dusts = append(b.dusts, risk.DustOf(d))
	}
	b.points, b.lacking = make([][]*point, len(p.systems)), make([][]string, len(p.systems))
	for i, s := range p.systems {
		for _, x := range p.points {
			if x.system == s.GetCode() && !x.st.GetMetric().GetDisabled() {
				b.points[i] = append(b.points[i], x)
			}
		}
		b.lacking[i] = p.lacking(s.GetCode())
	}
	b.filled, b.missing = p.filled()
	p.base = b
	s := &risk.Snapshot{}
	e.inherent(p, s)
	p.base.h = e.model.H(s)
}

// snapshot gathers what the model looks at of a plant, in words too. It changes nothing but what is derived.
func (e *Engine) snapshot(p *plant) *risk.Snapshot {
	e.knowBase(p)
	e.cleanings(p)
	s := &risk.Snapshot{}
	e.gather(p, s, true)
	return s
}

// gather fills a snapshot; words are for people, and cost more than the numbers.
func (e *Engine) gather(p *plant, s *risk.Snapshot, words bool) {
	e.inherent(p, s)
	s.Signals = slices.Grow(s.Signals[:0], len(p.systems))[:len(p.systems)]
	for i, system := range p.systems {
		s.Signals[i] = e.signals(p, i, system.GetCode(), s.Signals[i][:0], words)
	}
	s.Management = e.management(p, words)
	s.Floors = e.floors(p, s.Floors[:0])
	if words || e.model.Expressive() {
		e.figures(p, &s.Figures)
	}
}

// inherent fills what base data say.
func (e *Engine) inherent(p *plant, s *risk.Snapshot) {
	state := p.enterprise.GetProductionState()
	s.Dusts, s.Workers, s.Building, s.Systems, s.Measures = p.base.dusts, p.enterprise.GetDustWorkers(), p.base.building, len(p.systems), p.base.measures
	s.Stopped = state == "stopped" || state == "closed"
	s.Figures = risk.Figures{
		Scale: p.enterprise.GetScale(), Industry: p.enterprise.GetMemIndustry(), Employees: p.enterprise.GetEmployees(), ShiftWorkers: p.enterprise.GetMaxShiftWorkers(),
		Collectors: len(p.collectors),
	}
	for _, c := range p.collectors {
		if wet(c) {
			s.Figures.WetCollectors++
		}
	}
}

// building is the worst of the plant's workshops.
func (p *plant) building() string {
	order := []string{"multi_nonframe", "unknown", "multi_frame", "single_heavy", "single_frame"}
	best := len(order)
	for _, w := range p.workshops {
		if i := slices.Index(order, w.GetBuilding()); i >= 0 {
			best = min(best, i)
		}
	}
	if best == len(order) {
		return "unknown"
	}
	return order[best]
}

func wet(c *schema.Collector) bool { return strings.HasPrefix(c.GetType(), "wet_") }

// measures is how the worst protected dry collector is protected; wet when there is none. Isolation alone protects nothing
// (GB 15577-2018 7.1.3).
func (p *plant) measures() string {
	if len(p.collectors) == 0 {
		return ""
	}
	fewest := math.MaxInt
	for _, c := range p.collectors {
		if wet(c) {
			continue
		}
		distinct := slices.Clone(c.GetMeasures())
		slices.Sort(distinct)
		distinct = slices.Compact(distinct)
		if len(distinct) == 1 && distinct[0] == "isolation" {
			distinct = nil
		}
		fewest = min(fewest, len(distinct))
	}
	switch fewest {
	case math.MaxInt:
		return "wet"
	case 0:
		return "none"
	case 1:
		return "one"
	}
	return "several"
}

// signals are the states of a system's kinds of metric, with what is remembered of them, in order of kind. Without words they are
// judged, and so remembered.
func (e *Engine) signals(p *plant, i int, system string, out []risk.Signal, words bool) []risk.Signal {
	add := func(kind string, score float64, raw string, evidence ...string) {
		for k := range out {
			if out[k].Kind == kind {
				if score > out[k].Score {
					out[k].Score, out[k].Raw = score, raw
				}
				out[k].Evidence = append(out[k].Evidence, evidence...)
				return
			}
		}
		out = append(out, risk.Signal{Kind: kind, Score: score, Raw: raw, Evidence: evidence})
	}
	away := false
	for _, x := range p.base.points[i] {
		if x.gw != nil && x.gw.away() {
			away = away || !x.shelved
			continue
		}
		switch {
		case x.score == 0:
		case words || x.score >= alarmGrade:
			add(x.st.GetMetric().GetKind(), x.score, x.raw(words), x.evidence()...)
		default:
			add(x.st.GetMetric().GetKind(), x.score, "")
		}
	}
	for _, a := range p.alarms {
		if a.GetCombined() != "" && a.GetSystem() == system && a.GetCondition() == active && !a.GetSuppressed() {
			score := e.model.Scores.Level1
			if a.GetLevel() > 1 {
				score = e.model.Scores.Level2
			}
			add(a.GetKind(), score, a.GetText(), a.GetId())
		}
	}
	if away {
		add(risk.Link, e.model.Scores.Offline, "离线", p.awayEvidence()...)
	}
	if !words {
		e.remember(p, system, out)
	}
	for _, kind := range p.base.lacking[i] {
		add(kind, e.model.Scores.Offline, Unconnected)
	}
	for _, m := range p.memory {
		if m.GetSystem() == system {
			if score := e.decayed(m); score >= forgotten {
				e.recall(&out, m, score)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b risk.Signal) int { return strings.Compare(a.Kind, b.Kind) })
	return out
}

// recall lets a remembered score count where it is graver than what is now.
func (e *Engine) recall(out *[]risk.Signal, m *schema.Remembered, score float64) {
	for k := range *out {
		if s := &(*out)[k]; s.Kind == m.GetKind() {
			if score > s.Score {
				s.Score, s.Raw, s.Evidence = score, "近期报警", m.GetEvidence()
			}
			return
		}
	}
	*out = append(*out, risk.Signal{Kind: m.GetKind(), Score: score, Raw: "近期报警", Evidence: m.GetEvidence()})
}

// raw says which rules are active at a point, and its value.
func (p *point) raw(words bool) string {
	if !words {
		return ""
	}
	var names []string
	for _, r := range p.rules {
		if r.st.GetAlarm() != "" {
			names = append(names, schema.CodeName("alarm_rule", r.name))
		}
	}
	if len(names) == 0 {
		names = []string{"接近限值"}
	}
	if p.st.GetTime() == 0 || p.digital() {
		return strings.Join(names, "、")
	}
	return fmt.Sprintf("%s %s %s", strings.Join(names, "、"), strconv.FormatFloat(p.st.GetLast(), 'g', 6, 64), p.st.GetMetric().GetUnit())
}

// evidence is what a point's score rests on: its metric, and the alarms that are active.
func (p *point) evidence() []string {
	out := []string{codeOfPoint(p)}
	for _, r := range p.rules {
		if id := r.st.GetAlarm(); id != "" && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// awayEvidence are the gateways that are not heard, and their alarms.
func (p *plant) awayEvidence() []string {
	var out []string
	for _, g := range p.gateways {
		if !g.away() {
			continue
		}
		out = append(out, g.code())
		for _, rule := range []string{noData, sourceLost} {
			if i := p.open(&schema.Alarm{Gateway: g.code(), Rule: rule}); i >= 0 {
				out = append(out, p.alarms[i].GetId())
			}
		}
	}
	if i := p.open(&schema.Alarm{Rule: noData}); i >= 0 {
		out = append(out, p.alarms[i].GetId())
	}
	return out
}

// lacking lists the required kinds that no metric of a system's collectors measures (domain 2.1).
func (p *plant) lacking(system string) []string {
	var out []string
	for _, c := range p.collectors {
		if c.GetSystem() != system || c.GetType() == "other" {
			continue
		}
		required := []string{"K01", "P01", "T01"}
		if wet(c) {
			required = []string{"F01", "L01"}
		}
		for _, kind := range required {
			if !p.measured(c.GetCode(), kind) {
				out = append(out, kind)
			}
		}
	}
	return out
}

func (p *plant) measured(collector, kind string) bool {
	return slices.ContainsFunc(p.points, func(x *point) bool {
		m := x.st.GetMetric()
		return m.GetCollector() == collector && m.GetKind() == kind && !m.GetDisabled()
	})
}

// figures fills in what only expressions look at.
func (e *Engine) figures(p *plant, f *risk.Figures) {
	now := e.st.GetNow()
	for _, a := range p.alarms {
		if !a.GetSuppressed() {
			countAlarm(f, a, now)
		}
	}
	for _, x := range p.points {
		if x.st.GetMetric().GetDisabled() {
			continue
		}
		n := len(recent(x.st.GetRaised(), now-day))
		f.Alarms24h, f.Repeated24h = f.Alarms24h+n, max(f.Repeated24h, n)
		for _, r := range x.rules {
			if r.st.GetAlarm() == "" {
				continue
			}
			switch r.op {
			case outside:
				f.OverRange++
			case faulty:
				f.Faulty++
			case frozen:
				f.Stuck++
			case silent:
				f.Stale++
			default:
			}
		}
	}
	f.OfflineMinutes = float64(p.offlineFor(now)) / float64(minute)
	f.CleaningRate, f.CleaningMissed = 1, p.cleaning.missed
	if p.cleaning.due > 0 {
		f.CleaningRate = float64(p.cleaning.done) / float64(p.cleaning.due)
	}
	for _, w := range p.warnings {
		if w.GetOverdue() {
			f.FeedbackOverdue++
		}
	}
	f.OnlineRate, _ = p.onlineRate(now)
	doubtful, n := e.doubtful(p)
	if n > 0 {
		f.DoubtfulShare = float64(doubtful) / float64(n)
	}
	f.MissingShare = 1 - p.base.filled
	for _, h := range p.hazards {
		f.HazardsOpen++
		if h.GetOverdue() {
			f.HazardsOverdue++
		}
	}
}

func countAlarm(f *risk.Figures, a *schema.Alarm, now int64) {
	one := func(is bool, to *int) {
		if is {
			*to++
		}
	}
	f.Alarms++
	one(a.GetLevel() < 2, &f.AlarmsLevel1)
	one(a.GetLevel() >= 2, &f.AlarmsLevel2)
	one(a.GetPriority() == "critical", &f.AlarmsCritical)
	one(a.GetPriority() == "high", &f.AlarmsHigh)
	one(a.GetPriority() == "medium", &f.AlarmsMedium)
	one(a.GetPriority() == "low", &f.AlarmsLow)
	one(a.GetStage() == stageRaised || a.GetStage() == stageAcknowledged, &f.Undisposed)
	one(a.GetOverdue() && a.GetLevel() < 2, &f.OverdueLevel1)
	one(a.GetOverdue() && a.GetLevel() >= 2, &f.OverdueLevel2)
	if a.GetCondition() == active {
		f.LongestMinutes = math.Max(f.LongestMinutes, float64(now-a.GetOnset())/float64(minute))
	}
}
