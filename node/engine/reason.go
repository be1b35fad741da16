package engine

import (
	"fmt"
	"strings"

	"dusthub/schema"
)

// explain says in words why a result is another than the last: which factor moved most.
func (e *Engine) explain(r, last *schema.RiskResult) {
	switch r.GetCause() {
	case "first":
		r.CauseText = "首次研判"
		return
	case "model":
		r.CauseText = fmt.Sprintf("研判模型由 %s 更换为 %s", last.GetModel(), r.GetModel())
	case "up", "down":
		word := map[string]string{"up": "上升", "down": "回落"}[r.GetCause()]
		r.CauseText = fmt.Sprintf("风险等级由%s%s为%s", levelName(r.GetPreviousLevel()), word, levelName(r.GetLevel()))
	case "floor":
		r.CauseText = "底线规则解除"
	case "index":
		r.CauseText = "研判指数变化"
	case "hourly":
		r.CauseText = "定时研判"
	}
	if f, ok := e.model.Floor(r.GetFloor()); ok && r.GetFloor() != last.GetFloor() {
		if r.GetCause() == "floor" {
			r.CauseText = "底线规则生效"
		}
		r.CauseText += fmt.Sprintf("；%s %s", f.Code, f.Text)
	}
	name, code, delta := moved(last.GetFactors(), r.GetFactors())
	if code == "" {
		return
	}
	r.CauseFactor = code
	r.CauseText += fmt.Sprintf("；%s %s（指数 %s → %s）", name, signed(delta), thousandths(last.GetIndexMilli()), thousandths(r.GetIndexMilli()))
}

func levelName(level string) string { return schema.CodeName("level", level) }

// moved is the factor whose contribution changed most; of equal ones the first.
func moved(before, after []*schema.Factor) (name, code string, delta int64) {
	was := map[string]int64{}
	for _, f := range before {
		was[f.GetCode()] = f.GetContributionMilli()
	}
	look := func(f *schema.Factor, d int64) {
		if abs(d) > abs(delta) {
			name, code, delta = f.GetName(), f.GetCode(), d
		}
	}
	for _, f := range after {
		look(f, f.GetContributionMilli()-was[f.GetCode()])
		delete(was, f.GetCode())
	}
	for _, f := range before {
		if gone, still := was[f.GetCode()]; still {
			look(f, -gone)
		}
	}
	if system, ok := strings.CutPrefix(code, "D."); ok {
		n, _, _ := strings.Cut(system, ".")
		name += fmt.Sprintf("(除尘系统%s)", n)
	}
	return name, code, delta
}

func thousandths(v int64) string { return fmt.Sprintf("%d.%03d", v/1000, abs(v%1000)) }

func signed(v int64) string {
	if v < 0 {
		return "-" + thousandths(-v)
	}
	return "+" + thousandths(v)
}
