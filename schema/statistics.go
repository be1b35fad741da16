package schema

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// StatisticLimit is the limit one figure of an alarm system is held against (EEMUA 191, ISA-18.2).
type StatisticLimit struct {
	Code    string  `yaml:"code"`
	Name    string  `yaml:"name"`
	Unit    string  `yaml:"unit"`
	Value   float64 `yaml:"value"`    // the most that is still well
	AtLeast bool    `yaml:"at_least"` // Value is the least instead
	Least   int     `yaml:"least"`    // alarms below which the figure says nothing
	Figure  `yaml:",inline"`
}

// StatisticTarget is the share of alarms that a priority should have.
type StatisticTarget struct {
	Priority string  `yaml:"priority"`
	Share    float64 `yaml:"share"`
	Figure   `yaml:",inline"`
}

// StatisticParameter is a number the figures are counted by.
type StatisticParameter struct {
	Code   string `yaml:"code"`
	Name   string `yaml:"name"`
	Value  int64  `yaml:"value"`
	Figure `yaml:",inline"`
}

// StatisticFigures are the limits, targets and parameters of alarm statistics (tables/statistics.yaml).
type StatisticFigures struct {
	Limits     []StatisticLimit     `yaml:"limits"`
	Targets    []StatisticTarget    `yaml:"targets"`
	Parameters []StatisticParameter `yaml:"parameters"`
}

var statisticFigures StatisticFigures

// Statistics are the shipped figures of alarm statistics. Callers do not change them.
func Statistics() *StatisticFigures { return &statisticFigures }

// Parameter is a parameter's value; 0 when there is none of that code.
func (f *StatisticFigures) Parameter(code string) int64 {
	for _, p := range f.Parameters {
		if p.Code == code {
			return p.Value
		}
	}
	return 0
}

// Target is the share a priority should have.
func (f *StatisticFigures) Target(priority string) float64 {
	for _, t := range f.Targets {
		if t.Priority == priority {
			return t.Share
		}
	}
	return 0
}

// loadStatistics reads the figures, and shows them as the code table statistic_figure.
func loadStatistics() {
	f, table := &statisticFigures, &CodeTable{Name: "statistic_figure", Version: Version}
	if err := yaml.Unmarshal(mustRead("statistics.yaml"), f); err != nil {
		panic(fmt.Sprintf("schema: statistics.yaml: %v", err))
	}
	row := func(of Figure, code, name string) {
		table.Codes = append(table.Codes, &Code{Code: code, Name: name, Source: of.Basis, Confidence: of.Confidence})
	}
	for _, l := range f.Limits {
		row(l.Figure, l.Code, fmt.Sprintf("%s %g %s", l.Name, l.Value, l.Unit))
	}
	for _, t := range f.Targets {
		row(t.Figure, "target_"+t.Priority, fmt.Sprintf("目标占比 %g", t.Share))
	}
	for _, p := range f.Parameters {
		row(p.Figure, p.Code, fmt.Sprintf("%s %d", p.Name, p.Value))
	}
	addTable(table)
}
