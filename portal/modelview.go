package portal

import (
	"dusthub/node/engine/risk"
)

// ModelView is a risk model as people read it.
type ModelView struct {
	Version     string              `json:"version"`
	Title       string              `json:"title,omitempty"`
	Weights     ModelWeights        `json:"weights"`
	Bands       ModelBands          `json:"bands"`
	Fall        FallView            `json:"fall"`
	HalfLifeS   float64             `json:"half_life_s" doc:"of the memory of alarms"`
	Blend       BlendView           `json:"blend"`
	Scores      ModelScores         `json:"scores"`
	Near        float64             `json:"near" doc:"share of the first limit within which a value is near it"`
	MinJump     int                 `json:"min_jump" doc:"levels up that make a warning"`
	Inherent    []FactorView        `json:"inherent,omitempty"`
	Dynamic     []FactorView        `json:"dynamic,omitempty" doc:"further factors of the plant as a whole"`
	Management  []FactorView        `json:"management,omitempty"`
	Criticality map[string]float64  `json:"criticality" doc:"by metric kind"`
	Floors      []FloorView         `json:"floors,omitempty"`
	Hazards     HazardFigures       `json:"hazards"`
	FeedbackS   map[string]float64  `json:"feedback_s" doc:"by level: until when a warning must be fed back"`
	Receivers   map[string][]string `json:"receivers"`
	Numbers     []NumberView        `json:"numbers,omitempty" doc:"every number of the document with where it comes from"`
	Variables   []VariableView      `json:"variables,omitempty" doc:"inputs that expressions can name"`
}

// ModelWeights are the weights of the three parts of the index.
type ModelWeights struct {
	Inherent   float64 `json:"inherent"`
	Dynamic    float64 `json:"dynamic"`
	Management float64 `json:"management"`
}

// ModelBands are the indexes from which on a level holds.
type ModelBands struct {
	Red    float64 `json:"red"`
	Orange float64 `json:"orange"`
	Yellow float64 `json:"yellow"`
}

// FallView is how a level comes down.
type FallView struct {
	Margin float64 `json:"margin"`
	AfterS float64 `json:"after_s"`
	DwellS float64 `json:"dwell_s"`
}

// BlendView is how the dust systems of a plant are blended.
type BlendView struct {
	Worst float64 `json:"worst"`
	Mean  float64 `json:"mean"`
}

// ModelScores are how grave a signal's state is.
type ModelScores struct {
	Near    float64 `json:"near"`
	Level1  float64 `json:"level1"`
	Level2  float64 `json:"level2"`
	Fault   float64 `json:"fault"`
	Offline float64 `json:"offline"`
}

// HazardFigures are the figures by which major hidden dangers are found and dealt with.
type HazardFigures struct {
	DueS       float64 `json:"due_s"`
	Completion float64 `json:"completion"`
	Slots      int     `json:"slots"`
}

// FactorView is a weighted factor.
type FactorView struct {
	Code        string             `json:"code"`
	Name        string             `json:"name"`
	Weight      float64            `json:"weight"`
	Criticality float64            `json:"criticality,omitempty"`
	Clause      string             `json:"clause,omitempty"`
	Source      string             `json:"source,omitempty"`
	Confidence  string             `json:"confidence,omitempty"`
	Inputs      []InputView        `json:"inputs,omitempty"`
	When        string             `json:"when,omitempty" doc:"CEL"`
	Score       string             `json:"score,omitempty" doc:"CEL"`
	Monotonic   map[string]string  `json:"monotonic,omitempty"`
	Params      map[string]float64 `json:"params,omitempty"`
}

// InputView is one input of a factor and how it is scored.
type InputView struct {
	Of        string             `json:"of"`
	Monotonic string             `json:"monotonic,omitempty"`
	Codes     map[string]float64 `json:"codes,omitempty"`
	Steps     []StepView         `json:"steps,omitempty"`
	Beyond    float64            `json:"beyond"`
	Unknown   float64            `json:"unknown"`
}

// StepView scores numbers below, or up to and including, a bound.
type StepView struct {
	Below *float64 `json:"below,omitempty"`
	Upto  *float64 `json:"upto,omitempty"`
	Score float64  `json:"score"`
}

// FloorView is a rule below which a level may not lie.
type FloorView struct {
	Code         string   `json:"code"`
	Level        string   `json:"level" table:"level"`
	Text         string   `json:"text"`
	Clause       string   `json:"clause,omitempty"`
	Source       string   `json:"source,omitempty"`
	Confidence   string   `json:"confidence,omitempty"`
	AfterS       float64  `json:"after_s"`
	Kinds        []string `json:"kinds,omitempty"`
	Shifts       int      `json:"shifts,omitempty"`
	GraverLevel  string   `json:"graver_level,omitempty" table:"level"`
	GraverAfterS float64  `json:"graver_after_s,omitempty"`
	When         string   `json:"when,omitempty" doc:"CEL"`
}

// NumberView is one number of a model with where it comes from.
type NumberView struct {
	Path       string `json:"path"`
	Value      string `json:"value"`
	Line       int    `json:"line"`
	Source     string `json:"source,omitempty"`
	Clause     string `json:"clause,omitempty"`
	Confidence string `json:"confidence"`
}

// VariableView is an input that expressions can name.
type VariableView struct {
	Name  string `json:"name"`
	Zh    string `json:"zh"`
	Unit  string `json:"unit,omitempty"`
	Part  string `json:"part" enum:"inherent,dynamic,management"`
	Holds string `json:"holds" doc:"number, text, or true or false"`
}

func factorViews(m *risk.Model, part string, list []risk.Factor) []FactorView {
	out := make([]FactorView, 0, len(list))
	for _, f := range list {
		from := m.SourceOf(part + "." + f.Code)
		v := FactorView{
			Code: f.Code, Name: f.Name, Weight: f.Weight, Criticality: f.Criticality, Clause: f.Clause, Source: from.Source, Confidence: from.Confidence,
			When: f.When, Score: f.Score, Monotonic: f.Monotonic, Params: f.Params,
		}
		for _, in := range f.Inputs {
			view := InputView{Of: in.Of, Monotonic: in.Monotonic, Codes: in.Codes, Beyond: in.Beyond, Unknown: in.Unknown}
			for _, s := range in.Steps {
				view.Steps = append(view.Steps, StepView(s))
			}
			v.Inputs = append(v.Inputs, view)
		}
		out = append(out, v)
	}
	return out
}

func modelView(m *risk.Model) *ModelView {
	out := &ModelView{
		Version: m.Version, Title: m.Title, Weights: ModelWeights(m.Weights), Bands: ModelBands(m.Bands),
		Fall: FallView{m.Fall.Margin, m.Fall.After.Seconds(), m.Fall.Dwell.Seconds()}, HalfLifeS: m.Memory.HalfLife.Seconds(), Blend: BlendView(m.Blend),
		Scores: ModelScores(m.Scores), Near: m.Near, MinJump: m.Warn.MinJump,
		Inherent: factorViews(m, "inherent", m.Inherent), Dynamic: factorViews(m, "dynamic", m.Dynamic), Management: factorViews(m, "management", m.Management),
		Criticality: m.Criticality, Floors: []FloorView{}, Hazards: HazardFigures{m.Hazards.Due.Seconds(), m.Hazards.Completion, m.Hazards.Slots},
		FeedbackS: map[string]float64{}, Receivers: m.Receivers, Numbers: []NumberView{}, Variables: []VariableView{},
	}
	for _, f := range m.Floors {
		from := m.SourceOf("floors." + f.Code)
		v := FloorView{
			Code: f.Code, Level: f.Level, Text: f.Text, Clause: f.Clause, Source: from.Source, Confidence: from.Confidence, AfterS: f.After.Seconds(),
			Kinds: f.Kinds, Shifts: f.Shifts, When: f.When,
		}
		if f.Graver != nil {
			v.GraverLevel, v.GraverAfterS = f.Graver.Level, f.Graver.After.Seconds()
		}
		out.Floors = append(out.Floors, v)
	}
	for level, d := range m.Feedback {
		out.FeedbackS[level] = d.Seconds()
	}
	for _, n := range m.Numbers() {
		out.Numbers = append(out.Numbers, NumberView{n.Path, n.Text, n.Line, n.Source.Source, n.Clause, n.Confidence})
	}
	for _, v := range risk.Variables() {
		out.Variables = append(out.Variables, VariableView{v.Name, v.Zh, v.Unit, v.Group, v.Kind.String()})
	}
	return out
}
