package replay

import (
	"fmt"

	"dusthub/node/engine/risk"
	"dusthub/schema"
)

// Roles under which what was accepted once is accepted again.
const (
	asRegulator = "province_regulator"
	asManager   = "plant_manager"
)

// command does again what made the site write some entries: base data, a step of a life cycle, a word of a gateway, a new model.
func (x *run) command(group []change) error {
	put := &schema.Put{Role: asRegulator}
	var err error
	for i := range group {
		c := &group[i]
		switch r := c.rec.(type) {
		case *schema.RiskResult:
			err = x.install(c, r)
		case *schema.GatewayState:
			x.gateway(c, r)
		case *schema.Alarm:
			x.act(c, "Alarm", r.GetSteps(), x.open[thing(r)])
		case *schema.Warning:
			x.act(c, "Warning", r.GetSteps(), x.warning(r))
		case *schema.Shelf:
			if c.actor != "site" && len(r.GetSteps()) == 1 {
				if r.GetStage() == "requested" {
					put.Role = asManager
				}
				err = add(put, c)
				x.steps["Shelf/"+r.GetId()] = 1
			} else {
				x.act(c, "Shelf", r.GetSteps(), r.GetId())
			}
		default:
			if inputs[c.typ] {
				err = add(put, c)
			}
		}
		if err != nil {
			return err
		}
	}
	if len(put.GetChanges()) > 0 {
		eff := x.apply(&schema.Command{Time: group[0].time, Actor: group[0].actor, Body: &schema.Command_Put{Put: put}})
		if schema.Refuses(eff.Violations) {
			x.fail(&group[0], "write", eff.Violations)
		}
	}
	return nil
}

func add(put *schema.Put, c *change) error {
	if c.deleted {
		put.Changes = append(put.Changes, &schema.Change{Type: c.typ, Key: c.key, Deleted: true})
		return nil
	}
	raw, err := schema.Marshal(c.rec)
	put.Changes = append(put.Changes, &schema.Change{Type: c.typ, Record: raw})
	return err
}

// install puts another model in force when the record says that one was.
func (x *run) install(c *change, r *schema.RiskResult) error {
	if !x.own || r.GetModel() == x.engine.Model().Version {
		return nil
	}
	m, err := x.r.model(r.GetModel())
	if err != nil {
		return err
	}
	x.note(c.time, x.engine.Observe(x.h.origin, "RiskModel", m.Version, published(m), c.time))
	return nil
}

func published(m *risk.Model) *schema.RiskModel {
	return &schema.RiskModel{Version: m.Version, Document: m.Document(), Active: true}
}

// gateway follows what the record says of a gateway.
func (x *run) gateway(c *change, r *schema.GatewayState) {
	x.state[r.GetGateway()] = r.GetState()
	if r.GetState() != "offline" { // silence needs no word
		x.hear(c.time, r.GetGateway(), r.GetState() == "source_lost")
	}
}

// act takes a step that somebody took, when the newest step of a record is one.
func (x *run) act(c *change, typ string, steps []*schema.Step, key string) {
	before := x.steps[typ+"/"+c.key]
	if len(steps) <= before {
		return
	}
	x.steps[typ+"/"+c.key] = len(steps)
	s := steps[len(steps)-1]
	if s.GetActor() != c.actor || s.GetTime() != c.time || c.actor == "site" {
		return
	}
	eff := x.apply(&schema.Command{Time: c.time, Actor: c.actor, Body: &schema.Command_Act{Act: &schema.Act{
		Type: typ, Key: key, Action: s.GetAction(), Text: s.GetText(), Cause: s.GetCause(), Attachments: s.GetAttachments(), ActorName: s.GetActorName(), Role: asRegulator,
	}}})
	if schema.Refuses(eff.Violations) {
		x.fail(c, s.GetAction(), eff.Violations)
	}
}

// warning is the open warning of the replay that answers to a recorded one: that raised nearest to it.
func (x *run) warning(r *schema.Warning) string {
	id, best := "", int64(-1)
	for _, w := range x.warnings {
		if d := max(w.GetRaised()-r.GetRaised(), r.GetRaised()-w.GetRaised()); best < 0 || d < best {
			id, best = w.GetId(), d
		}
	}
	return id
}

// fail notes that something that was done cannot be done in the replay, as when an alarm was not raised.
func (x *run) fail(c *change, action string, vs []*schema.Violation) {
	if c.time < x.h.from {
		return
	}
	x.failed = append(x.failed, Difference{
		What: "action", Time: c.time, Record: c.typ + "/" + c.key, Recorded: action, Judged: fmt.Sprintf("%s %s: wanted %s", vs[0].GetField(), vs[0].GetRule(), vs[0].GetWanted()),
	})
}
