package engine

import (
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

// warningSteps: a regulator may send a feedback back; closing is the engine's, when the level is back as well (domain 5.3).
var warningSteps = map[string]struct {
	from, to  string
	regulator bool
}{
	"dispose":   {stageRaised, stageDisposed, false},
	"feed_back": {stageDisposed, stageFedBack, false},
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
		e.refuse(subject, "action", "oneof", act.GetAction(), "dispose, feed_back or reject")
	case s.from != w.GetStage():
		e.refuse(subject, "stage", "life_cycle", w.GetStage(), s.from+" for "+act.GetAction())
	case s.regulator && !regulates(act.GetRole()):
		e.refuse(subject, "action", "role", act.GetRole(), "a regulator")
	}
	if act.GetText() == "" {
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

func (e *Engine) actSpotCheck(actor string, act *schema.Act) {
	subject := "SpotCheck/" + act.GetKey()
	issued := e.issued[act.GetKey()]
	switch {
	case issued == nil:
		e.refuse(subject, "id", "missing", act.GetKey(), "an open spot check that this site issued")
	case act.GetAction() != "close":
		e.refuse(subject, "action", "oneof", act.GetAction(), "close")
	case !regulates(act.GetRole()):
		e.refuse(subject, "action", "role", act.GetRole(), "a regulator")
	}
	e.actForm(subject, act)
	if len(e.out.Violations) > 0 {
		return
	}
	s := clone(issued.GetCheck())
	s.Stage = stageClosed
	s.Steps = append(s.Steps, e.stepOf(actor, act))
	delete(e.issued, s.GetId())
	e.out.Keys = append(e.out.Keys, s.GetId())
	e.writeTo(s, issued.GetTo())
}

// answered marks a spot check of this site as answered.
func (e *Engine) answered(a *schema.SpotCheckAnswer) {
	issued := e.issued[a.GetSpotCheck()]
	s := issued.GetCheck()
	if s == nil || s.GetStage() != "issued" || s.GetEnterprise() != a.GetEnterprise() {
		return
	}
	s = clone(s)
	s.Stage = "answered"
	s.Steps = append(s.Steps, &schema.Step{Action: "answer", Actor: a.GetActor(), Time: a.GetTime(), Text: a.GetText(), Attachments: a.GetAttachments()})
	issued.Check = s
	e.writeTo(s, issued.GetTo())
}
