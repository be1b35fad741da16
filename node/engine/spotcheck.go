package engine

import (
	"fmt"
	"slices"

	"dusthub/schema"
)

const (
	checkIssued    = "issued"
	checkAnswered  = "answered"
	checkOrdered   = "ordered"
	checkRectified = "rectified"
)

// checkSteps are a regulator's steps of a spot check (F2.4): 下发 -> 反馈 -> (发现问题 -> 责令整改 -> 整改反馈) -> 关闭. The plant's are its answers.
var checkSteps = map[string]struct {
	from []string
	to   string // empty: it stays
	text string // what the text must tell; empty: it may be left out
}{
	"find":   {[]string{checkIssued, checkAnswered, checkOrdered, checkRectified}, "", "what was found"},
	"order":  {[]string{checkIssued, checkAnswered}, checkOrdered, "what is to be rectified"},
	"reject": {[]string{checkRectified}, checkOrdered, "what is still wrong"},
	"close":  {[]string{checkIssued, checkAnswered, checkRectified}, stageClosed, ""},
}

// actSpotCheck takes one of a regulator's steps, or refuses with every reason.
func (e *Engine) actSpotCheck(actor string, act *schema.Act) {
	subject := "SpotCheck/" + act.GetKey()
	issued := e.issued[act.GetKey()]
	if issued == nil {
		e.refuse(subject, "id", "missing", act.GetKey(), "an open spot check that this site issued")
		return
	}
	s := clone(issued.GetCheck())
	step, ok := checkSteps[act.GetAction()]
	switch {
	case !ok:
		e.refuse(subject, "action", "oneof", act.GetAction(), "find, order, reject or close")
	case !slices.Contains(step.from, s.GetStage()):
		e.refuse(subject, "stage", "life_cycle", s.GetStage(), fmt.Sprint(step.from, " for ", act.GetAction()))
	case step.text != "" && act.GetText() == "":
		e.refuse(subject, "text", "required", "", step.text)
	}
	if !regulates(act.GetRole()) {
		e.refuse(subject, "action", "role", act.GetRole(), "a regulator")
	}
	e.checkNeeds(subject, s, act)
	e.actForm(subject, act)
	if len(e.out.Violations) > 0 {
		return
	}
	e.moveCheck(s, step.to, actor, act)
	issued.Check = s
	if s.GetStage() == stageClosed {
		delete(e.issued, s.GetId())
	}
	e.out.Keys = append(e.out.Keys, s.GetId())
	e.writeTo(s, issued.GetTo())
}

// checkNeeds refuses an order without anything found, or without time to obey it, and more findings than a record holds.
func (e *Engine) checkNeeds(subject string, s *schema.SpotCheck, act *schema.Act) {
	const most, longestClause = 50, 100
	switch act.GetAction() {
	case "find":
		if len(s.GetFindings()) >= most {
			e.refuse(subject, "findings", "max", fmt.Sprint(len(s.GetFindings())), fmt.Sprintf("at most %d", most))
		}
		if n := len([]rune(act.GetClause())); n > longestClause {
			e.refuse(subject, "clause", "max", fmt.Sprint(n), fmt.Sprintf("at most %d characters", longestClause))
		}
	case "order":
		if len(s.GetFindings()) == 0 {
			e.refuse(subject, "findings", "required", "", "a finding that is to be rectified")
		}
	}
	ordering := act.GetAction() == "order" || act.GetAction() == "reject" && act.GetDue() != 0
	if ordering && act.GetDue() <= e.st.GetNow() {
		e.refuse(subject, "due", "time", fmt.Sprint(act.GetDue()), "a time to come")
	}
}

// moveCheck makes a step that was found good.
func (e *Engine) moveCheck(s *schema.SpotCheck, to, actor string, act *schema.Act) {
	now := e.st.GetNow()
	switch act.GetAction() {
	case "find":
		s.Findings = append(s.Findings, &schema.Finding{
			Text: act.GetText(), Clause: act.GetClause(), Grave: act.GetGrave(), Attachments: act.GetAttachments(), Actor: actor, Time: now,
		})
	case "order":
		s.Order, s.Ordered, s.RectifyDue = act.GetText(), now, act.GetDue()
	case "reject":
		if act.GetDue() != 0 {
			s.RectifyDue = act.GetDue()
		}
	}
	if to != "" {
		s.Stage = to
	}
	s.Steps = append(s.Steps, e.stepOf(actor, act))
}

// awaits says whether a spot check waits for its plant.
func awaits(s *schema.SpotCheck) bool {
	return s.GetStage() == checkIssued || s.GetStage() == checkOrdered
}

// answered moves a spot check of this site on by its plant's answer.
func (e *Engine) answered(a *schema.SpotCheckAnswer) {
	issued := e.issued[a.GetSpotCheck()]
	s := issued.GetCheck()
	if s == nil || !awaits(s) || s.GetEnterprise() != a.GetEnterprise() {
		return
	}
	s = clone(s)
	step := &schema.Step{Action: "answer", Actor: a.GetActor(), ActorName: a.GetActorName(), Time: a.GetTime(), Text: a.GetText(), Attachments: a.GetAttachments()}
	if s.GetStage() == checkOrdered {
		s.Stage, step.Action = checkRectified, "rectify"
	} else {
		s.Stage = checkAnswered
	}
	s.Steps = append(s.Steps, step)
	issued.Check = s
	e.writeTo(s, issued.GetTo())
}

// receive takes note of a spot check of a site above: its plant may answer while it waits for that.
func (e *Engine) receive(s *schema.SpotCheck) {
	if awaits(s) && e.plants[s.GetEnterprise()] != nil {
		e.received[s.GetId()] = s
	} else {
		delete(e.received, s.GetId())
	}
}
