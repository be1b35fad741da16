package engine

import (
	"fmt"

	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// Conditions and stages of an alarm, stages of a warning (code tables alarm_stage, warning_stage).
const (
	active   = "active"
	returned = "returned"

	stageRaised       = "raised"
	stageAcknowledged = "acknowledged"
	stageDisposed     = "disposed"
	stageFedBack      = "fed_back"
	stageClosed       = "closed"
)

// Deadlines from raising, by level (domain 5.2, proposed).
var (
	acknowledgeWithin = [3]int64{0, 30 * minute, 10 * minute}
	disposeWithin     = [3]int64{0, 24 * hour, 4 * hour}
)

// clone copies a record, so that one that was handed out never changes.
func clone[T proto.Message](m T) T { return proto.Clone(m).(T) }

func (p *plant) find(id string) int {
	for i, a := range p.alarms {
		if a.GetId() == id {
			return i
		}
	}
	return -1
}

// raise raises an alarm; when one of the same rule on the same thing is still open, that one becomes active again.
func (e *Engine) raise(p *plant, a *schema.Alarm) *schema.Alarm {
	e.touch(p)
	for i, old := range p.alarms {
		if old.GetRule() == a.GetRule() && old.GetMetric() == a.GetMetric() && old.GetGateway() == a.GetGateway() {
			again := clone(old)
			again.Condition, again.Returned = active, 0
			p.alarms[i] = again
			e.write(again)
			return again
		}
	}
	a.Id, a.Enterprise, a.Condition, a.Stage = e.id("A"), p.code, active, stageRaised
	a.Raised = e.st.GetNow()
	a.StageDue = a.GetRaised() + acknowledgeWithin[a.GetLevel()]
	p.alarms = append(p.alarms, a)
	e.write(a)
	return a
}

// returned notes that an alarm's condition no longer holds.
func (e *Engine) returned(p *plant, id string, t int64) {
	i := p.find(id)
	if i < 0 || p.alarms[i].GetCondition() == returned {
		return
	}
	a := clone(p.alarms[i])
	a.Condition, a.Returned = returned, t
	p.alarms[i] = a
	e.write(a)
	e.touch(p)
}

// steps says what each action needs and leads to (domain 5.2, ISA-18.2): 报警 -> 签收 -> 处置 -> 反馈 -> 核销.
var steps = map[string]struct {
	from, to  string
	regulator bool
}{
	"acknowledge": {stageRaised, stageAcknowledged, false},
	"dispose":     {stageAcknowledged, stageDisposed, false},
	"feed_back":   {stageDisposed, stageFedBack, false},
	"close":       {stageFedBack, stageClosed, true},
	"reject":      {stageFedBack, stageAcknowledged, true},
	"false_alarm": {"", stageClosed, true},
}

func regulates(role string) bool {
	return role == "province_regulator" || role == "ministry_regulator"
}

// actAlarm takes one step of an alarm's life cycle, or refuses with every reason.
func (e *Engine) actAlarm(actor string, act *schema.Act) {
	subject := "Alarm/" + act.GetKey()
	p, i := e.alarm(act.GetKey())
	if p == nil {
		e.refuse(subject, "id", "missing", act.GetKey(), "an open alarm of this site")
		return
	}
	a := p.alarms[i]
	s, ok := steps[act.GetAction()]
	switch {
	case !ok:
		e.refuse(subject, "action", "oneof", act.GetAction(), "acknowledge, dispose, feed_back, close, reject or false_alarm")
	case s.from != "" && s.from != a.GetStage():
		e.refuse(subject, "stage", "life_cycle", a.GetStage(), s.from+" for "+act.GetAction())
	case s.regulator && !regulates(act.GetRole()):
		e.refuse(subject, "action", "role", act.GetRole(), "a regulator")
	}
	if len(e.out.Violations) == 0 {
		e.alarmNeeds(subject, a, act)
	}
	if len(e.out.Violations) > 0 {
		return
	}
	e.moveAlarm(p, i, s.to, actor, act)
}

func (e *Engine) alarm(id string) (*plant, int) {
	for _, code := range e.codes {
		if i := e.plants[code].find(id); i >= 0 {
			return e.plants[code], i
		}
	}
	return nil, -1
}

// alarmNeeds refuses a step that lacks what it must carry.
func (e *Engine) alarmNeeds(subject string, a *schema.Alarm, act *schema.Act) {
	e.actForm(subject, act)
	text, cause, photos := act.GetText() != "", act.GetCause(), len(act.GetAttachments())
	for _, s := range a.GetSteps() {
		photos += len(s.GetAttachments())
	}
	if cause == "" {
		cause = a.GetCause()
	}
	switch act.GetAction() {
	case "dispose", "feed_back", "reject", "false_alarm":
		if !text {
			e.refuse(subject, "text", "required", "", "what was done or found")
		}
	case "close":
		if a.GetCondition() != returned {
			e.refuse(subject, "condition", "life_cycle", a.GetCondition(), "returned: a process that is still out of limits is not closed")
		}
	}
	switch act.GetAction() {
	case "dispose", "feed_back", "close":
		if cause == "" {
			e.refuse(subject, "cause", "required", "", "a code of table cause")
		}
	}
	if a.GetLevel() >= 2 && photos == 0 && (act.GetAction() == "feed_back" || act.GetAction() == "close") {
		e.refuse(subject, "attachments", "required", "0", "at least one photo for a grave alarm")
	}
}

// actForm judges what every step has in common.
func (e *Engine) actForm(subject string, act *schema.Act) {
	const longest, most = 2000, 9
	if len([]rune(act.GetText())) > longest {
		e.refuse(subject, "text", "max", fmt.Sprint(len([]rune(act.GetText()))), "at most 2000 characters")
	}
	if len(act.GetAttachments()) > most {
		e.refuse(subject, "attachments", "max", fmt.Sprint(len(act.GetAttachments())), "at most 9")
	}
	if c := act.GetCause(); c != "" && schema.CodeName("cause", c) == c {
		e.refuse(subject, "cause", "table", c, "a code of table cause")
	}
}

func (e *Engine) stepOf(actor string, act *schema.Act) *schema.Step {
	return &schema.Step{
		Action: act.GetAction(), Actor: actor, ActorName: act.GetActorName(), Time: e.st.GetNow(), Text: act.GetText(), Cause: act.GetCause(), Attachments: act.GetAttachments(),
	}
}

func (e *Engine) moveAlarm(p *plant, i int, to, actor string, act *schema.Act) {
	a := clone(p.alarms[i])
	a.Stage, a.Overdue = to, false
	a.Steps = append(a.Steps, e.stepOf(actor, act))
	if act.GetCause() != "" {
		a.Cause = act.GetCause()
	}
	switch to {
	case stageAcknowledged, stageDisposed:
		a.StageDue = a.GetRaised() + disposeWithin[a.GetLevel()]
		a.Overdue = e.st.GetNow() > a.GetStageDue()
	default:
		a.StageDue = 0
	}
	p.alarms[i] = a
	if to == stageClosed {
		e.closeAlarm(p, i, a)
	}
	e.out.Keys = append(e.out.Keys, a.GetId())
	e.write(a)
	e.touch(p)
}

// closeAlarm forgets an open alarm: its rule may raise anew, and the memory of its signal is gone at once (domain 6.2).
func (e *Engine) closeAlarm(p *plant, i int, a *schema.Alarm) {
	p.alarms = append(p.alarms[:i:i], p.alarms[i+1:]...)
	for _, x := range p.points {
		for k := range x.rules {
			if r := &x.rules[k]; r.st.GetAlarm() == a.GetId() {
				r.st.Alarm, r.st.Since, r.st.Clear = "", 0, 0
			}
		}
		if codeOfPoint(x) == a.GetMetric() {
			x.settle(e.model)
		}
	}
	kind := a.GetKind()
	if kind == "" {
		p.forget("", linkKind)
		return
	}
	for _, other := range p.alarms {
		if other.GetSystem() == a.GetSystem() && other.GetKind() == kind {
			return
		}
	}
	p.forget(a.GetSystem(), kind)
}

// overdue marks what passed its deadline.
func (e *Engine) overdue(p *plant) {
	now := e.st.GetNow()
	for i, a := range p.alarms {
		if a.GetStageDue() != 0 && now > a.GetStageDue() && !a.GetOverdue() {
			a = clone(a)
			a.Overdue = true
			p.alarms[i] = a
			e.write(a)
			e.touch(p)
		}
	}
	for i, w := range p.warnings {
		if w.GetStage() != stageFedBack && w.GetDue() != 0 && now > w.GetDue() && !w.GetOverdue() {
			w = clone(w)
			w.Overdue = true
			p.warnings[i] = w
			e.write(w)
			e.touch(p)
		}
	}
}

// update puts a changed alarm in the place of what it was.
func (e *Engine) update(p *plant, i int, a *schema.Alarm) {
	p.alarms[i] = a
	e.write(a)
}
