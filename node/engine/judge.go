package engine

import (
	"math"
	"slices"

	"dusthub/node/engine/risk"
	"dusthub/schema"
)

const (
	forgotten  = 1.0  // a remembered score below it is gone
	alarmGrade = 50.0 // scores from here on are remembered
	topFactors = 3
)

// evaluate judges a plant and writes what changed: result, level, warning. What the index is made of is put in words only
// when it is written.
func (e *Engine) evaluate(p *plant) {
	e.evaluations++
	now := e.st.GetNow()
	e.knowBase(p)
	e.cleanings(p)
	e.hazards(p)
	e.gather(p, &e.scratch, false)
	res := e.model.Judge(&e.scratch, p.base.h)
	from := p.level
	moved := e.relevel(p, res)
	cause := p.cause(moved, res, e.model, now)
	if cause == "" {
		e.closeWarnings(p)
		return
	}
	factors, _ := e.model.Explain(e.snapshot(p), res.Index)
	r := &schema.RiskResult{
		Id: p.code, Enterprise: p.code, Time: now, Model: e.model.Version, Level: p.level, PreviousLevel: from,
		IndexMilli: res.Index, InherentMilli: res.Inherent, DynamicMilli: res.Dynamic, ManagementMilli: res.Management,
		Floor: res.Floor, Factors: factors, Cause: cause,
	}
	e.explain(r, p.risk)
	p.risk = r
	e.write(r)
	if moved == "up" && risk.Rank(r.GetLevel())-risk.Rank(from) >= e.model.Warn.MinJump {
		e.warn(p, from, r)
	}
	e.closeWarnings(p)
}

// cause is why a result is written; empty when it differs too little from the last (domain 6.2).
func (p *plant) cause(moved string, res risk.Result, m *risk.Model, now int64) string {
	last := p.risk
	switch {
	case moved == "first" || last == nil:
		return "first"
	case last.GetModel() != m.Version:
		return "model"
	case moved != "":
		return moved
	case last.GetFloor() != res.Floor:
		return "floor"
	case abs(last.GetIndexMilli()-res.Index) >= risk.Milli(m.Cadence.Change):
		return "index"
	case now-last.GetTime() >= m.Cadence.Snapshot.Ms():
		return "hourly"
	}
	return ""
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
	case want == have || float64(res.Index) >= float64(risk.Milli(e.model.LowerBound(p.level)-fall.Margin)):
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

// closeWarnings notes that the level is back, and closes warnings whose feedback is accepted as well.
func (e *Engine) closeWarnings(p *plant) {
	kept := p.warnings[:0]
	for _, w := range p.warnings {
		back := risk.Rank(p.level) <= risk.Rank(w.GetFromLevel())
		closing := back && w.GetStage() == stageFedBack && w.GetAccepted() != 0
		if back && w.GetLevelBack() == 0 || closing {
			w = clone(w)
			if w.GetLevelBack() == 0 {
				w.LevelBack = e.st.GetNow()
			}
			if closing {
				w.Stage, w.Closed, w.Overdue = stageClosed, e.st.GetNow(), false
				w.Steps = append(w.Steps, &schema.Step{Action: "close", Actor: "site", Time: e.st.GetNow(), Text: "等级已回落，反馈已认可"})
			}
			e.write(w)
		}
		if !closing {
			kept = append(kept, w)
		}
	}
	p.warnings = kept
}

// remember keeps alarm-grade scores of a system, so that they decay instead of vanishing.
func (e *Engine) remember(p *plant, system string, now []risk.Signal) {
	p.memory = slices.DeleteFunc(p.memory, func(m *schema.Remembered) bool {
		return m.GetSystem() == system && e.decayed(m) < forgotten
	})
	for _, s := range now {
		if s.Score < alarmGrade {
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
			m.Score, m.Time, m.Evidence = s.Score, e.st.GetNow(), slices.Clone(s.Evidence)
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
