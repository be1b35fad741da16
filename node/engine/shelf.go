package engine

import (
	"fmt"
	"slices"

	"dusthub/schema"
)

// Stages of a shelf (code table shelf_stage).
const (
	shelfRequested = "requested"
	shelfApproved  = "approved"
	shelfRefused   = "refused"
	shelfEnded     = "ended"
)

// shelf is a shelf that has not ended. when is its condition, nil: it holds all the time.
type shelf struct {
	rec  *schema.Shelf
	when *formula
}

// covers says whether a shelf is about a metric, a collector, or the plant as a whole (both empty).
func (s *shelf) covers(collector, metric string) bool {
	return (s.rec.GetCollector() == "" || s.rec.GetCollector() == collector) && (s.rec.GetMetric() == "" || s.rec.GetMetric() == metric)
}

// holds says whether a shelf is in force.
func (s *shelf) holds(now int64) bool {
	if s.rec.GetStage() != shelfApproved || now < s.rec.GetFrom() || now >= s.rec.GetUntil() {
		return false
	}
	if s.when == nil {
		return true
	}
	holds, known := s.when.holds()
	return holds && known
}

// checkShelf refuses a shelf that its maker may not make, or that lasts too long.
func (e *Engine) checkShelf(subject string, r *schema.Shelf) {
	e.named(subject, r.GetId(), r.GetEnterprise())
	p, now := e.plants[r.GetEnterprise()], e.st.GetNow()
	bound := e.cfg.Figures.Shelf(r.GetKind())
	if _, taken := e.keys["Shelf/"+r.GetId()]; taken {
		e.refuse(subject, "id", "exists", r.GetId(), "a new shelf; one that exists is approved, refused or ended")
	}
	switch {
	case e.role != "plant_manager" && !MayRelax(e.role):
		e.refuse(subject, "stage", "role", e.role, "a plant manager, or a regulator")
	case !bound.Plant && !MayRelax(e.role):
		e.refuse(subject, "kind", "role", r.GetKind(), "a regulator, for this kind")
	case MayRelax(e.role) && r.GetStage() != shelfApproved || !MayRelax(e.role) && r.GetStage() != shelfRequested:
		e.refuse(subject, "stage", "life_cycle", r.GetStage(), "requested by a plant, approved by a regulator")
	}
	if r.GetUntil() <= r.GetFrom() || r.GetUntil() <= now {
		e.refuse(subject, "until", "time", fmt.Sprint(r.GetUntil()), "after its beginning, and to come")
	}
	if r.GetUntil()-r.GetFrom() > bound.LongestMs {
		e.refuse(subject, "until", "max", fmt.Sprint(r.GetUntil()-r.GetFrom()), fmt.Sprintf("at most %d h for %s", bound.LongestMs/hour, r.GetKind()))
	}
	if r.GetFrom() > now+bound.AheadMs || r.GetFrom() < now-day {
		e.refuse(subject, "from", "time", fmt.Sprint(r.GetFrom()), fmt.Sprintf("now, or within %d d", bound.AheadMs/day))
	}
	if p == nil {
		return // refused as a reference
	}
	if len(p.shelves) >= mostShelves {
		e.refuse(subject, "", "max", fmt.Sprint(len(p.shelves)+1), fmt.Sprintf("at most %d shelves of a plant that have not ended", mostShelves))
	}
	if r.GetCondition() == "" {
		return
	}
	if r.GetKind() != "design" {
		e.refuse(subject, "condition", "kind", r.GetKind(), "design, for a condition")
	}
	if _, err := p.compile(r.GetCondition()); err != nil {
		e.refuse(subject, "condition", "expression", r.GetCondition(), reason(err))
	}
}

// keepShelf takes a checked shelf in.
func (e *Engine) keepShelf(p *plant, r *schema.Shelf) schema.Record {
	r = clone(r)
	action := "request"
	if r.GetStage() == shelfApproved {
		action = "approve"
	}
	r.Actor = e.actor
	r.Steps = []*schema.Step{{Action: action, Actor: e.actor, Time: e.st.GetNow(), Text: r.GetReason()}}
	p.shelves = append(p.shelves, p.shelfOf(r))
	return r
}

func (p *plant) shelfOf(r *schema.Shelf) *shelf {
	s := &shelf{rec: r}
	if r.GetCondition() != "" {
		s.when, _ = p.compile(r.GetCondition()) // was checked when it was written
	}
	return s
}

// shelfSteps says what each action needs and leads to.
var shelfSteps = map[string]struct {
	from      []string
	to        string
	regulator bool
}{
	"approve": {[]string{shelfRequested}, shelfApproved, true},
	"refuse":  {[]string{shelfRequested}, shelfRefused, true},
	"end":     {[]string{shelfRequested, shelfApproved}, shelfEnded, false},
}

func (e *Engine) actShelf(actor string, act *schema.Act) {
	subject := "Shelf/" + act.GetKey()
	p, i := e.shelf(act.GetKey())
	if p == nil {
		e.refuse(subject, "id", "missing", act.GetKey(), "a shelf of this site that has not ended")
		return
	}
	r := p.shelves[i].rec
	s, ok := shelfSteps[act.GetAction()]
	switch {
	case !ok:
		e.refuse(subject, "action", "oneof", act.GetAction(), "approve, refuse or end")
	case !slices.Contains(s.from, r.GetStage()):
		e.refuse(subject, "stage", "life_cycle", r.GetStage(), "requested for approve and refuse")
	case s.regulator && !regulates(act.GetRole()):
		e.refuse(subject, "action", "role", act.GetRole(), "a regulator")
	case !s.regulator && !regulates(act.GetRole()) && act.GetRole() != "plant_manager":
		e.refuse(subject, "action", "role", act.GetRole(), "a plant manager or a regulator")
	case act.GetAction() == "refuse" && act.GetText() == "":
		e.refuse(subject, "text", "required", "", "why it is refused")
	}
	e.actForm(subject, act)
	if len(e.out.Violations) > 0 {
		return
	}
	e.out.Keys = append(e.out.Keys, r.GetId())
	e.moveShelf(p, i, s.to, e.stepOf(actor, act))
	e.reshelve(p)
}

// shelf finds a shelf that has not ended.
func (e *Engine) shelf(id string) (*plant, int) {
	p := e.plants[e.keys["Shelf/"+id]]
	if p == nil {
		return nil, -1
	}
	if i := slices.IndexFunc(p.shelves, func(s *shelf) bool { return s.rec.GetId() == id }); i >= 0 {
		return p, i
	}
	return nil, -1
}

// moveShelf takes one step of a shelf's life; one that is refused or ended is forgotten.
func (e *Engine) moveShelf(p *plant, i int, to string, step *schema.Step) {
	r := clone(p.shelves[i].rec)
	r.Stage = to
	r.Steps = append(r.Steps, step)
	if to == shelfEnded && r.GetFrom() < e.st.GetNow() {
		r.Until = min(r.GetUntil(), e.st.GetNow())
	}
	if to == shelfApproved {
		p.shelves[i].rec = r
	} else {
		p.shelves = slices.Delete(p.shelves, i, i+1)
		delete(e.keys, "Shelf/"+r.GetId())
	}
	e.write(r)
}

// reshelve ends the shelves whose time has come, and suppresses and frees what the others cover.
func (e *Engine) reshelve(p *plant) {
	if len(p.shelves) == 0 && len(p.inForce) == 0 {
		return
	}
	now := e.st.GetNow()
	for i := 0; i < len(p.shelves); {
		if now < p.shelves[i].rec.GetUntil() {
			i++
			continue
		}
		e.moveShelf(p, i, shelfEnded, &schema.Step{Action: "expire", Actor: "site", Time: now})
	}
	var inForce []*shelf
	for _, s := range p.shelves {
		if s.holds(now) {
			inForce = append(inForce, s)
		}
	}
	if same := slices.Equal(inForce, p.inForce); same {
		return
	}
	p.inForce = inForce
	p.mark()
	for _, x := range p.points {
		e.settle(x)
	}
	for i, a := range p.alarms {
		if b := e.shelved(p, a); b != a {
			e.update(p, i, b)
		}
	}
	e.touch(p)
}

// mark tells each point whether it is shelved.
func (p *plant) mark() {
	p.shelved = p.shelfFor("", "") != ""
	for _, x := range p.points {
		x.shelved = p.shelfFor(x.st.GetMetric().GetCollector(), codeOfPoint(x)) != ""
	}
}

// shelfFor is the first shelf in force that covers a thing.
func (p *plant) shelfFor(collector, metric string) string {
	for _, s := range p.inForce {
		if s.covers(collector, metric) {
			return s.rec.GetId()
		}
	}
	return ""
}

// shelved is an alarm as the shelves in force want it: suppressed, or a normal one with fresh deadlines. What has returned is left
// as it was: it keeps its duties, or its peace.
func (e *Engine) shelved(p *plant, a *schema.Alarm) *schema.Alarm {
	id := p.shelfFor(a.GetCollector(), a.GetMetric())
	if a.GetCondition() == returned || id == a.GetShelf() {
		return a
	}
	a = clone(a)
	fresh := id == "" && a.GetSuppressed()
	a.Shelf, a.Suppressed = id, id != ""
	unclock(a)
	if fresh {
		e.startClock(a)
	}
	return a
}
