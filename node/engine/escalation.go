package engine

import (
	"slices"

	"dusthub/schema"
)

// highestEscalation is the last of table escalation: nobody stands above the province.
const highestEscalation = 4

// priority is an alarm's priority at a time: that of its rule and kind, higher the longer its condition lasts, lower the longer
// it has returned (tables/alarm.yaml).
func (e *Engine) priority(a *schema.Alarm, now int64) string {
	f := e.cfg.Figures
	rank, end := slices.Index(schema.PriorityOrder, f.Priority(a)), now
	if a.GetCondition() == returned {
		end = a.GetReturned()
		for _, x := range f.Falls {
			if now-a.GetReturned() >= x.AfterMs {
				rank--
			}
		}
	}
	for _, x := range f.Rises {
		if end-a.GetSince() >= x.AfterMs {
			rank++
		}
	}
	return schema.PriorityOrder[max(0, min(len(schema.PriorityOrder)-1, rank))]
}

// call calls those whom escalation names, a bounded number of times.
func (e *Engine) call(a *schema.Alarm) {
	a.Calls = min(a.GetCalls()+1, e.cfg.Figures.CallsAtMost.Value)
}

// startClock gives an alarm that calls for work its deadlines, anew when it had none.
func (e *Engine) startClock(a *schema.Alarm) {
	d, now := e.cfg.Figures.Deadline(a.GetLevel()), e.st.GetNow()
	switch a.GetStage() {
	case stageRaised:
		a.StageDue = now + d.AcknowledgeMs
	case stageAcknowledged, stageDisposed:
		a.StageDue = now + d.DisposeMs
	}
	e.call(a)
	e.clock(a)
}

// clock sets when an alarm is called again: at half of the time that is left until its deadline, and when that has passed.
func (e *Engine) clock(a *schema.Alarm) {
	now := e.st.GetNow()
	switch {
	case a.GetStageDue() == 0:
		a.EscalateDue, a.RemindDue = 0, 0
		return
	case a.GetStageDue() > now:
		a.EscalateDue = a.GetStageDue()
	case a.GetCalls() >= e.cfg.Figures.CallsAtMost.Value && a.GetEscalation() >= highestEscalation:
		a.EscalateDue = 0
	default:
		a.EscalateDue = now + e.cfg.Figures.EscalateAgain(a.GetPriority())
	}
	a.RemindDue = 0
	if a.GetEscalateDue() != 0 {
		a.RemindDue = now + (a.GetEscalateDue()-now)/2
	}
}

// unclock takes an alarm's deadlines away: it is fed back, closed or shelved.
func unclock(a *schema.Alarm) { a.StageDue, a.EscalateDue, a.RemindDue, a.Overdue = 0, 0, 0, false }

// attend looks after what a plant has open: priorities move with time, deadlines run out, people are called again.
func (e *Engine) attend(p *plant) {
	for i, a := range p.alarms {
		e.attendAlarm(p, i, a)
	}
	for i, w := range p.warnings {
		e.attendWarning(p, i, w)
	}
}

func (e *Engine) attendAlarm(p *plant, i int, a *schema.Alarm) {
	now := e.st.GetNow()
	priority := e.priority(a, now)
	late := a.GetStageDue() != 0 && now > a.GetStageDue() && !a.GetOverdue()
	remind, escalate := a.GetRemindDue() != 0 && now >= a.GetRemindDue(), a.GetEscalateDue() != 0 && now > a.GetEscalateDue()
	if priority == a.GetPriority() && !late && !remind && !escalate {
		return
	}
	a = clone(a)
	a.Priority = priority
	if late {
		a.Overdue = true
		e.touch(p)
	}
	switch {
	case escalate:
		a.Escalation = min(a.GetEscalation()+1, highestEscalation)
		e.call(a)
		e.clock(a)
	case remind:
		a.RemindDue = 0
		e.call(a)
	}
	e.update(p, i, a)
}

// worse makes an alarm a grave one because it lasts: its deadlines come nearer, and it is called at once.
func (e *Engine) worse(p *plant, id string) {
	i := p.find(id)
	if i < 0 || p.alarms[i].GetLevel() >= 2 {
		return
	}
	a := clone(p.alarms[i])
	a.Level = 2
	a.Priority = e.priority(a, e.st.GetNow())
	if due := a.GetStageDue(); due != 0 {
		e.startClock(a)
		a.StageDue = min(a.GetStageDue(), due)
		e.clock(a)
	}
	e.update(p, i, a)
	e.touch(p)
}

// attendWarning calls a warning's receivers at half of its time, when it is due, and from then on again and again.
func (e *Engine) attendWarning(p *plant, i int, w *schema.Warning) {
	now := e.st.GetNow()
	if w.GetStage() == stageFedBack || w.GetDue() == 0 {
		return
	}
	late, remind := now > w.GetDue() && !w.GetOverdue(), w.GetRemindDue() != 0 && now >= w.GetRemindDue()
	if !late && !remind {
		return
	}
	w = clone(w)
	if late {
		w.Overdue = true
		e.touch(p)
	}
	if remind {
		e.callWarning(w)
	}
	p.warnings[i] = w
	e.write(w)
}

// callWarning counts a call and sets the next.
func (e *Engine) callWarning(w *schema.Warning) {
	now, f := e.st.GetNow(), e.cfg.Figures
	first := w.GetCalls() == 0
	w.Calls = min(w.GetCalls()+1, f.CallsAtMost.Value)
	again := f.WarnAgain(w.GetToLevel())
	switch {
	case w.GetDue() == 0 || w.GetCalls() >= f.CallsAtMost.Value:
		w.RemindDue = 0
	case first:
		w.RemindDue = now + (w.GetDue()-now)/2
	case now < w.GetDue():
		w.RemindDue = w.GetDue()
	case again > 0:
		w.RemindDue = now + again
	default:
		w.RemindDue = 0
	}
}
