package risk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"dusthub/node/engine/condition"
	"dusthub/schema"

	"go.yaml.in/yaml/v3"
)

// ErrModel says that a document is not a model; the error names every line and reason.
var ErrModel = errors.New("risk: bad model")

// Problem is one reason why a document is not a model. Line is 0 when no one line is to blame.
type Problem struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

// Problems are all reasons, by line. They are an ErrModel.
type Problems []Problem

func (p Problems) Error() string {
	said := make([]string, len(p))
	for i, x := range p {
		said[i] = x.Reason
		if x.Line > 0 {
			said[i] = fmt.Sprintf("line %d: %s", x.Line, x.Reason)
		}
	}
	return ErrModel.Error() + ": " + strings.Join(said, "; ")
}

// Is makes Problems an ErrModel.
func (Problems) Is(target error) bool { return target == ErrModel }

// MaxDocument is how large a document may be, bytes.
const MaxDocument = 1 << 20

// maxVersion is how long a version may be (RiskModel.version).
const maxVersion = 50

// Parse reads and checks a model document. Errors: Problems, which are ErrModel.
func Parse(document []byte) (*Model, error) {
	if len(document) > MaxDocument {
		return nil, Problems{{0, fmt.Sprintf("the document has %d bytes, wanted at most %d", len(document), MaxDocument)}}
	}
	p := &parser{m: &Model{document: document}, lines: map[string]int{}}
	p.read(document)
	if p.root != nil {
		p.check()
	}
	if len(p.problems) > 0 {
		slices.SortStableFunc(p.problems, func(a, b Problem) int { return a.Line - b.Line })
		return nil, p.problems
	}
	return p.m, nil
}

// parser reads one document; it gathers everything that is wrong with it.
type parser struct {
	m        *Model
	root     *yaml.Node
	lines    map[string]int // of paths
	scalars  []Number       // numbers and durations, in order
	problems Problems
}

func (p *parser) say(line int, format string, args ...any) {
	x := Problem{line, fmt.Sprintf(format, args...)}
	if !slices.Contains(p.problems, x) {
		p.problems = append(p.problems, x)
	}
}

// need says what is wrong at a path unless ok.
func (p *parser) need(ok bool, path, format string, args ...any) {
	if !ok {
		p.say(p.line(path), format, args...)
	}
}

// line is where a path stands, or what encloses it.
func (p *parser) line(path string) int {
	for {
		if n, ok := p.lines[path]; ok {
			return n
		}
		i := strings.LastIndexByte(path, '.')
		if i < 0 {
			return 0
		}
		path = path[:i]
	}
}

var lineOf = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)

// said takes in what the YAML library complains of.
func (p *parser) said(err error) {
	list := []string{err.Error()}
	var typed *yaml.TypeError
	if errors.As(err, &typed) {
		list = typed.Errors
	}
	for _, s := range list {
		line := 0
		if m := lineOf.FindStringSubmatch(strings.ReplaceAll(s, "\n", " ")); m != nil {
			line, _ = strconv.Atoi(m[1])
			s = m[2]
			if strings.HasPrefix(s, "did not find expected") {
				line++ // the library's parser, unlike its scanner, counts from 0
			}
		}
		p.say(line, "%s", strings.TrimPrefix(s, "yaml: "))
	}
}

// read makes the model of the text; root stays nil when it is no YAML mapping.
func (p *parser) read(document []byte) {
	var doc, more yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(document))
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the document is empty")
		}
		p.said(err)
		return
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		p.say(more.Line, "one document wanted, there are more")
		return
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		p.say(doc.Line, "a mapping wanted, such as \"version: DUST-RISK-1.0\"")
		return
	}
	if !p.walk(doc.Content[0], reflect.TypeFor[Model](), "") {
		return
	}
	p.root = doc.Content[0]
	if err := p.root.Decode(p.m); err != nil {
		p.said(err)
	}
}

var durationType = reflect.TypeFor[Duration]()

// walk notes where everything stands, and what the document has that a model has not. It is false when the document is not
// to be looked at any further.
func (p *parser) walk(n *yaml.Node, t reflect.Type, path string) bool {
	if _, known := p.lines[path]; !known && path != "" {
		p.lines[path] = n.Line
	}
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		p.say(n.Line, "anchors and aliases are not taken")
		return false
	}
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			p.lines[path] = n.Line + 1 // where the text begins
		}
		number := n.Tag == "!!int" || n.Tag == "!!float"
		if number || t == durationType {
			p.scalars = append(p.scalars, Number{Path: path, Text: n.Value, Line: n.Line})
		}
	case yaml.SequenceNode:
		var of reflect.Type
		if t != nil && t.Kind() == reflect.Slice {
			of = t.Elem()
		}
		for i, item := range n.Content {
			if !p.walk(item, of, path+"."+nameOf(item, i)) {
				return false
			}
		}
	case yaml.MappingNode:
		return p.mapping(n, t, path)
	default:
	}
	return true
}

func (p *parser) mapping(n *yaml.Node, t reflect.Type, path string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		p.lines[at] = key.Line
		var of reflect.Type
		switch {
		case t != nil && t.Kind() == reflect.Struct && t != durationType:
			f, ok := fieldOf(t, key.Value)
			if !ok {
				p.say(key.Line, "field %s is not known here", key.Value)
				continue
			}
			of = f
		case t != nil && t.Kind() == reflect.Map:
			of = t.Elem()
		}
		if !p.walk(value, of, at) {
			return false
		}
	}
	return true
}

// nameOf is how a path calls an item of a list: by its code, else by its number.
func nameOf(item *yaml.Node, i int) string {
	for k := 0; item.Kind == yaml.MappingNode && k+1 < len(item.Content); k += 2 {
		if key := item.Content[k].Value; key == "code" || key == "of" {
			return item.Content[k+1].Value
		}
	}
	return strconv.Itoa(i)
}

// fieldOf is the type of a struct's field by its name in YAML.
func fieldOf(t reflect.Type, name string) (reflect.Type, bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		tag := f.Tag.Get("yaml")
		if tag == "" {
			tag = strings.ToLower(f.Name)
		}
		if tag == name {
			return f.Type, true
		}
	}
	return nil, false
}

// What a document that was written before these could be set means.
var (
	managementCodes = []string{"M1", "M2", "M3", "M4", "M5", "M6"}
	paramsOf        = map[string]map[string]float64{
		"M2": {"level1": 20, "level2": 40}, "M3": {"each": 50}, "M4": {"good": 0.98, "bad": 0.80},
		"M5": {"hour": 5, "day": 20}, "M6": {"major": 50},
	}
	kindsOf = map[string][]string{
		"F1": {"T01", "S01", "Q01", "L01", "F01"}, "F2": {"B01", "E01"}, "F3": {"T01", "P01", "K01", "S01", "L01", "F01", "Q01"}, "F4": {"S01"}, "F5": {"Q01"},
	}
	graverOf = map[string]Graver{"F6": {Level: schema.Red}, "F7": {Level: schema.Orange, After: Duration{72 * time.Hour}}}
)

const (
	defaultShifts    = 3
	defaultSlots     = 18
	defaultMinimum   = 0.5
	defaultChange    = 1
	defaultSweep     = 5 * time.Minute
	defaultSnapshot  = time.Hour
	defaultHazardDue = 30 * 24 * time.Hour
	tolerance        = 1e-9
)

// check judges what was read, and derives what the rest needs.
func (p *parser) check() {
	m := p.m
	p.defaults()
	p.need(m.Version != "", "version", "version is missing")
	p.need(len(m.Version) <= maxVersion, "version", "version has %d bytes, wanted at most %d", len(m.Version), maxVersion)
	p.sum("weights", 1, m.Weights.Inherent, m.Weights.Dynamic, m.Weights.Management)
	p.sum("blend", 1, m.Blend.Worst, m.Blend.Mean)
	b := m.Bands
	p.need(b.Yellow > 0 && b.Yellow < b.Orange && b.Orange < b.Red && b.Red <= 100, "bands", "bands do not rise within 0 to 100: yellow %v, orange %v, red %v", b.Yellow, b.Orange, b.Red)
	p.need(m.Memory.HalfLife.Duration > 0, "memory.half_life", "memory.half_life must be above 0")
	p.need(m.Fall.Margin >= 0 && m.Fall.Margin <= 100, "fall.margin", "fall.margin is not within 0 to 100")
	p.need(m.Near >= 0 && m.Near <= 1, "near", "near is not within 0 to 1")
	p.need(m.Cadence.Change > 0 && m.Cadence.Change <= 100, "cadence.change", "cadence.change is not above 0 and within 100")
	p.need(m.Warn.MinJump >= 1 && m.Warn.MinJump <= 3, "warn.min_jump", "warn.min_jump is not within 1 to 3")
	p.need(m.Hazards.Completion >= 0 && m.Hazards.Completion <= 1, "hazards.completion", "hazards.completion is not within 0 to 1")
	p.need(m.Hazards.Slots >= 1, "hazards.slots", "hazards.slots must be at least 1")
	sc := m.Scores
	for _, s := range []struct {
		name string
		v    float64
	}{{"near", sc.Near}, {"level1", sc.Level1}, {"level2", sc.Level2}, {"fault", sc.Fault}, {"offline", sc.Offline}} {
		p.within("scores."+s.name, s.v, 100)
	}
	p.factors("inherent", m.Inherent)
	p.factors("management", m.Management)
	p.factors("dynamic", m.Dynamic)
	p.present()
	p.kinds()
	for i := range m.Floors {
		p.floor(&m.Floors[i])
	}
	for _, level := range keys(m.Feedback) {
		p.need(Rank(level) > 0, "feedback."+level, "feedback: %s is no level above blue", level)
	}
	for _, level := range keys(m.Receivers) {
		p.need(Rank(level) > 0, "receivers."+level, "receivers: %s is no level above blue", level)
	}
	p.sources()
	if len(p.problems) == 0 {
		p.monotonic()
	}
}

// defaults fills in what the document does not say.
func (p *parser) defaults() {
	m := p.m
	setDuration := func(path string, d *Duration, v time.Duration) {
		if _, said := p.lines[path]; !said {
			d.Duration = v
		}
	}
	setDuration("cadence.sweep", &m.Cadence.Sweep, defaultSweep)
	setDuration("cadence.snapshot", &m.Cadence.Snapshot, defaultSnapshot)
	setDuration("hazards.due", &m.Hazards.Due, defaultHazardDue)
	if _, said := p.lines["cadence.change"]; !said {
		m.Cadence.Change = defaultChange
	}
	if _, said := p.lines["warn.min_jump"]; !said {
		m.Warn.MinJump = 1
	}
	if _, said := p.lines["hazards.completion"]; !said {
		m.Hazards.Completion = defaultMinimum
	}
	if _, said := p.lines["hazards.slots"]; !said {
		m.Hazards.Slots = defaultSlots
	}
	m.params = map[string]map[string]float64{}
	for code, named := range paramsOf {
		m.params[code] = map[string]float64{}
		for name, v := range named {
			m.params[code][name] = v
		}
	}
	for i := range m.Floors {
		f := &m.Floors[i]
		if f.Kinds == nil {
			f.Kinds = kindsOf[f.Code]
		}
		if g, ok := graverOf[f.Code]; ok && f.Graver == nil {
			f.Graver = &g
		}
		if f.Code == "F8" && f.Shifts == 0 {
			f.Shifts = defaultShifts
		}
	}
}

func (p *parser) sum(path string, want float64, parts ...float64) {
	sum, ok := 0.0, true
	for _, v := range parts {
		ok = ok && v >= 0
		sum += v
	}
	p.need(ok, path, "%s has a part below 0", path)
	p.need(math.Abs(sum-want) < tolerance, path, "%s add up to %v, not %v", path, sum, want)
}

func (p *parser) within(path string, v, most float64) {
	p.need(v >= 0 && v <= most, path, "%s is %v, not within 0 to %v", path, v, most)
}

// groups of variables the factors of a part may look at. What a plant is by nature is not judged by what happens: H is
// worked out when base data change.
var groups = map[string][]string{
	"inherent": {GroupInherent}, "dynamic": {GroupInherent, GroupDynamic}, "management": {GroupInherent, GroupDynamic, GroupManagement},
}

func (p *parser) factors(part string, list []Factor) {
	sum, seen := 0.0, map[string]bool{}
	for i := range list {
		f := &list[i]
		path := part + "." + f.Code
		if f.Code == "" {
			path = part + "." + strconv.Itoa(i)
		}
		p.need(f.Code != "", path, "a factor of the %s part has no code", part)
		p.need(!seen[f.Code], path, "factor %s is there twice", f.Code)
		seen[f.Code] = true
		f.builtin = -1
		if part == "management" {
			f.builtin = slices.Index(managementCodes, f.Code)
		}
		if part == "dynamic" {
			p.within(path+".criticality", f.Criticality, 1)
			p.need(f.Weight == 0, path+".weight", "factor %s of the dynamic part has a criticality, not a weight", f.Code)
		} else {
			p.need(f.Weight >= 0 && f.Weight <= 100, path+".weight", "weight of %s is %v, not within 0 to 100", f.Code, f.Weight)
			sum += f.Weight
		}
		p.factor(part, path, f)
	}
	p.need(part == "dynamic" || len(list) > 0, part, "%s has no factors", part)
	p.need(part == "dynamic" || len(list) == 0 || math.Abs(sum-100) < tolerance, part, "%s weights add up to %v, not 100", part, sum)
}

func (p *parser) factor(part, path string, f *Factor) {
	_, said := p.lines[path+".unknown"]
	if !said {
		f.Unknown = 100
	}
	p.within(path+".unknown", f.Unknown, 100)
	ways := 0
	for _, there := range []bool{len(f.Inputs) > 0, f.Score != ""} {
		if there {
			ways++
		}
	}
	p.need(ways == 1 || ways == 0 && f.builtin >= 0, path, "factor %s needs either inputs or a score expression", f.Code)
	for i := range f.Inputs {
		p.input(part, path+".inputs", f, &f.Inputs[i])
	}
	f.when = p.expression(path+".when", f.When, condition.Flag, groups[part])
	f.score = p.expression(path+".score", f.Score, condition.Number, groups[part])
	for _, name := range keys(f.Monotonic) {
		at := path + ".monotonic." + name
		p.direction(at, f.Monotonic[name])
		used := f.score != nil && slices.Contains(f.score.p.Names(), name)
		p.need(used || f.Score != "" && f.score == nil, at, "factor %s: %s is not in its score expression", f.Code, name)
	}
	for _, name := range keys(f.Params) {
		_, known := paramsOf[f.Code][name]
		p.need(part == "management" && known, path+".params."+name, "factor %s has no figure %s", f.Code, name)
		p.need(f.Params[name] >= 0, path+".params."+name, "figure %s of %s is below 0", name, f.Code)
		if part == "management" && known {
			p.m.params[f.Code][name] = f.Params[name]
		}
	}
	if f.Code == "M4" {
		p.need(p.m.Param("M4", "good") > p.m.Param("M4", "bad"), path+".params", "M4: good is not above bad")
	}
}

func (p *parser) direction(path, d string) {
	p.need(d == "increasing" || d == "decreasing" || d == "none", path, "%s is %q, wanted increasing, decreasing or none", path, d)
}

func (p *parser) input(part, path string, f *Factor, in *Input) {
	path += "." + in.Of
	coded, known := inputsOf[in.Of]
	p.need(known, path, "factor %s: unknown input %q", f.Code, in.Of)
	p.need(part == "inherent", path, "factor %s: inputs are for inherent factors; use a score expression", f.Code)
	p.need(len(in.Codes) > 0 != (len(in.Steps) > 0), path, "factor %s: input %s needs codes or steps", f.Code, in.Of)
	p.need(!known || coded == (len(in.Steps) == 0), path, "factor %s: input %s is a %s", f.Code, in.Of, map[bool]string{true: "code, give codes", false: "number, give steps"}[coded])
	if in.Monotonic != "" {
		p.direction(path+".monotonic", in.Monotonic)
		p.need(!coded || in.Monotonic == "none", path+".monotonic", "factor %s: a code such as %s does not rise", f.Code, in.Of)
	}
	for _, c := range keys(in.Codes) {
		p.within(path+".codes."+c, in.Codes[c], 100)
	}
	p.within(path+".beyond", in.Beyond, 100)
	p.within(path+".unknown", in.Unknown, 100)
	for i, s := range in.Steps {
		at := path + ".steps." + strconv.Itoa(i)
		p.need((s.Below == nil) != (s.Upto == nil), at, "factor %s: a step of %s needs below or upto", f.Code, in.Of)
		p.within(at+".score", s.Score, 100)
		if i > 0 {
			p.need(s.bound() > in.Steps[i-1].bound(), at, "factor %s: steps of %s do not rise", f.Code, in.Of)
		}
	}
	last := in.Beyond
	for i := len(in.Steps) - 1; i >= 0; i-- {
		s := in.Steps[i].Score
		p.need(in.Monotonic != "increasing" || s <= last, path, "factor %s: %s is declared increasing, but the score falls from %v to %v", f.Code, in.Of, s, last)
		p.need(in.Monotonic != "decreasing" || s >= last, path, "factor %s: %s is declared decreasing, but the score rises from %v to %v", f.Code, in.Of, s, last)
		last = s
	}
}

// expression compiles one; its lines are the document's.
func (p *parser) expression(path, text string, gives condition.Kind, of []string) *program {
	if text == "" {
		return nil
	}
	c, err := compile(text, gives, of...)
	if err == nil {
		return c
	}
	for _, x := range issues(err) {
		line := p.line(path)
		if x.Line > 1 {
			line += x.Line - 1
		}
		where := path
		if x.Column > 0 {
			where = fmt.Sprintf("%s, column %d", path, x.Column)
		}
		p.say(line, "%s: %s", where, x.Reason)
	}
	return nil
}

// present says which of the factors the engine scores are not there.
func (p *parser) present() {
	for _, code := range managementCodes {
		there := slices.ContainsFunc(p.m.Management, func(f Factor) bool { return f.Code == code })
		p.need(there, "management", "management factor %s is missing (a weight of 0 takes it out of the index)", code)
	}
	for _, section := range []string{"weights", "bands", "fall", "memory", "blend", "scores", "criticality", "near"} {
		_, there := p.lines[section]
		p.need(there, section, "%s is missing", section)
	}
}

func (p *parser) kinds() {
	known := func(kind string) bool {
		_, ok := schema.MetricKind(kind)
		return ok || kind == Link
	}
	for _, kind := range keys(p.m.Criticality) {
		p.need(known(kind), "criticality."+kind, "criticality of unknown metric kind %q", kind)
		p.within("criticality."+kind, p.m.Criticality[kind], 1)
	}
	for i, kind := range p.m.Stopped {
		p.need(known(kind), "stopped."+strconv.Itoa(i), "stopped names unknown metric kind %q", kind)
	}
	for _, f := range p.m.Floors {
		for _, kind := range f.Kinds {
			p.need(known(kind), "floors."+f.Code+".kinds", "floor %s names unknown metric kind %q", f.Code, kind)
		}
	}
}

var floorCodes = []string{"F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8"}

func (p *parser) floor(f *Floor) {
	path := "floors." + f.Code
	p.need(f.Code != "", path, "a floor has no code")
	p.need(Rank(f.Level) > 0, path+".level", "floor %s has no level above blue", f.Code)
	p.need(f.When != "" || slices.Contains(floorCodes, f.Code), path, "floor %s is not known to the engine (%s) and has no expression (when)", f.Code, strings.Join(floorCodes, " "))
	n := 0
	for i := range p.m.Floors {
		if p.m.Floors[i].Code == f.Code {
			n++
		}
	}
	p.need(n == 1, path, "floor %s is there twice", f.Code)
	if f.Graver != nil {
		p.need(Rank(f.Graver.Level) >= Rank(f.Level), path+".graver", "floor %s: graver is below its level", f.Code)
	}
	f.when = p.expression(path+".when", f.When, condition.Flag, groups["management"])
}

var confidences = []string{"F", "GK-hi", "GK-med", "GK-low", "P", "D"}

// sources joins what factors and floors say of themselves with the section sources; every number must come from somewhere.
func (p *parser) sources() {
	m := p.m
	all := map[string]Source{}
	for _, path := range keys(m.Sources) {
		all[path] = m.Sources[path]
		_, there := p.lines[path]
		p.need(there, "sources."+path, "sources: %s is not in the document", path)
		p.confidence("sources."+path, m.Sources[path].Confidence, true)
	}
	own := func(path, source, clause, confidence string) {
		if _, said := all[path]; !said && (source != "" || clause != "" || confidence != "") {
			all[path] = Source{source, clause, confidence}
			p.confidence(path, confidence, false)
		}
	}
	for _, part := range m.parts() {
		for _, f := range part.factors {
			own(part.name+"."+f.Code, f.Source, f.Clause, f.Confidence)
		}
	}
	for _, f := range m.Floors {
		own("floors."+f.Code, f.Source, f.Clause, f.Confidence)
	}
	m.Sources = all
	for _, n := range p.scalars {
		if strings.HasPrefix(n.Path, "sources.") || n.Path == "version" || n.Path == "title" {
			continue
		}
		n.Source = m.SourceOf(n.Path)
		p.need(n.Confidence != "", n.Path, "%s has no source: say where it comes from and how far it can be trusted (sources)", n.Path)
		m.numbers = append(m.numbers, n)
	}
}

func (p *parser) confidence(path, c string, needed bool) {
	p.need(slices.Contains(confidences, c) || c == "" && !needed, path, "%s: confidence %q, wanted one of %s", path, c, strings.Join(confidences, " "))
}

type part struct {
	name    string
	factors []Factor
}

// parts are the lists of factors, by their names in the document.
func (m *Model) parts() []part {
	return []part{{"inherent", m.Inherent}, {"dynamic", m.Dynamic}, {"management", m.Management}}
}

// keys are a map's keys, sorted.
func keys[T any](m map[string]T) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// monotonic tries what expressions declare of themselves, at some points: one that is caught is refused.
func (p *parser) monotonic() {
	grid := []float64{0, 0.5, 1, 2, 3, 5, 10, 20, 29, 30, 50, 60, 99, 100, 300, 1000, 10000}
	for _, part := range p.m.parts() {
		for i := range part.factors {
			f := &part.factors[i]
			for _, name := range keys(f.Monotonic) {
				if d := f.Monotonic[name]; d != "none" && f.score != nil {
					path := fmt.Sprintf("%s.%s.monotonic.%s", part.name, f.Code, name)
					at, ok := f.score.moves(name, d == "increasing", grid)
					p.need(ok, path, "factor %s is declared %s in %s, but is not at %v", f.Code, d, name, at)
				}
			}
		}
	}
}

// moves says whether a score moves one way with a variable over a grid while the others stand at each of its points.
func (p *program) moves(name string, up bool, grid []float64) (at float64, ok bool) {
	for _, rest := range grid {
		last := math.NaN()
		for _, x := range grid {
			v, known := p.p.Value(func(n string) (any, bool) {
				switch {
				case n == name:
					return x, true
				case byName[n] == nil:
					return nil, false
				case byName[n].Kind == condition.Text:
					return "", true
				case byName[n].Kind == condition.Flag:
					return false, true
				}
				return rest, true
			})
			score, isNumber := v.(float64)
			if !known || !isNumber || math.IsNaN(score) {
				continue
			}
			score = math.Max(0, math.Min(100, score))
			if up && score < last || !up && score > last {
				return x, false
			}
			last = score
		}
	}
	return 0, true
}
