package engine

import (
	"fmt"

	"dusthub/schema"
)

// act takes one step in the life cycle of an alarm, a warning or a spot check.
func (e *Engine) act(actor string, act *schema.Act) {
	switch act.GetType() {
	case "Alarm":
		e.actAlarm(actor, act)
	case "Warning":
		e.actWarning(actor, act)
	case "SpotCheck":
		e.actSpotCheck(actor, act)
	case "Shelf":
		e.actShelf(actor, act)
	default:
		e.refuse(act.GetType(), "type", "oneof", act.GetType(), "Alarm, Warning, SpotCheck or Shelf")
	}
}

// warningSteps: a regulator accepts a feedback or sends it back; closing is the engine's, when the level is back as well (domain 5.3).
var warningSteps = map[string]struct {
	from, to  string
	regulator bool
}{
	"dispose":   {stageRaised, stageDisposed, false},
	"feed_back": {stageDisposed, stageFedBack, false},
	"accept":    {stageFedBack, stageFedBack, true},
	"reject":    {stageFedBack, stageRaised, true},
}

func (e *Engine) actWarning(actor string, act *schema.Act) {
	subject := "Warning/" + act.GetKey()
	p, i := e.warning(act.GetKey())
	if p == nil {
		e.refuse(subject, "id", "missing", act.GetKey(), "an open warning of this site")
		return
	}
	w := p.warnings[i]
	s, ok := warningSteps[act.GetAction()]
	switch {
	case !ok:
		e.refuse(subject, "action", "oneof", act.GetAction(), "dispose, feed_back, accept or reject")
	case s.from != w.GetStage():
		e.refuse(subject, "stage", "life_cycle", w.GetStage(), s.from+" for "+act.GetAction())
	case s.regulator && !regulates(act.GetRole()):
		e.refuse(subject, "action", "role", act.GetRole(), "a regulator")
	case act.GetAction() == "accept" && w.GetAccepted() != 0:
		e.refuse(subject, "accepted", "life_cycle", fmt.Sprint(w.GetAccepted()), "a feedback that is not accepted yet")
	}
	if act.GetText() == "" && act.GetAction() != "accept" {
		e.refuse(subject, "text", "required", "", "what was done or found")
	}
	e.actForm(subject, act)
	if len(e.out.Violations) > 0 {
		return
	}
	w = clone(w)
	w.Stage = s.to
	w.Overdue = s.to != stageFedBack && w.GetDue() != 0 && e.st.GetNow() > w.GetDue()
	switch {
	case act.GetAction() == "accept":
		w.Accepted = e.st.GetNow()
	case s.to == stageFedBack:
		w.RemindDue = 0
	case s.from == stageFedBack:
		e.callWarning(w) // sent back: its people are called at once
	}
	w.Steps = append(w.Steps, e.stepOf(actor, act))
	p.warnings[i] = w
	e.out.Keys = append(e.out.Keys, w.GetId())
	e.write(w)
	e.touch(p)
}

func (e *Engine) warning(id string) (*plant, int) {
	for _, code := range e.codes {
		for i, w := range e.plants[code].warnings {
			if w.GetId() == id {
				return e.plants[code], i
			}
		}
	}
	return nil, -1
}
