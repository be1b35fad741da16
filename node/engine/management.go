package engine

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"dusthub/node/engine/risk"
	"dusthub/schema"
)

const (
	shift           = 8 * hour // 每班: 00, 08 and 16 o'clock Beijing time
	beijing         = 8 * hour
	cleaningGrace   = 2 * hour // a check-in counts until so long after its slot (domain 11)
	cleaningWindow  = 7 * day
	cleaningMemory  = 8 * day
	missedShifts    = 3 // F8
	onlineGood      = 0.98
	onlineBad       = 0.80
	perOverdueL1    = 20
	perOverdueL2    = 40
	perOverdueReply = 50
	perHazard       = 50
	full            = 100
)

// keepPlan starts the clock of a cleaning plan.
func (e *Engine) keepPlan(p *plant, r *schema.CleaningPlan) {
	for _, w := range p.plans {
		if w.GetPlan().GetId() == r.GetId() {
			if w.GetPlan().GetDisabled() && !r.GetDisabled() {
				w.Since = e.st.GetNow()
			}
			w.Plan = r
			return
		}
	}
	p.plans = insert(p.plans, &schema.PlanWatch{Plan: r, Since: e.st.GetNow()}, codeOfPlan)
}

// cleaned notes a check-in.
func (e *Engine) cleaned(p *plant, r *schema.CleaningRecord) {
	for _, w := range p.plans {
		if w.GetPlan().GetId() == r.GetPlan() {
			w.Done = append(recent(w.GetDone(), e.st.GetNow()-cleaningMemory), r.GetTime())
			e.touch(p)
		}
	}
}

// recent keeps the times from a time on.
func recent(list []int64, from int64) []int64 {
	for len(list) > 0 && list[0] < from {
		list = list[1:]
	}
	return list
}

func period(cycle string) int64 {
	switch cycle {
	case "shift":
		return shift
	case "day":
		return day
	case "week":
		return 7 * day
	}
	return 30 * day
}

// slots counts the slots of a plan that fell due within the window, those cleaned in time, and how many of the newest in a row were missed.
func slots(w *schema.PlanWatch, now int64) (due, done, missed int) {
	length := period(w.GetPlan().GetCycle())
	from := max(w.GetSince(), now-cleaningWindow)
	start := from - mod(from+beijing, length) + length // the first whole slot
	for ; start+length+cleaningGrace <= now; start += length {
		due++
		missed++
		for _, t := range w.GetDone() {
			if t >= start && t < start+length+cleaningGrace {
				done++
				missed = 0
				break
			}
		}
	}
	return due, done, missed
}

// management scores M1..M6 (domain 6.2).
func (e *Engine) management(p *plant) [6]risk.Score {
	return [6]risk.Score{e.cleaning(p), p.disposal(), p.replies(), e.onlineScore(p), e.quality(p), p.hazardScore()}
}

func (e *Engine) cleaning(p *plant) risk.Score {
	due, done, plans := 0, 0, 0
	for _, w := range p.plans {
		if w.GetPlan().GetDisabled() {
			continue
		}
		plans++
		d, ok, _ := slots(w, e.st.GetNow())
		due, done = due+d, done+ok
	}
	switch {
	case plans == 0:
		return risk.Score{Value: full, Raw: "无清扫计划"}
	case due == 0:
		return risk.Score{Raw: "尚无到期清扫"}
	}
	return risk.Score{Value: full * (1 - float64(done)/float64(due)), Raw: fmt.Sprintf("按时 %d/%d", done, due)}
}

// disposal counts alarms past their deadline.
func (p *plant) disposal() risk.Score {
	var late [3]int
	for _, a := range p.alarms {
		if a.GetOverdue() {
			late[a.GetLevel()]++
		}
	}
	return risk.Score{Value: math.Min(full, float64(perOverdueL1*late[1]+perOverdueL2*late[2])), Raw: fmt.Sprintf("超期 一般 %d 严重 %d", late[1], late[2])}
}

func (p *plant) replies() risk.Score {
	late := 0
	for _, w := range p.warnings {
		if w.GetOverdue() {
			late++
		}
	}
	return risk.Score{Value: math.Min(full, float64(perOverdueReply*late)), Raw: fmt.Sprintf("超期 %d", late)}
}

func (e *Engine) onlineScore(p *plant) risk.Score {
	rate, n := 0.0, 0
	for _, g := range p.gateways {
		if !g.st.GetGateway().GetDisabled() {
			rate += g.onlineRate(e.st.GetNow())
			n++
		}
	}
	if n == 0 {
		return risk.Score{Value: full, Raw: "未接入"}
	}
	rate /= float64(n)
	score := (onlineGood - rate) / (onlineGood - onlineBad)
	return risk.Score{Value: full * math.Max(0, math.Min(1, score)), Raw: fmt.Sprintf("%.1f %%", full*rate)}
}

// quality is the share of points whose data are doubtful, and of base data that is missing, half each.
func (e *Engine) quality(p *plant) risk.Score {
	doubtful, n := 0, 0
	for _, x := range p.points {
		if x.st.GetMetric().GetDisabled() {
			continue
		}
		n++
		if x.doubtful() {
			doubtful++
		}
	}
	share := 0.0
	if n > 0 {
		share = float64(doubtful) / float64(n)
	}
	ent := p.enterprise
	missing := 0
	fields := []bool{ent.GetAddress() != "", ent.GetLng() != 0, ent.GetLat() != 0, ent.GetSafetyHead() != "", ent.GetSafetyPhone() != "", ent.GetEmployees() > 0}
	for _, there := range fields {
		if !there {
			missing++
		}
	}
	return risk.Score{Value: full * (share + float64(missing)/float64(len(fields))) / 2, Raw: fmt.Sprintf("可疑测点 %d/%d 缺项 %d", doubtful, n, missing)}
}

// doubtful says whether a point is out of range, faulty, or alarms again and again (domain 11).
func (x *point) doubtful() bool {
	for _, r := range x.rules {
		if r.op.instrument() && r.st.GetAlarm() != "" {
			return true
		}
	}
	return false
}

func (p *plant) hazardScore() risk.Score {
	found := p.hazards()
	raw := "无"
	if len(found) > 0 {
		raw = strings.Join(found, " ")
	}
	return risk.Score{Value: math.Min(full, float64(perHazard*len(found))), Raw: raw}
}

// hazards are the 重大事故隐患 that base data show (应急管理部令第10号 art. 11). MH07, and what of MH08 to MH10 needs eyes, are
// for an inspector to find.
func (p *plant) hazards() []string {
	found := map[string]bool{}
	for _, w := range p.workshops {
		found["MH01"] = found["MH01"] || w.GetBuilding() == "multi_nonframe" || w.GetGatheringPlaces()
	}
	for _, s := range p.systems {
		kinds := map[string]bool{}
		for _, d := range s.GetDusts() {
			c, _ := schema.DustOf(d)
			kinds[c.Category] = true
		}
		light, wood := kinds["1"], kinds["3"]
		found["MH02"] = found["MH02"] || len(kinds) > 1 || s.GetSharedWithGas() || s.GetCrossFireZone()
		found["MH05"] = found["MH05"] || s.GetSettlingChamber() || s.GetMasonryDuct()
		spark := true
		for _, c := range p.collectors {
			if c.GetSystem() != s.GetCode() {
				continue
			}
			spark = spark && c.GetSparkDevice()
			if wet(c) {
				continue
			}
			found["MH03"] = found["MH03"] || !protects(c.GetMeasures())
			found["MH06"] = found["MH06"] || (light || wood) && !c.GetLockGasDevice()
			found["MH08"] = found["MH08"] || wood && s.GetProcess() == "砂光" && !c.GetSparkDevice()
		}
		found["MH04"] = found["MH04"] || s.GetMode() == "positive" && (light || !spark)
	}
	var out []string
	for _, code := range []string{"MH01", "MH02", "MH03", "MH04", "MH05", "MH06", "MH08"} {
		if found[code] {
			out = append(out, code)
		}
	}
	return out
}

// protects says whether one of 泄爆, 惰化, 抑爆 is there; isolation alone is not enough (GB 15577-2018 7.1.3).
func protects(measures []string) bool {
	for _, m := range measures {
		switch m {
		case "venting", "flameless_venting", "inerting", "suppression":
			return true
		}
	}
	return false
}

// Kinds of metrics the floor rules F1 and F3 look at (domain 6.2).
var (
	f1Kinds      = []string{"T01", "S01", "Q01", "L01", "F01"}
	barrierKinds = []string{"T01", "P01", "K01", "S01", "L01", "F01", "Q01"}
)

// floors lists the floor rules that hold now (domain 6.2).
func (e *Engine) floors(p *plant) []risk.Held {
	var out []risk.Held
	hold := func(code string, evidence ...string) { out = append(out, risk.Held{Code: code, Evidence: evidence}) }
	f1, _ := e.model.Floor("F1")
	grave := map[string]string{} // system and kind of alarms that are grave and active
	var order []string
	for _, a := range p.alarms {
		if a.GetSuppressed() {
			continue
		}
		open := a.GetStage() == stageRaised || a.GetStage() == stageAcknowledged
		if (a.GetKind() == "B01" || a.GetKind() == "E01") && (open || a.GetCondition() == active) {
			hold("F2", a.GetId())
		}
		if a.GetLevel() < 2 {
			continue
		}
		if open && e.st.GetNow()-a.GetRaised() >= f1.After.Ms() && slices.Contains(f1Kinds, a.GetKind()) {
			hold("F1", a.GetId())
		}
		if a.GetCondition() == active && slices.Contains(barrierKinds, a.GetKind()) {
			if other, ok := grave[a.GetSystem()]; ok && other != a.GetKind() {
				hold("F3", a.GetId())
			}
			grave[a.GetSystem()] = a.GetKind()
			order = append(order, a.GetKind())
		}
	}
	for _, kind := range order {
		switch {
		case kind == "Q01":
			hold("F5")
		case kind == "S01" && !p.quenched():
			hold("F4")
		}
	}
	return append(out, e.slowFloors(p)...)
}

// quenched says whether a spark extinguisher has acted.
func (p *plant) quenched() bool {
	for _, x := range p.points {
		if x.st.GetMetric().GetKind() == "S02" && x.st.GetLast() == 1 {
			return true
		}
	}
	return false
}

// slowFloors are those that do not come from an alarm.
func (e *Engine) slowFloors(p *plant) []risk.Held {
	var out []risk.Held
	if found := p.hazards(); len(found) > 0 {
		out = append(out, risk.Held{Code: "F6", Evidence: found})
	}
	if f7, ok := e.model.Floor("F7"); ok && p.running() && !p.shelved && p.offlineFor(e.st.GetNow()) > f7.After.Ms() {
		out = append(out, risk.Held{Code: "F7"})
	}
	for _, w := range p.plans {
		if w.GetPlan().GetCycle() != "shift" || w.GetPlan().GetDisabled() {
			continue
		}
		if _, _, missed := slots(w, e.st.GetNow()); missed >= missedShifts {
			out = append(out, risk.Held{Code: "F8", Evidence: []string{w.GetPlan().GetId()}})
			break
		}
	}
	return out
}
