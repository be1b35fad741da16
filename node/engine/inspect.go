package engine

import (
	"slices"

	"dusthub/node/engine/risk"
	"dusthub/schema"
)

// Unconnected says of a signal that its metric, though required, is not measured.
const Unconnected = "必选指标未接入"

// Inspection is what a plant is judged by at one moment: a copy that nothing changes any more (T4).
type Inspection struct {
	Now      int64       // ms, time of the last command
	Model    *risk.Model // in force
	Snapshot *risk.Snapshot
	Level    string             // as it stands, with its slow fall
	Since    int64              // ms, of the level
	Result   *schema.RiskResult // as last written; nil before the first
}

// Inspect tells what a plant of this site is judged by; false when there is no such plant. It changes nothing that is remembered.
func (e *Engine) Inspect(code string) (Inspection, bool) {
	p := e.plants[code]
	if p == nil {
		return Inspection{}, false
	}
	s := e.snapshot(p)
	s.Dusts = slices.Clone(s.Dusts)
	return Inspection{Now: e.st.GetNow(), Model: e.model, Snapshot: s, Level: p.level, Since: p.levelSince, Result: p.risk}, true
}
