package engine

import (
	"fmt"
	"slices"
	"strings"

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

// thing names what an alarm is about: its rule and what the rule looks at.
func thing(a *schema.Alarm) string {
	return a.GetRule() + "|" + a.GetMetric() + "|" + a.GetGateway() + "|" + a.GetCombined()
}

func thingOf(f *schema.Former) string { return f.GetThing() }

// open finds the open alarm of a rule on a thing.
func (p *plant) open(a *schema.Alarm) int {
	for i, old := range p.alarms {
		if old.GetRule() == a.GetRule() && old.GetMetric() == a.GetMetric() && old.GetGateway() == a.GetGateway() && old.GetCombined() == a.GetCombined() {
			return i
		}
	}
	return -1
}

// raise raises an alarm; when one of the same rule on the same thing is still open, that one becomes active again.
func (e *Engine) raise(p *plant, a *schema.Alarm) *schema.Alarm {
	e.touch(p)
	e.reshelve(p)
	i := p.open(a)
	if i >= 0 {
		onset := a.GetOnset()
		a = clone(p.alarms[i])
		a.Returned, a.Since = 0, onset
	} else {
		a.Id, a.Enterprise, a.Stage, a.Raised, a.Since = e.id("A"), p.code, stageRaised, e.st.GetNow(), a.GetOnset()
		if k, found := slices.BinarySearchFunc(p.former, thing(a), func(f *schema.Former, t string) int { return strings.Compare(f.GetThing(), t) }); found {
			a.Previous = p.former[k].GetAlarm()
		}
	}
	a.Condition = active
	a.Priority = e.priority(a, e.st.GetNow())
	if b := e.shelved(p, a); b != a {
		a = b
	} else if i < 0 {
		e.startClock(a)
	}
	if i < 0 {
		p.alarms = append(p.alarms, a)
	} else {
		p.alarms[i] = a
	}
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
	e.update(p, i, a)
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
	if c := act.GetCause(); c != "" && !e.tables.Has("cause", c) {
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
	from := a.GetStage()
	a.Stage, a.Overdue = to, false
	a.Steps = append(a.Steps, e.stepOf(actor, act))
	if act.GetCause() != "" {
		a.Cause = act.GetCause()
	}
	e.redue(a, from)
	p.alarms[i] = a
	if to == stageClosed {
		e.closeAlarm(p, i, a)
	}
	e.out.Keys = append(e.out.Keys, a.GetId())
	e.write(a)
	e.touch(p)
}

// redue gives an alarm that moved on the deadline of its new stage. What is shelved has none.
func (e *Engine) redue(a *schema.Alarm, from string) {
	d := e.cfg.Figures.Deadline(a.GetLevel())
	switch {
	case a.GetSuppressed() || a.GetStage() == stageFedBack || a.GetStage() == stageClosed:
		unclock(a)
		return
	case from == stageRaised:
		a.StageDue += d.DisposeMs - d.AcknowledgeMs // both count from the same time
	case from == stageFedBack: // sent back
		a.StageDue = e.st.GetNow() + d.DisposeMs
	}
	a.Overdue = e.st.GetNow() > a.GetStageDue()
	e.clock(a)
}

// closeAlarm forgets an open alarm: its rule may raise anew, and the memory of its signal is gone at once (domain 6.2).
func (e *Engine) closeAlarm(p *plant, i int, a *schema.Alarm) {
	p.alarms = append(p.alarms[:i:i], p.alarms[i+1:]...)
	p.former = insert(p.former, &schema.Former{Thing: thing(a), Alarm: a.GetId()}, thingOf)
	for _, c := range p.combined {
		if c.st.GetState().GetAlarm() == a.GetId() {
			rest(c.st.GetState(), e.st.GetNow())
			c.st.Unsure = true // judged anew
		}
	}
	for _, x := range p.points {
		for k := range x.rules {
			if r := &x.rules[k]; r.st.GetAlarm() == a.GetId() {
				rest(r.st, x.st.GetTime())
			}
		}
		if codeOfPoint(x) == a.GetMetric() {
			e.settle(x)
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

// update puts a changed alarm in the place of what it was.
func (e *Engine) update(p *plant, i int, a *schema.Alarm) {
	p.alarms[i] = a
	e.write(a)
}
