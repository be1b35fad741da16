package engine

import (
	"slices"
	"strings"

	"dusthub/schema"
)

// danger is a major hidden danger (重大事故隐患) with the keys of the records that show it.
type danger struct {
	code     string
	evidence []string
}

// dangers are the 重大事故隐患 that base data show (应急管理部令第10号 art. 11; domain 4.1), in order of code. What needs eyes
// (MH07, parts of MH08 to MH10) is what an inspector has entered.
func (p *plant) dangers() []danger {
	found := map[string][]string{}
	hold := func(code string, holds bool, rec schema.Record) {
		key := schema.TypeOf(rec) + "/" + schema.KeyOf(rec)
		if holds && !slices.Contains(found[code], key) {
			found[code] = append(found[code], key)
		}
	}
	for _, w := range p.workshops {
		hold("MH01", w.GetBuilding() == "multi_nonframe" || w.GetGatheringPlaces(), w)
		hold("MH07", w.GetUnsuitedElectrical(), w)
		hold("MH09", w.GetStorageUnventilated() || w.GetStorageUnprotected(), w)
		hold("MH10", w.GetCleaningNeglected(), w)
	}
	for _, s := range p.systems {
		kinds := map[string]bool{}
		for _, d := range s.GetDusts() {
			c, _ := schema.DustOf(d)
			kinds[c.Category] = true
		}
		light, wood := kinds["1"], kinds["3"]
		hold("MH02", len(kinds) > 1 || s.GetSharedWithGas() || s.GetCrossFireZone(), s)
		hold("MH05", s.GetSettlingChamber() || s.GetMasonryDuct(), s)
		hold("MH08", s.GetNoTrampRemoval(), s)
		collectors, without := 0, 0 // a spark device
		for _, c := range p.collectors {
			if c.GetSystem() != s.GetCode() {
				continue
			}
			collectors++
			if !c.GetSparkDevice() {
				without++
			}
			hold("MH08", wood && strings.Contains(s.GetProcess(), "砂光") && !c.GetSparkDevice(), c)
			if wet(c) {
				// Hydrogen gathers where wet light metal is collected; without 氢气浓度 nobody would know (部令第6号 art. 18).
				hold("MH09", light && !p.measured(c.GetCode(), "Q01"), c)
				continue
			}
			hold("MH03", !protects(c.GetMeasures()), c)
			hold("MH06", (light || wood) && !c.GetLockGasDevice(), c)
		}
		hold("MH04", s.GetMode() == "positive" && (light || collectors == 0 || without > 0), s)
	}
	var out []danger
	for _, code := range hazardCodes {
		if len(found[code]) > 0 {
			out = append(out, danger{code, found[code]})
		}
	}
	return out
}

var hazardCodes = []string{"MH01", "MH02", "MH03", "MH04", "MH05", "MH06", "MH07", "MH08", "MH09", "MH10"}

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

// neglected is what shows that cleaning is not done and dust lies (MH10): too little was cleaned in time over a week, and no
// 沉积粉尘厚度 says that none lies; or a thick layer was measured while cleaning was not all done.
func (e *Engine) neglected(p *plant) []string {
	var layers []string
	measured := false
	for _, x := range p.points {
		if x.st.GetMetric().GetKind() != "Z01" || x.st.GetMetric().GetDisabled() {
			continue
		}
		measured = measured || x.st.GetTime() != 0 && (x.gw == nil || !x.gw.away())
		for _, r := range x.rules {
			if r.st.GetAlarm() != "" && (r.level == 2 || r.st.GetGrave()) && !x.shelved {
				layers = append(layers, "Metric/"+codeOfPoint(x), "Alarm/"+r.st.GetAlarm())
			}
		}
	}
	c := &p.cleaning
	behind := c.plans == 0 || c.done < c.due
	little := c.due >= e.model.Hazards.Slots && float64(c.done) < e.model.Hazards.Completion*float64(c.due)
	if len(layers) > 0 && behind || little && !measured {
		return append(layers, c.evidence...)
	}
	return nil
}

// hazards keeps the plant's open hazards in step with what its data show.
func (e *Engine) hazards(p *plant) {
	now := e.st.GetNow()
	dirt := e.neglected(p)
	if len(p.hazards) == 0 && len(p.base.found) == 0 && dirt == nil {
		return
	}
	found := slices.Clone(p.base.found)
	if dirt != nil {
		if n := len(found); n > 0 && found[n-1].code == "MH10" {
			found[n-1].evidence = append(slices.Clone(found[n-1].evidence), dirt...)
		} else {
			found = append(found, danger{"MH10", dirt})
		}
	}
	kept := make([]*schema.Hazard, 0, len(found))
	for _, h := range p.hazards {
		i := slices.IndexFunc(found, func(d danger) bool { return d.code == h.GetCode() })
		if i < 0 {
			h = clone(h)
			h.Closed, h.Overdue = now, false
			e.write(h)
			continue
		}
		kept = append(kept, e.stillThere(h, found[i], now))
		found = slices.Delete(found, i, i+1)
	}
	for _, d := range found {
		h := &schema.Hazard{
			Id: e.id("H"), Enterprise: p.code, Code: d.code, Evidence: d.evidence, Found: now, Due: now + e.model.Hazards.Due.Ms(),
		}
		e.write(h)
		kept = append(kept, h)
	}
	slices.SortFunc(kept, func(a, b *schema.Hazard) int { return strings.Compare(a.GetCode(), b.GetCode()) })
	p.hazards = kept
}

// stillThere takes in what changed about an open hazard. MH10's evidence names the alarms of the moment and is kept as found.
func (e *Engine) stillThere(h *schema.Hazard, d danger, now int64) *schema.Hazard {
	late := h.GetDue() != 0 && now > h.GetDue()
	other := d.code != "MH10" && !slices.Equal(h.GetEvidence(), d.evidence)
	if late == h.GetOverdue() && !other {
		return h
	}
	h = clone(h)
	h.Overdue = late
	if other {
		h.Evidence = d.evidence
	}
	e.write(h)
	return h
}
