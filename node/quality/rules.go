package quality

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"dusthub/schema"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

//go:embed rules.yaml
var rulesFile []byte

// Rule is something that is asked of base data: either that records be right (Field is empty), or that a field be filled.
type Rule struct {
	ID         string `json:"id" doc:"of a field: Type.field"`
	Type       string `json:"type,omitempty" doc:"record type; empty: any"`
	Field      string `json:"field,omitempty"`
	Required   bool   `json:"required,omitempty" doc:"of a field: required, else recommended"`
	Zh         string `json:"zh"`
	En         string `json:"en"`
	Source     string `json:"source,omitempty"`
	Confidence string `json:"confidence,omitempty"`

	check check
	field protoreflect.FieldDescriptor
}

// SensingRule is something that is asked of readings.
type SensingRule struct {
	ID         string  `yaml:"id" json:"id" enum:"gaps,over_range,stuck,frequent"`
	Zh         string  `yaml:"zh" json:"zh"`
	En         string  `yaml:"en" json:"en"`
	AboutZh    string  `yaml:"about_zh" json:"about_zh"`
	AboutEn    string  `yaml:"about_en" json:"about_en"`
	Value      float64 `yaml:"value" json:"value" doc:"threshold"`
	Confidence string  `yaml:"confidence" json:"confidence"`
}

// Types are the record types that base data quality is judged of.
var Types = []string{"Enterprise", "Workshop", "DustSystem", "Collector", "Gateway", "Metric"}

// catalogue is what rules.yaml says.
type catalogue struct {
	rules   []Rule // accuracy first, then fields
	sensing map[string]SensingRule
	order   []string // of sensing rules
	bounds  map[string][4]float64
	fields  map[string][]int // rules about fields, by record type
}

var shipped *catalogue

func init() { shipped = mustLoad() } // checks refer to it, so that it cannot be made where it is declared

// Rules lists what is asked of base data: first that records be right, then that fields be filled. A rule's place is its number.
func Rules() []Rule { return shipped.rules }

// SensingRules lists what is asked of readings.
func SensingRules() []SensingRule {
	out := make([]SensingRule, 0, len(shipped.order))
	for _, id := range shipped.order {
		out = append(out, shipped.sensing[id])
	}
	return out
}

// RuleOf is the number of a rule; false when there is none of that id.
func RuleOf(id string) (int, bool) {
	i := slices.IndexFunc(shipped.rules, func(r Rule) bool { return r.ID == id })
	return i, i >= 0
}

// mustLoad reads the embedded rules. They are part of the program: a fault in them is a fault of the build.
func mustLoad() *catalogue {
	c, err := load(rulesFile)
	if err != nil {
		panic(fmt.Sprintf("quality: rules.yaml: %v", err))
	}
	return c
}

func load(raw []byte) (*catalogue, error) {
	var file struct {
		Rules       [][]string
		Recommended map[string][]string
		Sensing     []SensingRule
		Bounds      map[string][4]float64
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	c := &catalogue{sensing: map[string]SensingRule{}, bounds: file.Bounds, fields: map[string][]int{}}
	const columns = 6
	for _, r := range file.Rules {
		if len(r) != columns || checks[r[0]] == nil {
			return nil, fmt.Errorf("rule %v has no check, or not %d columns", r, columns)
		}
		c.rules = append(c.rules, Rule{ID: r[0], Type: r[1], Zh: r[2], En: r[3], Source: r[4], Confidence: r[5], check: checks[r[0]]})
	}
	for _, typ := range Types {
		if err := c.addFields(typ, file.Recommended[typ]); err != nil {
			return nil, err
		}
	}
	for _, r := range file.Sensing {
		c.sensing[r.ID] = r
		c.order = append(c.order, r.ID)
	}
	return c, nil
}

// addFields makes a rule of every field of a type that is required by the schema or recommended.
func (c *catalogue) addFields(typ string, recommended []string) error {
	rec, ok := schema.New(typ)
	if !ok {
		return fmt.Errorf("no record type %s", typ)
	}
	list := rec.ProtoReflect().Descriptor().Fields()
	known := 0
	for i := range list.Len() {
		fd := list.Get(i)
		o, _ := proto.GetExtension(fd.Options(), schema.E_F).(*schema.FieldOptions)
		required := slices.Contains(strings.Split(o.GetRule(), ","), "required")
		advised := slices.Contains(recommended, string(fd.Name()))
		if advised {
			known++
		}
		if !required && !advised {
			continue
		}
		meta, _ := schema.MetaOf(typ)
		c.fields[typ] = append(c.fields[typ], len(c.rules))
		c.rules = append(c.rules, Rule{
			ID: typ + "." + string(fd.Name()), Type: typ, Field: string(fd.Name()), Required: required, field: fd, Source: o.GetSource(),
			Zh: meta.Zh + "未填" + o.GetZh(), En: typ + " without " + strings.ReplaceAll(string(fd.Name()), "_", " "),
		})
	}
	if known != len(recommended) {
		return fmt.Errorf("%s: a recommended field does not exist", typ)
	}
	return nil
}
