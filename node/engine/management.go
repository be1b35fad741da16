package engine

import (
	"fmt"
	"math"
	"strings"

	"dusthub/node/engine/risk"
	"dusthub/schema"
)

const (
	shift          = 8 * hour // 每班: 00, 08 and 16 o'clock Beijing time
	beijing        = 8 * hour
	cleaningGrace  = 2 * hour // a check-in counts until so long after its slot (domain 11)
	cleaningWindow = 7 * day
	cleaningMemory = 8 * day
	full           = 100
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

// cleaning is how a plant's cleaning stands: of all its plans, and of those of every shift how many of the newest slots in a row
// were missed by the worst of them.
type cleaning struct {
	plans, due, done, missed int
	worst                    string   // the plan that missed most
	evidence                 []string // keys of the plans that are behind
}

// cleanings works out how cleaning stands now.
func (e *Engine) cleanings(p *plant) {
	c := cleaning{evidence: p.cleaning.evidence[:0]}
	for _, w := range p.plans {
		if w.GetPlan().GetDisabled() {
			continue
		}
		c.plans++
		due, done, missed := slots(w, e.st.GetNow())
		c.due, c.done = c.due+due, c.done+done
		if done < due {
			c.evidence = append(c.evidence, "CleaningPlan/"+w.GetPlan().GetId())
		}
		if w.GetPlan().GetCycle() == "shift" && missed > c.missed {
			c.missed, c.worst = missed, w.GetPlan().GetId()
		}
	}
	p.cleaning = c
}

// management scores M1..M6 (domain 6.2).
func (e *Engine) management(p *plant, words bool) [6]risk.Score {
	out := [6]risk.Score{e.cleaningScore(p, words), e.disposal(p, words), e.replies(p, words), e.onlineScore(p, words), e.quality(p, words), e.hazardScore(p)}
	return out
}

func (e *Engine) cleaningScore(p *plant, words bool) risk.Score {
	c := &p.cleaning
	switch {
	case c.plans == 0:
		return risk.Score{Value: full, Raw: "无清扫计划"}
	case c.due == 0:
		return risk.Score{Raw: "尚无到期清扫"}
	}
	out := risk.Score{Value: full * (1 - float64(c.done)/float64(c.due))}
	if words {
		out.Raw, out.Evidence = fmt.Sprintf("按时 %d/%d", c.done, c.due), append([]string(nil), c.evidence...)
	}
	return out
}

// disposal counts alarms past their deadline.
func (e *Engine) disposal(p *plant, words bool) risk.Score {
	general, grave := 0, 0
	var out risk.Score
	for _, a := range p.alarms {
		if !a.GetOverdue() || a.GetSuppressed() {
			continue
		}
		if a.GetLevel() < 2 {
			general++
		} else {
			grave++
		}
		if words {
			out.Evidence = append(out.Evidence, a.GetId())
		}
	}
	out.Value = math.Min(full, e.model.Param("M2", "level1")*float64(general)+e.model.Param("M2", "level2")*float64(grave))
	if words {
		out.Raw = fmt.Sprintf("超期 一般 %d 严重 %d", general, grave)
	}
	return out
}

func (e *Engine) replies(p *plant, words bool) risk.Score {
	late := 0
	var out risk.Score
	for _, w := range p.warnings {
		if !w.GetOverdue() {
			continue
		}
		late++
		if words {
			out.Evidence = append(out.Evidence, w.GetId())
		}
	}
	out.Value = math.Min(full, e.model.Param("M3", "each")*float64(late))
	if words {
		out.Raw = fmt.Sprintf("超期 %d", late)
	}
	return out
}

// onlineRate is the mean of a plant's gateways; 1 and false when there are none.
func (p *plant) onlineRate(now int64) (float64, bool) {
	rate, n := 0.0, 0
	for _, g := range p.gateways {
		if !g.st.GetGateway().GetDisabled() {
			rate += g.onlineRate(now)
			n++
		}
	}
	if n == 0 {
		return 1, false
	}
	return rate / float64(n), true
}

func (e *Engine) onlineScore(p *plant, words bool) risk.Score {
	rate, ok := p.onlineRate(e.st.GetNow())
	if !ok {
		return risk.Score{Value: full, Raw: "未接入"}
	}
	good, bad := e.model.Param("M4", "good"), e.model.Param("M4", "bad")
	out := risk.Score{Value: full * math.Max(0, math.Min(1, (good-rate)/(good-bad)))}
	if words {
		out.Raw = fmt.Sprintf("%.1f %%", full*rate)
	}
	return out
}

// quality is the share of points whose data are doubtful, and of mandatory base data that is missing, half each (domain 11).
func (e *Engine) quality(p *plant, words bool) risk.Score {
	doubtful, n := e.doubtful(p)
	share := 0.0
	if n > 0 {
		share = float64(doubtful) / float64(n)
	}
	out := risk.Score{Value: math.Min(full, full*(share+1-p.base.filled)/2)}
	if words {
		out.Raw = fmt.Sprintf("可疑测点 %d/%d 缺项 %d", doubtful, n, len(p.base.missing))
		if len(p.base.missing) > 0 {
			out.Raw += "：" + strings.Join(p.base.missing, "、")
		}
		for _, x := range p.points {
			if !x.st.GetMetric().GetDisabled() && e.doubts(x) {
				out.Evidence = append(out.Evidence, codeOfPoint(x))
			}
		}
	}
	return out
}

func (e *Engine) doubtful(p *plant) (doubtful, n int) {
	for _, x := range p.points {
		if x.st.GetMetric().GetDisabled() {
			continue
		}
		n++
		if e.doubts(x) {
			doubtful++
		}
	}
	return doubtful, n
}

// doubts says whether a point is out of range, faulty, stuck, or alarms again and again by the model's figures (domain 11).
func (e *Engine) doubts(x *point) bool {
	for i := range x.rules {
		if r := &x.rules[i]; r.op.instrument() && r.op != tooOften && r.st.GetAlarm() != "" {
			return true
		}
	}
	raised := x.st.GetRaised()
	if len(raised) == 0 {
		return false
	}
	now := e.st.GetNow()
	return float64(len(recent(raised, now-hour))) >= e.model.Param("M5", "hour") || float64(len(recent(raised, now-day))) >= e.model.Param("M5", "day")
}

// filled is the share of mandatory base data that is there, and what is not (domain 11, 完整性: twice the weight for what the
// judgement rests on).
func (p *plant) filled() (share float64, missing []string) {
	there, all := 0, 0
	add := func(weight int, ok bool, name string) {
		all += weight
		if ok {
			there += weight
		} else {
			missing = append(missing, name)
		}
	}
	e := p.enterprise
	add(2, e.GetUscc() != "", "统一社会信用代码")
	add(2, e.GetRegion() != "", "行政区划")
	add(2, e.GetDustWorkers() > 0, "涉粉作业人数")
	add(2, len(e.GetDusts()) > 0, "粉尘种类")
	add(1, e.GetAddress() != "", "地址")
	add(1, e.GetLng() != 0, "经度")
	add(1, e.GetLat() != 0, "纬度")
	add(1, e.GetSafetyHead() != "", "安全负责人")
	add(1, e.GetSafetyPhone() != "", "安全负责人电话")
	add(1, e.GetEmployees() > 0, "从业人数")
	for _, c := range p.collectors {
		add(2, c.GetType() != "", c.GetCode()+"类型")
	}
	for _, x := range p.points {
		if m := x.st.GetMetric(); x.kind.Class == "required" && !m.GetDisabled() {
			add(2, m.GetLimits() != nil, m.GetCode()+"限值")
		}
	}
	return float64(there) / float64(all), missing
}

func (e *Engine) hazardScore(p *plant) risk.Score {
	out := risk.Score{Value: math.Min(full, e.model.Param("M6", "major")*float64(len(p.hazards))), Raw: "无"}
	for i, h := range p.hazards {
		if i == 0 {
			out.Raw = ""
		} else {
			out.Raw += " "
		}
		out.Raw += h.GetCode()
		out.Evidence = append(out.Evidence, h.GetId())
	}
	return out
}
