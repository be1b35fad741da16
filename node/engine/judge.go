package engine

import (
	"math"
	"slices"
	"strings"

	"dusthub/node/engine/risk"
	"dusthub/schema"
)

const (
	snapshotEvery = hour // a result is written at least so often (domain 6.2)
	writeFrom     = 1000 // thousandths of the index: a change worth writing
	forgotten     = 1.0  // a remembered score below it is gone
	alarmGrade    = 50.0 // scores from here on are remembered
	topFactors    = 3
)

// evaluate judges a plant and writes what changed: result, level, warning.
func (e *Engine) evaluate(p *plant) {
	now := e.st.GetNow()
	res := e.model.Evaluate(e.snapshot(p))
	from := p.level
	cause := e.relevel(p, res)
	if cause == "" && !p.worth(res, now) {
		e.closeWarnings(p)
		return
	}
	r := &schema.RiskResult{
		Id: p.code, Enterprise: p.code, Time: now, Model: e.model.Version, Level: p.level, PreviousLevel: from,
		IndexMilli: res.Index, InherentMilli: res.Inherent, DynamicMilli: res.Dynamic, ManagementMilli: res.Management,
		Floor: res.Floor, Factors: res.Factors, Cause: cause,
	}
	if r.GetCause() == "" {
		r.Cause = "index"
	}
	p.risk = r
	e.write(r)
	if cause == "up" {
		e.warn(p, from, r)
	}
	e.closeWarnings(p)
}

// relevel moves the plant's level: up at once, down one at a time and not before the index was low for a while (domain 6.2).
// It returns "first", "up", "down" or "".
func (e *Engine) relevel(p *plant, res risk.Result) string {
	now, fall := e.st.GetNow(), e.model.Fall
	switch have, want := risk.Rank(p.level), risk.Rank(res.Level); {
	case p.level == "":
		p.level, p.levelSince, p.lowSince = res.Level, now, 0
		return "first"
	case want > have:
		p.level, p.levelSince, p.lowSince = res.Level, now, 0
		return "up"
	case want == have || res.R >= e.model.LowerBound(p.level)-fall.Margin:
		p.lowSince = 0
	case p.lowSince == 0:
		p.lowSince = now
	}
	if p.lowSince == 0 || now-p.lowSince < fall.After.Ms() || now-p.levelSince < fall.Dwell.Ms() {
		return ""
	}
	p.level, p.levelSince, p.lowSince = risk.Level(risk.Rank(p.level)-1), now, now
	if res.Level == p.level {
		p.lowSince = 0
	}
	return "down"
}

// worth says whether a result differs enough from the last written one, or that one is old.
func (p *plant) worth(res risk.Result, now int64) bool {
	last := p.risk
	return last == nil || last.GetFloor() != res.Floor || abs(last.GetIndexMilli()-res.Index) >= writeFrom || now-last.GetTime() >= snapshotEvery
}

func abs(v int64) int64 { return max(v, -v) }

// warn makes a warning of a jump of the level (F1.2, domain 5.3).
func (e *Engine) warn(p *plant, from string, r *schema.RiskResult) {
	top := slices.Clone(r.GetFactors())
	slices.SortStableFunc(top, func(a, b *schema.Factor) int {
		return int(b.GetContributionMilli() - a.GetContributionMilli())
	})
	w := &schema.Warning{
		Id: e.id("W"), Enterprise: p.code, FromLevel: from, ToLevel: r.GetLevel(), DoubleJump: risk.Rank(r.GetLevel())-risk.Rank(from) > 1,
		IndexMilli: r.GetIndexMilli(), Floor: r.GetFloor(), Top: top[:min(topFactors, len(top))], Receivers: e.model.Receivers[r.GetLevel()],
		Raised: e.st.GetNow(), Stage: stageRaised,
	}
	if within, ok := e.model.Feedback[r.GetLevel()]; ok {
		w.Due = w.GetRaised() + within.Ms()
	}
	e.callWarning(w)
	p.warnings = append(p.warnings, w)
	e.write(w)
}

// closeWarnings notes that the level is back, and closes warnings that are fed back as well.
func (e *Engine) closeWarnings(p *plant) {
	kept := p.warnings[:0]
	for _, w := range p.warnings {
		back := risk.Rank(p.level) <= risk.Rank(w.GetFromLevel())
		closing := back && w.GetStage() == stageFedBack
		if back && w.GetLevelBack() == 0 || closing {
			w = clone(w)
			if w.GetLevelBack() == 0 {
				w.LevelBack = e.st.GetNow()
			}
			if closing {
				w.Stage, w.Closed, w.Overdue = stageClosed, e.st.GetNow(), false
				w.Steps = append(w.Steps, &schema.Step{Action: "close", Actor: "site", Time: e.st.GetNow(), Text: "等级已回落，反馈完成"})
			}
			e.write(w)
		}
		if !closing {
			kept = append(kept, w)
		}
	}
	p.warnings = kept
}

// snapshot gathers what the model looks at.
func (e *Engine) snapshot(p *plant) *risk.Snapshot {
	s := &risk.Snapshot{
		Workers: p.enterprise.GetDustWorkers(), Building: p.building(), Systems: len(p.systems), Measures: p.measures(),
		Stopped: p.enterprise.GetProductionState() == "stopped",
	}
	for _, d := range p.enterprise.GetDusts() {
		s.Dusts = append(s.Dusts, dustOf(d))
	}
	for _, system := range p.systems {
		s.Signals = append(s.Signals, e.signals(p, system.GetCode()))
	}
	s.Management = e.management(p)
	s.Floors = e.floors(p)
	return s
}

// dustOf takes the catalogue's properties, and a plant's own test values where it has them.
func dustOf(d *schema.Dust) risk.Dust {
	c, _ := schema.DustOf(d.GetDust())
	out := risk.Dust{Category: c.Category, Grade: c.Grade, MIE: numberOf(c.MIE), Kst: numberOf(c.Kst)}
	if d.GetMieMj() > 0 {
		out.MIE = d.GetMieMj()
	}
	if d.GetKst() > 0 {
		out.Kst = d.GetKst()
	}
	return out
}

// numberOf reads a catalogue value; one printed as "more than" lies just above.
func numberOf(m schema.Measure) float64 {
	switch {
	case !m.Known:
		return math.NaN()
	case m.Op == ">":
		return math.Nextafter(m.Value, math.Inf(1))
	case m.Op == "<":
		return math.Nextafter(m.Value, math.Inf(-1))
	}
	return m.Value
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

// measures is how the worst protected dry collector is protected (GB 15577-2018 7.1.3); wet when there is none.
func (p *plant) measures() string {
	if len(p.collectors) == 0 {
		return ""
	}
	fewest := math.MaxInt
	for _, c := range p.collectors {
		if !wet(c) {
			fewest = min(fewest, len(c.GetMeasures()))
		}
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

// signals are the states of a system's kinds of metric, with what is remembered of them, in order of kind.
func (e *Engine) signals(p *plant, system string) []risk.Signal {
	var out []risk.Signal
	add := func(kind string, score float64, raw string, evidence ...string) {
		for i := range out {
			if out[i].Kind == kind {
				if score > out[i].Score {
					out[i].Score, out[i].Raw = score, raw
				}
				out[i].Evidence = append(out[i].Evidence, evidence...)
				return
			}
		}
		out = append(out, risk.Signal{Kind: kind, Score: score, Raw: raw, Evidence: evidence})
	}
	away := false
	for _, x := range p.points {
		if x.system != system || x.st.GetMetric().GetDisabled() {
			continue
		}
		if x.gw != nil && x.gw.away() {
			away = away || !x.shelved
			continue
		}
		if x.score > 0 {
			add(x.st.GetMetric().GetKind(), x.score, x.raw(), codeOfPoint(x))
		}
	}
	if away {
		add(linkKind, e.model.Scores.Offline, "离线")
	}
	for _, kind := range p.lacking(system) {
		add(kind, e.model.Scores.Offline, "必选指标未接入")
	}
	e.remember(p, system, out)
	for _, m := range p.memory {
		if m.GetSystem() == system {
			if score := e.decayed(m); score >= forgotten {
				add(m.GetKind(), score, "近期报警", m.GetEvidence()...)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b risk.Signal) int { return strings.Compare(a.Kind, b.Kind) })
	return out
}

// raw says which rules are active at a point.
func (p *point) raw() string {
	var names []string
	for _, r := range p.rules {
		if r.st.GetAlarm() != "" {
			names = append(names, r.name)
		}
	}
	if len(names) == 0 {
		return "接近限值"
	}
	return strings.Join(names, " ")
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

// remember keeps alarm-grade scores, so that they decay instead of vanishing.
func (e *Engine) remember(p *plant, system string, now []risk.Signal) {
	kept := p.memory[:0]
	for _, m := range p.memory {
		if m.GetSystem() != system || e.decayed(m) >= forgotten {
			kept = append(kept, m)
		}
	}
	p.memory = kept
	for _, s := range now {
		if s.Score < alarmGrade || s.Raw == "必选指标未接入" {
			continue
		}
		i := slices.IndexFunc(p.memory, func(m *schema.Remembered) bool {
			return m.GetSystem() == system && m.GetKind() == s.Kind
		})
		if i < 0 {
			p.memory = append(p.memory, &schema.Remembered{System: system, Kind: s.Kind})
			i = len(p.memory) - 1
		}
		if m := p.memory[i]; s.Score >= e.decayed(m) {
			m.Score, m.Time, m.Evidence = s.Score, e.st.GetNow(), s.Evidence
		}
	}
}

// decayed is a remembered score now: half of it after each half-life.
func (e *Engine) decayed(m *schema.Remembered) float64 {
	return m.GetScore() * math.Exp2(-float64(e.st.GetNow()-m.GetTime())/float64(e.model.Memory.HalfLife.Ms()))
}

// forget drops what is remembered of a kind, of every system when none is named.
func (p *plant) forget(system, kind string) {
	p.memory = slices.DeleteFunc(p.memory, func(m *schema.Remembered) bool {
		return m.GetKind() == kind && (system == "" || m.GetSystem() == system)
	})
}
