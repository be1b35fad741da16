package portal

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"dusthub/node/commissioning"
	"dusthub/schema"
)

// F3.3, ISA-18.2: a plant asks for a shelf, its regulator approves; alarms under it are listed as suppressed until it ends.
func TestShelves(t *testing.T) {
	s := provisioned(t)
	now := s.now().UnixMilli()
	ask := func(p Portal, login string, more object) reply {
		b := object{"metric": plantA + "C001T0101", "kind": "maintenance", "reason": "更换滤袋", "until": now + 2*time.Hour.Milliseconds()}
		for k, v := range more {
			b[k] = v
		}
		return s.on(p, login, http.MethodPost, "/api/v1/shelves", b)
	}
	for name, more := range map[string]object{
		"too long": {"until": now + 73*time.Hour.Milliseconds()}, "over already": {"until": now - 1}, "not a plant's kind": {"kind": "out_of_service"},
		"another's metric": {"metric": plantB + "C001T0101"}, "a condition": {"condition": "C001T0101 > 5"},
	} {
		if got := ask(Enterprise, "m0001", more); got.status != http.StatusUnprocessableEntity || len(got.problem(t).Violations) == 0 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	var v ShelfView
	ask(Enterprise, "m0001", nil).into(t, &v)
	if v.Shelf.GetStage() != "requested" || v.InForce || !strings.HasPrefix(v.Shelf.GetId(), plantA) || v.Shelf.GetActor() != "m0001" || !v.Here || v.MetricName == "" {
		t.Fatalf("asked for: %+v", v)
	}
	act := func(p Portal, login, action string) reply {
		return s.on(p, login, http.MethodPost, "/api/v1/shelves/"+v.Shelf.GetId()+"/actions", object{"action": action})
	}
	if got := act(Enterprise, "m0001", "approve"); got.status != http.StatusForbidden {
		t.Errorf("a plant approved its own shelf: %d", got.status)
	}
	act(Regulator, "js01", "approve").into(t, &v)
	if v.Shelf.GetStage() != "approved" || !v.InForce || len(v.Shelf.GetSteps()) != 2 {
		t.Fatalf("approved: %+v", v)
	}
	s.sample(75)
	list := func(query string) int {
		var page Page[*AlarmView]
		s.must(Regulator, "js01", http.MethodGet, "/api/v1/alarms?"+query, nil).into(t, &page)
		return len(page.Items)
	}
	if list("suppressed=true") != 2 || list("suppressed=false") != 0 || list("priority=critical") != 1 || list("kind=T01") != 2 || list("kind=P01") != 0 || list("escalation=1") != 0 {
		t.Error("the filters of alarms do not show what is shelved")
	}
	act(Enterprise, "m0001", "end").into(t, &v)
	if v.Shelf.GetStage() != "ended" || list("suppressed=false") != 2 {
		t.Errorf("ended: %+v, %d alarms", v, list("suppressed=false"))
	}
	if got := act(Regulator, "js01", "approve"); got.status != http.StatusUnprocessableEntity {
		t.Errorf("an ended shelf was approved: %d %s", got.status, got.body)
	}
	ask(Regulator, "js01", object{"enterprise": plantA, "kind": "design", "condition": "C001T0101 > 5"}).into(t, &v)
	if v.Shelf.GetStage() != "approved" {
		t.Errorf("a regulator's: %+v", v)
	}
	for stage, want := range map[string]int{"": 2, "open": 1, "ended": 1, "requested": 0} {
		var page Page[*ShelfView]
		s.must(Enterprise, "m0001", http.MethodGet, "/api/v1/shelves?stage="+stage, nil).into(t, &page)
		if len(page.Items) != want {
			t.Errorf("stage %q: %d shelves, wanted %d", stage, len(page.Items), want)
		}
	}
}

// F1.1, F3.3: combined rules are checked, written, made stricter by the plant, made laxer and deleted by a regulator alone.
func TestRules(t *testing.T) {
	s := provisioned(t)
	var check RuleCheck
	s.must(Enterprise, "m0001", http.MethodPost, "/api/v1/rules/check", object{"expression": "C001T0101 > 50 &&\n  C009T0101 < 3"}).into(t, &check)
	if check.OK || check.Line != 2 || check.Column != 3 || !strings.Contains(check.Error, "C009T0101") {
		t.Errorf("check: %+v", check)
	}
	s.must(Enterprise, "m0001", http.MethodPost, "/api/v1/rules/check", object{"expression": "!(C001T0101 < 50)"}).into(t, &check)
	if !check.OK || !slices.Equal(check.Metrics, []string{plantA + "C001T0101"}) {
		t.Errorf("check: %+v", check)
	}
	rule := func(login string, p Portal, more object) reply {
		b := object{"enterprise": plantA, "name": "灰斗升温", "expression": "C001T0101 > 50", "level": 1, "on_delay_ms": 2000}
		for k, v := range more {
			b[k] = v
		}
		return s.on(p, login, http.MethodPost, "/api/v1/rules", b)
	}
	if got := rule("m0001", Enterprise, object{"expression": "C001T0101 >"}); got.status != http.StatusUnprocessableEntity || !strings.Contains(string(got.body), "line 1, column") {
		t.Errorf("a bad expression: %d %s", got.status, got.body)
	}
	var v RuleView
	rule("m0001", Enterprise, nil).into(t, &v)
	id := v.Rule.GetId()
	rule("m0001", Enterprise, object{"id": id, "level": 2}).into(t, &v)
	if v.Rule.GetLevel() != 2 || !v.Here {
		t.Errorf("made stricter: %+v", v)
	}
	for name, more := range map[string]object{"level": {"level": 1}, "disabled": {"level": 2, "disabled": true}, "delay": {"level": 2, "on_delay_ms": 9000}, "expression": {"level": 2, "expression": "C001T0101 > 90"}} {
		more["id"] = id
		if got := rule("m0001", Enterprise, more); got.status != http.StatusUnprocessableEntity || !strings.Contains(string(got.body), "relax") {
			t.Errorf("%s: a plant made its rule laxer: %d %s", name, got.status, got.body)
		}
	}
	rule("js01", Regulator, object{"id": id, "on_delay_ms": 0}).into(t, &v)
	s.sample(55)
	var alarms Page[*AlarmView]
	s.must(Enterprise, "m0001", http.MethodGet, "/api/v1/alarms?rule=combined", nil).into(t, &alarms)
	if len(alarms.Items) != 1 || alarms.Items[0].Alarm.GetText() != "灰斗升温" || alarms.Items[0].Alarm.GetCombined() != id {
		t.Errorf("alarms: %+v", alarms.Items)
	}
	s.must(Regulator, "js01", http.MethodDelete, "/api/v1/rules/"+id, nil)
	var page Page[*RuleView]
	s.must(Enterprise, "m0001", http.MethodGet, "/api/v1/rules", nil).into(t, &page)
	if len(page.Items) != 0 {
		t.Errorf("after deletion: %+v", page)
	}
}

// A plant tightens, a regulator relaxes, an administrator does neither to what exists; all is in the history.
func TestLimits(t *testing.T) {
	s := provisioned(t)
	path := "/api/v1/metrics/" + plantA + "C001T0101/limits"
	var v LimitsView
	s.must(Enterprise, "m0001", http.MethodGet, path, nil).into(t, &v)
	if v.Limits.GetHh() != 70 || !v.May.Tighten || v.May.Relax || len(v.History) != 1 {
		t.Errorf("limits: %+v", v)
	}
	hh := slices.IndexFunc(v.Defaults, func(d schema.DefaultLimit) bool { return d.Field == "hh" })
	if hh < 0 || v.Defaults[hh].Value != 70 || v.Defaults[hh].Basis == "" || v.Defaults[hh].Confidence == "" || v.Defaults[hh].Unit != "°C" {
		t.Errorf("defaults: %+v", v.Defaults)
	}
	set := func(p Portal, login string, h, hh float64) reply {
		return s.on(p, login, http.MethodPost, path, object{"reason": "评估后调整", "limits": object{"h": h, "hh": hh, "deadband": 2.2, "off_delay_ms": 2000}})
	}
	for login, p := range map[string]Portal{"m0001": Enterprise, "admin": Regulator} {
		got := set(p, login, 62, 70)
		if got.status != http.StatusUnprocessableEntity || got.problem(t).Violations[0].GetRule() != "relax" || got.problem(t).Violations[0].GetField() != "limits.h" {
			t.Errorf("%s relaxed: %d %s", login, got.status, got.body)
		}
	}
	set(Enterprise, "m0001", 55, 65).into(t, &v)
	if v.Limits.GetH() != 55 || len(v.History) != 2 || v.History[0].GetResult() != "tightened" || v.History[0].GetActor() != "m0001" || v.History[0].GetReason() != "评估后调整" ||
		!strings.Contains(v.History[0].GetBefore(), "hh=70") || !strings.Contains(v.History[0].GetAfter(), "hh=65") {
		t.Errorf("tightened: %+v", v)
	}
	set(Regulator, "js01", 60, 68).into(t, &v)
	if v.Limits.GetHh() != 68 || !v.May.Relax || v.History[0].GetResult() != "relaxed" || v.History[0].GetActor() != "js01" {
		t.Errorf("relaxed: %+v", v)
	}
}

// A proposal says what was seen and why, and changes nothing; a state has none.
func TestLimitsProposal(t *testing.T) {
	s := provisioned(t)
	path := "/api/v1/metrics/" + plantA + "C001T0101/limits"
	for i := range 1200 {
		s.sample(20 + float64(i%10)/10)
	}
	var before, after LimitsView
	s.must(Enterprise, "m0001", http.MethodGet, path, nil).into(t, &before)
	var p commissioning.Proposal
	s.must(Enterprise, "m0001", http.MethodPost, path+"/proposal", object{}).into(t, &p)
	if p.Samples != 1200 || p.Used != 1200 || len(p.Limits) < 2 || p.Limits[0].Field != "h" || p.Limits[0].Reason == "" || p.Limits[0].Now == nil || p.Limits[0].Change != "tighter" || len(p.Warnings) == 0 {
		t.Errorf("%+v", p)
	}
	s.must(Enterprise, "m0001", http.MethodGet, path, nil).into(t, &after)
	if len(after.History) != len(before.History) || after.Limits.GetH() != before.Limits.GetH() {
		t.Errorf("a proposal changed limits: %+v", after)
	}
	if got := s.on(Enterprise, "m0001", http.MethodPost, "/api/v1/metrics/"+plantB+"C001T0101/limits/proposal", object{}); got.status != http.StatusNotFound {
		t.Errorf("another's: %d", got.status)
	}
}
