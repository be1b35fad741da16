// Package condition makes programs of expressions in CEL: combined alarm rules (组合报警规则) over the values of a plant's metrics, such as
//
//	C001T0101 > 55 && (C001P0101 < 400 || C001K0101 == 1)
//
// where a name is a metric's code behind its enterprise's, and what a risk model computes from its inputs (package risk).
// Expressions know numbers, texts, comparisons, arithmetic, &&, ||, ! and ?:, no loops; what one evaluation may cost is
// estimated when it is compiled and limited besides.
package condition

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// ErrCondition says that an expression is none; the error is an *Error with line, column and reason.
var ErrCondition = errors.New("condition: bad expression")

// Limits of an expression.
const (
	maxNames   = 16
	maxCost    = 1000 // CEL's units: about one an operator
	maxLength  = 1000 // bytes
	textLength = 64   // of a text an expression sees
	maxIssues  = 5    // told of one expression
)

// Issue is one thing that is wrong with an expression; Line and Column count from 1, and are 0 when the whole is meant.
type Issue struct {
	Line, Column int
	Reason       string
}

// Error is everything that is wrong with an expression. It is an ErrCondition.
type Error struct{ Issues []Issue }

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(ErrCondition.Error())
	for i, x := range e.Issues {
		b.WriteString([]string{": ", "; "}[min(i, 1)])
		if x.Line > 0 {
			fmt.Fprintf(&b, "line %d, column %d: ", x.Line, x.Column)
		}
		b.WriteString(x.Reason)
	}
	return b.String()
}

// Is makes an Error an ErrCondition.
func (e *Error) Is(target error) bool { return target == ErrCondition }

func refused(format string, args ...any) error {
	return &Error{[]Issue{{Reason: fmt.Sprintf(format, args...)}}}
}

// bad is what CEL complains of.
func bad(issues *cel.Issues) error {
	out := &Error{}
	for _, x := range issues.Errors() {
		if len(out.Issues) < maxIssues {
			out.Issues = append(out.Issues, Issue{x.Location.Line(), x.Location.Column() + 1, x.Message})
		}
	}
	return out
}

// Kind is what a variable holds, or an expression gives.
type Kind uint8

// The kinds. Numbers are float64, texts string, flags bool.
const (
	Number Kind = iota
	Text
	Flag
)

func (k Kind) cel() *cel.Type {
	return [...]*cel.Type{cel.DoubleType, cel.StringType, cel.BoolType}[k]
}

func (k Kind) String() string { return [...]string{"number", "text", "true or false"}[k] }

// Program is a checked expression.
type Program struct {
	names   []string
	guards  []guard
	program cel.Program
}

// Compile checks an alarm rule's expression; known says whether a name is a metric. Errors: ErrCondition.
func Compile(expression string, known func(name string) bool) (*Program, error) {
	return CompileOver(expression, Flag, func(name string) (Kind, error) {
		if !known(name) {
			return 0, fmt.Errorf("%s is no metric of this plant (a code behind the enterprise's, such as C001T0101)", name)
		}
		return Number, nil
	})
}

// CompileOver checks an expression over variables that gives a value of a kind; of is the kind of a variable, or says why there
// is no such. Errors: ErrCondition.
func CompileOver(expression string, gives Kind, of func(name string) (Kind, error)) (*Program, error) {
	if len(expression) > maxLength {
		return nil, refused("has %d bytes, wanted at most %d", len(expression), maxLength)
	}
	base, err := cel.NewEnv(cel.ClearMacros())
	if err != nil {
		return nil, fmt.Errorf("prepare expressions: %w", err)
	}
	parsed, issues := base.Parse(expression)
	if issues.Err() != nil {
		return nil, bad(issues)
	}
	names := prepare(parsed)
	if len(names) == 0 || len(names) > maxNames {
		return nil, refused("names %d inputs, wanted 1 to %d", len(names), maxNames)
	}
	env, err := declare(base, parsed, names, of)
	if err != nil {
		return nil, err
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, bad(issues)
	}
	if !checked.OutputType().IsExactType(gives.cel()) {
		return nil, refused("gives a %s, wanted %s", checked.OutputType(), gives)
	}
	if c, err := env.EstimateCost(checked, sizes{}); err != nil || c.Max > maxCost {
		return nil, refused("may cost up to %d, wanted at most %d", c.Max, maxCost)
	}
	program, err := env.Program(checked, cel.CostLimit(maxCost))
	if err != nil {
		return nil, refused("%s", err)
	}
	p := &Program{program: program}
	for _, n := range names {
		p.names = append(p.names, n.name)
	}
	p.guards = guards(parsed.NativeRep().Expr(), p.names)
	return p, nil
}

// guard is what an expression compares a metric with. As long as a value moves between two neighbours of the bounds, the expression
// cannot change. plain is false when the metric is also used otherwise: any change of it counts.
type guard struct {
	bounds []float64
	plain  bool
}

var comparisons = map[string]bool{
	operators.Less: true, operators.LessEquals: true, operators.Greater: true, operators.GreaterEquals: true, operators.Equals: true, operators.NotEquals: true,
}

// guards finds the bounds of each metric.
func guards(root celast.Expr, names []string) []guard {
	out := make([]guard, len(names))
	for i := range out {
		out[i].plain = true
	}
	compared := map[int64]bool{} // names that stand in a comparison with a number; parents are visited first
	celast.PreOrderVisit(root, celast.NewExprVisitor(func(e celast.Expr) {
		switch e.Kind() {
		case celast.CallKind:
			args := e.AsCall().Args()
			if !comparisons[e.AsCall().FunctionName()] || len(args) != 2 {
				return
			}
			for k, a := range args {
				v, ok := number(args[1-k])
				if i, found := slices.BinarySearch(names, nameOf(a)); ok && found {
					out[i].bounds = append(out[i].bounds, v)
					compared[a.ID()] = true
				}
			}
		case celast.IdentKind:
			if i, found := slices.BinarySearch(names, e.AsIdent()); found && !compared[e.ID()] {
				out[i].plain = false
			}
		default:
		}
	}))
	return out
}

func nameOf(e celast.Expr) string {
	if e.Kind() == celast.IdentKind {
		return e.AsIdent()
	}
	return ""
}

func number(e celast.Expr) (float64, bool) {
	if e.Kind() != celast.LiteralKind {
		return 0, false
	}
	v, ok := e.AsLiteral().(types.Double)
	return float64(v), ok
}

// Between are the open ends between which the value of metric i (of Names) may move from v without any change of what the
// expression gives; ok is false when there is no such room.
func (p *Program) Between(i int, v float64) (lo, hi float64, ok bool) {
	lo, hi = math.Inf(-1), math.Inf(1)
	g := &p.guards[i]
	for _, b := range g.bounds {
		switch {
		case b < v:
			lo = math.Max(lo, b)
		case b > v:
			hi = math.Min(hi, b)
		default:
			return v, v, false // on a bound
		}
	}
	return lo, hi, g.plain && !math.IsNaN(v)
}

// declare makes the names known to the checker, or says of every one that is not.
func declare(base *cel.Env, parsed *cel.Ast, names []name, of func(name string) (Kind, error)) (*cel.Env, error) {
	var declared []cel.EnvOption
	wrong := &Error{}
	for _, n := range names {
		k, err := of(n.name)
		if err != nil {
			at := parsed.NativeRep().SourceInfo().GetStartLocation(n.id)
			wrong.Issues = append(wrong.Issues, Issue{at.Line(), at.Column() + 1, err.Error()})
			continue
		}
		declared = append(declared, cel.Variable(n.name, k.cel()))
	}
	if len(wrong.Issues) > 0 {
		return nil, wrong
	}
	env, err := base.Extend(declared...)
	if err != nil {
		return nil, refused("%s", err)
	}
	return env, nil
}

// sizes tells the estimate of an expression's cost how long texts are.
type sizes struct{}

func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

func (sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	if n.Expr().Kind() == celast.IdentKind {
		return &cost.SizeEstimate{Max: textLength}
	}
	return nil
}

// name is a name in an expression, and where it first stands.
type name struct {
	name string
	id   int64
}

// prepare lists the names an expression uses, sorted, and makes every number a double as the values are: CEL itself
// does not compare 1 with 1.0.
func prepare(a *cel.Ast) []name {
	var out []name
	factory := celast.NewExprFactory()
	celast.PreOrderVisit(a.NativeRep().Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		switch e.Kind() {
		case celast.IdentKind:
			out = append(out, name{e.AsIdent(), e.ID()})
		case celast.LiteralKind:
			if n, ok := e.AsLiteral().(types.Int); ok {
				e.SetKindCase(factory.NewLiteral(e.ID(), types.Double(n)))
			}
		default:
		}
	}))
	slices.SortStableFunc(out, func(a, b name) int { return strings.Compare(a.name, b.name) })
	return slices.CompactFunc(out, func(a, b name) bool { return a.name == b.name })
}

// Names are the names an expression uses, sorted.
func (p *Program) Names() []string { return p.names }

// numbers is what an expression over metrics sees: the value of each, by name.
type numbers struct {
	names []string
	of    []float64
}

func (v numbers) ResolveName(name string) (any, bool) {
	if i, ok := slices.BinarySearch(v.names, name); ok {
		return v.of[i], true
	}
	return nil, false
}

func (numbers) Parent() cel.Activation { return nil }

// Holds evaluates with the values of Names, in their order. ok is false when it cannot be told.
func (p *Program) Holds(of []float64) (holds, ok bool) {
	out, _, err := p.program.Eval(numbers{p.names, of})
	if err != nil {
		return false, false
	}
	holds, ok = out.Value().(bool)
	return holds, ok
}

// lookup is what an expression sees through a function.
type lookup func(name string) (any, bool)

func (l lookup) ResolveName(name string) (any, bool) { return l(name) }
func (lookup) Parent() cel.Activation                { return nil }

// Value evaluates with the value of each name as of gives it: a float64, string or bool. ok is false when it cannot be told.
func (p *Program) Value(of func(name string) (any, bool)) (value any, ok bool) {
	out, _, err := p.program.Eval(lookup(of))
	if err != nil {
		return nil, false
	}
	return out.Value(), true
}

// Name is how expressions call a metric of an enterprise.
func Name(enterprise, metric string) string { return strings.TrimPrefix(metric, enterprise) }
