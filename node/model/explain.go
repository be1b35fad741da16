package model

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"dusthub/node/engine"
	"dusthub/node/engine/risk"
	"dusthub/schema"
)

// WhatIf is a plant as it is, and as it would be with some inputs changed.
type WhatIf struct {
	Enterprise string     `json:"enterprise"`
	Before     *Judgement `json:"before"`
	After      *Judgement `json:"after"`
	Changed    []Move     `json:"changed,omitempty" doc:"factors whose contribution changed"`
}

// Move is a factor before and after a change, in thousandths of the index.
type Move struct {
	Factor string `json:"factor"`
	Name   string `json:"name"`
	Before int64  `json:"before"`
	After  int64  `json:"after"`
}

// WhatIf judges a plant of this site by its true inputs and by changed ones. Errors: those of Call, ErrPlant, InputError.
func (s *Service) WhatIf(caller, plant string, c Choice, changes map[string]any) (out *WhatIf, err error) {
	err = s.Call(caller, OpWhatIf, c, 2, func(m *risk.Model) error {
		is, ok := s.opt.Inspect(plant)
		if !ok {
			return fmt.Errorf("%w: %s", ErrPlant, plant)
		}
		changed, refused := is.Snapshot.Changed(changes)
		for _, name := range slices.Sorted(maps.Keys(changes)) {
			if code, floor := strings.CutPrefix(name, risk.FloorPrefix); floor {
				if _, known := m.Floor(code); !known {
					refused = append(refused, name+": the model has no such floor")
				}
			}
		}
		if len(refused) > 0 {
			return &InputError{refused}
		}
		out = &WhatIf{Enterprise: plant, Before: resultOf(m, is.Snapshot), After: resultOf(m, changed)}
		out.Changed = moves(out.Before.Factors, out.After.Factors)
		return nil
	})
	return out, err
}

func moves(before, after []*schema.Factor) []Move {
	out, at := []Move{}, map[string]int{}
	for _, f := range before {
		at[f.GetCode()] = len(out)
		out = append(out, Move{Factor: f.GetCode(), Name: f.GetName(), Before: f.GetContributionMilli()})
	}
	for _, f := range after {
		i, ok := at[f.GetCode()]
		if !ok {
			i = len(out)
			out = append(out, Move{Factor: f.GetCode(), Name: f.GetName()})
		}
		out[i].After = f.GetContributionMilli()
	}
	out = slices.DeleteFunc(out, func(m Move) bool { return m.Before == m.After })
	sort.SliceStable(out, func(i, j int) bool { return abs(out[i].After-out[i].Before) > abs(out[j].After-out[j].Before) })
	return out
}

func abs(v int64) int64 { return max(v, -v) }

// Explanation is why a plant's level is what it is.
type Explanation struct {
	Enterprise string     `json:"enterprise"`
	Time       int64      `json:"time"`
	Level      string     `json:"level,omitempty" table:"level" doc:"as it stands, with its slow fall; absent when never judged"`
	Since      int64      `json:"since"`
	Result     *Judgement `json:"result" doc:"of this moment"`
	Inputs     []Given    `json:"inputs,omitempty"`
	Floors     []Floor    `json:"floors,omitempty" doc:"that hold"`
	Sentences  []string   `json:"sentences,omitempty" doc:"in Chinese"`
	Lowers     []Lower    `json:"lowers,omitempty" doc:"what would lower the index or the level, most first"`
}

// Given is an input with its value and what it rests on.
type Given struct {
	Name     string   `json:"name"`
	Zh       string   `json:"zh"`
	Value    any      `json:"value" kinds:"number,string,boolean"`
	Unit     string   `json:"unit,omitempty"`
	Evidence []string `json:"evidence,omitempty" doc:"keys of alarms, metrics and base records"`
}

// Floor is a floor that holds.
type Floor struct {
	Code     string   `json:"code"`
	Level    string   `json:"level" table:"level"`
	Text     string   `json:"text"`
	Clause   string   `json:"clause"`
	Evidence []string `json:"evidence,omitempty"`
}

// Lower is one thing that would make the plant safer.
type Lower struct {
	Factor string `json:"factor"`
	What   string `json:"what" doc:"in Chinese"`
	By     int64  `json:"by" doc:"the index, in thousandths"`
	Level  string `json:"level" table:"level" doc:"the level then"`
}

// Explain says why a plant's level is what it is. Errors: those of Call, ErrPlant.
func (s *Service) Explain(caller, plant string, c Choice) (out *Explanation, err error) {
	err = s.Call(caller, OpExplain, c, 1, func(m *risk.Model) error {
		is, ok := s.opt.Inspect(plant)
		if !ok {
			return fmt.Errorf("%w: %s", ErrPlant, plant)
		}
		out = explain(m, plant, &is)
		return nil
	})
	return out, err
}

func explain(m *risk.Model, plant string, is *engine.Inspection) *Explanation {
	out := &Explanation{
		Enterprise: plant, Time: is.Now, Level: is.Level, Since: is.Since, Result: resultOf(m, is.Snapshot), Inputs: given(is.Snapshot), Floors: []Floor{},
	}
	for _, h := range is.Snapshot.Floors {
		f, ok := m.Floor(h.Code)
		if !ok {
			continue
		}
		level := f.Level
		if risk.Rank(h.Level) > risk.Rank(level) {
			level = h.Level
		}
		out.Floors = append(out.Floors, Floor{Code: f.Code, Level: level, Text: f.Text, Clause: f.Clause, Evidence: h.Evidence})
	}
	if f, ok := m.Floor(out.Result.Floor); ok && !slices.ContainsFunc(out.Floors, func(h Floor) bool { return h.Code == f.Code }) {
		out.Floors = append(out.Floors, Floor{Code: f.Code, Level: f.Level, Text: f.Text, Clause: f.Clause}) // by the model's own expression
	}
	out.Lowers = lowers(m, is.Snapshot, out)
	out.Sentences = sentences(m, out)
	return out
}

// given are the inputs that say something, with their evidence.
func given(s *risk.Snapshot) []Given {
	var out []Given
	for _, v := range risk.Variables() {
		g := Given{Name: v.Name, Zh: v.Zh, Value: v.Value(s), Unit: v.Unit}
		if n, ok := g.Value.(float64); ok && n == 0 && v.Unit == "0-100" {
			continue
		}
		for _, list := range s.Signals {
			for _, sg := range list {
				if sg.Kind == v.Name {
					g.Evidence = append(g.Evidence, sg.Evidence...)
				}
			}
		}
		if v.Group == risk.GroupManagement && len(v.Name) == 2 && v.Name[0] == 'M' {
			g.Evidence = s.Management[v.Name[1]-'1'].Evidence
		}
		out = append(out, g)
	}
	return out
}

// lowers tries what a plant can do: end what an alarm tells of, do what management asks, protect its collectors, remove a floor.
func lowers(m *risk.Model, s *risk.Snapshot, ex *Explanation) []Lower {
	out := []Lower{}
	try := func(factor, what string, changes map[string]any) {
		c, refused := s.Changed(changes)
		if len(refused) > 0 {
			return
		}
		r := m.Judge(c, m.H(c))
		if by := ex.Result.IndexMilli - r.Index; by > 0 || risk.Rank(r.Level) < risk.Rank(ex.Result.Level) {
			out = append(out, Lower{Factor: factor, What: what, By: max(0, by), Level: r.Level})
		}
	}
	kinds := map[string]bool{}
	for _, f := range ex.Result.Factors {
		if parts := strings.Split(f.GetCode(), "."); len(parts) == 3 && parts[0] == "D" && !kinds[parts[2]] {
			kinds[parts[2]] = true
			what := f.GetName() + "恢复正常并核销报警"
			if f.GetRaw() == engine.Unconnected {
				what = f.GetName() + "接入监测且正常"
			}
			try(parts[2], what, map[string]any{parts[2]: 0.0})
		}
	}
	for _, f := range m.Management {
		if len(f.Code) == 2 && f.Code[0] == 'M' {
			try(f.Code, f.Name+"做到位", map[string]any{f.Code: 0.0})
		}
	}
	if s.Measures == "none" || s.Measures == "one" {
		try("measures", "每台干式除尘器具备两项及以上防爆措施", map[string]any{"measures": "several"})
	}
	gone := map[string]any{}
	for _, f := range ex.Floors {
		gone[risk.FloorPrefix+f.Code] = false
		try(f.Code, "消除底线情形："+f.Text, map[string]any{risk.FloorPrefix + f.Code: false})
	}
	if len(gone) > 1 {
		try("floors", "消除全部底线情形", gone)
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := risk.Rank(out[i].Level), risk.Rank(out[j].Level)
		return a < b || a == b && out[i].By > out[j].By
	})
	return out
}

// sentences tell it to people.
func sentences(m *risk.Model, ex *Explanation) []string {
	r := ex.Result
	out := []string{fmt.Sprintf("按模型 %s，研判指数 %s，%s；其中固有风险 %s、动态风险 %s、管控风险 %s。",
		m.Version, milli(r.IndexMilli), "指数所处等级为"+level(r.Band), milli(r.InherentMilli), milli(r.DynamicMilli), milli(r.ManagementMilli))}
	for _, f := range ex.Floors {
		out = append(out, fmt.Sprintf("底线规则 %s 成立：%s，等级不低于%s（依据：%s）。", f.Code, f.Text, level(f.Level), f.Clause))
	}
	if ex.Level != r.Level && ex.Level != "" {
		out = append(out, fmt.Sprintf("当前等级为%s：等级回落须等指数持续偏低。", level(ex.Level)))
	}
	const most = 5
	for _, f := range risk.Top(r.Factors, most) {
		if f.GetContributionMilli() <= 0 {
			continue
		}
		s := fmt.Sprintf("%s：%s，得分 %s，贡献 %s", f.GetName(), orNone(f.GetRaw()), milli(f.GetScoreMilli()), milli(f.GetContributionMilli()))
		if f.GetClause() != "" {
			s += "（依据：" + f.GetClause() + "）"
		}
		out = append(out, s+"。")
	}
	for i, l := range ex.Lowers {
		if i == most {
			break
		}
		out = append(out, fmt.Sprintf("%s，指数可降 %s，等级为%s。", l.What, milli(l.By), level(l.Level)))
	}
	return out
}

func orNone(s string) string {
	if s == "" {
		return "无"
	}
	return s
}

func level(code string) string { return schema.CodeName("level", code) }

func milli(v int64) string { return fmt.Sprintf("%d.%03d", v/1000, abs(v%1000)) }
