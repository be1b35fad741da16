package risk

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"dusthub/schema"
)

// FloorPrefix begins the name of a floor in changes: "floor.F6" is true when it holds.
const FloorPrefix = "floor."

// Value is the variable's value in a snapshot: a float64, a string or a bool.
func (v Variable) Value(s *Snapshot) any { return v.of(s) }

// Changed is a copy of a snapshot with inputs changed: a variable's name, or a floor's, and its value (T4, what if). It
// lists every change that cannot be made.
func (s *Snapshot) Changed(changes map[string]any) (*Snapshot, []string) {
	c := *s
	c.Dusts, c.Floors, c.Signals = slices.Clone(s.Dusts), slices.Clone(s.Floors), slices.Clone(s.Signals)
	for i := range c.Signals {
		c.Signals[i] = slices.Clone(c.Signals[i])
	}
	names := make([]string, 0, len(changes))
	for name := range changes {
		names = append(names, name)
	}
	sort.Strings(names)
	var refused []string
	for _, name := range names {
		if err := c.set(name, changes[name]); err != nil {
			refused = append(refused, name+": "+err.Error())
		}
	}
	return &c, refused
}

func (s *Snapshot) set(name string, value any) error {
	if code, ok := strings.CutPrefix(name, FloorPrefix); ok {
		return s.setFloor(code, value)
	}
	v := byName[name]
	if v == nil {
		return fmt.Errorf("is no input of risk models")
	}
	switch x := value.(type) {
	case bool:
		if name != "stopped" {
			return fmt.Errorf("is no flag")
		}
		s.Stopped = x
		return nil
	case string:
		return s.setText(name, x)
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("is no number")
		}
		return s.setNumber(name, v, x)
	}
	return fmt.Errorf("must be a number, a text or a flag")
}

func (s *Snapshot) setFloor(code string, value any) error {
	holds, ok := value.(bool)
	if !ok {
		return fmt.Errorf("must be true or false")
	}
	s.Floors = slices.DeleteFunc(s.Floors, func(h Held) bool { return h.Code == code })
	if holds {
		s.Floors = append(s.Floors, Held{Code: code})
	}
	return nil
}

// textOf are the texts that can be changed, with the code table that lists their values.
var textOf = map[string]struct {
	table string
	set   func(*Snapshot, string)
}{
	"building": {"building", func(s *Snapshot, v string) { s.Building = v }},
	"measures": {"", func(s *Snapshot, v string) { s.Measures = v }},
	"scale":    {"scale", func(s *Snapshot, v string) { s.Figures.Scale = v }},
	"industry": {"mem_industry", func(s *Snapshot, v string) { s.Figures.Industry = v }},
	"category": {"dust_category", func(s *Snapshot, v string) { s.someDust()[0].Category = v }},
	"grade": {"", func(s *Snapshot, v string) {
		for i := range s.someDust() {
			s.Dusts[i].Grade = v
		}
	}},
}

func (s *Snapshot) someDust() []Dust {
	if len(s.Dusts) == 0 {
		s.Dusts = []Dust{{MIE: math.NaN(), Kst: math.NaN()}}
	}
	return s.Dusts
}

func (s *Snapshot) setText(name, value string) error {
	t, ok := textOf[name]
	switch {
	case !ok:
		return fmt.Errorf("is no text")
	case t.table != "" && schema.CodeName(t.table, value) == value:
		return fmt.Errorf("%q is not in the code table %s", value, t.table)
	case name == "measures" && measureNames[value] == "":
		return fmt.Errorf("%q is none of none, one, several, wet", value)
	case name == "grade" && !slices.Contains([]string{"高", "较高", "一般", ""}, value):
		return fmt.Errorf("%q is none of 高, 较高, 一般", value)
	}
	t.set(s, value)
	return nil
}

func (s *Snapshot) setNumber(name string, v *Variable, x float64) error {
	switch i := slices.Index(managementCodes, name); {
	case v.Unit == "0-100" && (x < 0 || x > 100):
		return fmt.Errorf("must lie between 0 and 100")
	case i >= 0:
		s.Management[i] = Score{Value: x}
		return nil
	case v.Unit == "0-100":
		s.setSignal(name, x)
		return nil
	case x < 0 && name != "kst" && name != "mie":
		return fmt.Errorf("must not be negative")
	case v.Unit == "0-1" && x > 1:
		return fmt.Errorf("must lie between 0 and 1")
	}
	if set := propertyOf[name]; set != nil {
		set(s, x)
		return nil
	}
	if x > math.MaxInt32 {
		return fmt.Errorf("is too large")
	}
	if at := countOf[name]; at != nil {
		*at(&s.Figures) = int(x)
		return nil
	}
	if at := figureOf[name]; at != nil {
		*at(&s.Figures) = x
		return nil
	}
	return fmt.Errorf("cannot be changed by itself")
}

// setSignal gives every system that has a kind of metric its score; when none has, the first.
func (s *Snapshot) setSignal(kind string, score float64) {
	found := false
	for i := range s.Signals {
		for k := range s.Signals[i] {
			if sg := &s.Signals[i][k]; sg.Kind == kind {
				*sg = Signal{Kind: kind, Score: score}
				found = true
			}
		}
	}
	if found {
		return
	}
	if len(s.Signals) == 0 {
		s.Signals = [][]Signal{nil}
	}
	s.Signals[0] = append(s.Signals[0], Signal{Kind: kind, Score: score})
}

func known(x float64) float64 {
	if x < 0 {
		return math.NaN()
	}
	return x
}

var propertyOf = map[string]func(*Snapshot, float64){
	"workers":       func(s *Snapshot, x float64) { s.Workers = int32(min(x, math.MaxInt32)) },
	"systems":       func(s *Snapshot, x float64) { s.Systems = int(min(x, math.MaxInt32)) },
	"employees":     func(s *Snapshot, x float64) { s.Figures.Employees = int32(min(x, math.MaxInt32)) },
	"shift_workers": func(s *Snapshot, x float64) { s.Figures.ShiftWorkers = int32(min(x, math.MaxInt32)) },
	"kst": func(s *Snapshot, x float64) {
		for i := range s.someDust() {
			s.Dusts[i].Kst = known(x)
		}
	},
	"mie": func(s *Snapshot, x float64) {
		for i := range s.someDust() {
			s.Dusts[i].MIE = known(x)
		}
	},
}

var countOf = map[string]func(*Figures) *int{
	"collectors": func(f *Figures) *int { return &f.Collectors }, "wet_collectors": func(f *Figures) *int { return &f.WetCollectors },
	"alarms": func(f *Figures) *int { return &f.Alarms }, "alarms_level1": func(f *Figures) *int { return &f.AlarmsLevel1 },
	"alarms_level2": func(f *Figures) *int { return &f.AlarmsLevel2 }, "alarms_critical": func(f *Figures) *int { return &f.AlarmsCritical },
	"alarms_high": func(f *Figures) *int { return &f.AlarmsHigh }, "alarms_medium": func(f *Figures) *int { return &f.AlarmsMedium },
	"alarms_low": func(f *Figures) *int { return &f.AlarmsLow }, "undisposed": func(f *Figures) *int { return &f.Undisposed },
	"alarms_24h": func(f *Figures) *int { return &f.Alarms24h }, "repeated_24h": func(f *Figures) *int { return &f.Repeated24h },
	"over_range": func(f *Figures) *int { return &f.OverRange }, "faulty": func(f *Figures) *int { return &f.Faulty },
	"stuck": func(f *Figures) *int { return &f.Stuck }, "stale": func(f *Figures) *int { return &f.Stale },
	"cleaning_missed": func(f *Figures) *int { return &f.CleaningMissed }, "overdue_level1": func(f *Figures) *int { return &f.OverdueLevel1 },
	"overdue_level2": func(f *Figures) *int { return &f.OverdueLevel2 }, "feedback_overdue": func(f *Figures) *int { return &f.FeedbackOverdue },
	"hazards_open": func(f *Figures) *int { return &f.HazardsOpen }, "hazards_overdue": func(f *Figures) *int { return &f.HazardsOverdue },
}

var figureOf = map[string]func(*Figures) *float64{
	"longest_active_min": func(f *Figures) *float64 { return &f.LongestMinutes }, "offline_min": func(f *Figures) *float64 { return &f.OfflineMinutes },
	"cleaning_rate": func(f *Figures) *float64 { return &f.CleaningRate }, "online_rate": func(f *Figures) *float64 { return &f.OnlineRate },
	"doubtful_share": func(f *Figures) *float64 { return &f.DoubtfulShare }, "missing_share": func(f *Figures) *float64 { return &f.MissingShare },
}
