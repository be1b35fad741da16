package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dusthub/schema"
)

func TestSpotCheckComesBackAnswered(t *testing.T) {
	ministry := New(Config{Site: "ministry", Level: "ministry"})
	check := &schema.SpotCheck{Id: "S-1", Enterprise: code, Title: "抽查", Issued: 1, Stage: "issued", IssuerSite: "ministry", Issuer: "bu01"}
	put := changes(check)
	put.Changes[0].To = "jiangsu"
	eff := ministry.Apply(&schema.Command{Id: "1", Time: 10, Body: &schema.Command_Put{Put: put}})
	if len(eff.Changes) != 1 || eff.Changes[0].To != "jiangsu" {
		t.Fatalf("issued: %+v", eff)
	}
	w := newWorld(t, Config{})
	w.e.Observe("ministry", "SpotCheck", "S-1", check, w.now)
	answer := &schema.SpotCheckAnswer{Id: code + "-S-1", SpotCheck: "S-1", Enterprise: code, Text: "已自查", Actor: "m0001", Time: w.now}
	w.put(answer)
	eff = ministry.Observe("jiangsu", "SpotCheckAnswer", answer.GetId(), answer, w.now)
	if len(eff.Changes) != 1 || eff.Changes[0].To != "jiangsu" || eff.Changes[0].Record.(*schema.SpotCheck).GetStage() != "answered" {
		t.Fatalf("answered: %+v", eff)
	}
}

// TestSpotCheckLifeCycle: findings, an order to rectify with its time, sent back, rectified, closed; whatever is out of turn is refused
// and changes nothing (F2.4).
func TestSpotCheckLifeCycle(t *testing.T) {
	const regulator = "province_regulator"
	for _, c := range []struct {
		name, script, stage, rule string // rule: why the last step is refused
	}{
		{"closed at once", "close", stageClosed, ""},
		{"answered and closed", "answer close", stageClosed, ""},
		{"a finding does not move it", "find", checkIssued, ""},
		{"an order needs a finding", "order", checkIssued, "required"},
		{"rectified", "answer find find order rectify", checkRectified, ""},
		{"an order waits for the plant", "find order close", checkOrdered, "life_cycle"},
		{"sent back, then done", "find order rectify reject rectify close", stageClosed, ""},
		{"nothing to send back", "answer reject", checkAnswered, "life_cycle"},
		{"answered twice", "answer answer", checkAnswered, "reference"},
		{"found after all is rectified, ordered no more", "find order rectify find order", checkRectified, "life_cycle"},
		{"over is over", "close find", stageClosed, "missing"},
		{"a plant orders nothing", "find order!", checkIssued, "role"},
		{"an order in the past", "find order-", checkIssued, "time"},
		{"a finding without a word", "find-", checkIssued, "required"},
		{"no such step", "nonsense", checkIssued, "oneof"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			last := w.put(&schema.SpotCheck{Id: "S-1", Enterprise: code, Title: "抽查", Issued: 1, Stage: checkIssued, IssuerSite: w.e.cfg.Site, Issuer: "js01"})
			stage := checkIssued
			for i, step := range strings.Fields(c.script) {
				w.now += 1000
				act := &schema.Act{Type: "SpotCheck", Key: "S-1", Action: step, Role: regulator, Text: "现场问题", Due: w.now + hour}
				switch step {
				case "answer", "rectify":
					last = w.apply(changes(&schema.SpotCheckAnswer{Id: fmt.Sprint(code, "-", i), Enterprise: code, SpotCheck: "S-1", Text: "已整改", Actor: "王厂长", Time: w.now}))
				case "order!":
					act.Action, act.Role = "order", "plant_manager"
					last = w.apply(act)
				case "order-":
					act.Action, act.Due = "order", w.now
					last = w.apply(act)
				case "find-":
					act.Action, act.Text = "find", ""
					last = w.apply(act)
				default:
					last = w.apply(act)
				}
				for _, s := range ofType[*schema.SpotCheck](last) {
					stage = s.GetStage()
				}
			}
			refused := slices.ContainsFunc(last.Violations, func(v *schema.Violation) bool { return v.GetRule() == c.rule })
			if stage != c.stage || refused != (c.rule != "") || c.rule == "" && len(last.Violations) > 0 {
				t.Errorf("%s: %s %v, wanted %s %q", c.script, stage, last.Violations, c.stage, c.rule)
			}
		})
	}
}
