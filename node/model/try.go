package model

import (
	"slices"

	"dusthub/node/engine"
	"dusthub/node/engine/risk"
	"dusthub/schema"
)

// Effect is what a change of base data would do to a plant at once (F3.6): it was made on a copy of the plant, by the engine itself.
type Effect struct {
	Enterprise  string      `json:"enterprise"`
	Before      *Judgement  `json:"before,omitempty" doc:"absent when the plant is new"`
	After       *Judgement  `json:"after,omitempty" doc:"absent when the plant is gone"`
	LevelBefore string      `json:"level_before,omitempty" doc:"as it stands, with its slow fall"`
	LevelAfter  string      `json:"level_after,omitempty"`
	Moves       []Move      `json:"moves,omitempty" doc:"factors whose contribution changes, most first"`
	Alarms      []AlarmMove `json:"alarms,omitempty" doc:"alarms that are raised or end, by the present values"`
	Hazards     []Turn      `json:"hazards,omitempty" doc:"major hidden dangers that come up or go"`
	Floors      []Turn      `json:"floors,omitempty" doc:"floors of the risk model that begin or cease to hold"`
	Warns       bool        `json:"warns" doc:"the level jumps up, so that a warning goes out"`
}

// AlarmMove is an alarm that a change raises or ends.
type AlarmMove struct {
	Metric string  `json:"metric,omitempty"`
	Rule   string  `json:"rule" doc:"table alarm_rule"`
	Name   string  `json:"name"`
	Level  int32   `json:"level"`
	Value  float64 `json:"value"`
	Limit  float64 `json:"limit"`
	Unit   string  `json:"unit,omitempty"`
	Raised bool    `json:"raised" doc:"false: it ends"`
}

// Turn is something that begins to hold, or ceases to.
type Turn struct {
	Code   string `json:"code"`
	Name   string `json:"name"`
	Begins bool   `json:"begins"`
}

// Try makes a change on a copy of a plant and tells what comes of it; the copy is used up. A change that would be refused has no
// effect but its reasons. It counts as a what-if. Errors: those of Call.
func (s *Service) Try(caller, plant string, e *engine.Engine, put *schema.Put) (out *Effect, refused []*schema.Violation, err error) {
	err = s.Call(caller, OpWhatIf, Choice{}, 1, func(*risk.Model) error {
		began := e.Now()
		before, known := e.Inspect(plant)
		done := e.Apply(&schema.Command{Time: e.Now(), Actor: caller, Body: &schema.Command_Put{Put: put}})
		if refused = done.Violations; schema.Refuses(refused) {
			return nil
		}
		changes := done.Changes
		after, stays := e.Inspect(plant)
		if raised := repeated(e, put); len(raised) > 0 {
			changes = append(changes, raised...)
			after, stays = e.Inspect(plant)
		}
		out = &Effect{Enterprise: plant, Alarms: alarmMoves(changes, began), Hazards: hazards(changes), Floors: []Turn{}, Moves: []Move{}}
		if known {
			out.Before, out.LevelBefore = resultOf(before.Model, before.Snapshot), before.Level
		}
		if stays {
			out.After, out.LevelAfter = resultOf(after.Model, after.Snapshot), after.Level
		}
		if known && stays {
			out.Moves = moves(out.Before.Factors, out.After.Factors)
			out.Floors = floorTurns(after.Model, before.Snapshot, after.Snapshot)
		}
		out.Warns = slices.ContainsFunc(changes, func(c engine.Change) bool { return c.Type == "Warning" })
		return nil
	})
	return out, refused, err
}

// repeated are the changes that the present values of the metrics in a put bring about.
func repeated(e *engine.Engine, put *schema.Put) (out []engine.Change) {
	for _, c := range put.GetChanges() {
		if c.GetType() != "Metric" || c.GetDeleted() {
			continue
		}
		if rec, err := schema.Decode(c.GetType(), c.GetRecord()); err == nil {
			out = append(out, e.Repeat(schema.KeyOf(rec))...)
		}
	}
	return slices.DeleteFunc(out, func(c engine.Change) bool { return c.Type != "Alarm" && c.Type != "Warning" && c.Type != "RiskResult" })
}

// alarmMoves are the alarms among changes that were raised since a time, and those that returned.
func alarmMoves(changes []engine.Change, since int64) []AlarmMove {
	out := []AlarmMove{}
	at := map[string]int{}
	for _, c := range changes {
		a, ok := c.Record.(*schema.Alarm)
		if !ok || a.GetCondition() == "active" && a.GetRaised() < since {
			continue
		}
		m := AlarmMove{
			Metric: a.GetMetric(), Rule: a.GetRule(), Name: schema.CodeName("alarm_rule", a.GetRule()), Level: a.GetLevel(), Value: a.GetValue(), Limit: a.GetLimit(),
			Unit: a.GetUnit(), Raised: a.GetCondition() == "active",
		}
		if i, seen := at[a.GetId()]; seen {
			out[i] = m
			continue
		}
		at[a.GetId()] = len(out)
		out = append(out, m)
	}
	return out
}

func hazards(changes []engine.Change) []Turn {
	out := []Turn{}
	for _, c := range changes {
		if h, ok := c.Record.(*schema.Hazard); ok {
			out = append(out, Turn{Code: h.GetCode(), Name: schema.CodeName("hazard", h.GetCode()), Begins: h.GetClosed() == 0})
		}
	}
	return out
}

// floorTurns are the floors that hold in one snapshot and not in the other.
func floorTurns(m *risk.Model, before, after *risk.Snapshot) []Turn {
	out := []Turn{}
	holds := func(s *risk.Snapshot, code string) bool {
		return slices.ContainsFunc(s.Floors, func(h risk.Held) bool { return h.Code == code })
	}
	for i := range m.Floors {
		f := &m.Floors[i]
		if was, is := holds(before, f.Code), holds(after, f.Code); was != is {
			out = append(out, Turn{Code: f.Code, Name: f.Text, Begins: is})
		}
	}
	return out
}
