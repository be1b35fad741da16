package schema

import (
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// Figure is what every row of figures carries: where it comes from, and how sure that is.
type Figure struct {
	Basis      string `yaml:"basis" json:"basis"`
	Confidence string `yaml:"confidence" json:"confidence"`
}

// PriorityRule gives alarms that fit it a priority.
type PriorityRule struct {
	Level    int32    `yaml:"level"` // 0: any
	Rules    []string `yaml:"rules"` // empty: any
	Kinds    []string `yaml:"kinds"` // empty: any
	Plant    bool     `yaml:"plant"` // only alarms of a plant as a whole
	Priority string   `yaml:"priority"`
	Figure   `yaml:",inline"`
}

// After is something that happens when a time has passed.
type After struct {
	Priority string `yaml:"priority"`
	Level    string `yaml:"level"`
	AfterMs  int64  `yaml:"after_ms"`
	Figure   `yaml:",inline"`
}

// Deadline says by when an alarm of a level is to be acknowledged and disposed, ms from raising.
type Deadline struct {
	Level         int32 `yaml:"level"`
	AcknowledgeMs int64 `yaml:"acknowledge_ms"`
	DisposeMs     int64 `yaml:"dispose_ms"`
	Figure        `yaml:",inline"`
}

// ShelfBound bounds shelves of a kind.
type ShelfBound struct {
	Kind      string `yaml:"kind"`
	LongestMs int64  `yaml:"longest_ms"`
	AheadMs   int64  `yaml:"ahead_ms"`
	Plant     bool   `yaml:"plant"` // a plant may ask for it
	Figure    `yaml:",inline"`
}

// Frequent says what frequent alarms of a point are.
type Frequent struct {
	Count    int   `yaml:"count"`
	WithinMs int64 `yaml:"within_ms"`
	Figure   `yaml:",inline"`
}

// AlarmFigures are the figures alarms are worked by (tables/alarm.yaml).
type AlarmFigures struct {
	Priorities  []PriorityRule `yaml:"priorities"`
	Rises       []After        `yaml:"rises"`
	Falls       []After        `yaml:"falls"`
	Deadlines   []Deadline     `yaml:"deadlines"`
	Again       []After        `yaml:"again"`
	Warnings    []After        `yaml:"warnings"`
	CallsAtMost struct {
		Value  int32 `yaml:"value"`
		Figure `yaml:",inline"`
	} `yaml:"calls_at_most"`
	Shelves  []ShelfBound `yaml:"shelves"`
	Frequent []Frequent   `yaml:"frequent"`
}

// Priorities of alarms, gravest first (code table alarm_priority).
const (
	Critical = "critical"
	High     = "high"
	Medium   = "medium"
	Low      = "low"
)

// PriorityOrder are the priorities, least first.
var PriorityOrder = []string{Low, Medium, High, Critical}

var alarmFigures AlarmFigures

// Alarming are the shipped figures alarms are worked by. Callers do not change them.
func Alarming() *AlarmFigures { return &alarmFigures }

// loadAlarming reads the figures, and shows them as the code table alarm_figure.
func loadAlarming() {
	if err := yaml.Unmarshal(mustRead("alarm.yaml"), &alarmFigures); err != nil {
		panic(fmt.Sprintf("schema: alarm.yaml: %v", err))
	}
	f, table := &alarmFigures, &CodeTable{Name: "alarm_figure", Version: Version}
	row := func(of Figure, name string, code string, args ...any) {
		table.Codes = append(table.Codes, &Code{Code: fmt.Sprintf(code, args...), Name: name, Source: of.Basis, Confidence: of.Confidence})
	}
	long := func(ms int64) string { return (time.Duration(ms) * time.Millisecond).String() }
	for i, r := range f.Rises {
		row(r.Figure, "持续 "+long(r.AfterMs)+" 升一级优先级", "rise_%d", i+1)
	}
	for i, r := range f.Falls {
		row(r.Figure, "恢复 "+long(r.AfterMs)+" 降一级优先级", "fall_%d", i+1)
	}
	for _, d := range f.Deadlines {
		row(d.Figure, "签收期限 "+long(d.AcknowledgeMs), "acknowledge_%d", d.Level)
		row(d.Figure, "处置期限 "+long(d.DisposeMs), "dispose_%d", d.Level)
	}
	for _, r := range f.Again {
		row(r.Figure, "超期后每 "+long(r.AfterMs)+" 再升级", "escalate_%s", r.Priority)
	}
	for _, r := range f.Warnings {
		row(r.Figure, "超期后每 "+long(r.AfterMs)+" 再提醒", "warning_%s", r.Level)
	}
	row(f.CallsAtMost.Figure, fmt.Sprintf("最多提醒 %d 次", f.CallsAtMost.Value), "calls_at_most")
	for _, b := range f.Shelves {
		row(b.Figure, "屏蔽最长 "+long(b.LongestMs), "shelf_%s", b.Kind)
	}
	for _, b := range f.Frequent {
		row(b.Figure, fmt.Sprintf("%s 内 %d 次为频繁报警", long(b.WithinMs), b.Count), "frequent_%d", b.Count)
	}
	addTable(table)
}

// Priority is an alarm's priority when it is raised.
func (f *AlarmFigures) Priority(a *Alarm) string {
	for _, r := range f.Priorities {
		if (r.Level == 0 || r.Level == a.GetLevel()) && (len(r.Rules) == 0 || slices.Contains(r.Rules, a.GetRule())) &&
			(len(r.Kinds) == 0 || slices.Contains(r.Kinds, a.GetKind())) && (!r.Plant || a.GetGateway() == "" && a.GetMetric() == "") {
			return r.Priority
		}
	}
	return Low
}

// Deadline is that of a level.
func (f *AlarmFigures) Deadline(level int32) Deadline {
	for _, d := range f.Deadlines {
		if d.Level == level {
			return d
		}
	}
	return Deadline{}
}

// EscalateAgain is how long after a missed deadline the next is called, ms.
func (f *AlarmFigures) EscalateAgain(priority string) int64 {
	for _, r := range f.Again {
		if r.Priority == priority {
			return r.AfterMs
		}
	}
	return 0
}

// WarnAgain is how often an overdue warning of a level is called, ms; 0: never.
func (f *AlarmFigures) WarnAgain(level string) int64 {
	for _, r := range f.Warnings {
		if r.Level == level {
			return r.AfterMs
		}
	}
	return 0
}

// Shelf bounds shelves of a kind.
func (f *AlarmFigures) Shelf(kind string) ShelfBound {
	for _, b := range f.Shelves {
		if b.Kind == kind {
			return b
		}
	}
	return ShelfBound{}
}
